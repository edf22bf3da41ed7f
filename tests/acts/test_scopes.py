"""Who may do which act: each scope opens its own acts and no others."""

from __future__ import annotations

import msgspec
import pytest

from gateway.inquiry.document.acts import ACT_QUERIES
from tests.acts.handled import MATTER, SUBJECT, Place, place, world
from tests.world import Reply

__all__ = ["place", "world"]


SUBJECTS = {
    "me": "{ me { value } }",
    "withdrawMatter": 'mutation { withdrawMatter(id: "1"%s) { id } }',
    "revokeConsent": 'mutation { revokeConsent(id: "1"%s) { id } }',
    "declineConsentRequest": 'mutation { declineConsentRequest(id: "1"%s) { id } }',
    "setOptOut": 'mutation { setOptOut(dataset: "d", optedOut: true%s) { dataset } }',
    "fileObjection": 'mutation { fileObjection(reason: "r"%s) { id } }',
    "applyForRestoration": 'mutation { applyForRestoration(record: {dataset: 1, record: 1}, reason: "r"%s) { id } }',
    "grantConsent": 'mutation { grantConsent(requester: {issuer: "i", client: "c"}, purpose: LICENCE_RENEWAL, '
    'fields: [], until: "2026-09-30"%s) { id } }',
}
REQUESTERS = {
    "consentRequests": "{ consentRequests { next } }",
    "requestConsent": 'mutation { requestConsent(subject: {scheme: PIN, value: "1"}, purpose: LICENCE_RENEWAL, '
    'fields: [], until: "2026-09-30", words: "w") { id } }',
}
STEWARDS = {
    "changes": "{ changes { next } }",
    "decideObjection": 'mutation { decideObjection(id: "1", outcome: UPHELD, reason: "r") { id } }',
    "decideRestoration": 'mutation { decideRestoration(id: "1", outcome: UPHELD, reason: "r") { id } }',
    "reportChange": 'mutation { reportChange(subject: {scheme: PIN, value: "1"}, record: {dataset: "d", record: "r"}, '
    'event: WITHDRAWN, reason: "r") { id } }',
}
RECIPIENTS = {
    "recalls": "{ recalls { next } }",
    "acknowledgeRecall": 'mutation { acknowledgeRecall(id: "1", outcome: APPLIED) { id } }',
    "acknowledgeRecalls": 'mutation { acknowledgeRecalls(ids: ["1"], outcome: APPLIED) { id } }',
    "attestDeletion": 'mutation { attestDeletion(until: "2026-09-30") }',
}
OVERSIGHT = {
    "endSuspension": 'mutation { endSuspension(id: "1", reason: "r") { id } }',
    "findings": "{ findings { next } }",
    "openFinding": 'mutation { openFinding(id: "1", reason: "r") { __typename } }',
    "endReview": 'mutation { endReview(id: "1", verdict: PROPER, reason: "r") { id } }',
}
BOTH = {"suspensions": "{ suspensions { next } }"}
OVERSEEN = {"matters": "{ matters { next } }", "confirm": 'mutation { confirm(id: "1") { __typename } }',
            "decline": 'mutation { decline(id: "1", reason: "r") { __typename } }'}  # fmt: skip
BEHALF = ', onBehalf: {subject: {scheme: PIN, value: "1"}, proof: "passport 640123"}'
ALONE = ("self", "inquire", "inquire:tax-arrears", "receipts", "steward", "counter", "recalls", "officer", "oversight")
OPEN = {
    **dict.fromkeys(SUBJECTS, ("self",)),
    **{f"{name} on behalf": ("counter",) for name in SUBJECTS if name != "me"},
    **dict.fromkeys(REQUESTERS, ("inquire", "inquire:tax-arrears")),
    **dict.fromkeys(STEWARDS, ("steward",)),
    **dict.fromkeys(OVERSEEN, ("steward", "oversight")),
    **dict.fromkeys(RECIPIENTS, ("recalls",)),
    **dict.fromkeys(OVERSIGHT, ("oversight",)),
    **dict.fromkeys(BOTH, ("recalls", "oversight")),
}
QUERIES = {
    **{name: query.replace("%s", "") for name, query in SUBJECTS.items()},
    **{f"{name} on behalf": query % BEHALF for name, query in SUBJECTS.items() if name != "me"},
    **REQUESTERS, **STEWARDS, **OVERSEEN, **RECIPIENTS, **OVERSIGHT, **BOTH,
}  # fmt: skip


