"""Each sentence in which the API tells of somebody's history has a text of the pages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gateway.acts.subject import history
from gateway.acts.subject.held import FROM_OTHERS
from gateway.console.my.looked import runs
from gateway.console.names import Named, Names
from gateway.console.said import AT_COUNTER, Said, own_look, unreleased
from gateway.rules.load import load
from gateway.texts import words
from gateway.texts.words import Words
from tests.console.pseudo import strange

PURPOSE, DATASET, DAY = "TENDER_QUALIFICATION", "tax-arrears", "2026-11-30"
SENTENCES = [
    *(each.format(purpose=PURPOSE, date=DAY) for each in history._DUTIES.values()),
    *("at its counter: " + each.format(dataset=DATASET) for each in history._AT_COUNTER.values()),
    *(f"recalled: {each}" for each in history._ASKED.values()),
    *(f"tax is to {each}" for each in history._ASKED.values()),
    *history._ANSWERS.values(), *FROM_OTHERS.values(),
    "answered", "answered in part: a department was out of reach", "not released: nobody received the answer",
    "looked at what the ledger has about you", "refused: QUOTA_EXCEEDED", "refused: NO_RULE",
    "reported: corrected", "confirmed: withdrawn", "declined: reinstated", "its id is 0123",
    history.SHOWN.format(kind="passport"),
]  # fmt: skip


@pytest.fixture(scope="module")
def names() -> Names:
    rules = load(Path("policies"))
    return Names(lambda: Named.of(rules), Words(words.read()))


def said(names: Names, mark: str = "") -> Said:
    """With texts that all begin with a mark."""
    return Said(Words({name: mark + text for name, text in words.read().items()}), names)


@pytest.mark.parametrize("sentence", SENTENCES)
def test_a_sentence_of_the_api_is_known(names: Names, sentence: str) -> None:
    told = said(names, "¦")(sentence)
    assert told.startswith("¦")
    for id_ in (PURPOSE, DATASET, DAY, "QUOTA_EXCEEDED"):
        assert id_ not in told


def test_what_is_not_known_stays_as_it_is(names: Names) -> None:
    assert said(names)("done <otherwise>") == "done &lt;otherwise&gt;"
    assert said(names)("it may be used for TENDER_QUALIFICATION only") == (
        "It may be used for this only: Qualification of a tenderer for a public contract."
    )


def test_a_record_is_called_by_its_kind(names: Names) -> None:
    told = said(names)
    assert told.record("tax-arrears/TA-1@3") == "Notices of tax arrears, TA-1, version 3"
    assert told.record("tax-arrears/TA-1") == "Notices of tax arrears, TA-1"
    assert told.first("answered") == "Answered"
    assert told.record("<b>") == "&lt;b&gt;"


def look(what: str, outcome: str) -> dict[str, Any]:
    return {"what": what, "outcome": outcome}


def test_what_a_counter_did_is_no_look_of_ones_own() -> None:
    assert own_look(look("OWN", "answered"))
    for each in history._AT_COUNTER.values():
        assert not own_look(look("OWN", AT_COUNTER + each))
    assert not own_look(look("OWN", "refused: QUOTA_EXCEEDED"))
    assert not own_look(look("INQUIRY", "answered"))


def test_an_answer_that_nobody_received_is_no_look() -> None:
    (sentence,) = (each for each in SENTENCES if each.startswith("not released"))
    assert unreleased(look("INQUIRY", sentence))
    assert not unreleased(look("INQUIRY", "answered"))
    assert not unreleased(look("OWN", sentence))


def test_own_looks_that_follow_each_other_are_one() -> None:
    mine, theirs = look("OWN", "answered"), look("INQUIRY", "answered")
    counter = look("OWN", "at its counter: gave a consent for you")
    last = look("OWN", "answered in part: a department was out of reach")
    assert runs([mine, mine, last, theirs, mine, counter, counter]) == [
        (mine, 3, last), (theirs, 1, theirs), (mine, 1, mine), (counter, 1, counter), (counter, 1, counter),
    ]  # fmt: skip
    assert runs([]) == []


def test_a_finding_names_the_authority(names: Names) -> None:
    told = names.found("`p.sorel` of `market-regulator` asked for TENDER_QUALIFICATION on 2026-11-30", "market")
    assert told == (
        "p.sorel of Market Regulation Authority asked for “Qualification of a tenderer for a public contract” on"
        " Monday 30 November 2026"
    )
    assert names.found("`market-regulator` asked for case `MR-1`", "market") == (
        "Market Regulation Authority asked for case MR-1"
    )
    assert strange("a {b} &amp;") == "ａ {b} &amp;"
