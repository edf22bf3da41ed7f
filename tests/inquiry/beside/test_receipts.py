"""`receipts`: whose past inquiries a token shows, and what a look at everybody's leaves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.base import Subject
from gateway.errors import LedgerUnavailable
from gateway.inquiry.beside import receipts
from gateway.inquiry.types import Narrowing, Requester
from gateway.ledger.entry import entries
from gateway.ledger.projections.projector import Projector
from tests.drawn import examples
from tests.world import Ask, Reply, World, new_subject, opened

CLIENT, OTHER_CLIENT = "environment-agency", "market-regulator"
QUERY = """query($id: IdentifierInput!) @inquiry(purpose: %s) {
  organisation(id: $id) { name businessLicences { number } } }"""
RECEIPTS = "query($after: String) { receipts(after: $after, first: 7) { id cursor receipt obligations { type } } }"
OFFICIALS = ("e.lind", "k.berg", None)
SUBJECTS = [new_subject() for _ in range(3)]
DATASETS = ("organisation-register", "business-licences")


class Made(NamedTuple):
    """An operation that was entered, as the entry has it; `own` where a subject's own token asked."""

    id: str
    client: str
    official: str | None
    own: bool
    purpose: str | None
    subject: Subject | None
    datasets: frozenset[str]


class Log:
    """A world, and a plain list of what was entered in it."""

    def __init__(self, world: World) -> None:
        self.world, self.made, self.projector = world, list[Made](), Projector(world.store, 3)

    def ask(self, requester: Requester, purpose: str, subject: Subject, *, declared: bool = True) -> Reply:
        query = QUERY % purpose if declared else QUERY.replace("@inquiry(purpose: %s)", "")
        reply = self.world.ask(Ask(requester, query, {"id": {"scheme": subject.scheme, "value": subject.value}}))
        (entry,) = reply.entries
        told = entry.told
        assert isinstance(told, entries.Operation)
        shown = [one.dataset for each in getattr(told, "disclosed", ()) for one in each.datasets]
        named = told.disclosed if isinstance(told, entries.Inquiry) else told.subjects
        self.made.append(
            Made(told.id, requester.client, requester.official, requester.is_subject,
                 told.declaration.purpose if told.declaration else None, subject if named else None, frozenset(shown))
        )  # fmt: skip
        return reply

    def told(self, requester: Requester) -> list[str]:
        """The ids that `receipts` gives to a token, page by page."""
        found: list[dict[str, Any]] = []
        while True:
            after = found[-1]["cursor"] if found else None
            reply = self.world.ask(Ask(requester, RECEIPTS, {"after": after}))
            assert reply.answer.status == 200, reply.said
            found += (page := reply.data["receipts"])
            everybodys = "receipts" in requester.scopes
            assert [type(entry.told) for entry in reply.entries] == ([entries.View] if everybodys else [])
            if len(page) < 7:
                return [row["id"] for row in found]

    def expected(self, requester: Requester) -> list[str]:
        """The same, by the list."""
        everybodys = "receipts" in requester.scopes
        found = []
        for each in self.made:
            if each.client != requester.client or each.own or each.purpose == "SUBJECT_ACCESS":
                continue
            if not everybodys and each.official != requester.official:
                continue
            covered = {scope.removeprefix("inquire:") for scope in requester.scopes}
            if not everybodys and "inquire" not in requester.scopes and not each.datasets <= covered:
                continue
            if requester.narrowing:
                open_: set[str] = set()
                for part in requester.narrowing:
                    fits = part.purpose in (None, each.purpose) and part.case is None
                    if fits and part.identifier in (None, each.subject and each.subject[1:]):
                        open_ |= set(DATASETS) if part.datasets is None else part.datasets
                if not open_ or not each.datasets <= open_:
                    continue
            found.append(each.id)
        return found


@pytest.fixture(scope="module")
def log() -> Iterator[Log]:
    with opened() as world:
        made = Log(world)
        yield made
        made.projector.close()


