"""Pages of matters: a steward's own department's, oversight's overdue of all, each by an entry made before it."""

from __future__ import annotations

import pytest

from gateway.errors import Code, Refusal
from gateway.ledger.entry import entries
from tests.acts.desk import Desk, days, organisation
from tests.acts.matters.cases import ARREARS, applied, decided, objected, steward


async def test_a_steward_sees_its_own_departments(desk: Desk) -> None:
    mine = desk.subject(organisation())
    first = await objected(desk, mine)
    desk.now += days(0.1)
    second = await applied(desk, mine)
    other = await desk.ask(mine, "fileObjection", dataset="wage-arrears", reason="No.")
    seen = await desk.ask(steward(desk), "matters", first=20)
    assert seen == {"items": [first, second], "next": None}
    theirs = await desk.ask(steward(desk, "l.one", "labour"), "matters", first=20)
    assert theirs == {"items": [other], "next": None}
    assert await desk.ask(steward(desk, "c.one", "courts"), "matters", first=20) == {"items": [], "next": None}


async def test_a_page_leaves_one_view_before_it_is_opened(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    await objected(desk, desk.subject(organisation()))
    await desk.ask(steward(desk), "matters", first=20)
    (view,) = [each for each in desk.entered() if isinstance(each, entries.View)]
    assert (view.by, view.requester.client, view.format) == ("s.one", "tax-stewards", "matters")
    assert (view.rule_set, view.looked) == (desk.rules.digest, entries.Looked())

    def broken(*_: object, **__: object) -> None:
        raise AssertionError("opened")

    monkeypatch.setattr("gateway.acts.matters.listing.rows.matters", broken)
    with pytest.raises(AssertionError, match="opened"):
        await desk.ask(steward(desk), "matters", first=20)
    assert sum(isinstance(each, entries.View) for each in desk.entered()) == 2
    await desk.ledger.close()
    with pytest.raises(Refusal) as raised:
        await desk.ask(steward(desk), "matters", first=20)
    assert raised.value.code == Code.LEDGER_UNAVAILABLE
    await desk.ledger.start()


async def test_pages_follow_each_other_and_nothing_is_lost_between(desk: Desk) -> None:
    mine = [desk.subject(organisation()) for _ in range(3)]
    filed = [await objected(desk, mine[n % 3], record=ARREARS | {"record": f"N-{n}"}) for n in range(7)]
    found, after = [], None
    for turn in range(4):
        page = await desk.ask(steward(desk), "matters", first=2, after=after)
        found += [each["id"] for each in page["items"]]
        if turn == 1:
            # What is decided stays where it was; what is filed comes last.
            await decided(desk, filed[0]["id"], "REFUSED")
            filed.append(await objected(desk, mine[0], record=ARREARS | {"record": "N-8"}))
        after = page["next"]
    assert after is None
    # All seven were filed in the same moment: ids decide then, and so does whether the eighth came before the cursor.
    assert len(found) == len(set(found))
    assert set(found) >= {each["id"] for each in filed[:7]}
    for cursor in ("x", "0-0", f"{2**63:x}-{'0' * 32}", ""):
        assert await desk.refused(steward(desk), "matters", first=2, after=cursor) == "ARGUMENT"


async def test_a_state_narrows_it(desk: Desk) -> None:
    mine = desk.subject(organisation())
    objection, application = await objected(desk, mine), await applied(desk, mine)
    await decided(desk, objection["id"], "UPHELD")
    await decided(desk, application["id"], "UPHELD", of="Restoration")
    for state, ids in {
        "OPEN": [], "DECIDED": [objection["id"]], "AWAITS_CONFIRMATION": [application["id"]], "GRANTED": [],
    }.items():  # fmt: skip
        page = await desk.ask(steward(desk), "matters", first=20, state=state)
        assert [each["id"] for each in page["items"]] == ids
    [shown] = (await desk.ask(steward(desk), "matters", first=20, state="AWAITS_CONFIRMATION"))["items"]
    assert (shown["outcome"], shown["because"]) == ("UPHELD", "It is so.")


async def test_oversight_sees_the_overdue_of_all(desk: Desk) -> None:
    mine = desk.subject(organisation())
    oversight = desk.who("oversight", "oversight", official="o.one")
    first = await objected(desk, mine)
    other = await desk.ask(mine, "fileObjection", dataset="wage-arrears", reason="No.")
    await applied(desk, mine)
    upheld = await objected(desk, mine, record=ARREARS | {"record": "N-2"})
    assert (await desk.ask(oversight, "matters", first=20))["items"] == []
    desk.now += days(9)
    await decided(desk, upheld["id"], "UPHELD")
    assert (await desk.ask(oversight, "matters", first=20))["items"] == []
    desk.now += days(1)
    page = await desk.ask(oversight, "matters", first=20)
    assert {each["id"] for each in page["items"]} == {first["id"], other["id"]}
    assert all(each["overdue"] for each in page["items"])
    desk.now += days(7)
    page = await desk.ask(oversight, "matters", first=20)
    assert {each["id"] for each in page["items"]} == {first["id"], other["id"], upheld["id"]}


async def test_who_is_no_official_sees_none(desk: Desk) -> None:
    for who in (
        desk.who("tax-stewards", "steward"),
        desk.who("oversight", "oversight"),
        desk.official("tax", "c.lerk", "counter"),
        desk.subject(organisation()),
    ):
        assert await desk.refused(who, "matters", first=20) == Code.FORBIDDEN
    assert desk.entered() == []
