"""What a run of `tests.faults.activations` found: replies and entries held to the rule sets that there were."""

from __future__ import annotations

import contextlib
import datetime
import sys
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from gateway.ledger.entry import entries
from gateway.ledger.stored import read
from gateway.storage.port import Store
from tests.faults.replicas import Reply
from tests.faults.rule_sets import Variant


class Found(msgspec.Struct):
    """What a run found. `again` were refused, `away` of them without Valkey; `after` were answered with it again."""

    activations: int = 0
    rollbacks: int = 0
    freezes: int = 0
    inquiries: int = 0
    again: int = 0
    mixed: int = 0
    stale: int = 0
    failed: int = 0
    away: int = 0
    after: int = 0
    entries: int = 0
    p999_ms: float = 0.0
    control_p999_ms: float = 0.0
    seconds: float = 0.0

    @property
    def sound(self) -> bool:
        return self.inquiries > 0 and not (self.mixed or self.stale or self.failed)


class Span(NamedTuple):
    """An activation: it happened after `since`, and before `until`."""

    digest: str
    since: float
    until: float


class _Error(msgspec.Struct):
    path: list[str | int] = []
    extensions: dict[str, Any] = {}


class _Said(msgspec.Struct):
    data: msgspec.Raw = msgspec.Raw(b"null")
    errors: list[_Error] = []
    extensions: dict[str, Any] = {}


_said = msgspec.json.Decoder(_Said).decode


class Judge:
    """Holds replies and entries to the rule sets that there were, and to when each was active."""

    def __init__(self, found: Found, variants: Mapping[str, Variant]) -> None:
        self.found, self._variants, self.spans = found, variants, list[Span]()
        self.took: list[float] = []
        self.gone, self.back = float("inf"), float("inf")
        """When Valkey was killed, and when it was there again."""

    def replies(self, replies: Sequence[Reply]) -> None:
        for reply in replies:
            self.took.append(reply.came - reply.asked)
            said = _said(reply.body)
            codes = {error.extensions.get("code") for error in said.errors}
            away = self.gone < reply.asked and reply.came < self.back
            if codes == {"DECISION_UNAVAILABLE"}:
                self.found.again += 1
                self.found.away += away
                continue
            digest = said.extensions.get("inquiry", {}).get("ruleSet")
            if reply.status != 200 or digest is None or codes != {"UNAUTHORIZED_FIELD_OR_TYPE"}:
                self._tell("failed", f"{reply.status} {reply.body[:300]!r}")
                continue
            self.found.inquiries += 1
            self.found.after += reply.asked > self.back
            if away:
                self._tell("failed", f"answered without its count, at {reply.asked:.3f}")
            denied = {str(error.path[-1]) for error in said.errors}
            told = msgspec.json.encode(said.extensions["inquiry"]["obligations"]).decode()
            if not self._one(digest, denied, told, None):
                self._tell("mixed", f"{digest[:12]}: denied {denied}, {told}")
            if not self._current(digest, reply):
                self._tell("stale", f"{digest[:12]} at {reply.asked:.3f} to {reply.came:.3f}: {self._near(reply)}")

    def entries(self, store: Store) -> None:
        """Every entry of an inquiry, as oversight reads it."""
        with contextlib.closing(store.reader()) as reader:
            for head in read.heads(reader):
                for entry in read.read_entries(reader, head.id, 0, head.size):
                    told = entry.read_told()
                    if not isinstance(told, entries.Inquiry):
                        continue
                    self.found.entries += 1
                    oversight = entry.read_oversight()
                    denied = {each.field for of in oversight.denied for each in of.fields}
                    obliged = msgspec.json.encode(told.obligations).decode()
                    if not self._one(told.rule_set, denied, obliged, told.requester.department):
                        self._tell(
                            "mixed", f"entry {entry.index}: {told.rule_set[:12]} {denied} {obliged} {told.requester}"
                        )

    def _one(self, digest: str, denied: set[str], obliged: str, department: str | None) -> bool:
        """Whether all that is shown is of one rule set."""
        of = self._variants.get(digest)
        today = datetime.datetime.now(datetime.UTC).date()
        return (
            of is not None
            and denied == {of.denied}
            and any(of.delete_by(today - datetime.timedelta(days=ago)) in obliged for ago in (0, 1))
            and department in (None, of.department)
        )

    def _current(self, digest: str, reply: Reply) -> bool:
        """Whether it was active at some moment from the question to the answer."""
        for place, span in enumerate(self.spans):
            replaced = self.spans[place + 1].until if place + 1 < len(self.spans) else float("inf")
            if span.digest == digest and span.since <= reply.came and replaced >= reply.asked:
                return True
        return False

    def _near(self, reply: Reply) -> list[tuple[str, float, float]]:
        return [(s.digest[:12], round(s.since, 3), round(s.until, 3)) for s in self.spans if s.until > reply.asked - 5][
            :4
        ]

    def _tell(self, what: str, why: str) -> None:
        setattr(self.found, what, getattr(self.found, what) + 1)
        if getattr(self.found, what) <= 5:
            print(f"{what}: {why}", file=sys.stderr)

    def p999(self) -> float:
        """Milliseconds; of what was judged since the last call."""
        took, self.took = sorted(self.took), []
        return round(took[int(len(took) * 0.999)] * 1e3, 1) if took else 0.0
