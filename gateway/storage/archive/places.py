"""Where an archive stands: a folder, or a bucket of an object store that speaks S3.

What is put there is whole or not there at all. Whatever keeps a place from answering is an `ArchiveUnavailable`.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from gateway.errors import ArchiveUnavailable, ConfigurationError, Problem, StoreUnavailable
from gateway.files import RANDOM, UNFINISHED, remove_unused, replace_file
from gateway.saying import in_words

SCHEMES = ("s3",)
_UNFINISHED = re.compile(
    r"\.([0-9a-f]{64}(\.json)?|[0-9]{1,3}|x[0-9]{3}|checkpoint|manifest\.json|registry\.json)"
    rf"-{RANDOM}({re.escape(UNFINISHED)})?"  # older versions left it without
)
"""What `replace_file` calls a file of an archive until it is whole."""
_YOUNG_S = 60
"""Seconds in which a file that nobody has locked yet may be its writer's all the same."""
MOST = 1 << 30
"""Bytes of a file: far more than 512 entries have."""


class Place(Protocol):
    """Files by their names, which are relative paths with `/`."""

    @property
    def name(self) -> str:
        """The place, for messages."""

    def get(self, name: str) -> bytes | None:
        """A file's bytes; None where there is none."""

    def put(self, name: str, content: bytes) -> None:
        """Write a file, in the place of one that is there."""

    def delete(self, name: str) -> None:
        """Remove a file, if it is there."""

    def see(self) -> None:
        """Raise `ArchiveUnavailable` where the place itself is missing."""

    def names(self) -> list[str]:
        """All files, but for those that are being written."""

    def clear(self) -> None:
        """Remove what writers that were killed left unfinished."""


class Folder:
    """A folder of this machine, made when the first file is put there; its files are their owner's only."""

    def __init__(self, folder: Path) -> None:
        self._folder, self.name = folder, str(folder)

    def get(self, name: str) -> bytes | None:
        try:
            about = (self._folder / name).stat()
            # Not opened as whatever stands there: a pipe would be waited for, and a device never ends.
            if not stat.S_ISREG(about.st_mode) or about.st_size > MOST:
                raise StoreUnavailable(
                    f"the archive `{self.name}` cannot be used: `{name}`: is no file of at most {MOST >> 20} MiB"
                )
            return (self._folder / name).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise _away(self.name, name, error.strerror or in_words(error)) from error

    def put(self, name: str, content: bytes) -> None:
        path = self._folder / name
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            replace_file(path, content, clear=False)
        except OSError as error:
            raise _away(self.name, name, error.strerror or in_words(error)) from error

    def delete(self, name: str) -> None:
        try:
            (self._folder / name).unlink(missing_ok=True)
        except OSError as error:
            raise _away(self.name, name, error.strerror or in_words(error)) from error

    def see(self) -> None:
        if not self._folder.is_dir():
            raise ArchiveUnavailable(
                f"the archive `{self.name}` cannot be read: there is no such folder; have it back, as where a share was"
                " disconnected, or name another place"
            )

    def names(self) -> list[str]:
        self.see()
        found = (each for each in self._folder.rglob("*") if each.is_symlink() or not each.is_dir())
        whole = (each for each in found if not _UNFINISHED.fullmatch(each.name))
        return sorted(each.relative_to(self._folder).as_posix() for each in whole)

    def clear(self) -> None:
        for each in self._folder.rglob(".*"):
            if _UNFINISHED.fullmatch(each.name):
                with contextlib.suppress(OSError):
                    if time.time() - each.lstat().st_mtime >= _YOUNG_S:
                        remove_unused(each)


class Bucket:
    """A bucket, and a path in it (`s3://bucket/path`). Region, endpoint and keys are the environment's (`AWS_*`)."""

    def __init__(self, url: str) -> None:
        from obstore.store import from_url  # only who has an archive there needs it

        self.name = url
        self._store: Any = from_url(url)

    def get(self, name: str) -> bytes | None:
        import obstore

        try:
            return bytes(obstore.get(self._store, name).bytes())
        except FileNotFoundError:
            return None
        except Exception as error:
            raise _away(self.name, name, in_words(error)) from error

    def put(self, name: str, content: bytes) -> None:
        import obstore

        try:
            obstore.put(self._store, name, content)
        except Exception as error:
            raise _away(self.name, name, in_words(error)) from error

    def delete(self, name: str) -> None:
        import obstore

        try:
            obstore.delete(self._store, name)
        except FileNotFoundError:
            return
        except Exception as error:
            raise _away(self.name, name, in_words(error)) from error

    def see(self) -> None:
        return  # else whatever was asked of it had raised

    def names(self) -> list[str]:
        import obstore

        try:
            return sorted(str(each["path"]) for some in obstore.list(self._store) for each in some)
        except Exception as error:
            raise _away(self.name, "", in_words(error)) from error

    def clear(self) -> None:
        return  # an object is there whole, or not at all


def place_of(text: str) -> Place:
    """A place by its URL (`s3://bucket/path`) or its folder; raises `ConfigurationError` with why it is none."""
    scheme, there, _ = text.partition("://")
    if not there:
        return Folder(Path(text))
    if scheme not in SCHEMES or not urlsplit(text).netloc:
        raise ConfigurationError(
            [Problem(text, 0, 0, "", "is no place for an archive; name a folder, or `s3://bucket/path`")]
        )
    if why := _endpoint(os.environ):
        raise ConfigurationError([Problem("AWS_ENDPOINT_URL", 0, 0, "", why)])
    try:
        return Bucket(text)
    except ImportError as error:
        fix = "needs the extra `archive`: install it with `pip install 'dutybound[archive]'`"
        raise ConfigurationError([Problem(text, 0, 0, "", fix)]) from error
    except Exception as error:
        raise ConfigurationError([Problem(text, 0, 0, "", f"cannot be used ({in_words(error)})")]) from error


def _endpoint(env: Mapping[str, str]) -> str:
    """What is wrong with the endpoint in an environment, and the fix; nothing where all is right."""
    text = env.get("AWS_ENDPOINT_URL", "https://s3.example")
    if not re.fullmatch(r"https?://[\w.\[\]:-]+(/[!-~]*)?", text, re.ASCII):
        return "is no URL of an object store; write it as `https://s3.example`"
    if text.startswith("http://") and env.get("AWS_ALLOW_HTTP", "").lower() not in ("true", "1", "yes", "on"):
        return "is plain http: name one with https, or set `AWS_ALLOW_HTTP=true` where nobody else is on the way"
    return ""


def _away(place: str, name: str, why: str) -> ArchiveUnavailable:
    return ArchiveUnavailable(f"the archive `{place}` cannot be used: `{name}`: {why}")
