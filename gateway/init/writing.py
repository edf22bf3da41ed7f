"""A first folder, laid out whole and checked before anything of it is where it was asked for.

Nothing that is there already is written over. Private keys are for their owner alone.
"""

from __future__ import annotations

import datetime
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from string import Template
from urllib.parse import urlsplit

import msgspec

from gateway import check
from gateway.errors import CommandRefused, ConfigurationError, Problem
from gateway.init import shipped
from gateway.ledger.entry.registry import first
from gateway.ledger.proof import key_files
from gateway.rules.decide.base import BASE
from gateway.storage.sealing import key_file

SUBJECT = "00EXAMPLE00000000159"
"""The LEI of an organisation that there is not: nobody issues LEIs that begin so."""
EXAMPLE_KEY = "example.key"
"""The key that signs access tokens of the example's authorization server."""
NAMES = (
    "gateway.yaml",
    "sources.yaml",
    "policies",
    "ledger.key",
    "ledger.pub",
    "store.key",
    "webhooks.key",
    EXAMPLE_KEY,
)
"""What is written, of all that may be."""
_TEMPLATES = Path(__file__).parent / "example"


class Wanted(msgspec.Struct, frozen=True):
    """What is asked for, as the files have it. `example` is whether the authorization server is the one to try with."""

    listen: str
    public_url: str
    issuer: str
    client: str
    department: str
    example: bool

    @property
    def origin(self) -> str:
        """The ledger's name: the gateway's public host and `ledger`."""
        return f"{urlsplit(self.public_url).netloc}/ledger"


def refuse_where_there(out: Path) -> None:
    """Raise `CommandRefused` where a file of that name is there already."""
    there = [f"`{out / name}`" for name in NAMES if (out / name).exists() or (out / name).is_symlink()]
    if there:
        raise CommandRefused(
            f"{', '.join(there)} {'is' if len(there) == 1 else 'are'} there already, and nothing is written over;"
            " choose another folder with `--out FOLDER`"
        )


def write(wanted: Wanted, out: Path, today: datetime.date) -> list[Path]:
    """Write all into `out`, which is made where it is not there; gives what stands there now, from `out`.

    Raises `CommandRefused` where something of it is there already or cannot be written, and `ConfigurationError`
    where what is wanted makes no configuration that could start.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".init-", dir=out) as made:
            place = Path(made)
            _lay_out(wanted, place, today)
            _check(place)
            return _moved(place, out)
    except OSError as error:
        raise CommandRefused(f"`{out}` cannot be written to ({error.strerror})") from error


def _lay_out(wanted: Wanted, place: Path, today: datetime.date) -> None:
    values = {name: json.dumps(value) for name, value in msgspec.to_builtins(wanted).items()}
    values |= {
        "origin": json.dumps(wanted.origin),
        "subject": SUBJECT,
        "first_day": today.isoformat(),
        "last_day": (today + datetime.timedelta(days=365)).isoformat(),
    }
    for file in _files(_TEMPLATES):
        target = place / file.relative_to(_TEMPLATES)
        target.parent.mkdir(parents=True, exist_ok=True)
        text = file.read_text("utf-8")
        target.write_text(Template(text).substitute(values) if file.suffix == ".yaml" else text, "utf-8")
    for name in BASE:
        shutil.copyfile(shipped.policies() / "rules" / f"{name}.cedar", place / "policies" / "rules" / f"{name}.cedar")
    private = key_files.generate(place / "ledger.key")
    key_files.write_verifiers(place / "ledger.pub", private, wanted.origin, first())
    key_file.generate(place / "store.key")
    key_files.generate(place / "webhooks.key")
    if wanted.example:
        key_files.generate(place / EXAMPLE_KEY)


def _files(folder: Path) -> Iterator[Path]:
    return (each for each in sorted(folder.rglob("*")) if each.suffix in (".yaml", ".cedar"))


def _check(place: Path) -> None:
    """Raise `ConfigurationError` where a start would refuse what was laid out."""
    problems: list[Problem] = []
    check.read(place / "gateway.yaml", {}, problems)
    if problems:
        raise ConfigurationError(
            [
                each._replace(file=each.file.replace(f"{place.resolve()}/", "").replace(f"{place}/", ""))
                for each in problems
            ]
        )


def _moved(place: Path, out: Path) -> list[Path]:
    names = sorted(each.name for each in place.iterdir())
    refuse_where_there(out)
    for name in names:
        if (place / name).is_dir():
            (place / name).rename(out / name)
        else:
            os.link(place / name, out / name)  # unlike a rename, never over a file that came meanwhile
    return [out / name for name in names]
