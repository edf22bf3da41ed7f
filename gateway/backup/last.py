"""When the store was last backed up: `backup.json` in the folder of the head file, for whoever looks after it."""

from __future__ import annotations

import datetime
from pathlib import Path

import msgspec

from gateway.config.settings import Settings
from gateway.errors import CommandRefused
from gateway.files import replace_file

VERSION = 1


class Last(msgspec.Struct, frozen=True):
    """The last backup: when it was made, its folder, the size of the copy in bytes, and the entries of each shard."""

    v: int
    made: datetime.datetime
    folder: str
    bytes: int
    shards: dict[str, int]


def path(settings: Settings) -> Path:
    """Where it is written."""
    return settings.ledger.head_file.with_name("backup.json")


def find(settings: Settings) -> Last | None:
    """The last backup that this configuration knows of; raises `CommandRefused` where the file is damaged."""
    try:
        found = msgspec.json.decode(path(settings).read_bytes(), type=Last)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise CommandRefused(f"`{path(settings)}` cannot be read ({error}); the next backup writes it again") from error
    return found


def write(settings: Settings, last: Last) -> None:
    """Write it again; raises `OSError`."""
    replace_file(path(settings), msgspec.json.format(msgspec.json.encode(last), indent=1) + b"\n")
