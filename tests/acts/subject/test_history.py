"""`me { accessHistory }`: who looked, exact to the last entry; what is secret is in no byte of it until its second."""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import Iterator
from typing import Any, NamedTuple
from unittest import mock

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import strategies as st

from connectors.base import Subject
from gateway.acts.subject import history
from gateway.errors import Code, Refusal
from gateway.ledger.commands import export
from gateway.ledger.entry import entries
from gateway.ledger.entry.parts import split
from gateway.ledger.projections import extract, visible
from gateway.ledger.projections.lookups import who_looked
from gateway.storage.tables import micros
from tests.acts.looking import HISTORY, Looking, ids
from tests.ledgers import ledger_on
from tests.properties.checking import holds, is_found
from tests.world import Held, World, new_subject, opened, values

SECOND = datetime.timedelta(seconds=1)


@pytest.fixture
def looking() -> Iterator[Looking]:
    """Of a world of its own: the clock of a ledger never falls."""
    with opened() as world:
        yield Looking(world)


def held(world: World) -> Subject:
    subject = new_subject()
    dataset = world.catalogue.datasets["business-licences"]
    world.held[subject, dataset.id] = [Held("L-1", values(dataset), effective=world.today())]
    return subject


def shown(looking: Looking, subject: Subject, first: int = 50, after: str | None = None) -> dict[str, Any]:
    """A page as it is made, without a look of the subject's own that made it longer."""
    with contextlib.closing(looking.world.store.reader()) as reader:
        return history.page(
            reader, looking.world.policies, subject[1:], looking.world.now, history.cursor(after), first
        )


def every_page(looking: Looking, subject: Subject) -> bytes:
    """All that any page of any size shows."""
    pages = []
    for first in (1, 2, 3, 50):
        after = None
        while True:
            page = shown(looking, subject, first, after)
            pages.append(page)
            if (after := page["next"]) is None:
                break
    return msgspec.json.encode(pages)


def enter(looking: Looking, told: entries.Told, oversight: entries.Oversight = entries.NOTHING) -> None:
    parts = split(told, oversight)
    world = looking.world
    world.run(world.ledger.append(parts.told, parts.oversight, told.at, ("", ""), (), parts.subjects))


def test_a_row_tells_who_looked_at_what_on_which_law(looking: Looking) -> None:
    subject = held(looking.world)
    reply = looking.looked(subject)
    (row,) = looking.history(subject)["items"]
    purpose = looking.world.policies.purposes["LICENCE_RENEWAL"]
    last = purpose.delete_after.after(looking.world.today())
    assert row == {
        "id": reply.inquiry["id"],
        "at": looking.world.now.isoformat().replace("+00:00", "Z"),
        "what": "INQUIRY",
        "department": "market",
        "purpose": "LICENCE_RENEWAL",
        "title": purpose.title,
        "basis": [{"law": each.law, "article": each.article} for each in purpose.basis],
        "forCase": False,
        "fields": ["business-licences.number"],
        "records": ["business-licences/L-1@1"],
        "outcome": "answered",
        "told": [
            "it may be used for LICENCE_RENEWAL only",
            "it may not be passed on",
            f"it is to be deleted by {last}",
        ],
    }


def test_it_is_exact_whether_it_is_projected_or_not(looking: Looking) -> None:
    subject = held(looking.world)
    made = [looking.looked(subject).inquiry["id"]]
    looking.project()
    made.append(looking.looked(subject).inquiry["id"])
    assert ids(shown(looking, subject)["items"]) == made
    assert shown(looking, subject)["completeUntil"] == looking.world.now
    looking.project()
    assert ids(shown(looking, subject)["items"]) == made


def test_it_has_no_other_subject_of_the_same_answer(looking: Looking) -> None:
    one, other = held(looking.world), held(looking.world)
    looking.looked(one, other)
    for subject in (one, other):
        (row,) = shown(looking, subject)["items"]
        assert row["records"] == ["business-licences/L-1@1"]
        assert row["fields"] == ["business-licences.number"]


def test_own_looks_are_told_apart(looking: Looking) -> None:
    subject = held(looking.world)
    for _ in range(3):
        looking.history(subject)
    looking.looked(subject)
    assert [each["what"] for each in looking.history(subject)["items"]] == ["OWN", "OWN", "OWN", "INQUIRY"]


