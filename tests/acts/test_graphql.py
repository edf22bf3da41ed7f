"""An act from its document to its handler and back: alone, in scope, coerced, rendered, or refused."""

from __future__ import annotations

import datetime
import json
import threading
from typing import Any

import pytest

from gateway.acts import graphql
from gateway.acts.called import Acted, Called
from gateway.acts.graphql import Acts
from gateway.bounds.shares import Shares
from gateway.errors import Code, Refusal
from gateway.inquiry.types import Answer, Requester
from tests.acts.handled import ACT, MATTER, SUBJECT, WITHDRAW, Handlers, Place, place, world
from tests.world import Ask, World, new_subject

__all__ = ["place", "world"]


# What is done and told


def test_an_act_is_handed_on_and_told_with_its_receipt(place: Place) -> None:
    place.handler.gives = MATTER
    reply = place.ask(place.who("self"), WITHDRAW, id="m-1")
    assert reply.answer.status == 200
    assert reply.said == {
        "data": {"mine": {"id": "m-1", "state": "WITHDRAWN", "due": "2026-03-11", "papers": []}},
        "extensions": {"act": ACT},
    }
    assert (place.called.field, place.called.arguments) == ("withdrawMatter", {"id": "m-1"})
    assert place.called.selected == {"id": {}, "state": {}, "due": {}, "papers": {}}
    assert reply.entries == []  # what has to be entered, the handler enters


def test_arguments_are_coerced_and_those_left_out_are_missing(place: Place) -> None:
    place.handler.gives = {"id": "c"}
    place.ask(
        place.who("inquire"),
        "mutation($of: IdentifierInput!, $d: Date!) { requestConsent(subject: $of, purpose: LICENCE_RENEWAL, "
        'until: $d, fields: [{dataset: "tax-arrears", fields: ["amount"]}], words: " Why ") { id } }',
        of={"scheme": SUBJECT.scheme, "value": SUBJECT.value},
        d="2026-09-30",
    )
    assert place.called.arguments == {
        "subject": {"scheme": SUBJECT.scheme, "value": SUBJECT.value},
        "purpose": "LICENCE_RENEWAL",
        "until": datetime.date(2026, 9, 30),
        "fields": [{"dataset": "tax-arrears", "fields": ["amount"]}],
        "words": " Why ",
    }


def test_only_what_is_selected_has_to_be_made(place: Place) -> None:
    place.handler.gives = {"value": "v", "accessHistory": {"items": [], "note": "n"}}
    query = """query($n: Int = 7, $more: Boolean!) {
      me { __typename value ...Looks ... @include(if: $more) { consents { id } } } }
      fragment Looks on Me { them: accessHistory(first: $n, after: "x") { items { id } note } }"""
    reply = place.ask(place.who("self"), query, more=False)
    assert place.called.selected == {"value": {}, "accessHistory": {"first": 7, "after": "x"}}
    assert reply.data == {"me": {"__typename": "Me", "value": "v", "them": {"items": [], "note": "n"}}}
    place.handler.gives["consents"] = []
    place.ask(place.who("self"), query, more=True)
    assert place.handler.called[1][1].selected.keys() == {"value", "accessHistory", "consents"}


def test_defaults_are_the_contracts_and_null_is_as_left_out(place: Place) -> None:
    place.handler.gives = {"items": [], "accessHistory": {"note": "n"}}
    who = place.who("steward", official="s.ilieva")
    place.ask(who, "{ matters { next } }")
    place.ask(who, "{ changes(first: null, state: OPEN) { next } }")
    place.ask(place.who("self"), "{ me { accessHistory { note } } }")
    asked = [called for _, called in place.handler.called]
    assert [each.arguments for each in asked] == [{"first": 20}, {"first": 20, "state": "OPEN"}, {}]
    assert asked[2].selected == {"accessHistory": {"first": 50}}


