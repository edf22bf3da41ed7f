"""The thresholds of the detectors, read from `policies/watch.yaml`.

Every detector has its section, and every threshold is written out: what is watched for is a decision of the policies,
not of this code. A detector is left out only by `off`, with a reason. Mistakes in it stop no start: nobody
watches until they are mended.
"""

from __future__ import annotations

import datetime
import functools
import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple, TypeVar

import msgspec

from gateway import documents
from gateway.catalogue.model import Catalogue, IdentifierScheme
from gateway.documents import Node
from gateway.errors import ConfigurationError, Problem
from gateway.rules.files.requesters import Requesters
from gateway.values import suggest

FILE = "watch.yaml"

Own = Mapping[tuple[str, str], frozenset[tuple[str, str]]]
"""The identifiers (scheme, value) that an official (client, official) goes by as a subject."""


class Numbers(msgspec.Struct, frozen=True):
    """How a scheme counts up: with letters beside digits or without; `check_digits` at the end are no part of it."""

    letters: bool
    check_digits: int


class Sequence(msgspec.Struct, frozen=True):
    """At least `run` identifiers, each within `gap` of the next, in `within`; of the schemes in `numbers`."""

    run: int
    gap: int
    within: datetime.timedelta
    numbers: Mapping[str, Numbers]


class ManyOfficials(msgspec.Struct, frozen=True):
    """One subject by at least `officials` officials in `within`."""

    officials: int
    within: datetime.timedelta


class ChangingPurposes(msgspec.Struct, frozen=True):
    """One subject by one official, the purpose changed at least `changes` times in `within`."""

    changes: int
    within: datetime.timedelta


class OutOfHours(msgspec.Struct, frozen=True):
    """At least `inquiries` of an official within a day outside `opens` to `closes`; not of those `on_duty`."""

    opens: datetime.time
    closes: datetime.time
    inquiries: int
    on_duty: frozenset[str]


class FarAbove(msgspec.Struct, frozen=True):
    """At least `least` subjects in a day, and `times` the median of the official's last `of_last` days with inquiries.

    Nobody is compared before `worked_days` such days.
    """

    times: int
    least: int
    worked_days: int
    of_last: int


class OwnIdentifier(msgspec.Struct, frozen=True):
    """Which identifiers are an official's own."""

    officials: Own


class Retried(msgspec.Struct, frozen=True):
    """At least `retries` times in `within`: refused, then asked about the same subject under another purpose `soon`."""

    retries: int
    soon: datetime.timedelta
    within: datetime.timedelta


class AfterClose(msgspec.Struct, frozen=True):
    """At least `inquiries` for a case within `within` after it closed."""

    inquiries: int
    within: datetime.timedelta


class Thresholds(msgspec.Struct, frozen=True):
    """All of them; `None` where a detector is off."""

    sequence: Sequence | None
    many_officials: ManyOfficials | None
    changing_purposes: ChangingPurposes | None
    out_of_hours: OutOfHours | None
    far_above: FarAbove | None
    own_identifier: OwnIdentifier | None
    retried: Retried | None
    after_close: AfterClose | None

    @property
    def longest(self) -> datetime.timedelta:
        """How far back the detectors look: what they have to be shown again after a start."""
        spans = [datetime.timedelta(days=2)]
        for each in (self.sequence, self.many_officials, self.changing_purposes, self.retried, self.after_close):
            if each is not None:
                spans.append(each.within)
        if self.far_above is not None:
            spans.append(datetime.timedelta(days=2 * self.far_above.of_last))
        return max(spans)

    @property
    def digest(self) -> str:
        """The SHA-256, in hexadecimal, of all of it."""
        plain = {name: getattr(self, name) for name in self.__struct_fields__ if name != "own_identifier"}
        own = self.own_identifier and [
            [who, sorted(named)] for who, named in sorted(self.own_identifier.officials.items())
        ]
        return hashlib.sha256(msgspec.json.encode([plain, own], order="sorted")).hexdigest()


class Watching(NamedTuple):
    """What a rule set has of `watch.yaml`: the thresholds, or None where there is no such file, or one with mistakes.

    `digest` is theirs, or that of what the file says as it stands; empty where there is none.
    """

    thresholds: Thresholds | None
    digest: str


NOT_WATCHING = Watching(None, "")


def needed(found: Watching) -> Thresholds:
    """The thresholds; raises `ConfigurationError` where a rule set has none."""
    if found.thresholds is None:
        say = "has mistakes; `dutybound rules check` names them" if found.digest else "is not there, so nobody watches"
        raise ConfigurationError([Problem(FILE, 0, 0, "", say)])
    return found.thresholds


_T = TypeVar("_T")

_WHO = r"[^/\s]+(/[^/\s]+)?"

SECTIONS = (
    *("sequential-identifiers", "many-officials", "changing-purposes", "out-of-hours"),
    *("far-above-own-history", "own-identifier", "retried-under-another-purpose", "after-case-closed"),
)


class _Known:
    """The names that `watch.yaml` may name; where not all of them can be known, any."""

    def __init__(self, catalogue: Catalogue | None, requesters: Requesters | None) -> None:
        self.schemes: Mapping[str, IdentifierScheme] = catalogue.schemes if catalogue is not None else {}
        readable = requesters is not None and "Requester" not in requesters.unread
        self.clients = {client for _, client in requesters.entries} if requesters is not None and readable else None

    def client(self, node: Node, who: str, tell: Callable[[str], None]) -> None:
        name = who.partition("/")[0]
        if self.clients is not None and name and not node.told and name not in self.clients:
            tell(f"`requesters.yaml` has no client `{name}`{suggest(name, self.clients)}")

    def scheme(self, node: Node, name: str) -> None:
        if self.schemes and name not in self.schemes:
            node.key_problem(f"`identifiers.yaml` has no scheme `{name}`{suggest(name, self.schemes)}")