def test_a_refusal_and_what_did_not_leave_say_so(looking: Looking) -> None:
    world, subject = looking.world, held(looking.world)
    refused = looking.looked(subject, client="open-record", purpose="LICENCE_RENEWAL")
    assert refused.data is None or refused.denials
    unsent = looking.looked(subject)
    told = unsent.entries[-1].told
    assert isinstance(told, entries.Inquiry)
    kept = entries.NotReleased(
        entries.VERSION, "n" * 32, world.now, told.requester, "late", subject.scheme, subject.value, told.id,
        f"{world.ledger.shard}-{_index(looking, subject)}",
    )  # fmt: skip
    enter(looking, kept)
    for _ in range(2):
        (row,) = [each for each in shown(looking, subject)["items"] if each["id"] == told.id]
        assert row["outcome"] == "not released: nobody received the answer"
        assert "n" * 32 not in ids(shown(looking, subject)["items"])
        looking.project()


def _index(looking: Looking, subject: Subject) -> int:
    with contextlib.closing(looking.world.store.reader()) as reader:
        return who_looked(reader, *subject[1:], exact=True).places[-1].number


def others(looking: Looking, subject: Subject) -> dict[str, tuple[entries.Told, bool]]:
    """An entry of each other kind that names a subject, and whether the subject is shown it."""
    at, who = looking.world.now, entries.Who("", "command line")
    name = {"scheme": subject.scheme, "value": subject.value}
    looked = entries.Looked(**name)
    v = entries.VERSION
    return {
        "view": (entries.View(v, "view", at, who, "op", "free text of theirs", looked, ("told",), "csv"), True),
        "list": (entries.View(v, "list", at, who, "op", "holds", looked, (), "list"), False),
        "hold": (entries.Hold(v, "hold", at, who, "placed", "h1", "op", "court", **name), False),
        "erase": (entries.ErasureRequest(v, "erase", at, who, "requested", "e1", "op", "why", **name), False),
        "change": (entries.Acted(v, "change", at, who, "change-reported", outcome="corrected", dataset="tax-arrears",
                                 record="T-1", version="2", reason="typed wrong", **name), True),
        "filed": (entries.Acted(v, "filed", at, who, "objection-filed", reason="mine", **name), False),
        "counter": (entries.Acted(v, "counter", at, who, "objection-filed", proof="card 7", **name), True),
        "unlisted": (entries.Acted(v, "unlisted", at, who, "objection-decided", proof="card 7", **name), False),
        "later": (entries.Acted(v, "later", at, who, "of-a-later-version", **name), False),
    }  # fmt: skip


def test_what_is_shown_is_listed(looking: Looking) -> None:
    subject = held(looking.world)
    made = others(looking, subject)
    for told, _ in made.values():
        enter(looking, told)
    for _ in range(2):
        page = shown(looking, subject)
        assert ids(page["items"]) == [name for name, (_, visible_) in made.items() if visible_]
        said = msgspec.json.encode(page)
        assert b"free text" not in said
        assert b"typed wrong" not in said
        assert b"card 7" not in said
        looking.project()


def test_what_is_secret_is_in_no_byte_before_its_end_and_there_in_its_second(looking: Looking) -> None:
    world, subject = looking.world, held(looking.world)
    looking.looked(subject)
    looking.later(seconds=1)
    looking.looked(subject)
    looking.project()
    before = {}
    for moment in (0, 30, 3600):
        looking.later(seconds=moment)
        before[world.now] = every_page(looking, subject)
    world.now = min(before)
    secret = looking.looked(subject, secret=True)
    ends = secret.entries[-1].oversight.secret_until
    assert ends is not None
    assert ends > world.now
    for _ in range(2):
        for moment_, page in before.items():
            world.now = moment_
            assert every_page(looking, subject) == page
            assert history.visible_access(world.store, subject[1:], secret.inquiry["id"], world.now) is None
        world.now = ends - datetime.timedelta(microseconds=1)
        assert secret.inquiry["id"] not in ids(shown(looking, subject)["items"])
        world.now = ends
        assert ids(shown(looking, subject)["items"])[-1] == secret.inquiry["id"]
        assert history.visible_access(world.store, subject[1:], secret.inquiry["id"], world.now) is not None
        looking.project()


