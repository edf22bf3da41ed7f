"""A short run of `tests.faults.activations`, on two replicas of which one is frozen in turn; and what it would find.

The run is without a Valkey: with one, nothing is answered for longer than it takes.
"""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Any

import pytest

from tests.faults.activations import run
from tests.faults.judged import Found, Judge, Span
from tests.faults.replicas import Reply
from tests.faults.rule_sets import Variant

ONE, OTHER = Variant("1" * 64, b"", "amount", "alpha", 90), Variant("2" * 64, b"", "year", "bravo", 91)
TODAY = datetime.datetime.now(datetime.UTC).date()


def test_no_inquiry_has_a_mixture_or_an_old_one(tmp_path: Path) -> None:
    found = run(tmp_path, activations=3, rollbacks=1, control=0.2, shared=False, pause=0.2)
    assert found.sound, found
    assert (found.activations, found.rollbacks) == (3, 1)
    assert found.freezes > 0
    assert found.entries >= found.inquiries > 0


def reply(digest: str, denied: str, kept: int, at: float = 15.0, **more: Any) -> Reply:
    until = (TODAY + datetime.timedelta(days=kept)).isoformat()
    error = {"path": ["organisation", "x", denied], "extensions": {"code": "UNAUTHORIZED_FIELD_OR_TYPE"}}
    told = {"ruleSet": digest, "obligations": [{"id": "o", "type": "delete", "properties": {"by": until}}]}
    body = {"data": {}, "errors": [error], "extensions": {"inquiry": told}, **more}
    return Reply(at, at + 1, 200, json.dumps(body).encode())


def test_an_answer_without_its_count_would_be_found() -> None:
    judge = Judge(Found(), {ONE.digest: ONE})
    judge.spans.append(Span(ONE.digest, 10.0, 11.0))
    judge.gone, judge.back = 14.0, 17.0
    refused = {"errors": [{"extensions": {"code": "DECISION_UNAVAILABLE"}}]}
    judge.replies([reply(ONE.digest, "amount", 90, at=13.5), reply(ONE.digest, "amount", 90, **refused)])
    assert (judge.found.failed, judge.found.away) == (0, 1)
    judge.replies([reply(ONE.digest, "amount", 90), reply(ONE.digest, "amount", 90, at=17.5)])
    assert (judge.found.failed, judge.found.after) == (1, 1)


@pytest.mark.parametrize(
    ("given", "what"),
    [
        (reply(ONE.digest, "amount", 90), ""),
        (reply(ONE.digest, "year", 90), "mixed"),
        (reply(ONE.digest, "amount", 91), "mixed"),
        (reply("3" * 64, "amount", 90), "mixed stale"),
        (reply(OTHER.digest, "year", 91), "stale"),
        (reply(OTHER.digest, "year", 91, at=19.5), ""),
        (reply(ONE.digest, "amount", 90, at=21.5), "stale"),
        (reply(ONE.digest, "amount", 90, errors=[]), "failed"),
        (reply(ONE.digest, "amount", 90, errors=[{"extensions": {"code": "INTERNAL"}}]), "failed"),
        (reply(ONE.digest, "amount", 90, errors=[{"extensions": {"code": "DECISION_UNAVAILABLE"}}]), "again"),
    ],
)
def test_what_is_wrong_is_counted(given: Reply, what: str) -> None:
    judge = Judge(Found(), {each.digest: each for each in (ONE, OTHER)})
    judge.spans += [Span(ONE.digest, 10.0, 11.0), Span(OTHER.digest, 20.0, 21.0)]
    judge.replies([given])
    counted = {name: getattr(judge.found, name) for name in ("mixed", "stale", "failed", "again")}
    assert {name for name, count in counted.items() if count} == set(what.split())
