"""What changes for clients between two catalogues: each change in words, and whether it breaks an inquiry that worked.

Breaking is what makes a document invalid, an identifier refused, or a field denied that was answered before. Fewer
records (a shorter display, a document now needed) are told but do not break: records come and go anyway. Whether a
requester may ask at all is for the diff of rule sets (`gateway.rules.compare`).

Beside that each change says whether it widens: whether records leave that were withheld, or to more people, whatever
requesters are permitted. What only permits give effect to (a new field, a dataset that is published) does not. Pure.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from typing import NamedTuple

from gateway.catalogue import describe
from gateway.catalogue.model import Catalogue, Dataset, Display, IdentifierScheme, Period, Status
from gateway.catalogue.periods import may_exceed

_OPENNESS = ["authorised", "shared", "open"]


class Effect(enum.IntEnum):
    """What a change does to what is disclosed; in the order in which changes are listed."""

    WIDENS = 0
    NARROWS = 1
    DIFFERS = 2


class Change(NamedTuple):
    """One difference. `path` is a dataset, `dataset.field` or a scheme; sorts breaking changes first."""

    safe: bool
    path: str
    message: str
    effect: Effect = Effect.DIFFERS

    def __str__(self) -> str:
        return f"{'safe' if self.safe else 'BREAKING':9} {self.path}: {self.message}"


def breaking(path: str, message: str, effect: Effect = Effect.DIFFERS) -> Change:
    """A change that breaks clients."""
    return Change(False, path, message, effect)


def harmless(path: str, message: str, effect: Effect = Effect.DIFFERS) -> Change:
    """A change that no client has to follow."""
    return Change(True, path, message, effect)


def effect(wider: bool, narrower: bool = True) -> Effect:
    """What a change does that may be wider, and is narrower where it is not, unless neither."""
    return Effect.WIDENS if wider else Effect.NARROWS if narrower else Effect.DIFFERS


def longer(before: Period | None, after: Period | None) -> bool:
    """Whether a period is longer than another for some day, where none is the longest."""
    return before is not None and (after is None or may_exceed(after, before))


def shows_longer(before: Display | None, after: Display | None) -> bool:
    """Whether some record is displayed on more days, whether or not anybody applies for its restoration (Art. 44)."""
    if before is None or after is None:
        return before is not None
    later = after.min is not None and (before.min is None or may_exceed(after.min, before.min))
    return later or longer(before.max, after.max)


def withholds_less(before: Dataset | None, after: Dataset | None) -> bool:
    """Whether some record leaves that was withheld, of a dataset that is published in both."""
    if before is None or after is None or not (before.status is after.status is Status.PUBLISHED):
        return False
    return (
        shows_longer(before.display, after.display)
        or _nature(before, after) is Effect.WIDENS
        or (before.restorable and not after.restorable)
    )


def diff(before: Catalogue, after: Catalogue) -> list[Change]:
    """Every change from `before` to `after`, breaking ones first, then by path."""
    changes: list[Change] = []
    for name in {**before.datasets, **after.datasets}:
        changes += _dataset(name, before.datasets.get(name), after.datasets.get(name))
    for name in {**before.schemes, **after.schemes}:
        changes += _scheme(name, before.schemes.get(name), after.schemes.get(name))
    for name in before.departments.keys() | after.departments.keys():
        if before.remedies.get(name) != after.remedies.get(name):
            changes.append(harmless(name, f"what a subject can do: {after.remedies.get(name) or 'none given'}"))
    return sorted(changes)


def _dataset(name: str, before: Dataset | None, after: Dataset | None) -> Iterator[Change]:
    was = before is not None and before.status is Status.PUBLISHED
    if after is None:
        yield Change(not was, name, "removed" if was else "removed; it was not published")
    elif before is None:
        yield harmless(name, f"new, {after.status}")
    elif was and after.status is not Status.PUBLISHED:
        yield breaking(name, f"no longer published, now {after.status}")
    else:
        if before.status is not after.status:
            yield harmless(name, f"{before.status} became {after.status}")
        changes = [*_questions(before, after), *_fields(before, after), *_meaning(before, after)]
        yield from changes if was else (harmless(change.path, change.message) for change in changes)


def _questions(before: Dataset, after: Dataset) -> Iterator[Change]:
    name = before.id
    for kind in sorted(set(before.subjects) - set(after.subjects)):
        yield breaking(name, f"no longer about {kind}s")
    for kind in sorted(set(after.subjects) - set(before.subjects)):
        yield harmless(name, f"now about {kind}s too")
    if before.shape != after.shape:
        yield breaking(name, f"shape {before.shape} became {after.shape}: its fields stand elsewhere")
    if before.disclosure != after.disclosure:
        wider = _OPENNESS.index(after.disclosure) > _OPENNESS.index(before.disclosure)
        yield Change(wider, name, f"disclosure {before.disclosure} became {after.disclosure}", effect(wider))
    if before.information != after.information:
        message = f"information {before.information} became {after.information}"
        wider = after.information == "public"
        yield Change(wider, name, message, effect(wider))


def _fields(before: Dataset, after: Dataset) -> Iterator[Change]:
    for name in {**before.fields, **after.fields}:
        path, old, new = f"{before.id}.{name}", before.fields.get(name), after.fields.get(name)
        if new is None:
            yield breaking(path, "removed")
        elif old is None:
            yield harmless(path, f"new, {new.type}")
        else:
            if old.type is not new.type:
                yield breaking(path, f"type {old.type} became {new.type}")
            if old.title != new.title:
                yield harmless(path, f"title became `{new.title}`")
            if old.override != new.override:
                yield harmless(path, f"override became `{new.override}`")


def _nature(before: Dataset, after: Dataset) -> Effect:
    """An adverse record needs a document, and a favourable one may be opted out of (Arts. 37, 41(2))."""
    lifted = before.nature in ("adverse", "favourable") and before.nature != after.nature
    return effect(lifted, before.nature != after.nature)


def _meaning(before: Dataset, after: Dataset) -> Iterator[Change]:
    name = before.id
    if before.nature != after.nature:
        needs = "; records without a source document are withheld" if after.nature == "adverse" else ""
        needs += "; subjects can no longer opt out" if before.nature == "favourable" else ""
        needs += "; records need no source document any more" if before.nature == "adverse" else ""
        yield harmless(name, f"nature {before.nature} became {after.nature}{needs}", _nature(before, after))
    if before.display != after.display:
        told = f"display: {describe.display(before.display)}; now {describe.display(after.display)}"
        shorter = shows_longer(after.display, before.display)
        yield harmless(name, told, effect(shows_longer(before.display, after.display), shorter))
    if before.restorable != after.restorable:
        told = f"{'now' if after.restorable else 'no longer'} restorable"
        yield harmless(name, told, effect(before.restorable))
    if before.basis != after.basis:
        yield harmless(name, f"legal basis became {'; '.join(map(describe.basis, after.basis))}")
    for word in ("department", "title", "category", "open_law", "override"):
        if getattr(before, word) != getattr(after, word):
            yield harmless(name, f"{word} became `{getattr(after, word)}`")


def _scheme(name: str, before: IdentifierScheme | None, after: IdentifierScheme | None) -> Iterator[Change]:
    if after is None:
        yield breaking(name, "identifier scheme removed")
    elif before is None:
        yield harmless(name, "new identifier scheme")
    else:
        for kind in sorted(set(before.subjects) - set(after.subjects)):
            yield breaking(name, f"no longer names {kind}s")
        for kind in sorted(set(after.subjects) - set(before.subjects)):
            yield harmless(name, f"now names {kind}s too")
        if (before.module, before.pattern) != (after.module, after.pattern):
            yield breaking(name, "is checked differently: values that were valid may be refused")
        if before.title != after.title:
            yield harmless(name, f"title became `{after.title}`")
