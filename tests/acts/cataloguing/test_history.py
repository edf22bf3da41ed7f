"""What everybody reads of the history: each step once it stands, read seldom, and the last one where nothing can be."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest
from sqlalchemy import Connection

from gateway.acts.cataloguing import history
from gateway.acts.cataloguing.history import Histories
from gateway.errors import Code, Refusal
from tests.acts.cataloguing.bureau import Bureau, text


async def test_each_step_is_told_by_its_department_and_no_person(
    bureau: Bureau, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "FRESH", 0.0)
    histories = Histories(bureau.desk.office)
    assert (await histories.now()).supplements == ()
    await bureau.published()
    [told] = (await histories.now()).supplements
    assert (told.dataset, told.department, told.state, told.proposed.title) == (
        "tax-offices", "tax", "published", "Tax offices",
    )  # fmt: skip
    assert [(each.step, each.words) for each in told.steps] == [
        ("consulted", "Read it, and answer by then."),
        ("approval-asked", "nobody minded"),
        ("approved", "nobody minded"),
        ("published", "nobody minded"),
    ]
    assert (told.steps[0].days, told.steps[0].until) == (20, told.until and told.until.isoformat())
    assert "weber" not in str(told)
    number = (await histories.now()).number
    assert number == (await histories.now()).number
    await bureau.consult("t.weber", text("      floor: {type: String, title: Floor of the building}\n"))
    after = await histories.now()
    assert (after.number, [each.state for each in after.supplements]) == (number + 1, ["published", "consultation"])


async def test_it_is_read_once_a_second_however_many_ask(bureau: Bureau) -> None:
    histories = Histories(bureau.desk.office)
    assert (await histories.now()).supplements == ()
    await bureau.consult("t.weber")
    assert (await histories.now()).supplements == ()


async def test_where_the_store_is_out_of_reach_the_last_one_is_told(
    bureau: Bureau, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "FRESH", 0.0)
    histories, never = Histories(bureau.desk.office), Histories(bureau.desk.office)
    await bureau.consult("t.weber")
    before = await histories.now()

    @contextlib.contextmanager
    def lost() -> Iterator[Connection]:
        raise Refusal(Code.LEDGER_UNAVAILABLE, "the store cannot be read now; try again later")
        yield

    monkeypatch.setattr(bureau.desk.office, "reading", lost)
    assert await histories.now() == before
    with pytest.raises(Refusal, match="cannot be read now"):
        await never.now()
