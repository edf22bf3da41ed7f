"""A grant changed in the text of `requesters.yaml`: what was meant is changed, and no other character."""

from __future__ import annotations

import datetime
import difflib

import pytest

from gateway.drafts import granted
from gateway.drafts.child import Edit, GrantTold
from gateway.drafts.splice import Unfit
from tests.rules.policies import SHIPPED

TEXT = (SHIPPED / "requesters.yaml").read_text("utf-8")
FIRST = granted.grants(TEXT)[0]


def edit(of: GrantTold, **other: object) -> Edit:
    """An edit that changes nothing of a grant but what is named."""
    days = datetime.date.fromisoformat(of.since), datetime.date.fromisoformat(of.until)
    given = {"since": days[0], "until": days[1], "agreed_by": of.agreed_by, "datasets": of.datasets, **other}
    return Edit(of.entry, of.number, **given)  # type: ignore[arg-type]


def changed(text: str) -> list[str]:
    """The lines that are gone, and those that came."""
    lines = difflib.ndiff(TEXT.splitlines(), text.splitlines())
    return [line[0] + line[2:].strip() for line in lines if line[0] in "+-"]


def test_each_grant_is_found_and_one_that_stays_leaves_the_text_as_it_is() -> None:
    assert len(granted.grants(TEXT)) == 9
    for each in granted.grants(TEXT):
        assert granted.edited(TEXT, edit(each)) == TEXT


def test_days_and_agreement_are_exchanged_where_they_stand() -> None:
    until = datetime.date(2030, 1, 31)
    text = granted.edited(TEXT, edit(FIRST, until=until, agreed_by='No. 7: "new" # it'))
    assert changed(text) == [
        "-until: 2028-12-31", '+until: 2030-01-31', f"-agreed_by: {FIRST.agreed_by}",
        '+agreed_by: "No. 7: \\"new\\" # it"',
    ]  # fmt: skip
    [now] = [each for each in granted.grants(text) if (each.entry, each.number) == (FIRST.entry, FIRST.number)]
    assert (now.until, now.agreed_by) == ("2030-01-31", 'No. 7: "new" # it')


@pytest.mark.parametrize("agreed", ["true", "2026", "[x]", "a: b", "x #y", "é", "- a", "*a", "'a'", "null", "Fit 1/2"])
def test_any_words_are_read_again_as_they_were(agreed: str) -> None:
    assert granted.grants(granted.edited(TEXT, edit(FIRST, agreed_by=agreed)))[0].agreed_by == agreed


def test_lists_in_blocks_and_in_a_line_keep_what_stays() -> None:
    wanted = (*FIRST.datasets[1:], "emission-permits")
    assert changed(granted.edited(TEXT, edit(FIRST, datasets=wanted))) == [
        f"-- {FIRST.datasets[0]}", "+- emission-permits",
    ]  # fmt: skip
    in_line = next(each for each in granted.grants(TEXT) if each.client == "tax-service")
    text = granted.edited(TEXT, edit(in_line, datasets=(*in_line.datasets, "volunteering")))
    assert "datasets: [person-register, income-statements, volunteering]" in text
    whole = granted.edited(TEXT, edit(FIRST, datasets=("volunteering",)))
    assert granted.grants(whole)[0].datasets == ("volunteering",)
    assert granted.grants(whole)[1:] == granted.grants(TEXT)[1:]


@pytest.mark.parametrize(
    "text",
    ["", "requesters: 1", "[", "requesters: [{grants: [{}]}]", "requesters:\n  - {client: a, grants: 7}", "\t: x"],
)
def test_what_a_program_cannot_find_its_way_in_is_told(text: str) -> None:
    with pytest.raises(Unfit):
        granted.grants(text)


def test_a_grant_that_is_not_there_is_told() -> None:
    day = datetime.date(2026, 1, 1)
    with pytest.raises(Unfit, match="no such grant"):
        granted.edited(TEXT, Edit(99, 0, day, day, "x", ("a",)))
