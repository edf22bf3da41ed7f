"""An entry of a kind that this version does not know, read as far as every kind can be read. Pure.

A later version writes kinds, and words in known kinds, that this one does not have; during an upgrade both serve one
store. Whatever its kind, an entry begins with the same members, and a subject's part names the subject. More is not
guessed at: it is proven and projected like any other, shown as unknown, and counts and discloses nothing.

What a reader cannot do with less is not a kind of entry but damage: `read` gives None.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, get_args, get_origin

import msgspec

from gateway.ledger.entry.operators import Who

MOST = 60
"""The most characters of a kind, or a word, that are shown."""
MOST_KINDS = 20
"""So many unknown kinds are told by name."""
_OTHER = re.compile(r"[^A-Za-z0-9._-]")

Subject = tuple[str, str]
"""Scheme and value."""


class Unknown(msgspec.Struct, frozen=True, omit_defaults=True):
    """Entered: something of a kind that is not known here, or, with a `word`, of a known kind in a word that is not.

    `kind` and `word` are bounded and without signs of their own. `subjects` are those that its parts name, in order;
    None for one that was erased, or is not named as all kinds name one.
    """

    kind: str
    v: int
    id: str
    at: datetime.datetime
    requester: Who
    rule_set: str = ""
    word: str = ""
    subjects: tuple[Subject | None, ...] = ()

    @property
    def name(self) -> str:
        """Its kind, for a reader."""
        return f"{self.kind}: {self.word}" if self.word else self.kind


class _Head(msgspec.Struct, frozen=True):
    """What every kind has in its general part."""

    kind: str
    v: int
    id: str
    at: Annotated[datetime.datetime, msgspec.Meta(tz=True)]
    requester: Who
    rule_set: str = ""


class _Whom(msgspec.Struct, frozen=True):
    """What every kind has in a subject's part."""

    value: str
    scheme: str = ""


_HEAD = msgspec.json.Decoder(_Head)
_ANY = msgspec.json.Decoder(dict[str, object])
_WHOM = msgspec.json.Decoder(_Whom)


def read(general: bytes, kinds: Mapping[str, type[Any]]) -> Unknown | None:
    """A general part that none of the known kinds takes; None where its kind is known, and its words too."""
    try:
        head = _HEAD.decode(general)
        known = kinds.get(head.kind)
        word = None if known is None else _new_word(known, _ANY.decode(general))
    except (msgspec.MsgspecError, RecursionError):
        return None
    if known is not None and word is None:
        return None
    return Unknown(clean(head.kind), head.v, head.id, head.at, head.requester, head.rule_set, clean(word or ""))


def whom(bodies: Sequence[bytes | None]) -> tuple[Subject | None, ...]:
    """The subjects that the parts of such an entry name."""
    return tuple(map(_named, bodies))


def _named(body: bytes | None) -> Subject | None:
    try:
        found = None if body is None else _WHOM.decode(body)
    except (msgspec.MsgspecError, RecursionError):
        return None
    return None if found is None else (found.scheme, found.value)


def _new_word(kind: type[Any], said: dict[str, object]) -> str | None:
    """The first word in it that a known kind does not have; None where there is none."""
    for member, words in _words(kind).items():
        word = said.get(member)
        if isinstance(word, str) and word not in words:
            return word
    return None


def _words(kind: type[Any]) -> dict[str, tuple[str, ...]]:
    """The members of a kind that have one of a few words."""
    fields = msgspec.structs.fields(kind)
    return {field.encode_name: get_args(field.type) for field in fields if get_origin(field.type) is Literal}


def clean(text: str) -> str:
    """A kind or a word as it may be shown anywhere: short, on one line, and with no sign that means anything."""
    said = _OTHER.sub("\N{REPLACEMENT CHARACTER}", text[:MOST])
    return f"{said}..." if len(text) > MOST else said


class Tally:
    """How many entries of unknown kinds there are, each kind by its name, up to `MOST_KINDS` of them."""

    def __init__(self) -> None:
        self._kinds: dict[str, int] = {}
        self._more = 0

    def note(self, told: object) -> None:
        """Take an entry in; known ones are not counted."""
        if not isinstance(told, Unknown):
            return
        if told.name in self._kinds or len(self._kinds) < MOST_KINDS:
            self._kinds[told.name] = self._kinds.get(told.name, 0) + 1
        else:
            self._more += 1

    def __len__(self) -> int:
        return sum(self._kinds.values()) + self._more

    def __str__(self) -> str:
        named = [f"`{kind}` {count}" for kind, count in sorted(self._kinds.items())]
        if self._more:
            named.append(f"others {self._more}")
        one = len(self) == 1
        return (
            f"{len(self)} {'entry' if one else 'entries'} of {'a kind' if one else 'kinds'} that this version does not"
            f" know ({', '.join(named)}): proven as all others, but shown by a later version only"
        )