def watching(policies_dir: Path, catalogue: Catalogue, requesters: Requesters) -> Watching:
    """What a rule set has of the file; what is wrong with it is for `load` to report."""
    try:
        written = (policies_dir / FILE).read_bytes()
    except OSError:
        return NOT_WATCHING
    problems: list[Problem] = []
    found = load(policies_dir, problems, catalogue, requesters)
    return Watching(None, hashlib.sha256(written).hexdigest()) if problems else Watching(found, found.digest)


def load(
    policies_dir: Path,
    problems: list[Problem],
    catalogue: Catalogue | None = None,
    requesters: Requesters | None = None,
) -> Thresholds:
    """Read the thresholds; what is wrong becomes problems. Names are looked up in the other policies, where given."""
    root = documents.read(policies_dir / FILE, problems, within=policies_dir)
    known = _Known(catalogue, requesters)
    parts = root.mapping(SECTIONS) if root is not None else {}

    def section(name: str, keys: tuple[str, ...], build: Callable[[Mapping[str, Node]], _T]) -> _T | None:
        node = parts.get(name)
        if node is None:
            return None
        if node.is_mapping and "off" in node.mapping(any_key=True):
            node.mapping(["off"]).get("off", node).text(what="why nobody watches for this")
            return None
        entries = node.mapping(keys)
        return build(entries) if len(entries) == len(keys) else None

    return Thresholds(
        section(
            "sequential-identifiers", ("run", "gap", "minutes", "numbers"), functools.partial(_sequence, known=known)
        ),
        section("many-officials", ("officials", "days"), _many),
        section("changing-purposes", ("changes", "days"), _changing),
        section("out-of-hours", ("opens", "closes", "inquiries", "on_duty"), functools.partial(_hours, known=known)),
        section("far-above-own-history", ("times", "least", "worked_days", "of_last"), _far),
        section("own-identifier", ("officials",), functools.partial(_own, known=known)),
        section("retried-under-another-purpose", ("retries", "minutes", "days"), _retried),
        section("after-case-closed", ("inquiries", "days"), _closed),
    )


def _sequence(entries: Mapping[str, Node], known: _Known) -> Sequence:
    numbers = {}
    for scheme, node in entries["numbers"].mapping(any_key=True).items():
        known.scheme(node, scheme)
        parts = node.mapping(["letters", "check_digits"])
        if len(parts) == 2:
            numbers[scheme] = Numbers(parts["letters"].boolean(), parts["check_digits"].integer(0, 8))
    return Sequence(entries["run"].integer(2, 256), entries["gap"].integer(1, 1000), _minutes(entries), numbers)


def _many(entries: Mapping[str, Node]) -> ManyOfficials:
    return ManyOfficials(entries["officials"].integer(2, 256), _days(entries))


def _changing(entries: Mapping[str, Node]) -> ChangingPurposes:
    return ChangingPurposes(entries["changes"].integer(1, 256), _days(entries))


def _hours(entries: Mapping[str, Node], known: _Known) -> OutOfHours:
    opens, closes = _time(entries["opens"]), _time(entries["closes"])
    if opens >= closes and not (entries["opens"].told or entries["closes"].told):
        entries["closes"].problem(f"`{closes:%H:%M}` is not after `opens` ({opens:%H:%M})")
    duty = set()
    for item in entries["on_duty"].items():
        who = item.text(pattern=_WHO, what="a client, or `client/official`")
        known.client(item, who, item.problem)
        duty.add(who)
    return OutOfHours(opens, closes, entries["inquiries"].integer(1, 256), frozenset(duty))


def _far(entries: Mapping[str, Node]) -> FarAbove:
    worked, last = entries["worked_days"].integer(1, 365), entries["of_last"].integer(1, 365)
    if worked > last and not (entries["worked_days"].told or entries["of_last"].told):
        entries["worked_days"].problem(f"`{worked}` is more than `of_last` ({last}), so nobody would ever be compared")
    return FarAbove(entries["times"].integer(2, 1000), entries["least"].integer(1, 100_000), worked, last)


def _own(entries: Mapping[str, Node], known: _Known) -> OwnIdentifier:
    found: dict[tuple[str, str], frozenset[tuple[str, str]]] = {}
    for who, node in entries["officials"].mapping(any_key=True).items():
        client, slash, official = who.partition("/")
        if not (client and slash and official):
            node.key_problem(f"`{who}` must be `client/official`")
        known.client(node, who, node.key_problem)
        named = node.mapping(any_key=True)
        for scheme, value in named.items():
            known.scheme(value, scheme)
        found[client, official] = frozenset(
            (scheme, value.text(what="an identifier")) for scheme, value in named.items()
        )
    return OwnIdentifier(found)


def _retried(entries: Mapping[str, Node]) -> Retried:
    return Retried(entries["retries"].integer(1, 256), _minutes(entries), _days(entries))


def _closed(entries: Mapping[str, Node]) -> AfterClose:
    return AfterClose(entries["inquiries"].integer(1, 256), _days(entries))


def _minutes(entries: Mapping[str, Node]) -> datetime.timedelta:
    return datetime.timedelta(minutes=entries["minutes"].integer(1, 24 * 60))


def _days(entries: Mapping[str, Node]) -> datetime.timedelta:
    return datetime.timedelta(days=entries["days"].integer(1, 365))


def _time(node: Node) -> datetime.time:
    text = node.text(pattern=r"([01]\d|2[0-3]):[0-5]\d", what='a time of day, such as `"07:00"`')
    return datetime.time.fromisoformat(text) if text else datetime.time()
