"""8. Fail closed: unknown purpose, missing fact, rule error, unverifiable case, ledger out of reach: refuse, say which.

Each fault of something the gateway depends on refuses a plain scene, which without it is answered, with its own code.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from gateway.errors import LedgerUnavailable
from gateway.inquiry import answer
from gateway.inquiry.facts import FactsReader
from gateway.inquiry.types import Facts
from gateway.ledger.proof.tlog_proof import Receipt
from gateway.rules.decide import engine
from gateway.rules.load import load
from gateway.storage.port import FactRow
from gateway.storage.subjects.kinds import SubjectFacts
from tests import world as worlds
from tests.properties.checking import holds, is_found, staged
from tests.properties.scenes import ASKERS, Scene, scenes, whole
from tests.rules.policies import with_more
from tests.world import ISSUERS, Reply, World

CASED = [
    asker
    for asker in ASKERS
    if asker[1] in ("TENDER_QUALIFICATION", "COURT_ENFORCEMENT") and asker[0] != "labour-office"
]
ALIVE = [asker for asker in ASKERS if asker[:2] != ("labour-office", "TENDER_QUALIFICATION")]


class _Rows:
    """Facts that are out of reach, or that make no sense."""

    def __init__(self, rows: list[Any] | None) -> None:
        self._rows = rows

    def read(self, subjects: Any) -> Any:
        if self._rows is None:
            raise sqlite3.OperationalError("planted: disk I/O error")
        pairs = list(subjects)
        return [FactRow(row[0], row[1], "f-1", *pairs[0], *row[2:]) for row in self._rows] if pairs else self._rows

    def close(self) -> None:
        self._rows = None


class _NoLedger:
    async def append(self, *_: Any) -> Any:
        raise LedgerUnavailable("planted")


_NONE = (None,) * 7


class Missing(NamedTuple):
    """Something that is not there: the scene and the ports that say so, and the code that has to say which."""

    code: str
    scene: Callable[[Scene], Scene] = lambda scene: scene
    ports: Callable[[World], dict[str, Any]] = lambda world: {}
    askers: list[Any] = ALIVE
    header: bytes | None = None


def _facts(rows: list[Any] | None) -> Callable[[World], dict[str, Any]]:
    return lambda world: {"facts": FactsReader(_Rows(rows), world.serving.zone)}


MISSING = {
    "the purpose is unknown": Missing("INQUIRY_INVALID", header=b"purpose=GOSSIP"),
    "facts are out of reach": Missing("DECISION_UNAVAILABLE", ports=_facts(None)),
    "facts give no row": Missing("DECISION_UNAVAILABLE", ports=_facts([])),
    "a fact is of an unknown kind": Missing("DECISION_UNAVAILABLE", ports=_facts([(1, "pardon", *_NONE)])),
    "a fact names nothing": Missing("DECISION_UNAVAILABLE", ports=_facts([(1, "withdrawal", *_NONE)])),
    "a consent has no terms": Missing(
        "DECISION_UNAVAILABLE", ports=_facts([(1, "consent", None, None, "i", "c", "p", "nothing", "2026-12-31")])
    ),
    "a consent has no day": Missing(
        "DECISION_UNAVAILABLE", ports=_facts([(1, "consent", None, None, "i", "c", "p", '{"d":null}', "soon")])
    ),
    "the case is closed": Missing("CASE_NOT_VERIFIED", lambda scene: scene._replace(case="closed"), askers=CASED),
    "the case is unknown": Missing("CASE_NOT_VERIFIED", lambda scene: scene._replace(case="unknown"), askers=CASED),
    "the case is another's": Missing("CASE_NOT_VERIFIED", lambda scene: scene._replace(case="foreign"), askers=CASED),
    "there is no official": Missing("CASE_NOT_VERIFIED", lambda scene: scene._replace(official=False), askers=CASED),
    "no case is named": Missing("INQUIRY_REQUIRED", lambda scene: scene._replace(case="none"), askers=CASED),
    "the registry is out of reach": Missing(
        "CASE_NOT_VERIFIED", lambda scene: scene._replace(case="unreachable"), askers=CASED
    ),
    "no registry is registered": Missing(
        "CASE_NOT_VERIFIED", lambda scene: scene._replace(case="no registry"), askers=CASED
    ),
    "the ledger is out of reach": Missing("LEDGER_UNAVAILABLE", ports=lambda world: {"ledger": _NoLedger()}),
}


def asked(world: World, scene: Scene, missing: Missing) -> Reply:
    scene = missing.scene(scene._replace(document=whole(scene.kind, scene.purpose, scene.purpose)))
    made = staged(world, scene)
    ask = made.ask
    if scene.case == "no registry":
        ask = ask._replace(requester=msgspec.structs.replace(ask.requester, registry=None))
    if missing.header is not None:
        start = ask.query.index(" @inquiry(")
        query = ask.query[:start] + ask.query[ask.query.index(" {", start) :]
        query = query.replace(", $case: String!", "").replace(", $consent: ID", "")
        variables = {name: value for name, value in ask.variables.items() if name not in ("case", "consent")}
        ask = ask._replace(query=query, header=missing.header, variables=variables)
    return world.ask(ask, **missing.ports(world))


def check(world: World, scene: Scene, missing: Missing) -> None:
    """Refused with its code, and nothing of it is data, asked for, or anywhere in the bytes."""
    reply = asked(world, scene, missing)
    assert "data" not in reply.said, reply.said
    assert reply.codes == [missing.code], reply.said
    assert reply.answer.status in (400, 403, 503)
    assert b"held-" not in reply.answer.body
    if missing.code != "LEDGER_UNAVAILABLE":
        assert not reply.asked, "a department was asked although the inquiry was refused"
        assert [entry.told.code for entry in reply.entries] == [missing.code]


@pytest.mark.parametrize("name", MISSING)
def test_what_is_missing_refuses_the_inquiry_and_is_named(world: World, name: str) -> None:
    missing = MISSING[name]
    holds(lambda scene: check(world, scene, missing), scenes(askers=missing.askers, plain=True), examples=6)


def test_without_the_fault_these_scenes_are_answered(world: World) -> None:
    def answered(scene: Scene) -> None:
        assert "data" in asked(world, scene, Missing("")).said

    holds(answered, scenes(askers=ALIVE, plain=True), examples=15)


# -- rules that fail ---------------------------------------------------------------------------------------------------

FAILING = """// A rule that fails whenever it is evaluated: its sum does not fit 64 bits.
@id("aa-failing")
@article("19")
@reason("NO_RULE")
@advice("This rule fails.")
@needs("this rule mended")
forbid (principal, action, resource)
when { context.scope && 9223372036854775807 + 1 == 0 };
"""


@pytest.fixture(scope="module")
def failing() -> Iterator[World]:
    """A world with one more rule, which fails: none that loads does, so it is put beside those that did."""
    with worlds.opened(rules=with_more(load(Path("policies"), ISSUERS), FAILING)) as world:
        yield world


def check_rule(world: World, scene: Scene) -> None:
    """A rule that fails permits nothing, by any other rule."""
    made = staged(world, scene)
    reply = world.ask(made.ask)
    assert not reply.asked, "a department was asked by a rule set with a rule that fails"
    assert b"held-" not in reply.answer.body
    assert reply.said["data"] is not None
    assert all(error["extensions"]["code"] == "UNAUTHORIZED_FIELD_OR_TYPE" for error in reply.errors)


def test_a_rule_that_fails_permits_nothing(failing: World) -> None:
    holds(lambda scene: check_rule(failing, scene), scenes(askers=ALIVE, plain=True), examples=15)


def test_the_failing_rule_is_found_where_its_failure_is_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cedar alone skips a rule that fails, and so would permit."""
    monkeypatch.setattr(engine._Result, "permits", property(lambda self: self.allow))
    with worlds.opened(rules=with_more(load(Path("policies"), ISSUERS), FAILING)) as world:
        is_found(lambda scene: check_rule(world, scene), scenes(askers=ALIVE, plain=True))


