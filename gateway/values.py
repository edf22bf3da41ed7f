"""Single values of the files that people write: text, numbers, dates, URLs, paths, sizes, durations, secrets.

Each is read with its place. A getter that finds a mistake tells it with the form that was expected, and gives something
of its type, so that reading goes on and one run tells everything. A value that is not written gives the `default`, and
is told as missing where there is none.
"""

from __future__ import annotations

import base64
import contextlib
import datetime
import difflib
import ipaddress
import math
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from ruamel.yaml.nodes import MappingNode, ScalarNode

from gateway.errors import Problem
from gateway.files import not_writable, readable_by_others

NOWHERE = Path(os.devnull)
"""What stands for a path that is missing or wrong: no folder, and no regular file."""

MOST_NAME = 256
_NAME = re.compile(rf"[^\x00-\x1f\x7f-\x9f\ud800-\udfff]{{1,{MOST_NAME}}}")

MOST_PROBLEMS = 1_000
"""So many are told at once; more is not read by anybody, and would take time without end to tell apart."""

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_SHOWN = 60
"""So many characters of a value are in a problem."""

_SIZES = {"B": 1, "KiB": 1024, "MiB": 1024**2}
_DURATIONS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def suggest(word: str, known: Iterable[str]) -> str:
    """` (did you mean `x`?)` for the nearest known word, or nothing."""
    near = nearest(word, known)
    return f" (did you mean `{near}`?)" if near else ""


def nearest(word: str, known: Iterable[str]) -> str:
    """The known word that is most like it, or nothing where none is much like it."""
    return next(iter(difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)), "")