def refused(reply: Reply) -> bool:
    if reply.codes != ["FORBIDDEN"]:
        return False
    assert reply.answer.status == 403
    assert 'error="insufficient_scope"' in reply.answer.headers["www-authenticate"]
    assert "data" not in reply.said
    return True


def test_every_act_is_tried(place: Place) -> None:
    mutations = place.schema.mutation_type
    assert mutations is not None
    assert {name.split()[0] for name in QUERIES} == {*mutations.fields, *ACT_QUERIES}


@pytest.mark.parametrize("name", QUERIES)
def test_a_scope_opens_its_own_acts_and_no_others(place: Place, name: str) -> None:
    one = {"__typename": "Matter", "id": "1", "value": "v", "dataset": "d"}
    place.handler.gives = {"attestDeletion": True, "acknowledgeRecalls": [one]}.get(name, one)
    for scope in (*ALONE, "email"):
        place.handler.called.clear()
        reply = place.ask(place.who(scope, official="s.ilieva"), QUERIES[name])
        assert refused(reply) is (scope not in OPEN[name]), (scope, reply.said)
        assert bool(place.handler.called) is (scope in OPEN[name])
        if refused(reply) and scope != "email":
            assert reply.answer.headers["www-authenticate"].rpartition('scope="')[2].rstrip('"') in OPEN[name]


@pytest.mark.parametrize("name", [name for name in QUERIES if {"steward", "counter"} & set(OPEN[name])])
def test_an_official_stands_behind_it(place: Place, name: str) -> None:
    for scope in OPEN[name]:
        assert refused(place.ask(place.who(scope), QUERIES[name]))


@pytest.mark.parametrize("name", QUERIES)
def test_a_subjects_token_with_another_scope_opens_no_act(place: Place, name: str) -> None:
    for scope in ALONE[1:]:
        assert refused(place.ask(place.who("self", scope, official="s.ilieva"), QUERIES[name])), scope


def test_on_whose_behalf_may_come_by_a_variable(place: Place) -> None:
    query = "mutation($for: OnBehalfInput) { withdrawMatter(id: 1, onBehalf: $for) { id } }"
    behalf = {"subject": {"scheme": SUBJECT.scheme, "value": SUBJECT.value}, "proof": "passport 640123"}
    place.handler.gives = MATTER
    counter, own = place.who("counter", official="d.chen"), place.who("self")
    assert refused(place.ask(counter, query))
    assert refused(place.ask(counter, query, **{"for": None}))
    assert refused(place.ask(own, query, **{"for": behalf}))
    assert place.ask(counter, query, **{"for": behalf}).data
    assert place.ask(own, query).data
    assert place.ask(own, query, **{"for": None}).data
    assert [called.arguments.get("onBehalf") for _, called in place.handler.called] == [behalf, None, None]


def test_the_system_that_holds_the_records_reports_without_an_official(place: Place) -> None:
    place.handler.gives = {"id": "1"}
    system = msgspec.structs.replace(place.who("steward"), reports_changes=True)
    assert place.ask(system, STEWARDS["reportChange"]).data == {"reportChange": {"id": "1"}}
    reader = msgspec.structs.replace(system, scopes=frozenset(["inquire", "recalls"]))
    assert refused(place.ask(reader, STEWARDS["reportChange"]))
    assert refused(place.ask(system, STEWARDS["decideObjection"]))
    assert refused(
        place.ask(msgspec.structs.replace(place.who("self"), reports_changes=True), STEWARDS["reportChange"])
    )
