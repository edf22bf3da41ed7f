"""What oversight does about findings: by its own token, after an entry, and never about inquiries of its own."""

from __future__ import annotations

from typing import Any

from gateway.inquiry.types import Requester
from gateway.ledger.entry import entries
from gateway.ledger.stored import read
from gateway.ledger.verify.store import verify_store
from gateway.storage.tables import SHARD_BITS
from gateway.storage.watch import findings as kept
from tests.acts.desk import Desk
from tests.ledger.support import VERIFIERS, disclosed

FINDING = "out-of-hours-1"
WHY = "A complaint of 1 October."


def overseer(desk: Desk, name: str = "o.sight", ago: float = 60.0) -> Requester:
    return desk.who("oversight", "oversight", official=name, auth_time=desk.now.timestamp() - ago)


async def found(desk: Desk, id_: str = FINDING) -> Any:
    """A finding of the watch, on an inquiry of its own; who made it."""
    await disclosed(desk.ledger)
    with desk.store.engine.connect():
        reader = desk.store.reader()
        (head,) = [each for each in read.heads(reader) if each.size]
        (entry,) = read.read_entries(reader, head.id, head.size - 1, 1)
        reader.close()
    told, official = entry.read_told(), entry.read_oversight().official
    assert isinstance(told, entries.Inquiry)
    who, purpose = told.requester, told.declaration.purpose
    one = kept.Found(
        id_, "out-of-hours", "27", entry.index + 1, who.issuer, who.client, official, purpose, "one look at night",
        ((head.id << SHARD_BITS) + entry.index,),
    )  # fmt: skip
    version, _ = kept.read_cursors(desk.store.engine)
    assert kept.advance(desk.store.engine, version, {head.id: head.size}, [one])
    return told, official


async def test_a_finding_is_opened_after_that_was_entered(desk: Desk) -> None:
    told, _ = await found(desk)
    opened = await desk.ask(overseer(desk), "openFinding", id=FINDING, reason=WHY)
    view = desk.entered()[-1]
    assert isinstance(view, entries.View)
    assert (view.by, view.reason, view.looked.finding) == ("o.sight", WHY, FINDING)
    assert view.requester.client == "oversight"
    assert desk.proved().told.id == view.id
    assert opened["finding"]["state"] == "OPEN"
    assert opened["inquiries"][0]["id"] == told.id
    assert opened["inquiries"][0]["purpose"] == told.declaration.purpose
    assert opened["inquiries"][0]["records"]
    verify_store(desk.store, VERIFIERS)


async def test_a_review_ends_by_whom_the_token_names(desk: Desk) -> None:
    await found(desk)
    done = await desk.ask(overseer(desk), "endReview", id=FINDING, verdict="PROPER", reason=WHY, reference="r-1")
    assert (done["state"], done["verdict"]) == ("DECIDED", "PROPER")
    assert (done["by"], done["because"], done["decided"]) == ("o.sight", WHY, desk.now)
    again = await desk.ask(overseer(desk), "endReview", id=FINDING, verdict="PROPER", reason=WHY, reference="r-1")
    assert again == done
    (review,) = [each for each in desk.entered() if isinstance(each, entries.Reviewed)]
    assert (review.by, review.verdict, review.reason) == ("o.sight", "proper", WHY)
    assert review.requester.client == "oversight"
    assert await desk.refused(overseer(desk), "endReview", id=FINDING, verdict="UNCLEAR", reason=WHY) == "STATE"
    verify_store(desk.store, VERIFIERS)


async def test_nobody_reviews_inquiries_of_their_own(desk: Desk) -> None:
    _, official = await found(desk)
    assert official
    for name in (official, f" {official.upper()} "):
        assert (
            await desk.refused(overseer(desk, name), "endReview", id=FINDING, verdict="PROPER", reason=WHY) == "STATE"
        )
    assert not [each for each in desk.entered() if isinstance(each, entries.Reviewed)]


async def test_a_verdict_takes_a_fresh_sign_in_and_oversight_s_token(desk: Desk) -> None:
    await found(desk)
    given = {"id": FINDING, "verdict": "PROPER", "reason": WHY}
    assert await desk.refused(overseer(desk, ago=601.0), "endReview", **given) == "SIGN_IN"
    steward = desk.official("tax", "s.one")
    for field in ("findings", "openFinding", "endReview"):
        assert await desk.refused(steward, field, first=10, **given) == "FORBIDDEN"
        assert await desk.refused(desk.who("oversight", "oversight"), field, first=10, **given) == "FORBIDDEN"
    assert len(desk.entered()) == 1


async def test_a_finding_that_is_not_there_opens_nothing(desk: Desk) -> None:
    given = {"id": "none", "reason": WHY}
    assert await desk.refused(overseer(desk), "openFinding", **given) == "MATTER_NOT_FOUND"
    assert await desk.refused(overseer(desk), "endReview", verdict="PROPER", **given) == "MATTER_NOT_FOUND"
    assert desk.entered() == []


async def test_findings_come_a_page_at_a_time(desk: Desk) -> None:
    for number in range(3):
        await found(desk, f"out-of-hours-{number}")
    await desk.ask(overseer(desk), "endReview", id="out-of-hours-1", verdict="IMPROPER", reason=WHY)
    ids, after = [], None
    while True:
        page = await desk.ask(overseer(desk), "findings", first=2, after=after)
        ids += [each["id"] for each in page["items"]]
        after = page["next"]
        if after is None:
            break
    assert ids == ["out-of-hours-0", "out-of-hours-1", "out-of-hours-2"]
    decided = await desk.ask(overseer(desk), "findings", first=2, state="DECIDED")
    assert [(each["id"], each["verdict"]) for each in decided["items"]] == [("out-of-hours-1", "IMPROPER")]
    none = await desk.ask(overseer(desk), "findings", first=9, detector=kept.BREAK_GLASS)
    assert none["items"] == []
    seen = await desk.ask(overseer(desk), "findings", first=9, detector="out-of-hours")
    assert [each["inquiries"] for each in seen["items"]] == [1, 1, 1]
    opened = await desk.ask(overseer(desk), "findings", first=9, state="OPEN")
    assert [each["id"] for each in opened["items"]] == ["out-of-hours-0", "out-of-hours-2"]