def asker(log: Log, official: str | None = "e.lind", *scopes: str, **more: Any) -> Requester:
    return log.world.requester(CLIENT, official=official, scopes=scopes or ("inquire",), **more)


narrowings = st.builds(
    Narrowing,
    purpose=st.sampled_from([None, "LICENCE_RENEWAL", "TENDER_QUALIFICATION"]),
    case=st.sampled_from([None, None, "C-1"]),
    datasets=st.none() | st.sets(st.sampled_from(DATASETS)).map(frozenset),
    identifier=st.none() | st.sampled_from([(each.scheme, each.value) for each in SUBJECTS]),
)
asked = st.tuples(
    st.sampled_from([CLIENT, CLIENT, OTHER_CLIENT]),
    st.sampled_from(OFFICIALS),
    st.sampled_from(["inquire", "self", "inquire self", "inquire:business-licences"]),
    st.sampled_from(["LICENCE_RENEWAL", "TENDER_QUALIFICATION", "SUBJECT_ACCESS"]),
    st.sampled_from(SUBJECTS),
    st.booleans(),
)
tokens = st.tuples(
    st.sampled_from(OFFICIALS),
    st.sampled_from(["inquire", "inquire:business-licences", "inquire:organisation-register", "receipts",
                     "inquire receipts"]),
    st.lists(narrowings, max_size=2),
)  # fmt: skip


def check(log: Log, made: list[Any], turns: int, readers: list[Any]) -> None:
    for client, official, scope, purpose, subject, declared in made:
        who = log.world.requester(
            client, official=official, scopes=scope.split(" "), identifier=(subject.scheme, subject.value)
        )
        log.ask(who, purpose, subject, declared=declared)
    for _ in range(turns):
        log.projector.turn()
    for official, scope, narrowing in readers:
        token = asker(log, official, *scope.split(" "), narrowing=tuple(narrowing))
        assert log.told(token) == log.expected(token)