def test_what_becomes_visible_later_comes_behind_what_was_read(looking: Looking) -> None:
    world, subject = looking.world, held(looking.world)
    secret = looking.looked(subject, secret=True)
    ends = secret.entries[-1].oversight.secret_until
    assert ends is not None
    looking.later(seconds=1)
    first, second = looking.looked(subject).inquiry["id"], looking.looked(subject).inquiry["id"]
    looking.later(seconds=1)
    page = shown(looking, subject, 1)
    assert ids(page["items"]) == [first]
    world.now = ends
    assert ids(shown(looking, subject, 50, page["next"])["items"]) == [second, secret.inquiry["id"]]


def test_a_refusal_of_a_secret_inquiry_is_as_secret(looking: Looking) -> None:
    subject = held(looking.world)
    refused = looking.looked(subject, secret=True, facts=_Broken())
    assert refused.codes == ["DECISION_UNAVAILABLE"]
    assert shown(looking, subject)["items"] == []
    ends = refused.entries[-1].oversight.secret_until
    assert ends is not None
    looking.world.now = ends
    assert [each["what"] for each in shown(looking, subject)["items"]] == ["REFUSAL"]


class _Broken:
    async def read(self, *_: object) -> None:
        raise Refusal(Code.DECISION_UNAVAILABLE, "out of reach")


def test_a_view_of_something_secret_is_as_secret_as_long(looking: Looking, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looking.world.ledger, "now", looking.world.clock)  # commands go by the ledger's own
    subject = held(looking.world)
    secret = looking.looked(subject, secret=True)
    ends = secret.entries[-1].oversight.secret_until
    assert ends is not None
    told, _ = others(looking, subject)["view"]
    assert isinstance(told, entries.View)
    for name in ("view-1", "view-2"):
        with contextlib.closing(looking.world.store.reader()) as reader:
            assert visible.secret_until(reader, *subject[1:], micros(looking.world.now)) == micros(ends)
            assert visible.secret_until(reader, *subject[1:], micros(ends)) is None
        view = msgspec.structs.replace(told, id=name)
        looking.world.run(export.enter(looking.world.ledger, lambda at, v=view: msgspec.structs.replace(v, at=at)))
        assert shown(looking, subject)["items"] == []
        looking.project()
    looking.world.now = ends
    assert ids(shown(looking, subject)["items"]) == [secret.inquiry["id"], "view-1", "view-2"]
    looking.world.run(export.enter(looking.world.ledger, lambda at: msgspec.structs.replace(told, id="view-3", at=at)))
    assert ids(shown(looking, subject)["items"])[-1] == "view-3"


def test_two_subjects_of_one_portal_see_nothing_of_each_other(looking: Looking) -> None:
    one, other = held(looking.world), held(looking.world)
    for _ in range(4):
        looking.looked(one)
        looking.later(seconds=1)
    cursor = shown(looking, one, 2)["next"]
    mine = shown(looking, one, 2)["items"][0]["id"]
    looking.looked(other)
    looking.later(seconds=1)
    everything = every_page(looking, other)
    assert mine.encode() not in everything
    for after in (cursor, None):
        assert mine not in ids(shown(looking, other, 50, after)["items"])
    store, now = looking.world.store, looking.world.now
    assert history.visible_access(store, other[1:], mine, now) is None
    assert history.visible_access(store, one[1:], mine, now) is not None
    assert history.department_of(store, one[1:], mine, now) == "market"
    assert history.department_of(store, other[1:], mine, now) is None


def test_a_cursor_that_is_none_is_refused(looking: Looking) -> None:
    subject = held(looking.world)
    for after in ("", "x", "1-2-3", "-1--1", "1" * 40 + "-1", "1-1." + "f." * 2000):
        reply = looking.ask(subject, HISTORY, {"after": after})
        assert [error["extensions"]["reason"] for error in reply.errors] == ["ARGUMENT"]
        assert reply.entries == []