def test_a_value_may_be_a_function_of_its_arguments(place: Place) -> None:
    place.handler.gives = {"accessHistory": lambda _info, first, after=None: {"note": f"{first} behind {after}"}}
    reply = place.ask(place.who("self"), '{ me { accessHistory(first: 3, after: "c") { note } } }')
    assert reply.data == {"me": {"accessHistory": {"note": "3 behind c"}}}


def test_what_a_second_person_confirms_is_one_of_two_kinds(place: Place) -> None:
    place.handler.gives = {**MATTER, "__typename": "Matter"}
    reply = place.ask(
        place.who("steward", official="k.berg"),
        'mutation { confirm(id: "m-1") { ... on Change { event } ... on Matter { kind } } __typename }',
    )
    assert reply.data == {"confirm": {"kind": "OBJECTION"}, "__typename": "Mutation"}
    assert place.called.selected == {"event": {}, "kind": {}}


def test_who_needs_the_bytes_first_has_them_and_answers_itself(world: World) -> None:
    seen = list[bytes]()

    async def me(requester: Requester, called: Called) -> Acted | Answer:
        data = await called.render({"scheme": "PIN", "value": "v"})
        seen.append(data)
        return graphql.answered(data, (), called.media, b'{"id":"i"}')

    place = Place(world, {"me": me})
    reply = place.ask(place.who("self"), "{ me { value } }")
    assert seen == [b'{"me":{"value":"v"}}']
    assert reply.said == {"data": {"me": {"value": "v"}}, "extensions": {"inquiry": {"id": "i"}}}


