"""Entries as a later version may write them: of kinds, members and words that this one does not have."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec
from hypothesis import strategies as st

from gateway.ledger.entry import entries
from gateway.ledger.entry.parts import SubjectParts
from tests.ledger.projecting import SUBJECTS
from tests.ledger.support import AT, BY
from tests.ledger.values import KINDS

TAGS = {str(kind.__struct_config__.tag) for kind in KINDS}
HEAD = {"v", "id", "at", "requester", "kind", "rule_set"}

json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5),
    lambda each: st.lists(each, max_size=3) | st.dictionaries(st.text(max_size=5), each, max_size=3),
    max_leaves=5,
)
members = st.dictionaries(st.text(max_size=8).filter(lambda name: name not in HEAD), json, max_size=4)
kinds = st.sampled_from(["later", "recall-ended", "A" * 90, "a\nb", "<b>x</b>", "=1+1", ""]) | st.text(max_size=70)
words = st.text(max_size=8).filter(lambda word: word not in ("placed", "lifted"))


class Later(NamedTuple):
    """Its parts; `about` are the subjects whose keys seal them, `named` those that can be read in them."""

    told: bytes
    oversight: bytes
    subjects: tuple[SubjectParts, ...]
    at: datetime.datetime
    id: str

    @property
    def about(self) -> set[tuple[str, str]]:
        return {(each.scheme, each.value) for each in self.subjects}

    @property
    def named(self) -> set[tuple[str, str]]:
        return {(each.scheme, each.value) for each in self.subjects if "value" in msgspec.json.decode(each.told)}


@st.composite
def later(draw: Callable[[st.SearchStrategy[Any]], Any]) -> Later:
    """An entry of a kind that is not known here, or of a known one in a word that is not."""
    number = draw(st.integers(0, 10**9))
    at = AT + datetime.timedelta(microseconds=number)
    head = {"v": entries.VERSION, "id": f"later-{number}", "at": at, "requester": entries.Who(*BY, "market")}
    if draw(st.booleans()):
        head |= {"kind": draw(kinds.filter(lambda kind: kind not in TAGS))} | draw(members)
    else:
        head |= {"kind": "hold", "event": draw(words), "hold": "h", "by": "A", "reason": "why"}
    subjects = []
    for place in draw(st.lists(st.sampled_from(range(4)), max_size=3, unique=True)):
        scheme, value = SUBJECTS[place]
        said = {name: each for name, each in draw(members).items() if name not in ("scheme", "value")}
        if draw(st.booleans()):
            said |= {"scheme": scheme, "value": value}
        subjects.append(SubjectParts(scheme, value, msgspec.json.encode(said), b"{}"))
    oversight = msgspec.json.encode(entries.Oversight(entries.VERSION, "m.ivanova"))[:-1] + b',"later":[1]}'
    return Later(msgspec.json.encode(head), oversight, tuple(subjects), at, head["id"])