def test_what_another_process_commits_late_is_passed_over_by_nobody(looking: Looking) -> None:
    """It was made before the last row of a page, and is committed after that page was read."""
    world, subject = looking.world, held(looking.world)
    made = []
    for _ in range(3):
        made.append(looking.looked(subject).inquiry["id"])
        looking.later(milliseconds=100)
    page = shown(looking, subject, 2)
    assert ids(page["items"]) == made[:2]
    name = entries.Named(*subject)
    at, who = world.now - datetime.timedelta(milliseconds=250), entries.Who("", "another process's")
    late = entries.Refused(entries.VERSION, "late", at, who, "", "INTERNAL", "", subjects=[name])
    parts = split(late)

    async def elsewhere() -> None:
        ledger = ledger_on(world.store, Ed25519PrivateKey.generate(), "gateway.example/ledger")
        await ledger.start()
        await ledger.append(parts.told, parts.oversight, at, ("", ""), (), parts.subjects)
        await ledger.close()

    world.run(elsewhere())
    for seconds in (0, 5):
        looking.later(seconds=seconds)
        found, after = list[str](), page["next"]
        while after is not None:
            one = shown(looking, subject, 1, after)
            found, after = found + ids(one["items"]), one["next"]
        assert found == ["late", made[2]]


class Step(NamedTuple):
    """A look, after so many seconds: at which subjects, whether it is secret, and whether all is projected then."""

    after: int
    subjects: tuple[int, ...]
    secret: bool
    projected: bool


steps = st.lists(
    st.builds(
        Step,
        st.sampled_from([0, 1, 40_000, 90_000, 200_000]),
        st.lists(st.integers(0, 2), min_size=1, max_size=3, unique=True).map(tuple),
        st.booleans(),
        st.booleans(),
    ),
    min_size=1,
    max_size=8,
)


def follows(made: list[Step]) -> None:
    """What a subject is shown is what the looks were, each from its second on, at every moment and by any page."""
    with opened() as world:
        _follows(Looking(world), made)


def _follows(looking: Looking, made: list[Step]) -> None:
    world = looking.world
    subjects = [held(world) for _ in range(3)]
    model: list[tuple[datetime.datetime, int, str, tuple[int, ...]]] = []
    moments = {world.now}
    for number, step in enumerate(made):
        world.now += step.after * SECOND
        reply = looking.looked(*(subjects[each] for each in step.subjects), secret=step.secret)
        ends = reply.entries[-1].oversight.secret_until
        assert (ends is not None) is step.secret
        model.append((ends or world.now, number, reply.inquiry["id"], step.subjects))
        moments |= {ends, ends - SECOND / 10**6} if ends else {world.now}
        if step.projected:
            looking.project()
    latest = world.now
    for moment in sorted(each for each in moments if each >= latest):
        world.now = moment
        for number, subject in enumerate(subjects):
            expected = [id_ for at, _, id_, named in sorted(model) if at <= moment and number in named]
            for first in (1, 3, 50):
                found, after = list[str](), None
                while True:
                    page = shown(looking, subject, first, after)
                    found += ids(page["items"])
                    assert page["next"] is None or len(page["items"]) == first
                    if (after := page["next"]) is None:
                        break
                assert found == expected
            assert page["completeUntil"] == moment


def test_every_history_reads_as_the_model() -> None:
    holds(follows, steps, examples=15)


def _never_secret(told: Any, oversight: Any, at: int) -> int | None:
    real: int | None = _visible(told, oversight, at)
    return real if real == extract.NEVER else None


def _behind_its_time(_after: Any, several: Any, _now: int) -> visible.Cursor:
    return visible.Cursor(several[-1]._replace(entry=several[-1].entry + 1000))


_visible = extract.visible

FAULTS: dict[str, tuple[Any, str, Any]] = {
    "secrecy is forgotten": (extract, "visible", _never_secret),
    "a cursor passes over what has the same time": (visible, "_following", _behind_its_time),
    "the tail is left out": (visible, "named_in_tail", lambda *_: []),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_found(fault: str) -> None:
    where, name, other = FAULTS[fault]
    with mock.patch.object(where, name, other):
        is_found(follows, steps, examples=60)
