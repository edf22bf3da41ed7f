"""How an act leaves a matter: which states it may have after its entry, by the entry's contents.

An act also moves matters that its entry does not name: a consent answers the request for it, a change takes the place
of one that waits and ends upheld objections to its record. Of acts that are not known here nothing is said.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gateway.ledger.entry import entries
from gateway.storage.subjects.acts import WAITING, Matter

FILED: Mapping[str, str] = {
    "consent-requested": "consent-request",
    "objection-filed": "objection",
    "restoration-filed": "restoration",
    "change-reported": "change",
    "suspended": "suspension",
}
"""Acts that open a matter, and its kind."""

BEGINS: Mapping[tuple[str, str], str] = {
    ("consent-granted", ""): "consent",
    ("objection-filed", ""): "objection",
    ("deadline-counted", ""): "objection",
    ("opt-out-set", ""): "opt-out",
    ("restoration-confirmed", ""): "restoration",
    ("suspended", ""): "suspension",
    ("suspension-goes-on", ""): "suspension",
    ("change-reported", "corrected"): "correction",
    ("change-reported", "withdrawn"): "withdrawal",
    ("change-confirmed", "corrected"): "correction",
    ("change-confirmed", "withdrawn"): "withdrawal",
}
"""The kind of fact that an act begins, by what it did and, where that decides, its outcome."""

_ENDS: Mapping[str, tuple[str, ...]] = {
    "consent-granted": (),
    "consent-revoked": ("consent",),
    "opt-out-set": (),
    "opt-out-lifted": ("opt-out",),
    "objection-filed": (),
    "objection-decided": ("objection",),
    "matter-withdrawn": ("objection",),
    "deadline-counted": ("objection",),
    "restoration-confirmed": (),
    "suspended": (),
    "suspension-goes-on": ("suspension",),
    "suspension-ended": ("suspension",),
    "change-reported": ("correction", "withdrawal", "objection"),
    "change-confirmed": ("correction", "withdrawal", "objection"),
}
"""The kinds of facts that an act can end, of each act that changes facts."""


def begins(told: entries.Acted, kind: str) -> bool:
    """Whether an act can begin a fact of a kind; unknown acts are not judged."""
    if told.what not in _ENDS:
        return told.what not in MOVES
    return BEGINS.get((told.what, told.outcome), BEGINS.get((told.what, ""))) == kind


def ends(told: entries.Acted, kind: str) -> bool:
    """Whether an act can end a fact of a kind; unknown acts are not judged."""
    return kind in _ENDS[told.what] if told.what in _ENDS else told.what not in MOVES


_Own = Callable[[Matter, entries.Acted], tuple[str, ...]]


def _clock(row: Matter, told: entries.Acted) -> tuple[str, ...]:
    return ("decided",) if row.second_due is not None else WAITING


def _restoration(row: Matter, told: entries.Acted) -> tuple[str, ...]:
    return ("decided",) if told.outcome == "refused" else ("awaits-confirmation",)


def _reported(row: Matter, told: entries.Acted) -> tuple[str, ...]:
    return ("decided",) if told.changes else ("awaits-confirmation",)


_OWN: Mapping[str, tuple[str, ...] | _Own] = {
    "consent-requested": ("open",),
    "consent-declined": ("declined",),
    "objection-filed": ("open",),
    "restoration-filed": ("open",),
    "matter-withdrawn": ("withdrawn",),
    "objection-decided": ("decided",),
    "restoration-decided": _restoration,
    "restoration-confirmed": ("decided",),
    "change-reported": _reported,
    "restoration-confirmation-declined": ("open",),
    "change-confirmed": ("decided",),
    "change-declined": ("declined",),
    "reminded": _clock,
    "deadline-counted": _clock,
    "objection-overdue": _clock,
    "restoration-overdue": _clock,
    "correction-overdue": _clock,
    "suspended": ("open",),
    "suspension-goes-on": WAITING,
    "suspension-end-asked": ("awaits-confirmation",),
    "suspension-end-declined": ("open",),
    "suspension-ended": ("decided",),
}
MOVES = frozenset(_OWN)
"""Acts whose entries name the matter that they open or move."""

_OTHERS: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("consent-granted", "consent-request"): ("granted",),
    ("change-reported", "change"): ("withdrawn",),
    ("change-reported", "objection"): ("decided",),
    ("change-confirmed", "objection"): ("decided",),
}
"""What an act makes of a matter of a kind that its entry does not name."""


def allowed(row: Matter, told: entries.Acted) -> bool:
    """Whether a matter can be as in its row, where that is the last act that moved it."""
    if told.matter == row.id:
        states = _OWN.get(told.what)
        if states is None:
            return True
        return row.state in (states(row, told) if callable(states) else states)
    if told.what not in MOVES and told.what != "consent-granted":
        return True
    states = _OTHERS.get((told.what, row.kind), ())
    return row.state in states and (told.scheme, told.value) == (row.scheme, row.value) and _same(row, told)


def _same(row: Matter, told: entries.Acted) -> bool:
    """Whether an act is about what the matter is about."""
    if told.what == "consent-granted":
        of = told.recipient or entries.Who("", "")
        return (of.issuer, of.client, told.purpose) == (row.issuer, row.client, row.purpose)
    return (told.dataset, told.record) == (row.dataset or "", row.record or "")