@given(st.lists(asked, max_size=6), st.integers(0, 6), st.lists(tokens, min_size=1, max_size=4))
@settings(max_examples=examples(20, 40), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_token_shows_its_officials_entries_as_far_as_it_reaches(
    log: Log, made: list[Any], turns: int, readers: list[Any]
) -> None:
    """Never another official's (but by the scope `receipts`, entered), nor what narrowing leaves out, nor a self's."""
    check(log, made, turns, readers)


ONE = (CLIENT, "e.lind", "inquire", "LICENCE_RENEWAL", SUBJECTS[0], True)
FAULTS = {
    "open_to": (lambda *_: None, [("e.lind", "inquire", [Narrowing(identifier=(SUBJECTS[1].scheme, "x"))])]),
    "scope_covers": (lambda *_: True, [("e.lind", "inquire:business-licences", [])]),
}


@pytest.mark.parametrize("name", FAULTS)
def test_the_property_fails_when_a_fault_is_planted(log: Log, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fault, readers = FAULTS[name]
    check(log, [ONE], 0, readers)
    monkeypatch.setattr(receipts, name, fault)
    with pytest.raises(AssertionError):
        check(log, [ONE], 0, readers)


def test_an_officials_own_come_with_their_receipts(log: Log) -> None:
    subject = new_subject()
    reply = log.ask(asker(log, "o.own"), "LICENCE_RENEWAL", subject)
    (row,) = log.world.ask(Ask(asker(log, "o.own"), RECEIPTS)).data["receipts"]
    assert (row["id"], row["receipt"].splitlines()[1]) == (
        reply.inquiry["id"],
        reply.inquiry["receipt"].splitlines()[1],
    )
    assert log.told(asker(log, "o.other")) == []
    assert reply.inquiry["id"] not in log.told(asker(log, None))
    assert log.told(asker(log, "o.own", narrowing=(Narrowing(datasets=frozenset()),))) == []


def test_what_was_asked_without_an_official_is_shown_without_one(log: Log) -> None:
    reply = log.ask(asker(log, None), "LICENCE_RENEWAL", new_subject())
    assert reply.inquiry["id"] in log.told(asker(log, None))
    assert reply.inquiry["id"] not in log.told(asker(log, "e.lind"))


@pytest.mark.parametrize("scopes", [("self",), ("self", "inquire"), ("self", "inquire", "receipts")])
def test_a_subjects_own_token_opens_none(log: Log, scopes: tuple[str, ...]) -> None:
    who = asker(log, "e.lind", *scopes, identifier=(SUBJECTS[0].scheme, SUBJECTS[0].value))
    reply = log.world.ask(Ask(who, RECEIPTS))
    assert (reply.answer.status, reply.codes, reply.entries) == (403, ["FORBIDDEN"], [])
    assert 'error="insufficient_scope"' in reply.answer.headers["www-authenticate"]


@pytest.mark.parametrize("scope", ["steward", "recalls", "oversight", "officer"])
def test_a_scope_for_something_else_opens_none(log: Log, scope: str) -> None:
    assert log.world.ask(Ask(asker(log, "e.lind", scope), RECEIPTS)).codes == ["FORBIDDEN"]


@pytest.mark.parametrize("scopes", [(), ("openid", "profile")])
@pytest.mark.parametrize(
    "query",
    ["{ receipts { id } }", "{ permissions(purpose: LICENCE_RENEWAL) { field } }", "{ catalogue { id } }",
     "{ __schema { queryType { name } } }", '{ __type(name: "Query") { name } }', "{ __typename }",
     "{ _service { sdl } }"],
)  # fmt: skip
def test_a_token_without_a_scope_opens_nothing(log: Log, query: str, scopes: tuple[str, ...]) -> None:
    who = log.world.requester(CLIENT, official="e.lind", scopes=scopes)
    reply = log.world.ask(Ask(who, query))
    assert (reply.answer.status, reply.codes, reply.entries) == (403, ["FORBIDDEN"], [])
    assert "data" not in reply.said
    assert 'error="insufficient_scope"' in reply.answer.headers["www-authenticate"]


def test_beside_an_inquiry_the_same_counts(log: Log) -> None:
    query = QUERY % "LICENCE_RENEWAL"
    variables = {"id": {"scheme": SUBJECTS[0].scheme, "value": SUBJECTS[0].value}}
    beside = query.replace("{\n  organisation", "{ receipts { id }\n  organisation")
    reply = log.world.ask(Ask(asker(log, "o.beside", "recalls"), beside, variables))
    assert reply.codes == ["FORBIDDEN"]
    (refused,) = reply.entries
    reply = log.world.ask(Ask(asker(log, "o.beside"), beside, variables))
    assert (reply.answer.status, reply.data["receipts"]) == (200, [{"id": refused.told.id}])


def test_everybodys_are_shown_by_a_durable_view_and_not_without(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    for subject in SUBJECTS[1:]:
        log.ask(asker(log, "k.berg"), "LICENCE_RENEWAL", subject)
    who = asker(log, "e.lind", "receipts")
    twice = "{ a: receipts(first: 1) { id } b: receipts(first: 2) { id } }"
    reply = log.world.ask(Ask(who, twice))
    assert [len(reply.data[name]) for name in "ab"] == [1, 2]
    (entry,) = reply.entries
    assert isinstance(entry.told, entries.View)
    assert (entry.told.by, entry.told.format, entry.told.requester.client) == ("e.lind", "receipts", CLIENT)
    assert entry.oversight.official == "e.lind"

    async def away(*_: object) -> None:
        raise LedgerUnavailable("away")

    monkeypatch.setattr(log.world.ledger, "append", away)
    reply = log.world.ask(Ask(who, twice))
    assert (reply.answer.status, reply.codes) == (503, ["LEDGER_UNAVAILABLE"])
    assert reply.said["errors"][0]["extensions"]["retryable"] is True
    assert "data" not in reply.said
