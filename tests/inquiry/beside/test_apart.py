"""What a document costs is not paid by others: it is compiled off the loop, in its client's share, and bounded."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from gateway.bounds.shares import Shares
from gateway.inquiry.plan import Plan, Planner
from tests.world import Ask, World, new_subject, opened

QUERY = """query %s($id: IdentifierInput!, $also: Boolean = false) @inquiry(purpose: LICENCE_RENEWAL) {
  organisation(id: $id) { name businessLicences @include(if: $also) { number } } }"""
MANY = """query($ids: [IdentifierInput!]!) @inquiry(purpose: LICENCE_RENEWAL) { %s }"""


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with opened() as made:
        yield made


def asking(world: World, name: str, **variables: Any) -> Ask:
    subject = new_subject()
    who = world.requester("environment-agency", official="e.lind")
    return Ask(who, QUERY % name, {"id": {"scheme": subject.scheme, "value": subject.value}, **variables})


def test_what_is_unseen_is_compiled_in_a_thread_and_what_is_known_in_none(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = list[str]()
    planner, plan = Planner.compiled, Plan.compiled

    def noted(own: Any, real: Any) -> Any:
        def run(self: Any, *of: Any) -> Any:
            where.append(f"{own} {threading.current_thread() is threading.main_thread()}")
            return real(self, *of)

        return run

    monkeypatch.setattr(Planner, "compiled", noted("document", planner))
    monkeypatch.setattr(Plan, "compiled", noted("variant", plan))
    first = asking(world, "Unseen")
    assert world.ask(first).answer.status == 200
    assert where == ["document False", "variant False"]
    assert world.ask(first).answer.status == 200
    assert len(where) == 2
    assert world.ask(asking(world, "Unseen", also=True)).answer.status == 200
    assert where[2:] == ["variant False"]
    assert world.ask(asking(world, "Unseen", also=True)).answer.status == 200
    assert len(where) == 3


@pytest.mark.parametrize(
    "query",
    [
        "{ catalogue { id } }",
        "{ __schema { types { name } } }",
        "{ permissions(purpose: TENDER_QUALIFICATION) { reason } }",
        "{ receipts { id } }",
    ],
)
def test_what_is_no_inquiry_is_executed_in_a_thread(world: World, query: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from gateway.inquiry.beside import roots

    where, execute = list[bool](), roots.execute

    def noted(*of: Any, **named: Any) -> Any:
        where.append(threading.current_thread() is threading.main_thread())
        return execute(*of, **named)

    monkeypatch.setattr(roots, "execute", noted)
    reply = world.ask(Ask(world.requester("environment-agency", official="e.lind"), query))
    assert (reply.answer.status, reply.codes, where) == (200, [], [False])


def test_a_spent_share_refuses_what_is_unseen_and_no_inquiry_that_is_known(world: World) -> None:
    shares = Shares(world.clock, share=1e-6, saved=1e-6)
    known = asking(world, "Known")
    assert world.ask(known).answer.status == 200
    who = world.requester("environment-agency", official="e.lind")
    world.ask(Ask(who, "{ catalogue { title } }"), shares=shares)
    for query in ("{ catalogue { title } }", "{ __schema { types { kind } } }", QUERY % "New"):
        reply = world.ask(Ask(who, query, known.variables), shares=shares)
        assert (reply.answer.status, reply.codes, reply.entries) == (429, ["QUOTA_EXCEEDED"], [])
        assert reply.errors[0]["extensions"]["quota"] == "documents"
        assert int(reply.answer.headers["retry-after"]) >= 1
    assert world.ask(known, shares=shares).answer.status == 200
    other = Ask(world.requester("market-regulator"), "{ catalogue { title } }")
    assert world.ask(other, shares=shares).answer.status == 200
    shares.close()


@pytest.mark.parametrize(
    ("fields", "copies", "fits"),
    [("organisations(ids: $ids) { name }", 100, True), ("organisations(ids: $ids) { name }", 101, False),
     (" ".join(f"a{n}: organisations(ids: $ids) {{ name }}" for n in range(16)), 1000, False),
     (" ".join(f"a{n}: organisations(ids: $ids) {{ name }}" for n in range(16)), 7, False),
     (" ".join(f"a{n}: organisations(ids: $ids) {{ name }}" for n in range(16)), 6, True)],
)  # fmt: skip
def test_lists_are_bounded_with_their_copies(world: World, fields: str, copies: int, fits: bool) -> None:
    subject = new_subject()
    ids = [{"scheme": subject.scheme, "value": subject.value}] * copies
    who = world.requester("environment-agency", official="e.lind")
    reply = world.ask(Ask(who, MANY % fields, {"ids": ids}))
    assert (reply.answer.status, len(reply.entries)) == ((200, 1) if fits else (400, 1))
    assert fits or reply.codes == ["LIMIT_EXCEEDED"]
