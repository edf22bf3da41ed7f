"""4. Every authenticated operation that selects a subject field leaves exactly one entry; everything else leaves none.

Operations of every fate are asked one by one and all at once; clients leave at every moment.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import msgspec
import pytest
from hypothesis import strategies as st

from connectors.base import Subject
from gateway.errors import LedgerUnavailable
from gateway.inquiry import answer, disclose, facts, restrain
from gateway.inquiry.admit import Admission
from gateway.inquiry.fetch import Fetcher
from gateway.inquiry.http.endpoint import GraphQLEndpoint
from gateway.inquiry.plan import Plan
from gateway.inquiry.render import Renderer
from gateway.inquiry.types import Declaration
from gateway.ledger.entry import entries
from gateway.ledger.proof.tlog_proof import Receipt
from gateway.ledger.stored import history
from tests import world as worlds
from tests.inquiry.counting.counted import counted
from tests.properties.checking import holds, is_found
from tests.world import Ask, Case, Held, World

ONE = "query($id: IdentifierInput!) @inquiry(purpose: LICENCE_RENEWAL) { organisation(id: $id) { name } }"
TENDER = "query($id: IdentifierInput!, $case: String) @inquiry(purpose: TENDER_QUALIFICATION, case: $case) { %s }"
TAX = "organisation(id: $id) { name taxArrears { amount } }"
MAYBE = "query($id: IdentifierInput!, $on: Boolean!) @inquiry(purpose: LICENCE_RENEWAL) { %s %s }"
ENTITIES = "query($of: [_Any!]!) { _entities(representations: $of) { ... on Organisation { name } } }"


class Operation(NamedTuple):
    """One operation and how many entries it leaves. `code`: that of its refusal, where it is refused."""

    query: str
    entries: int
    code: str | None = None
    variables: Mapping[str, Any] = MappingProxyType({})
    header: bytes | None = None
    official: str | None = "m.ivanova"
    scopes: tuple[str, ...] = ("inquire",)
    expired: bool = False
    mood: str = "well"
    operation_name: str | None = None
    no_id: bool = False


OPERATIONS = {
    "answered": Operation(ONE, 1),
    "answered in part": Operation(TENDER % TAX, 1, variables={"case": "C-1"}),
    "nobody named": Operation(
        "query @inquiry(purpose: LICENCE_RENEWAL) { organisations(ids: []) { name } }", 1, no_id=True
    ),
    "all denied": Operation(ONE.replace("LICENCE_RENEWAL", "SUBSIDY_ASSESSMENT"), 1),
    "departments down": Operation(ONE, 1, mood="down"),
    "departments that break the protocol": Operation(ONE, 1, mood="raises"),
    "through the header": Operation(
        "query($id: IdentifierInput!) { organisation(id: $id) { name } }", 1, header=b"purpose=LICENCE_RENEWAL"
    ),
    "beside other roots": Operation(ONE.replace("{ name }", "{ name } catalogue { id } __typename"), 1),
    "without a purpose": Operation(
        "query($id: IdentifierInput!) { organisation(id: $id) { name } }", 1, "INQUIRY_REQUIRED"
    ),
    "with two purposes": Operation(ONE, 1, "INQUIRY_INVALID", header=b"purpose=TENDER_QUALIFICATION"),
    "with a header that is none": Operation(ONE, 1, "INQUIRY_INVALID", header=b"purpose"),
    "with an unknown purpose in the header": Operation(
        "query($id: IdentifierInput!) { organisation(id: $id) { name } }",
        1,
        "INQUIRY_INVALID",
        header=b"purpose=GOSSIP",
    ),
    "with an empty case": Operation(TENDER % TAX, 1, "INQUIRY_INVALID", variables={"case": " "}),
    "about an identifier that is none": Operation(
        ONE, 1, "IDENTIFIER_INVALID", variables={"id": {"scheme": "LEI", "value": "DUTY0000000000000000"}}
    ),
    "about a scheme of another kind": Operation(
        ONE, 1, "IDENTIFIER_INVALID", variables={"id": {"scheme": "PIN", "value": "0000000014"}}
    ),
    "about an entity that is none": Operation(
        ENTITIES, 1, "IDENTIFIER_INVALID", {"of": [{"__typename": "Ship"}]}, b"purpose=LICENCE_RENEWAL", no_id=True
    ),
    "about too many": Operation(
        "query($ids: [IdentifierInput!]!) @inquiry(purpose: LICENCE_RENEWAL) { organisations(ids: $ids) { name } }",
        1,
        "LIMIT_EXCEEDED",
        {"ids": [{"scheme": s.scheme, "value": s.value} for s in (worlds.new_subject() for _ in range(21))]},
        no_id=True,
    ),
    "with variables missing": Operation(ONE, 1, "GRAPHQL_VARIABLES_INVALID", no_id=True),
    "with variables of another type": Operation(ONE, 1, "GRAPHQL_VARIABLES_INVALID", variables={"id": 4}),
    "without its case": Operation(TENDER % TAX, 1, "INQUIRY_REQUIRED"),
    "with an unknown case": Operation(TENDER % TAX, 1, "CASE_NOT_VERIFIED", variables={"case": "C-2"}),
    "of another official": Operation(
        TENDER % TAX, 1, "CASE_NOT_VERIFIED", variables={"case": "C-1"}, official="somebody"
    ),
    "without an official": Operation(TENDER % TAX, 1, "CASE_NOT_VERIFIED", variables={"case": "C-1"}, official=None),
    "without a scope": Operation(ONE, 1, "FORBIDDEN", scopes=("email",)),
    "with its condition met": Operation(
        MAYBE % ("organisation(id: $id) @include(if: $on)", "{ name }"), 1, variables={"on": True}
    ),
    "with its condition not met": Operation(
        MAYBE % ("organisation(id: $id) @include(if: $on)", "{ name }"), 0, variables={"on": False}
    ),
    "skipped by name": Operation(ONE.replace("(id: $id) {", "(id: $id) @skip(if: true) {"), 0),
    "conditions about nobody, variables missing": Operation(
        "query($on: Boolean!) { catalogue { id title @include(if: $on) } }", 0, "GRAPHQL_VARIABLES_INVALID", no_id=True
    ),
    "of several operations the other one": Operation(
        ONE.replace("query(", "query A(") + " query B { catalogue { id } }", 0, operation_name="B", no_id=True
    ),
    "catalogue": Operation("{ catalogue { id } }", 0, no_id=True),
    "permissions": Operation("{ permissions(purpose: LICENCE_RENEWAL) { field permitted } }", 0, no_id=True),
    "receipts": Operation("{ receipts(first: 2) { id } }", 0, no_id=True),
    "introspection": Operation("{ __schema { types { name } } __typename _service { sdl } }", 0, no_id=True),
    "catalogue with a declaration": Operation(
        "query @inquiry(purpose: LICENCE_RENEWAL) { catalogue { id } }", 0, no_id=True
    ),
    "not to be parsed": Operation("{ organisation(", 0, "GRAPHQL_PARSE_FAILED", no_id=True),
    "not valid": Operation("{ catalogue { secrets } }", 0, "GRAPHQL_VALIDATION_FAILED", no_id=True),
    "not valid, about a subject": Operation("{ organisation { secrets } }", 1, "GRAPHQL_VALIDATION_FAILED", no_id=True),
    "a mutation": Operation("mutation { grantConsent }", 0, "GRAPHQL_VALIDATION_FAILED", no_id=True),
    "an act without its scope": Operation("{ me { value } }", 0, "FORBIDDEN", no_id=True),
    "acts beside each other": Operation(
        "{ me { value } matters { next } }", 0, "GRAPHQL_OPERATION_INVALID", no_id=True
    ),
    "an act beside a subject": Operation(
        ONE.replace("{ name }", "{ name } me { value }"), 1, "GRAPHQL_OPERATION_INVALID"
    ),
    "an act under its condition beside a subject": Operation(
        MAYBE % ("organisation(id: $id) { name } me @include(if: $on)", "{ value }"),
        1,
        "GRAPHQL_OPERATION_INVALID",
        variables={"on": True},
    ),
    "with an expired token": Operation(ONE, 0, "UNAUTHENTICATED", expired=True),
}


def ask_of(world: World, operation: Operation, subject: Subject) -> Ask:
    variables = dict(operation.variables)
    if not operation.no_id and "$id:" in operation.query:
        variables.setdefault("id", {"scheme": subject.scheme, "value": subject.value})
    requester = world.requester(
        "market-regulator",
        official=operation.official,
        scopes=operation.scopes,
        expires=world.now.timestamp() - 1 if operation.expired else None,
    )
    return Ask(requester, operation.query, variables, operation.header, operation.operation_name)


def prepare(world: World) -> Subject:
    world.calm()
    subject = worlds.new_subject()
    world.registries.known["C-1"] = Case("market", frozenset([subject]), frozenset(["m.ivanova"]))
    for dataset in world.catalogue.published.values():
        if "organisation" in dataset.subjects:
            world.held[subject, dataset.id] = [Held("r-1", worlds.values(dataset))]
    return subject


def check(world: World, names: list[str], **ports: Any) -> None:
    """Ask these at once: as many entries as they leave, each the one that its answer names."""
    operations = [OPERATIONS[name] for name in names]
    subject = prepare(world)
    for department in world.departments.values():
        department.mood = operations[0].mood
    replies = world.ask_all([ask_of(world, each, subject) for each in operations], **ports)
    made = replies[0].entries
    assert len(made) == sum(each.entries for each in operations), names
    told = {entry.told.id: entry for entry in made}
    assert len(told) == len(made)
    for name, operation, reply in zip(names, operations, replies, strict=True):
        assert (reply.codes[:1] == [operation.code]) if operation.code else ("data" in reply.said), (name, reply.said)
        assert bool(reply.inquiry) == bool(operation.entries), name
        if operation.entries:
            entry = told[reply.inquiry["id"]]
            assert getattr(entry.told, "code", None) == operation.code
            assert entry.told.requester.client == "market-regulator"


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_leaves_its_one_entry_or_none(world: World, name: str) -> None:
    check(world, [name])


SOME = st.lists(st.sampled_from(sorted(OPERATIONS)), min_size=1, max_size=8)


def test_operations_at_once_leave_one_entry_each(world: World) -> None:
    holds(lambda names: check(world, names), SOME, examples=40)


def test_a_quota_that_is_used_up_leaves_an_entry(world: World) -> None:
    subject = prepare(world)
    ask = ask_of(world, OPERATIONS["answered"], subject)
    purpose = world.policies.purposes["LICENCE_RENEWAL"]
    admission = Admission()
    for _ in range(purpose.frequency.max):
        admission.reserve(purpose, counted(ask.requester, purpose, [subject], world.now))
    reply = world.ask(ask, admission=admission)
    assert reply.codes == ["QUOTA_EXCEEDED"]
    assert [entry.told.code for entry in reply.entries] == ["QUOTA_EXCEEDED"]
    assert not reply.asked


def test_what_was_fetched_leaves_an_entry_where_past_receipts_are_out_of_reach(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any) -> Any:
        raise LedgerUnavailable("planted")

    monkeypatch.setattr(history, "own", fails)
    operation = Operation(ONE.replace("{ name }", "{ name } receipts { id }"), 1)
    reply = world.ask(ask_of(world, operation, prepare(world)))
    assert reply.codes == ["LEDGER_UNAVAILABLE"]
    assert reply.asked
    assert [entry.told.code for entry in reply.entries] == ["LEDGER_UNAVAILABLE"]


STEPS = {
    "facts": (facts.FactsReader, "read"),
    "decide": (answer, "decide"),
    "admit": (Admission, "reserve"),
    "fetch": (Fetcher, "fetch"),
    "restrain": (restrain, "restrain"),
    "render": (Renderer, "render"),
    "disclose": (disclose, "answer_parts"),
}


@pytest.mark.parametrize("step", STEPS)
def test_a_defect_in_a_step_leaves_its_one_entry(world: World, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    def fails(*_: Any, **__: Any) -> Any:
        raise ZeroDivisionError("planted")

    monkeypatch.setattr(*STEPS[step], fails)
    reply = world.ask(ask_of(world, OPERATIONS["answered"], prepare(world)))
    code = "DECISION_UNAVAILABLE" if step == "decide" else "INTERNAL"
    assert reply.codes == [code]
    assert [entry.told.code for entry in reply.entries] == [code]
    assert "planted" not in reply.answer.body.decode()


# -- clients that leave ------------------------------------------------------------------------------------------------

MOMENTS = ("before the body is whole", "while departments work", "while the answer is sent", "never")


def scope_of(headers: list[tuple[bytes, bytes]]) -> dict[str, Any]:
    return {"type": "http", "method": "POST", "path": "/graphql", "headers": headers}


async def leave(world: World, ask: Ask, moment: str) -> None:
    """Have the endpoint answer a client that leaves at a moment; then let everything that goes on come to its end."""
    for department in world.departments.values():
        department.mood = "hangs"
        department.reached.clear()
        department.released.clear()
    endpoint = GraphQLEndpoint(functools.partial(answer.answer, world.journey_with()), lambda _id, _error: None)
    _, headers, body = world.sent(ask)
    parts = [{"type": "http.request", "body": body[:20], "more_body": True}]
    rest = {"type": "http.disconnect"} if moment == MOMENTS[0] else {"type": "http.request", "body": body[20:]}
    parts.append(rest)

    async def receive() -> dict[str, Any]:
        return parts.pop(0)

    async def send(message: Any) -> None:
        if moment == MOMENTS[2]:
            raise OSError("the client is gone")

    serving = asyncio.ensure_future(endpoint(scope_of(headers), receive, send))
    if moment != MOMENTS[0]:
        reached = asyncio.ensure_future(world.departments["market"].reached.wait())
        await asyncio.wait([serving, reached], return_when=asyncio.FIRST_COMPLETED)
        reached.cancel()
        if moment == MOMENTS[1]:
            serving.cancel()
    for department in world.departments.values():
        department.released.set()
    await asyncio.gather(serving, return_exceptions=True)
    while endpoint._running or endpoint._entering:
        await asyncio.sleep(0)
        await asyncio.gather(*endpoint._running, *endpoint._entering, return_exceptions=True)


def check_leaving(world: World, moment: str) -> None:
    world.run(leave(world, ask_of(world, OPERATIONS["answered"], prepare(world)), moment))
    kinds = [type(each.told) for each in world.entries()]
    left = {MOMENTS[0]: [], MOMENTS[3]: [entries.Inquiry]}
    assert kinds == left.get(moment, [entries.Inquiry, entries.NotReleased]), "what did not leave says so"


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_client_that_leaves_leaves_its_entry_behind(world: World, moment: str) -> None:
    check_leaving(world, moment)


# -- faults ------------------------------------------------------------------------------------------------------------


def _enters_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    async def faulty(ledger: Any, entry: Any, *rest: Any) -> Receipt:
        await disclose.disclose(ledger, entry, *rest)
        return await disclose.disclose(ledger, entry, *rest)

    monkeypatch.setattr(answer, "disclose", faulty)


def _refuses_without_an_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    real = answer.answer_refusal

    async def faulty(journey: Any, entry: Any, *rest: Any) -> Any:
        unbound = entry is not None and entry.declaration is None
        return await real(journey, None if unbound else entry, *rest)

    monkeypatch.setattr(answer, "answer_refusal", faulty)


def _enters_what_names_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    real = Plan.bind

    def faulty(self: Any, *given: Any) -> Any:
        bound = real(self, *given)
        if bound.declaration is None and given[1] is None and self._conditions:
            return msgspec.structs.replace(bound, declaration=Declaration("LICENCE_RENEWAL"))
        return bound

    monkeypatch.setattr(Plan, "bind", faulty)


@pytest.mark.parametrize(
    "plant",
    [_enters_twice, _refuses_without_an_entry, _enters_what_names_nobody],
    ids=lambda plant: plant.__name__.strip("_"),
)
def test_the_property_fails_when_a_fault_is_planted(
    world: World, monkeypatch: pytest.MonkeyPatch, plant: Callable[[pytest.MonkeyPatch], None]
) -> None:
    plant(monkeypatch)
    is_found(lambda names: check(world, names), SOME)


def test_leaving_is_found_where_it_ends_the_answer(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """An endpoint that awaits the answer itself: who leaves takes it along."""

    async def faulty(self: Any, scope: Any, receive: Any, send: Any) -> None:
        body = await self._read(asyncio.get_running_loop(), scope["headers"], receive)
        answer = await self._answer(scope["method"], scope["headers"], body)
        await send({"type": "http.response.start", "status": answer.status, "headers": []})
        await send({"type": "http.response.body", "body": answer.body})

    monkeypatch.setattr(GraphQLEndpoint, "__call__", faulty)
    with pytest.raises(AssertionError):
        check_leaving(world, "while departments work")


def test_every_code_that_refuses_a_whole_inquiry_is_among_the_operations() -> None:
    codes = {operation.code for operation in OPERATIONS.values() if operation.entries}
    assert codes >= {"INQUIRY_REQUIRED", "INQUIRY_INVALID", "IDENTIFIER_INVALID", "CASE_NOT_VERIFIED", "FORBIDDEN"}