def is_loopback(host: str) -> bool:
    """Whether a host name or address never leaves this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def is_name(text: str) -> bool:
    """Whether somebody can be entered by this name: 1 to `MOST_NAME` characters, not all space, none of control.

    Every index of every store holds such a name. A lone surrogate is no character.
    """
    return _NAME.fullmatch(text) is not None and not text.isspace()


class Document(NamedTuple):
    """A file as problems call it, the folder that its relative paths start at, and what is wrong with it so far.

    `passed` has the places (line, column) whose values are not looked at: a problem that is told already stands there.
    """

    file: str
    folder: Path
    problems: list[Problem]
    passed: frozenset[tuple[int, int]] = frozenset()


class Value:
    """One value of a document and where it stands; `raw` is `None` where it is not written.

    What an environment variable says has a mark before the first line, named like the variable: `variable` is its name.
    """

    def __init__(self, document: Document, raw: Any, path: str, key: Any = None, parent: Value | None = None) -> None:
        self.document, self.path = document, path
        self.folder, self.problems = document.folder, document.problems
        self._raw, self._key, self._parent = raw, key, parent
        mark = self._mark()
        self.variable: str | None = mark.name if mark.line < 0 else None
        self.file = self.variable or document.file
        self.line, self.column = mark.line + 1, mark.column + 1
        self.told = False
        """Whether something was found wrong with this value: then what was read of it is invented."""
        self.meant: set[str] = set()
        """Keys of a mapping that are there, but misspelt: told as that, and not as missing too."""

    def _mark(self) -> Any:
        raw, key = self._raw, self._key
        if raw is None and self._parent is not None:
            return self._parent._mark()
        empty = isinstance(raw, ScalarNode) and not raw.value and raw.style is None and raw.start_mark.line >= 0
        return (key if empty and key is not None else raw).start_mark  # an empty value starts at whatever comes next

    def _tell(self, mark: Any, path: str, message: str) -> None:
        self.told = True
        line, column = mark.line + 1, mark.column + 1
        if (line, column) in self.document.passed:
            return
        variable = mark.line < 0
        file, path = (mark.name, "") if variable else (self.document.file, path)
        for quoted in (self._raw, self._key):
            if isinstance(quoted, ScalarNode) and len(str(quoted.value)) > _SHOWN:
                short = f"{str(quoted.value)[:_SHOWN]}…"
                path, message = (text.replace(str(quoted.value), short) for text in (path, message))
        problem = Problem(file, line, column, path, message)
        if len(self.problems) < MOST_PROBLEMS and problem not in self.problems:
            self.problems.append(problem)

    def problem(self, message: str) -> None:
        """Report that this value is wrong; `message` has the problem and the fix."""
        self._tell(self._mark(), self.path, message)

    def key_problem(self, message: str) -> None:
        """Report that this value's key is wrong, at the place of the key (at the value, where it is not in a
        mapping)."""
        self._tell(self._key.start_mark if self._key is not None else self._mark(), self.path, message)

    def _missing(self) -> None:
        self.told = True
        parent = self._parent
        if parent is not None and parent._raw is None:
            parent._missing()
        elif parent is not None and isinstance(parent._raw, MappingNode):
            key = self.path.rpartition(".")[2]
            if key not in parent.meant:
                parent.problem(f"`{key}` is missing")

    @property
    def is_null(self) -> bool:
        """Whether there is no value: not written, empty, `~` or `null`."""
        raw = self._raw
        return raw is None or (isinstance(raw, ScalarNode) and raw.style is None and raw.value in ("", "~", "null"))

    def _scalar(self, what: str) -> str | None:
        if self._raw is None:
            self._missing()
            return None
        if not isinstance(self._raw, ScalarNode) or self.is_null:
            self.problem(f"must be {what}")
            return None
        return str(self._raw.value)

    def text(self, default: str | None = None, *, pattern: str | None = None, what: str = "text") -> str:
        """A non-empty string, matching `pattern` whole where given; `what` names it in the problem."""
        if self._raw is None and default is not None:
            return default
        value = self._scalar(what)
        if value is None:
            return ""
        if not value.strip() or (pattern and not re.fullmatch(pattern, value)):
            self.problem(f"`{value}` must be {what}")
            return ""
        if "\0" in value:
            self.problem(f"`{value}` has a NUL character; remove it")
            return ""
        return value

    def choice(self, known: Iterable[str], what: str = "one of", default: str | None = None) -> str:
        """One of the known words; an unknown one is a problem with the nearest known, and gives the first."""
        if self._raw is None and default is not None:
            return default
        known = list(known)
        value = self._scalar(f"{'one of ' if len(known) > 1 else ''}{', '.join(known)}")
        if value is not None and value not in known:
            self.problem(f"unknown `{value}`{suggest(value, known)}; {what} {', '.join(known)}")
        return value if value in known else (known[0] if known else "")

    def integer(self, minimum: int = 0, maximum: int = 2**31 - 1, default: int | None = None) -> int:
        """A whole number from `minimum` to `maximum`."""
        if self._raw is None and default is not None:
            return default
        value = self._scalar("a whole number")
        if value is None:
            return minimum
        if not re.fullmatch(r"-?\d{1,12}", value) or not minimum <= int(value) <= maximum:
            self.problem(f"`{value}` must be a whole number from {minimum} to {maximum}")
            return minimum
        return int(value)

    def boolean(self, default: bool | None = None) -> bool:
        """`true` or `false`."""
        if self._raw is None and default is not None:
            return default
        value = self._scalar("true or false")
        if value not in (None, "true", "false"):
            self.problem(f"`{value}` must be true or false")
        return value == "true"

    def date(self) -> datetime.date:
        """A day, written YYYY-MM-DD; the first there is where it is wrong (`told`)."""
        value = self._scalar("a date (YYYY-MM-DD)")
        try:
            if value is not None and re.fullmatch(r"\d{4}-\d\d-\d\d", value):
                return datetime.date.fromisoformat(value)
        except ValueError:
            value = str(value)
        if value is not None:
            self.problem(f"`{value}` must be a date (YYYY-MM-DD)")
        return datetime.date.min

    def duration(self, default: float | None = None, *, zero: bool = False, most: float = math.inf) -> float:
        """Seconds of a duration such as `5s` or `250ms`, at most `most`; more than nothing unless `zero`."""
        if self._raw is None and default is not None:
            return default
        text = self.text(pattern=r"[0-9]{1,9}(\.[0-9]{1,3})? ?(ms|s|m|h)", what="a duration, as `5s` or `250ms`")
        found = re.fullmatch(r"([0-9.]+) ?(\w+)", text)
        seconds = float(found[1]) * _DURATIONS[found[2]] if found else 0.0
        if found and seconds <= 0 and not zero:
            self.problem(f"`{text}` must be more than nothing")
        elif seconds > most:
            self.problem(f"`{text}` must be at most {most:g}s")
        return seconds

    def size(self, default: int | None = None, *, most: int = 2**40) -> int:
        """Bytes of a size such as `64KiB`, at most `most`."""
        if self._raw is None and default is not None:
            return default
        text = self.text(pattern=r"[1-9][0-9]{0,8} ?(B|KiB|MiB)", what="a size, as `64KiB`")
        found = re.fullmatch(r"([0-9]+) ?(\w+)", text)
        size = int(found[1]) * _SIZES[found[2]] if found else 0
        if size > most:
            self.problem(f"`{text}` must be at most {most // 1024}KiB")
        return size

    def network(self) -> Network | None:
        """An address or network; None where it is neither."""
        what = "an address or network (its first address, and the length), as `10.0.0.5` or `10.20.0.0/16`"
        text = self.text(what=what)
        try:
            return ipaddress.ip_network(text)
        except ValueError:
            if text:
                self.problem(f"`{text}` must be {what}")
        return None

    def url(self, plain: bool | None = None) -> str:
        """An https URL without credentials, query or fragment; http is for loopback.

        `plain` is what the key `allow_plain_http` beside it says, where there is such a key.
        """
        text = self.text(
            pattern=r"https?://[^\s\"\\<>]+", what="an https URL of host and path, as `https://gateway.example`"
        )
        if not text:
            return ""
        try:
            parts = urlsplit(text)
            _ = parts.port
        except ValueError:
            self.problem(f"`{text}` is not a URL")
            return ""
        if "?" in text or "#" in text:
            what = "query (`?`)" if "?" in text.partition("#")[0] else "fragment (`#`)"
            self.problem(f"`{text}` has a {what}; leave it out")
        elif "@" in parts.netloc or not parts.hostname or not text.isascii():
            self.problem("must name a host in ASCII, and no user or password")
        elif parts.scheme == "http" and not is_loopback(parts.hostname) and not plain:
            unless = "" if plain is None else "; or write `allow_plain_http: true` where the network itself encrypts"
            self.problem(f"`{text}` must be https (http is for loopback only){unless}")
        return text

    def any_path(self) -> Path:
        """A path, seen from the file's folder; nothing need be there. Links in it are followed when it is used."""
        text = self.text(what="a path")
        path = self.folder / text if text else NOWHERE
        if text and path == NOWHERE:  # else it would pass for one that was refused
            self.problem(f"`{text}` holds nothing; leave the key out, or name what is meant")
        return path

    def existing_file(self) -> Path:
        """A file that must be there, seen from this one's folder."""
        return self._existing("file", Path.is_file)

    def written_file(self) -> Path:
        """A file that is written to, and need not be there: its folder must be, and both be open to us."""
        path = self.any_path()
        if path != NOWHERE and (wrong := not_writable(path)):
            self.problem(f"`{self.text()}` {wrong}")
            return NOWHERE
        return path

    def private_file(self) -> Path:
        """A file that must be there and holds a secret, so that nobody but its owner may read it."""
        path = self.existing_file()
        with contextlib.suppress(OSError):
            if path != NOWHERE and (wrong := readable_by_others(path)):
                self.problem(f"the file `{self.text()}` {wrong}")
        return path

    def existing_folder(self) -> Path:
        """A folder that must be there, seen from this file's."""
        return self._existing("folder", Path.is_dir)

    def _existing(self, what: str, exists: Any) -> Path:
        path = self.any_path()
        try:
            if path == NOWHERE or exists(path):
                return path
            if path.exists():
                kind = "a folder" if path.is_dir() else "a file" if path.is_file() else "a pipe or a device"
                self.problem(f"`{self.text()}` is {kind}; name a {what}")
            else:
                self.problem(f"there is no {what} `{self.text()}` (seen from this file's folder)")
        except OSError as error:  # a folder above that this account may not look into, or a name that is too long
            self.problem(f"`{self.text()}` cannot be read ({error.strerror})")
        return NOWHERE

    def secret(self) -> str:
        """What the file that is named here holds: one line of printable text. The secret itself never stands here."""
        path = self.private_file()
        try:
            secret = path.read_text("utf-8").strip()
        except (OSError, ValueError):
            secret = ""
        if path != NOWHERE and not (secret and secret.isprintable()):
            self.problem(f"the file `{self.text()}` must hold the secret, one line of printable text")
        return secret

    def signing_secrets(self) -> tuple[bytes, ...]:
        """What the file that is named here holds: secrets to sign notices with (Standard Webhooks), the newest first.

        Each is `whsec_` and base64 on a line of its own; several, so that they can be changed.
        """
        file = self.private_file()
        try:
            lines = file.read_text("ascii").split()
            secrets = tuple(base64.b64decode(line.removeprefix("whsec_"), validate=True) for line in lines)
        except (OSError, ValueError):
            secrets = ()
        if secrets and all(24 <= len(secret) <= 64 for secret in secrets):
            return secrets
        if file.is_file() and not self.told:
            self.problem("the file must hold secrets as `whsec_` and base64 of 24 to 64 bytes, a line each")
        return ()
