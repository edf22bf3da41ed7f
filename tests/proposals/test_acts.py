"""Proposing, approving, refusing: who may, over what, and what is refused while nothing changes."""

from __future__ import annotations

import datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import func, select

from gateway.errors import Refusal
from gateway.ledger.entry import describe
from gateway.proposals.statement import Statement
from gateway.rules import sshsig
from gateway.storage.rules.proposals import approval, proposal
from gateway.storage.rules.rulesets import activation, rule_set
from gateway.storage.subjects.acts import act
from tests.configured import ORIGIN
from tests.proposals.room import CLOSED, NARROWED, OTHERS, Edit, Room, archive, refused, room_on, why
from tests.rules.policies import SHIPPED
from tests.rules.test_sshsig import line
from tests.storage.conftest import Place


def counts(room: Room) -> list[int]:
    """How many rows there are of all that acts on proposals make."""
    with room.store.engine.connect() as connection:
        tables = (act, proposal, approval, activation, rule_set)
        return [connection.execute(select(func.count()).select_from(each)).scalar_one() for each in tables]


async def unchanged(room: Room, work: object) -> Refusal:
    """How something is refused; nothing changes by it."""
    before = counts(room)
    found = await refused(work)
    assert counts(room) == before
    return found


async def test_from_a_proposal_to_the_next_active_set(room: Room) -> None:
    before = room.active
    id_ = await room.propose(by="olsen")
    told = room.looking.proposal(id_)
    assert (told["state"], told["author"], told["base"], told["baseEpoch"]) == ("checked", "olsen", before, 1)
    assert told["lacks"] == ["2 more officers must approve"]
    assert why(await unchanged(room, room.activate(id_))) == "STATE"
    await room.approve(id_, "costa")
    assert room.state(id_) == "checked"
    await room.approve(id_, "ilves")
    assert room.state(id_) == "approved"
    await room.activate(id_)
    assert room.active == told["digest"] != before
    assert room.state(id_) == "active"
    after = room.looking.proposal(id_)
    assert [(each["by"], each["as"], each["counts"]) for each in after["approvals"]] == [
        ("costa", "officer", True), ("ilves", "officer", True),
    ]  # fmt: skip
    other = await room.passed(NARROWED)
    await room.activate(other)
    assert (room.state(id_), room.state(other)) == ("retired", "active")
    said = [each for each in room.desk.acts() if each.what == "rules-activated"]
    assert [(each.how, each.epoch, each.proposal, each.approvers) for each in said[1:]] == [
        ("proposal", 2, id_, ("costa", "ilves")), ("proposal", 3, other, ("costa", "ilves")),
    ]  # fmt: skip
    room.verify()


async def test_what_is_proposed_changes_something_once(room: Room) -> None:
    assert why(await unchanged(room, room.propose({}))) == "STATE"
    first = await room.propose()
    again = await unchanged(room, room.propose(by="costa"))
    assert (why(again), again.extensions["proposal"]) == ("STATE", first)
    await room.propose(NARROWED, by="costa")
    assert {each["state"] for each in room.looking.proposals().items} == {"checked"}


async def test_wrong_files_are_refused_with_their_lines(room: Room) -> None:
    wrong: Edit = {
        "calendar.yaml": ("objection: 7", "objektion: 7"),
        "requesters.yaml": ("roles: [department]", "roles: [departement]"),
    }
    files = archive(wrong)
    found = await unchanged(room, room.proposals.propose(room.officer(), files, "Why not."))
    assert why(found) == "ARGUMENT"
    problems = found.extensions["problems"]
    assert any("calendar.yaml:" in each and "did you mean `objection`?" in each for each in problems)
    assert any("requesters.yaml:" in each and "did you mean `department`?" in each for each in problems)
    for bytes_, says in (
        (b"", "form"),
        (b"\x01x", "cut short"),
        (files[:-9], "cut short"),
        (b"\x01" * 5_000_000, "over"),
    ):
        found = await unchanged(room, room.proposals.propose(room.officer(), bytes_, "Why not."))
        assert says in found.message


