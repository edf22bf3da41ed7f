"""What a follower of logs remembers between runs: a folder with one JSON file a log, replaced as a whole.

`checkpoint` is the last signed note that was found whole: what is served later must be consistent with it. `whole` is
how far the entries were ever checked, `underway` how far a check from the first entry on came before it was
interrupted. This file is trusted: it belongs to whoever verifies, not to the gateway.
"""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote, unquote

import msgspec

from gateway.errors import ConfigurationError, Problem
from gateway.files import replace_file
from gateway.ledger.proof.merkle import Tree
from gateway.ledger.stored.read import TILE_BITS, TILE_WIDTH
from gateway.ledger.verify.published.tile_client import fold

VERSION = 1


class Reached(msgspec.Struct, frozen=True):
    """A tree as far as it was checked: `rows[level]` has the hashes of that tile level's last, unfinished tile."""

    size: int
    rows: tuple[tuple[bytes, ...], ...]

    def tree(self) -> Tree:
        peaks: list[bytes | None] = []
        for level in range(self.size.bit_length()):
            tile_level, above = divmod(level, TILE_BITS)
            offset = (((self.size >> level) - 1) << above) % TILE_WIDTH
            row = list(self.rows[tile_level][offset : offset + (1 << above)]) if self.size >> level & 1 else []
            peaks.append(fold(row) if row else None)
        return Tree(self.size, peaks)


NOTHING = Reached(0, ())


class LogState(msgspec.Struct, frozen=True, omit_defaults=True):
    """One log's file; without a checkpoint it was never found whole."""

    v: int
    origin: str
    checkpoint: str = ""
    whole: Reached | None = None
    underway: Reached | None = None


class Memory:
    """The folder of a follower; made when something is first remembered."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def load(self, origin: str) -> LogState:
        """What is remembered of a log. Raises `ConfigurationError` where that cannot be read."""
        path = self._path(origin)
        try:
            found = msgspec.json.decode(path.read_bytes(), type=LogState)
        except FileNotFoundError:
            return LogState(VERSION, origin)
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise _refuse(
                path, f"cannot be read ({error}); without it the last seen checkpoint is forgotten"
            ) from error
        if found.v != VERSION or found.origin != origin:
            raise _refuse(path, f"is not of version {VERSION} and of `{origin}`; it was altered")
        return found

    def notes(self) -> list[tuple[Path, str]]:
        """Every log's last checkpoint, and the file that it stands in. Raises `ConfigurationError` as `load` does."""
        found = []
        for path in sorted(self.folder.glob("*.json")):
            kept = self.load(unquote(path.stem))
            if kept.checkpoint:
                found.append((path, kept.checkpoint))
        return found

    def save(self, remembered: LogState) -> None:
        """Replace what is remembered of a log; raises `ConfigurationError` where that cannot be written."""
        self._write(self._path(remembered.origin), msgspec.json.format(msgspec.json.encode(remembered), indent=0))

    def keep_evidence(self, origin: str, old: str, new: str) -> Path:
        """Write two signed checkpoints that contradict each other into one file: the proof that a log was forked."""
        path = self.folder / f"{quote(origin, safe='')}.forked.txt"
        self._write(path, f"{old}\n{new}".encode())
        return path

    def _path(self, origin: str) -> Path:
        return self.folder / f"{quote(origin, safe='')}.json"

    def _write(self, path: Path, content: bytes) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            replace_file(path, content)
        except OSError as error:
            raise _refuse(path, f"cannot be written ({error.strerror}); name another folder with `--state`") from error


def _refuse(path: Path, message: str) -> ConfigurationError:
    return ConfigurationError([Problem(str(path), 0, 0, "", message)])


def usual_folder(environ: dict[str, str]) -> Path:
    """Where a user's state belongs: `$XDG_STATE_HOME`, or `~/.local/state`."""
    base = environ.get("XDG_STATE_HOME")
    return (Path(base) if base else Path.home() / ".local" / "state") / "dutybound" / "ledger"
