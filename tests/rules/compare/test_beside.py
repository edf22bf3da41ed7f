"""What differs beside the matrix: nothing that a digest covers is left untold, and what is wider is told as that."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from gateway.catalogue.diff import Effect
from gateway.rules.compare import clients
from gateway.rules.compare.beside import beside
from gateway.rules.compare.page import as_page
from gateway.rules.compare.report import Side, compare
from gateway.rules.compare.shifts import widens
from gateway.rules.compare.written import written
from gateway.rules.load import load
from gateway.rules.ruleset import RuleSet
from tests.rules.compare import worlds
from tests.rules.policies import edited, shipped


@given(worlds.PAIRS)
@settings(max_examples=12)
def test_whatever_a_digest_covers_is_told(both: tuple[RuleSet, RuleSet]) -> None:
    before, after = both
    told = beside(before, after)
    assert bool(told) is (before.digest != after.digest)
    assert len({each.text for each in told}) == len(told), "told twice"


WIDER = [
    ("purposes.yaml", "delete_after: P30D", "delete_after: P60D", "answers are deleted after 60 days"),
    ("purposes.yaml", "{max: 1000, per: P1D}", "{max: 1001, per: P1D}", "at most 1,001 inquiries about one subject"),
    ("purposes.yaml", "  case: {required: true}\n", "", "needs no case"),
    (
        "purposes.yaml",
        "  official: {required: true}\n",
        "  official: {required: true}\n  forward: [official]\n",
        "departments may be sent the official",
    ),
    ("purposes.yaml", "  delete_after: P30D", "  secrecy: {max: P1M}\n  delete_after: P30D", "informed 1 month later"),
    ("requesters.yaml", "until: 2028-12-31", "until: 2029-12-31", "holds 2026-01-01 to 2029-12-31"),
    ("catalogue/tax.yaml", "restorable: true", "restorable: false", "no longer restorable"),
    ("catalogue/courts.yaml", "max: P3Y", 'max: P4Y, law: "An Act"', "at most 4 years"),
    ("calendar.yaml", "recall: 10", "recall: 11", "the term of recall is 11 working days; until now 10"),
]


@pytest.mark.parametrize(("file", "old", "new", "says"), WIDER, ids=[says for *_, says in WIDER])
def test_what_is_wider_is_told_as_wider(tmp_path: Path, file: str, old: str, new: str, says: str) -> None:
    after = load(edited(tmp_path, file, old, new))
    [told] = [told for told in beside(shipped(), after) if says in told.text]
    assert told.effect is Effect.WIDENS
    assert not widens(shipped(), after)
    back = [each for each in beside(after, shipped()) if each.effect is Effect.NARROWS]
    assert len(back) == 1


def test_what_a_counter_takes_for_proof_is_told(tmp_path: Path) -> None:
    named = 'proofs:\n  passport: "[0-9]{9}"\n\nrequesters:\n'
    after = load(edited(tmp_path, "requesters.yaml", "requesters:\n", named))
    (told,) = beside(shipped(), after)
    assert told.text == "At a counter `passport` is taken with a number like `[0-9]{9}`; until now not."


def test_what_finds_less_is_wider_and_no_official_is_shown() -> None:
    before = {
        "watch.yaml": {"many-officials": {"officials": 7}, "own-identifier": {"officials": {"a/b": {"PIN": "1"}}}}
    }
    after = {"watch.yaml": {"many-officials": {"officials": 9}, "own-identifier": {"officials": {"a/b": {"PIN": "2"}}}}}
    wider, other = written(before, after)
    assert (wider.effect, wider.text) == (Effect.WIDENS, "`watch.many-officials.officials`: 9; until now 7.")
    assert other.text == "`watch.own-identifier`: 1 identifier of officials changed."


def test_a_file_without_keys_says_nothing() -> None:
    full = {"watch.yaml": {"many-officials": {"officials": 7}}}
    nothing: list[Any] = [{}, [], "x", None]
    for empty in nothing:
        (told,) = written(full, {"watch.yaml": empty})
        assert told.text == "`watch.many-officials.officials`: nothing; until now 7."
        assert written({"watch.yaml": empty}, {"watch.yaml": {}}) == []


def test_what_breaks_graphql_clients(tmp_path: Path) -> None:
    folder = edited(tmp_path, "catalogue/tax.yaml", "      period:", "      term:")
    for file in ("purposes.yaml", "requesters.yaml"):
        path = folder / file
        path.write_text(path.read_text().replace("[period, amount, currency]", "[term, amount, currency]"))
    after = load(folder)
    assert any("TaxArrears.period" in text for text in clients.breaking(shipped(), after))
    assert clients.breaking(shipped(), shipped()) == []
    assert clients.schema_digest(after) != clients.schema_digest(shipped())


def test_the_page_escapes_what_policies_say_and_loads_nothing(tmp_path: Path) -> None:
    nasty = "<script>alert(1)</script>"
    after = load(edited(tmp_path, "purposes.yaml", "Qualification of a tenderer", f"{nasty} Qualification"))
    page = "".join(as_page(compare(Side(nasty, shipped()), Side("b", after))))
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert 'src="' not in page
    assert "url(" not in page