async def test_the_author_approves_nothing_of_theirs(room: Room) -> None:
    id_ = await room.propose(by="olsen")
    assert why(await unchanged(room, room.approve(id_, "olsen"))) == "SECOND_PERSON"
    other_account = room.officer("costa", person="p.olsen")
    assert why(await unchanged(room, room.approve(id_, other_account))) == "SECOND_PERSON"


async def test_one_person_approves_once(room: Room, place: Place) -> None:
    id_ = await room.propose()
    await room.approve(id_, "costa")
    assert why(await unchanged(room, room.approve(id_, "costa"))) == "SECOND_PERSON"
    as_another = room.officer("ilves", person="p.costa")
    assert why(await unchanged(room, room.approve(id_, as_another))) == "SECOND_PERSON"
    assert room.state(id_) == "checked"


async def test_a_person_whom_the_file_names_by_two_accounts_is_told(place: Place) -> None:
    named: Edit = {"officers.yaml": ("sub: p.costa", "sub: p.costa, person: c-7")}
    async with room_on(place.open(), named) as room:
        id_ = await room.propose()
        assert why(await unchanged(room, room.approve(id_, room.officer("costa", person="c-8")))) == "FORBIDDEN"
        await room.approve(id_, room.officer("costa", person="c-7"))
        assert why(await unchanged(room, room.approve(id_, room.officer("ilves", person="c-7")))) == "SECOND_PERSON"


async def test_only_officers_of_the_base_approve(room: Room) -> None:
    id_ = await room.propose(OTHERS)
    for who in (room.officer("fontaine"), room.officer("nobody"), room.steward("tax", "t.weber")):
        assert why(await unchanged(room, room.approve(id_, who))) == "FORBIDDEN"
    await room.approve(id_, "costa")
    await room.approve(id_, "ilves")
    await room.activate(id_)
    other = await room.propose(CLOSED)
    assert why(await unchanged(room, room.approve(other, "ilves"))) == "FORBIDDEN"
    await room.approve(other, "fontaine")
    room.verify()


async def test_an_approval_is_of_a_sign_in_just_now(room: Room) -> None:
    id_ = await room.propose()
    for since in (None, room.desk.now.timestamp() - 601):
        assert why(await unchanged(room, room.approve(id_, room.officer("costa", auth_time=since)))) == "SIGN_IN"


async def test_an_approval_is_over_exactly_one_set_and_base(room: Room) -> None:
    id_ = await room.propose()
    other = room.looking.proposal(await room.propose(NARROWED))["digest"]
    for changed in ({"digest": other}, {"base": other}, {"digest": ""}):
        assert why(await unchanged(room, room.approve(id_, "costa", **changed))) == "ARGUMENT"


async def test_an_approval_lasts_as_long_as_it_says_and_policies_allow(room: Room) -> None:
    id_ = await room.propose()
    now = room.desk.now.replace(microsecond=0)
    for until in (
        now - datetime.timedelta(days=1),
        now + datetime.timedelta(minutes=59),
        now + datetime.timedelta(days=15),
    ):
        assert why(await unchanged(room, room.approve(id_, "costa", until=until))) == "ARGUMENT"
    await room.approve(id_, "costa", until=now + datetime.timedelta(hours=2))
    await room.approve(id_, "ilves")
    room.wait(hours=2, seconds=1)
    assert room.looking.proposal(id_)["lacks"] == ["1 more officer must approve"]
    assert why(await unchanged(room, room.activate(id_))) == "STATE"
    await room.approve(id_, "costa")
    await room.activate(id_)


async def test_an_approval_from_the_future_counts_not_yet(room: Room) -> None:
    id_ = await room.propose()
    await room.approve(id_, "costa")
    room.wait(hours=3)
    await room.approve(id_, "ilves")
    room.wait(hours=-2)
    assert "1 more officer must approve" in room.looking.proposal(id_)["lacks"]


async def test_a_proposal_is_stale_once_another_is_active_and_stays_so(room: Room) -> None:
    first, second = await room.passed(CLOSED), await room.passed(NARROWED)
    await room.activate(first)
    assert room.state(second) == "stale"
    assert why(await unchanged(room, room.activate(second))) == "STATE"
    assert why(await unchanged(room, room.approve(second, "costa"))) == "STATE"
    await room.roll_back(1)
    assert room.state(second) == "stale"
    assert why(await unchanged(room, room.activate(second))) == "STATE"