# -- planted faults ----------------------------------------------------------------------------------------------------


def _takes_unknown_facts_for_none(monkeypatch: pytest.MonkeyPatch) -> str:
    real = FactsReader.read

    async def faulty(self: Any, subjects: Any, now: Any) -> Any:
        try:
            return await real(self, subjects, now)
        except Exception:
            return Facts(0, dict.fromkeys(subjects, SubjectFacts()))

    monkeypatch.setattr(FactsReader, "read", faulty)
    return "facts are out of reach"


def _takes_a_registry_out_of_reach_for_leave(monkeypatch: pytest.MonkeyPatch) -> str:
    async def faulty(*_: Any) -> bool:
        return True

    monkeypatch.setattr(answer, "verify_case", faulty)
    return "the registry is out of reach"


def _answers_without_the_ledger(monkeypatch: pytest.MonkeyPatch) -> str:
    async def faulty(*_: Any) -> Any:
        return Receipt("1", 0, b"")

    monkeypatch.setattr(answer, "disclose", faulty)
    return "the ledger is out of reach"


@pytest.mark.parametrize(
    "plant",
    [_takes_unknown_facts_for_none, _takes_a_registry_out_of_reach_for_leave, _answers_without_the_ledger],
    ids=lambda plant: plant.__name__.strip("_"),
)
def test_the_property_fails_when_a_fault_is_planted(
    world: World, monkeypatch: pytest.MonkeyPatch, plant: Callable[[pytest.MonkeyPatch], str]
) -> None:
    missing = MISSING[plant(monkeypatch)]
    is_found(lambda scene: check(world, scene, missing), scenes(askers=missing.askers, plain=True))
