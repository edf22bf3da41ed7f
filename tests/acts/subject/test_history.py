"""`me { accessHistory }`: who looked, exact to the last entry, and nothing of another subject."""

from __future__ import annotations

import contextlib
import datetime

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from connectors.base import Subject
from gateway.acts.subject import history
from gateway.ledger.entry import entries
from gateway.ledger.entry.parts import split
from gateway.ledger.projections.lookups import who_looked
from tests.acts.looking import HISTORY, Looking, ids
from tests.acts.subject.pages import enter, every_page, held, looking, others, shown
from tests.ledgers import ledger_on

__all__ = ["looking"]


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
    for whose, found in ((one, [mine]), (other, [])):
        assert ids(shown(looking, whose, id=mine)["items"]) == found
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