async def test_a_proposal_lapses(room: Room) -> None:
    id_ = await room.propose()
    room.wait(days=61)
    assert room.state(id_) == "lapsed"
    assert why(await unchanged(room, room.approve(id_, "costa"))) == "STATE"
    await room.propose()


async def test_who_may_refuse_does_so_for_good(room: Room) -> None:
    id_ = await room.passed()
    for who in (room.officer("nobody"), room.steward("tax", "t.weber")):
        assert why(await unchanged(room, room.proposals.refuse(who, id_, "No."))) == "FORBIDDEN"
    await room.proposals.refuse(room.desk.who("oversight", "oversight", official="o.keller"), id_, "Not lawful.")
    told = room.looking.proposal(id_)
    assert (told["state"], told["refusedBecause"]) == ("refused", "Not lawful.")
    for work in (room.activate(id_), room.approve(id_, "costa"), room.proposals.refuse(room.officer(), id_, "No.")):
        assert why(await unchanged(room, work)) == "STATE"
    own = await room.propose(NARROWED, by="nobody")
    await room.proposals.refuse(room.officer("nobody"), own, "A mistake of mine.")
    assert room.state(own) == "refused"
    room.verify()


@pytest.mark.parametrize("id_", ["", "0" * 32, "\x00", "x" * 4000, "../" * 9])
async def test_what_is_not_there_is_told_as_that(room: Room, id_: str) -> None:
    assert why(await refused(room.activate(id_))) == "MATTER_NOT_FOUND"
    with pytest.raises(Refusal, match="no matter of this id"):
        room.looking.proposal(id_)


NO_REASONS = ["", " ", "a\nb", "x" * 1001, "turn \u202e", "nul \x00"]


async def test_a_reason_is_a_line_of_plain_text(room: Room) -> None:
    for reason in NO_REASONS:
        found = await unchanged(room, room.proposals.propose(room.officer(), archive(CLOSED), reason))
        assert why(found) == "ARGUMENT", reason


async def test_signed_approvals(place: Place) -> None:
    keys = {
        name: Ed25519PrivateKey.from_private_bytes(bytes([at]) * 32)
        for at, name in enumerate(("costa", "ilves", "olsen"))
    }
    before = (SHIPPED / "officers.yaml").read_text("utf-8").partition("approvals: token")[2]
    written = "".join(
        f"  {name}: {{issuer: login, sub: p.{name}, key: {line(key, '').strip()}}}\n" for name, key in keys.items()
    )
    edits: Edit = {"officers.yaml": (f"approvals: token{before}", f"approvals: signed\nofficers:\n{written}")}
    async with room_on(place.open(), edits) as room:
        both = {**edits, "calendar.yaml": ("objection: 7", "objection: 5")}
        id_ = await room.propose(both)
        asked = room.approving(id_)
        words = Statement(ORIGIN, asked.digest, asked.base, asked.until, asked.reason)

        def signed(by: str, text: str = words.text) -> str:
            return sshsig.sign(keys[by], text.encode())

        assert why(await unchanged(room, room.approve(id_, "costa"))) == "ARGUMENT"
        elsewhere = words._replace(origin="other.example/ledger").text
        for signature in ("x", signed("ilves"), signed("costa", elsewhere), signed("costa", words.text + " ")):
            assert why(await unchanged(room, room.approve(id_, "costa", signature=signature))) == "ARGUMENT"
        await room.approve(id_, "costa", signature=signed("costa"))
        await room.approve(id_, "ilves", signature=signed("ilves"))
        for each in room.looking.proposal(id_)["approvals"]:
            key = room.desk.rules.officers.entries[each["by"]].key
            sshsig.verify(each["signature"], each["statement"].encode(), key)
        await room.activate(id_)
        room.verify()


async def test_entries_say_in_words_who_did_what(room: Room) -> None:
    id_ = await room.passed()
    await room.activate(id_)
    said = " ".join(describe.deed(each).happened for each in room.desk.acts())
    for words in ("proposed rule set", "approved rule set", "as officer costa", f"(proposal {id_})", "made rule set"):
        assert words in said
