"""A dataset's definition: what is consulted on, approved and published, and nothing else of its file. Pure.

Arts. 20, 21: an approval is of exactly one definition, by its digest. The definition is all that a dataset's entry says
but its status, which is what the acts decide, and the title of its department. What only takes away from a published
definition needs no consultation of its own (`beyond`): everybody who was consulted agreed to more.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from gateway.catalogue import describe
from gateway.catalogue.model import Dataset, Display, Status
from gateway.catalogue.periods import may_exceed

_NOT_OF_IT = {"status": Status.PUBLISHED.value, "department_title": ""}
_OPENNESS = ("authorised", "shared", "open")
_PUBLICITY = ("non_public", "public")
_SAME = ("department", "title", "nature", "category", "basis", "shape", "override")
"""What a narrower definition has in common with a wider one: each of these says what the dataset is."""


def canonical(dataset: Dataset) -> bytes:
    """The definition as the bytes that its digest is of, whatever the order in which its file has it."""
    plain: dict[str, Any] = msgspec.to_builtins(dataset)
    plain["subjects"] = sorted(plain["subjects"])
    return msgspec.json.encode({name: each for name, each in plain.items() if name not in _NOT_OF_IT}, order="sorted")


def digest(dataset: Dataset) -> str:
    """The SHA-256, in hexadecimal, of a dataset's definition."""
    return digest_of(canonical(dataset))


def digest_of(body: bytes) -> str:
    """The SHA-256, in hexadecimal, of a definition's bytes."""
    return hashlib.sha256(body).hexdigest()


def read(body: bytes) -> Dataset:
    """The dataset of a definition's bytes, as if published; raises `ValueError` for others."""
    try:
        plain = msgspec.json.decode(body, type=dict[str, Any])
        return msgspec.convert({**plain, **_NOT_OF_IT}, Dataset)
    except msgspec.MsgspecError as error:
        raise ValueError(f"is no definition of a dataset ({error})") from error


def beyond(new: Dataset, published: Dataset) -> list[str]:
    """What of a definition goes beyond one that was published, in words; nothing where it only takes away."""
    return list(_beyond(new, published))


def _beyond(new: Dataset, old: Dataset) -> Iterator[str]:
    for word in _SAME:
        if getattr(new, word) != getattr(old, word):
            yield f"its {word} changed"
    for kind in sorted(set(new.subjects) - set(old.subjects)):
        yield f"it is also about {kind}s"
    if _OPENNESS.index(new.disclosure) > _OPENNESS.index(old.disclosure):
        yield f"its disclosure became {new.disclosure}"
    if _PUBLICITY.index(new.information) > _PUBLICITY.index(old.information):
        yield "its information became public"
    if new.open_law not in (None, old.open_law):
        yield "another law is to let it be open"
    if old.restorable and not new.restorable:
        yield "its records can no longer be restored"
    yield from _shown_longer(new.display, old.display)
    for name, field in new.fields.items():
        if name not in old.fields:
            yield f"its field `{name}` is new"
        elif field != old.fields[name]:
            yield f"its field `{name}` changed"


def _shown_longer(new: Display | None, old: Display | None) -> Iterator[str]:
    """A record may be shown for less time than before, and restored sooner, and not the other way round."""
    if old is not None and new is not None:
        if (new.law, new.counted_from) != (old.law, old.counted_from):
            yield "its display rests on something else"
        if old.max is not None and (new.max is None or may_exceed(new.max, old.max)):
            yield f"its records are to be {describe.display(new)}"
        if new.min is not None and (old.min is None or may_exceed(new.min, old.min)):
            yield f"its records are to be shown at least {describe.period(new.min)}"
    elif old is not None and old.max is not None:
        yield "its records are to be shown without limit"
    elif new is not None and new.min is not None:
        yield f"its records are to be shown at least {describe.period(new.min)}"


class Unapproved(NamedTuple):
    """A dataset that is to be published, and why it may not be."""

    dataset: str
    why: str

    def __str__(self) -> str:
        return f"`{self.dataset}`: {self.why}"


def unapproved(datasets: Iterable[Dataset], published: Mapping[str, Sequence[Dataset]]) -> list[Unapproved]:
    """The datasets that go beyond what acts published, which `published` has by dataset.

    Of each there may be several definitions, the newest last: a catalogue may go back to an earlier one.
    """
    found = []
    for dataset in datasets:
        name, several = dataset.id, [beyond(dataset, each) for each in published.get(dataset.id, ())]
        if not several:
            why = "no act published it: it needs a consultation, an approval and its publication"
            found.append(Unapproved(name, why))
        elif all(several):
            why = f"it goes beyond what was published ({'; '.join(several[-1])}): that needs a consultation of its own"
            found.append(Unapproved(name, why))
    return found