def test_a_page_is_rendered_in_the_clients_share_and_what_was_done_is_told_whatever_is_left(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    where, execute = list[bool](), graphql.execute

    def noted(*of: Any, **named: Any) -> Any:
        where.append(threading.current_thread() is threading.main_thread())
        return execute(*of, **named)

    monkeypatch.setattr(graphql, "execute", noted)
    place.handler.gives = MATTER | {"items": []}
    page = "{ matters { next } }"
    steward = place.who("steward", official="s.ilieva")
    assert place.ask(steward, page).data == {"matters": {"next": None}}
    assert place.ask(place.who("self"), WITHDRAW, id="m").answer.status == 200
    assert where == [False, True]
    spent = Shares(place.world.clock, share=1e-9, saved=1e-9)
    place.world.run(spent.do(steward.who, lambda: sum(range(10_000))))
    asks = [Ask(steward, page), Ask(place.who("self"), WITHDRAW, {"id": "m"})]
    replies = [place.world.ask(each, serving=lambda: place.serving, shares=spent) for each in asks]
    assert [reply.answer.status for reply in replies] == [429, 200]


# What is refused


@pytest.mark.parametrize(
    "query",
    [
        'mutation { a: withdrawMatter(id: "1") { id } b: withdrawMatter(id: "2") { id } }',
        'mutation { withdrawMatter(id: "1") { id } ...M } fragment M on Mutation { revokeConsent(id: "1") { id } }',
        "{ me { value } matters { next } }",
        "{ me { value } again: me { scheme } }",
        "{ me { value } catalogue { id } }",
        "{ changes { next } receipts { id } }",
        "{ consentRequests { next } permissions(purpose: LICENCE_RENEWAL) { reason } }",
        "{ me { value } __schema { types { name } } }",
    ],
)
def test_an_act_stands_alone(place: Place, query: str) -> None:
    reply = place.ask(place.who("self"), query)
    assert (reply.answer.status, reply.codes, reply.entries) == (400, ["GRAPHQL_OPERATION_INVALID"], [])
    assert "operation of its own" in reply.errors[0]["message"]
    assert place.handler.called == []


def test_beside_a_subject_it_is_refused_and_entered(place: Place) -> None:
    query = """query($id: IdentifierInput!, $too: Boolean!) @inquiry(purpose: LICENCE_RENEWAL) {
      organisation(id: $id) { name } me @include(if: $too) { value } }"""
    of = new_subject()
    for text in (query, query.replace(", $too: Boolean!", "").replace("$too", "true")):
        variables = {"id": {"scheme": of.scheme, "value": of.value}} | ({"too": True} if text is query else {})
        reply = place.ask(place.who("inquire"), text, **variables)
        assert (reply.codes, len(reply.entries)) == (["GRAPHQL_OPERATION_INVALID"], 1)
    assert place.handler.called == []


def test_conditions_decide_what_stands_there(place: Place) -> None:
    place.handler.gives = {"value": "v"}
    query = "query($mine: Boolean!) { me @include(if: $mine) { value } catalogue @skip(if: $mine) { id } __typename }"
    assert place.ask(place.who("self"), query, mine=True).data == {"me": {"value": "v"}, "__typename": "Query"}
    assert "catalogue" in place.ask(place.who("self"), query, mine=False).data
    assert len(place.handler.called) == 1


@pytest.mark.parametrize(
    "query", ["mutation { __typename }", 'mutation { withdrawMatter(id: "1") @skip(if: true) { id } }']
)
def test_a_mutation_of_nothing_does_nothing(place: Place, query: str) -> None:
    reply = place.ask(place.who("self"), query)
    assert reply.said == {"data": {"__typename": "Mutation"} if "__typename" in query else {}}
    assert place.handler.called == []


@pytest.mark.parametrize(
    ("query", "header", "code"),
    [
        ("query @inquiry(purpose: SUBJECT_ACCESS) { me { value } }", None, "INQUIRY_INVALID"),
        ("{ me { value } }", b"purpose=SUBJECT_ACCESS", "INQUIRY_INVALID"),
        ('mutation { withdrawMatter(id: "1") { id } }', b"purpose=SUBJECT_ACCESS", "INQUIRY_INVALID"),
        ('mutation @inquiry(purpose: SUBJECT_ACCESS) { setOptOut { id } }', None, "GRAPHQL_VALIDATION_FAILED"),
        ("subscription { me { value } }", None, "GRAPHQL_VALIDATION_FAILED"),
        ("mutation { catalogue { id } }", None, "GRAPHQL_VALIDATION_FAILED"),
        ('mutation { withdrawMatter(id: "1") { id } ', None, "GRAPHQL_PARSE_FAILED"),
        ("mutation($id: ID!) { withdrawMatter(id: $id) { id } }", None, "GRAPHQL_VARIABLES_INVALID"),
        ("{ me { accessHistory(first: 0) { note } } }", None, "GRAPHQL_VARIABLES_INVALID"),
        ("{ me { accessHistory(first: 101) { note } } }", None, "GRAPHQL_VARIABLES_INVALID"),
        ("{ me { accessHistory(first: -1) { note } } }", None, "GRAPHQL_VARIABLES_INVALID"),
        ("{ me { a: accessHistory { note } b: accessHistory(first: 5) { note } } }", None, "GRAPHQL_OPERATION_INVALID"),
        ("{ me { " + " ".join(f"a{n}: datasets {{ records {{ values {{ field title value }} }} }}" for n in range(29))
         + " } }", None, "LIMIT_EXCEEDED"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(place: Place, query: str, header: bytes | None, code: str) -> None:
    reply = place.ask(place.who("self"), query, header)
    assert (reply.codes[0], reply.answer.status, reply.entries) == (code, 400, [])
    assert "data" not in reply.said
    assert place.handler.called == []


@pytest.mark.parametrize(
    "day",
    [
        "20260930",
        "2026-W40-3",
        "2026-02-30",
        "2026-09-30T12:00:00Z",
        "30.09.2026",
        "２０２６-09-30",
        "",
        20260930,
        True,
        [],
    ],
)
def test_a_date_is_one_of_the_calendar_and_written_in_one_way(place: Place, day: Any) -> None:
    query = """mutation($d: Date!) { requestConsent(subject: {scheme: PIN, value: "1"}, words: "w", until: $d,
      purpose: LICENCE_RENEWAL, fields: []) { id } }"""
    reply = place.ask(place.who("inquire"), query, d=day)
    assert (reply.answer.status, reply.codes) == (400, ["GRAPHQL_VARIABLES_INVALID"])
    if isinstance(day, str):
        reply = place.ask(place.who("inquire"), query.replace("($d: Date!)", "").replace("$d", json.dumps(day)))
        assert (reply.answer.status, reply.codes) == (400, ["GRAPHQL_VALIDATION_FAILED"])
    assert place.handler.called == []


def test_a_variable_that_lists_too_much_is_not_looked_at(place: Place) -> None:
    query = """mutation($f: [ConsentFieldsInput!]!) { requestConsent(subject: {scheme: PIN, value: "1"}, words: "w",
      purpose: LICENCE_RENEWAL, until: "2026-09-30", fields: $f) { id } }"""
    fields = [{"dataset": "d", "fields": ["f"] * 60}] * 20
    reply = place.ask(place.who("inquire"), query, f=fields)
    assert reply.codes == ["LIMIT_EXCEEDED"]
    place.handler.gives = {"id": "c"}
    assert place.ask(place.who("inquire"), query, f=fields[:10]).data == {"requestConsent": {"id": "c"}}


def test_what_nobody_does_is_not_served(world: World) -> None:
    place = Place(world, {"me": Handlers()})
    for query, who in (
        (WITHDRAW, place.who("self")),
        ("{ matters { next } }", place.who("steward", official="s.ilieva")),
    ):
        reply = place.ask(who, query, **({"id": "1"} if query is WITHDRAW else {}))
        assert (reply.answer.status, reply.codes) == (400, ["GRAPHQL_OPERATION_INVALID"])
        assert "is not served by this gateway" in reply.errors[0]["message"]


def test_the_gateway_as_it_is_wired_serves_what_has_a_handler_and_nothing_else(world: World) -> None:
    reply = world.ask(Ask(world.requester("citizen-portal", scopes=("self",)), "{ me { value } }"))
    served = isinstance(world.serving.acts, Acts) and "me" in world.serving.acts._handlers
    assert served or reply.codes == ["GRAPHQL_OPERATION_INVALID"]


# What comes to nothing


@pytest.mark.parametrize(
    ("refusal", "extensions"),
    [
        (Refusal(Code.MATTER_NOT_FOUND, "there is none"), {"code": "MATTER_NOT_FOUND"}),
        (Refusal(Code.MATTER_INVALID, "decided", reason="STATE"), {"code": "MATTER_INVALID", "reason": "STATE"}),
        (Refusal(Code.CONFLICT, "at once", retryable=True), {"code": "CONFLICT", "retryable": True}),
    ],
)
def test_an_act_that_comes_to_nothing_is_told_in_its_place(
    place: Place, refusal: Refusal, extensions: dict[str, Any]
) -> None:
    place.handler.gives = refusal
    reply = place.ask(place.who("self"), WITHDRAW, id="1")
    assert reply.answer.status == 200
    assert reply.said == {
        "data": None, "errors": [{"message": refusal.message, "path": ["mine"], "extensions": extensions}]
    }  # fmt: skip


def test_another_refusal_is_what_it_is_everywhere(place: Place) -> None:
    place.handler.gives = Refusal(Code.LEDGER_UNAVAILABLE, "the ledger is full")
    reply = place.ask(place.who("self"), WITHDRAW, id="1")
    assert (reply.answer.status, reply.codes, "data" in reply.said) == (503, ["LEDGER_UNAVAILABLE"], False)


@pytest.mark.parametrize("value", [{"id": "m-1"}, {**MATTER, "state": "LOST"}, LookupError("a defect"), None])
def test_a_defect_tells_nothing_in_part(place: Place, value: Any) -> None:
    place.handler.gives = value
    with pytest.raises(Exception, match=r".") as raised:
        place.ask(place.who("self"), WITHDRAW, id="1")
    assert not isinstance(raised.value, Refusal)  # the endpoint makes `INTERNAL` of it, with an id to quote
