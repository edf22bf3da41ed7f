"""What waits for a second person can be turned down: a change never counts then, an application is open again."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from gateway.errors import Code
from gateway.ledger.log.operator import ActRefused
from gateway.ledger.verify.store import verify_store
from gateway.storage.subjects.erasure import requests
from gateway.storage.subjects.kinds import SubjectFacts
from tests.acts.desk import Desk, days, organisation
from tests.acts.erasing import approved, dumped, erased
from tests.acts.matters.cases import ARREARS, applied, decided, facts_of, objected, row, steward
from tests.ledger.support import VERIFIERS

REASON = "The payment was never booked."


async def reported(desk: Desk, who: Any, event: str = "WITHDRAWN", by: str = "s.one") -> Any:
    subject = {"scheme": who.scheme, "value": who.value}
    given: dict[str, Any] = {"newVersion": "2"} if event == "CORRECTED" else {}
    return await desk.ask(
        steward(desk, by), "reportChange", subject=subject, record=ARREARS, event=event, reason="It was paid.", **given
    )


async def declined(desk: Desk, id_: str, by: str = "s.two", **more: Any) -> Any:
    return await desk.ask(steward(desk, by), "decline", id=id_, reason=REASON, **more)


@pytest.mark.parametrize("event", ["CORRECTED", "WITHDRAWN"])
@pytest.mark.parametrize("by", ["s.one", "s.two"])
async def test_a_change_that_is_declined_never_counts(desk: Desk, event: str, by: str) -> None:
    who = organisation()
    made = await reported(desk, who, event)
    done = await declined(desk, made["id"], by, reference="d-1")
    assert done == made | {"state": "DECLINED", "because": REASON}
    assert await declined(desk, made["id"], by, reference="d-1") == done
    assert (await facts_of(desk, who)) == SubjectFacts()
    told = desk.acts()[-1]
    assert (told.what, told.outcome, told.reason, told.changes) == ("change-declined", event.lower(), REASON, ())
    assert (told.value, told.matter, told.record) == (who.value, made["id"], "N-1")
    for field in ("confirm", "decline"):
        assert await desk.refused(steward(desk, "s.three"), field, id=made["id"], reason=REASON) == "STATE"
    page = await desk.ask(steward(desk), "changes", state="DECLINED", first=10)
    assert page["items"] == [done]
    # The same can be reported again, and then confirmed.
    again = await reported(desk, who, event)
    await desk.ask(steward(desk, "s.two"), "confirm", id=again["id"])
    assert (await facts_of(desk, who)).withdrawn == ({"tax-arrears/N-1"} if event == "WITHDRAWN" else frozenset())
    verify_store(desk.store, VERIFIERS)


async def test_a_system_s_reinstatement_can_be_declined_and_what_was_upheld_stays_disputed(desk: Desk) -> None:
    who, system = organisation(), desk.who("tax-service", "steward", reports_changes=True)
    subject = {"scheme": who.scheme, "value": who.value}
    given = {"subject": subject, "record": ARREARS, "reason": "So it is."}
    await desk.ask(system, "reportChange", **given, event="WITHDRAWN")
    back = await desk.ask(system, "reportChange", **given, event="REINSTATED")
    await declined(desk, back["id"])
    assert (await facts_of(desk, who)).withdrawn == {"tax-arrears/N-1"}
    other = organisation()
    filed = await objected(desk, desk.subject(other))
    await decided(desk, filed["id"], "UPHELD")
    made = await reported(desk, other, "CORRECTED")
    await declined(desk, made["id"])
    assert (await facts_of(desk, other)).disputed == {"tax-arrears/N-1"}
    assert row(desk, filed["id"]).second_due is not None


async def test_a_restoration_that_is_declined_is_open_again_under_its_clock(desk: Desk) -> None:
    who = organisation()
    mine = desk.subject(who)
    filed = await applied(desk, mine, reference="r-1")
    desk.now += days(0.1)
    await decided(desk, filed["id"], "UPHELD", of="Restoration")
    desk.now += days(0.1)
    done = await declined(desk, filed["id"], reference="d-1")
    assert done == filed | {"__typename": "Matter", "state": "OPEN", "because": REASON}
    assert await declined(desk, filed["id"], reference="d-1") == done
    assert (await facts_of(desk, who)).restored == frozenset()
    told = desk.acts()[-1]
    assert (told.what, told.outcome, told.reason) == ("restoration-confirmation-declined", "upheld", REASON)
    assert (told.matter, told.changes) == (filed["id"], ())
    # The subject is told that it is open, and nothing of what the stewards said to each other.
    seen = await applied(desk, mine, reference="r-1")
    assert seen == filed
    page = await desk.ask(steward(desk), "matters", state="OPEN", first=10)
    assert [each["because"] for each in page["items"]] == [REASON]
    assert await desk.refused(steward(desk, "s.two"), "confirm", id=filed["id"]) == "STATE"
    assert await desk.refused(steward(desk, "s.two"), "decline", id=filed["id"], reason="x") == "STATE"
    # Whoever declined it may decide it now, and the subject is told that decision's reason.
    await decided(desk, filed["id"], "REFUSED", "s.two", of="Restoration")
    seen = await applied(desk, mine, reference="r-1")
    assert (seen["state"], seen["outcome"], seen["because"]) == ("DECIDED", "REFUSED", "It is so.")
    verify_store(desk.store, VERIFIERS)


async def test_one_that_is_declined_can_be_upheld_anew_and_taken_back(desk: Desk) -> None:
    who = organisation()
    filed = await applied(desk, desk.subject(who))
    await decided(desk, filed["id"], "UPHELD", of="Restoration")
    await declined(desk, filed["id"], "s.one")  # whoever upheld it thinks again
    await decided(desk, filed["id"], "PARTLY", "s.two", of="Restoration")
    assert await desk.refused(steward(desk, "s.two"), "confirm", id=filed["id"]) == "SECOND_PERSON"
    await desk.ask(steward(desk, "s.one"), "confirm", id=filed["id"])
    assert (await facts_of(desk, who)).restored == {"tax-arrears/N-1"}
    mine = desk.subject(organisation())
    other = await applied(desk, mine)
    await decided(desk, other["id"], "UPHELD", of="Restoration")
    await declined(desk, other["id"])
    taken = await desk.ask(mine, "withdrawMatter", id=other["id"])
    assert (taken["state"], taken["because"]) == ("WITHDRAWN", None)


async def test_who_may_decline(desk: Desk) -> None:
    who = organisation()
    made, mine = await reported(desk, who), desk.subject(who, "p-9")
    clerk = desk.official("tax", "s.clerk", "counter")
    behalf = {"subject": {"scheme": who.scheme, "value": who.value}, "proof": "passport 640123"}
    filed = await applied(desk, clerk, onBehalf=behalf)
    await decided(desk, filed["id"], "UPHELD", of="Restoration")
    given = {"reason": REASON}
    for id_ in (made["id"], filed["id"]):
        for stranger in (mine, clerk, desk.who("tax-stewards", "steward")):
            assert await desk.refused(stranger, "decline", id=id_, **given) == Code.FORBIDDEN
        oversight = desk.official("tax", "o.ne", "oversight")
        assert await desk.refused(oversight, "decline", id=id_, **given) == Code.MATTER_NOT_FOUND
        theirs = steward(desk, "l.one", "labour")
        assert await desk.refused(theirs, "decline", id=id_, **given) == Code.MATTER_NOT_FOUND
        for reason in ("", "x" * 4_001, "a\x00b"):
            assert await desk.refused(steward(desk, "s.two"), "decline", id=id_, reason=reason) == "ARGUMENT"
    # Not whoever filed it at the counter, nor who has acted for the subject at a portal.
    assert await desk.refused(steward(desk, "s.clerk"), "decline", id=filed["id"], **given) == "SECOND_PERSON"
    represents = desk.who("citizen-portal", "self", identifier=who[1:], person="human-7", auth_time=0.0)
    await objected(desk, represents)
    also = desk.who("tax-stewards", "steward", official="s.seven", person="human-7")
    for id_ in (made["id"], filed["id"]):
        assert await desk.refused(also, "decline", id=id_, **given) == "SECOND_PERSON"
    assert [each.what for each in desk.acts() if "declined" in each.what] == []


async def test_what_is_neither_is_not_declined(desk: Desk) -> None:
    mine = desk.subject(organisation())
    objection, application = await objected(desk, mine), await applied(desk, mine)
    for id_ in (objection["id"], application["id"]):
        assert await desk.refused(steward(desk), "decline", id=id_, reason=REASON) == "STATE"
    assert await desk.refused(steward(desk), "decline", id="0" * 32, reason=REASON) == Code.MATTER_NOT_FOUND


async def test_one_of_two_who_answer_at_once_is_too_late(desk: Desk) -> None:
    for _ in range(4):
        who = organisation()
        made = await reported(desk, who)

        async def tried(field: str, by: str, id_: str = made["id"]) -> str:
            try:
                await desk.ask(steward(desk, by), field, id=id_, reason=REASON)
            except Exception as error:
                return str(error)
            return field

        done = await asyncio.gather(tried("confirm", "s.two"), tried("decline", "s.three"))
        [which] = [each for each in done if each in ("confirm", "decline")]
        assert bool((await facts_of(desk, who)).withdrawn) is (which == "confirm")


async def test_an_erasure_does_not_wait_for_a_change_that_was_declined(desk: Desk) -> None:
    who = organisation()
    made = await reported(desk, who)
    with pytest.raises(ActRefused, match=f"matter `{made['id']}` is open"):
        await erased(desk.store, who)
    await declined(desk, made["id"])
    await approved(desk.store, requests(desk.store.engine)[0].id)
    assert who.value not in dumped(desk.store)
