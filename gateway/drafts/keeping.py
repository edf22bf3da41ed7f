"""Drafts as they are kept: begun as a copy of the active rule set, read, changed a file at a time, and deleted.

Invariants: a draft is its officer's alone, and for everybody else it is not there; a file has a name of a rule set's
and is text; nothing is written over that its writer did not see (`seen`); what is too much is never kept.
Everything here blocks, and raises `Refusal`.
"""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from gateway.activation import archive
from gateway.activation.archive import MOST_FILE
from gateway.acts import inputs
from gateway.acts.office import Office
from gateway.catalogue.unread import NAMED
from gateway.errors import Code, Refusal
from gateway.inquiry.types import Requester
from gateway.ledger.acting.planned import invalid, not_found
from gateway.proposals.desk import in_force
from gateway.storage.rules import drafts as rows
from gateway.storage.rules.drafts import Draft
from gateway.storage.tables import micros

LASTS = datetime.timedelta(days=30)
"""How long a draft stays that nobody uses."""
MOST_DRAFTS, MOST_KEPT = 5, 200
"""Drafts of an officer, and of all of them."""

_NOTED = datetime.timedelta(days=1)
"""After so long its use is noted anew: not each look is a write."""
_ID = re.compile(r"[0-9a-f]{32}")


class Kept(NamedTuple):
    """A draft with its files: by name, and as their archive."""

    row: Draft
    files: Mapping[str, bytes]
    packed: bytes


class File(NamedTuple):
    """A file of a draft. `seen` stands for its text, for whoever changes it."""

    name: str
    text: str
    seen: str


class Drafts:
    """Keeps them in the office's store."""

    def __init__(self, office: Office) -> None:
        self._office = office

    def begin(self, who: Requester) -> Draft:
        """A new draft with the files of the active rule set."""
        issuer, official = _whose(who)
        base, now = in_force(self._office), self._office.now()
        row = Draft(secrets.token_hex(16), issuer, official, base.digest, 1, micros(now), micros(now))
        with self._writing() as connection:
            rows.forget(connection, micros(now - LASTS))
            if len(rows.of(connection, issuer, official, 0)) >= MOST_DRAFTS:
                raise invalid("LIMIT", f"you have {MOST_DRAFTS} drafts already; delete one first")
            if rows.count(connection) >= MOST_KEPT:
                raise invalid("LIMIT", f"{MOST_KEPT} drafts are kept already; some of them have to go first")
            rows.add(connection, row, base.files)
        return row

    def of(self, who: Requester) -> Sequence[Draft]:
        """Somebody's own, the last used first."""
        with self._office.reading() as connection:
            return rows.of(connection, *_whose(who), self._since())

    def one(self, who: Requester, id_: str) -> Kept:
        """One's own draft of an id."""
        with self._office.reading() as connection:
            found = rows.one(connection, id_, self._since()) if _ID.fullmatch(id_) else None
        if found is None or (found[0].issuer, found[0].official) != _whose(who):
            raise not_found()
        row, packed = found
        now = self._office.now()
        if row.used <= micros(now - _NOTED):
            with self._writing() as connection:
                rows.use(connection, id_, micros(now))
        return Kept(row, archive.unpacked(packed), packed)

    def remove(self, who: Requester, id_: str) -> None:
        """Delete one's own."""
        self.one(who, id_)
        with self._writing() as connection:
            rows.remove(connection, id_)

    def file(self, who: Requester, id_: str, name: str) -> File:
        """A file of it."""
        content = self.one(who, id_).files.get(name)
        if content is None:
            raise not_found()
        return _read(name, content)

    def put(self, who: Requester, id_: str, name: str, text: str, seen: str) -> File:
        """Replace a file's contents; where there was none, `seen` is empty."""
        kept = self.one(who, id_)
        _changeable(kept, name, seen)
        content = written(name, text)
        self._change(kept, {**kept.files, name: content})
        return _read(name, content)

    def drop(self, who: Requester, id_: str, name: str, seen: str) -> None:
        """Take a file away."""
        kept = self.one(who, id_)
        if name not in kept.files:
            raise not_found()
        _changeable(kept, name, seen)
        self._change(kept, {each: content for each, content in kept.files.items() if each != name})

    def _change(self, kept: Kept, files: Mapping[str, bytes]) -> None:
        packed = packed_of(files)
        with self._writing() as connection:
            if not rows.change(connection, kept.row, packed, micros(self._office.now())):
                again = "another page of yours changed this draft at the same moment; send it again"
                raise Refusal(Code.CONFLICT, again, retryable=True)

    def _since(self) -> int:
        return micros(self._office.now() - LASTS)

    @contextlib.contextmanager
    def _writing(self) -> Iterator[Connection]:
        try:
            with self._office.store.engine.begin() as connection:
                yield connection
        except SQLAlchemyError as error:
            message = "the store takes nothing now; try again later"
            raise Refusal(Code.LEDGER_UNAVAILABLE, message, headers={"Retry-After": "1"}) from error


def with_file(kept: Kept, name: str, text: str) -> bytes:
    """The archive of a draft as it would be with a file that is not kept yet."""
    return packed_of({**kept.files, name: written(name, text)})


def packed_of(files: Mapping[str, bytes]) -> bytes:
    """Files as an archive; raises `Refusal` where they are too much."""
    if wrong := archive.too_much(files):
        raise invalid("LIMIT", f"the draft {wrong}")
    packed = archive.pack(files)
    if len(packed) > archive.MOST_PACKED:
        raise invalid("LIMIT", f"the draft has over {archive.MOST_PACKED:,} bytes, packed; make it smaller")
    return packed


def written(name: str, text: str) -> bytes:
    """A file's new contents, as bytes: a line ends as `\\n`, however it was sent; raises `Refusal`."""
    if not archive.is_name(name):
        raise inputs.wrong(
            f"`{name[:100]}` is no file of a rule set; it is one of {', '.join(NAMED)}, or"
            " `catalogue/….yaml`, `rules/….cedar` or `tests/….yaml`"
        )
    content = text.replace("\r\n", "\n").encode("utf-8", "replace")
    if len(content) > MOST_FILE:
        raise inputs.wrong(f"the file has {len(content):,} bytes; a file of a rule set has at most {MOST_FILE:,}")
    return content


def seen_of(content: bytes) -> str:
    """What stands for the content of a file."""
    return hashlib.sha256(content).hexdigest()[:32]


def _changeable(kept: Kept, name: str, seen: str) -> None:
    """Raises `Refusal` unless a file still says what its writer saw."""
    content = kept.files.get(name)
    if seen == ("" if content is None else seen_of(content)):
        return
    if content is None:
        raise invalid("STATE", "this file is not there any more; write it again, or leave it out")
    raise invalid("STATE", "this file was changed meanwhile; look at it again before you change it")


def _read(name: str, content: bytes) -> File:
    try:
        return File(name, content.decode("utf-8"), seen_of(content))
    except UnicodeDecodeError:
        raise invalid("STATE", f"`{name}` is no text; take it away, or put another in its place") from None


def _whose(who: Requester) -> tuple[str, str]:
    return who.issuer, who.official or ""
