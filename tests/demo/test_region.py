"""The invented region is what it claims to be: valid, the same everywhere, and on both sides of every restraint."""

from __future__ import annotations

import datetime
import hashlib
from collections import Counter, defaultdict
from pathlib import Path

import pytest
from stdnum import lei as lei_number
from stdnum.iso7064 import mod_11_10

from deploy.demo import organisations, people, region, stores
from deploy.demo.clients import AWAITED, CLIENTS, cases
from deploy.demo.configuration import DEPARTMENTS
from deploy.demo.records import Kind, Row, years_before
from deploy.demo.region import NAMED, Fact
from deploy.demo.values import DATASETS
from gateway.catalogue.load import load
from gateway.catalogue.model import Catalogue
from gateway.errors import Problem
from tests.demo.conftest import DAY
from tests.rules.policies import shipped

PORTAL = "citizen-portal"


@pytest.fixture(scope="module")
def rows() -> dict[tuple[str, str], list[Row]]:
    """Every record, by subject."""
    return {who.identifier: list(region.records_of(who, DAY)) for who in region.subjects()}


@pytest.fixture(scope="module")
def facts(rows: dict[tuple[str, str], list[Row]]) -> list[Fact]:
    return [fact for who in region.subjects() for fact in region.facts_of(who, rows[who.identifier], DAY)]


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    problems: list[Problem] = []
    found = load(Path(__file__).parents[2] / "policies", problems)
    assert not problems
    return found


def test_identifiers_are_valid_and_distinct() -> None:
    leis = {organisations.lei(number) for number in range(organisations.COUNT + 100)}
    pins = {people.pin(number) for number in range(people.COUNT + 100)}
    assert len(leis) == organisations.COUNT + 100
    assert len(pins) == people.COUNT + 100
    for value in leis:
        assert lei_number.validate(value) == value
    for value in pins:
        assert mod_11_10.validate(value) == value
        assert len(value) == 10


def test_the_region_is_large_enough() -> None:
    assert organisations.COUNT >= 10_000
    assert people.COUNT >= 2_000


def test_the_region_is_the_same_on_every_machine(rows: dict[tuple[str, str], list[Row]]) -> None:
    digest = hashlib.sha256(repr([tuple(map(str, row)) for own in rows.values() for row in own]).encode()).hexdigest()
    assert digest[:16] == "5168f57b1cb6f889", "the data changed: raise `region.VERSION`, then write the new digest here"


def test_every_published_dataset_has_records_with_the_catalogues_fields(
    rows: dict[tuple[str, str], list[Row]], catalogue: Catalogue
) -> None:
    assert set(DATASETS) == set(catalogue.published)
    seen: Counter[str] = Counter()
    for own in rows.values():
        for row in own:
            seen[row.dataset] += 1
            if seen[row.dataset] == 1:
                dataset = catalogue.published[row.dataset]
                assert set(row.fields) == set(dataset.fields), row.dataset
                assert dataset.department == DATASETS[row.dataset].department
                assert (dataset.nature == "adverse") is DATASETS[row.dataset].adverse
    assert set(seen) == set(DATASETS)


def test_adverse_datasets_have_records_on_both_sides_of_every_restraint(rows: dict[tuple[str, str], list[Row]]) -> None:
    kinds: defaultdict[str, set[Kind]] = defaultdict(set)
    for own in rows.values():
        for row in own:
            kinds[row.dataset].add(row.kind)
    common = {Kind.SHOWN, Kind.ENDED, Kind.NO_DOCUMENT, Kind.WITHDRAWN, Kind.RESTORED, Kind.DISPUTED, Kind.OVERDUE}
    for dataset, shape in DATASETS.items():
        if shape.adverse:
            assert common <= kinds[dataset], dataset
    for dataset in ("tax-arrears", "market-penalties"):
        assert set(Kind) - {Kind.OPTED_OUT} <= kinds[dataset]


def test_kinds_are_what_their_names_say(rows: dict[tuple[str, str], list[Row]], catalogue: Catalogue) -> None:
    checked: set[Kind] = set()
    for own in rows.values():
        for row in own:
            display = catalogue.published[row.dataset].display
            if display is None or display.max is None:
                continue
            checked.add(row.kind)
            if row.kind is Kind.NO_EFFECTIVE:
                assert row.effective is None
                continue
            assert row.effective is not None
            last = display.max.after(row.effective)
            if row.kind is Kind.ENDED:
                assert last < DAY
            elif row.kind is Kind.ENDED_YESTERDAY:
                assert last == DAY - datetime.timedelta(days=1)
            elif row.kind is Kind.LAST_DAY:
                assert last == DAY
            elif row.kind is Kind.FUTURE:
                assert row.effective > DAY
            else:
                assert row.effective <= DAY <= last
            assert (row.document is None) is (row.kind is Kind.NO_DOCUMENT)
    assert checked >= set(Kind) - {Kind.OPTED_OUT}


def test_mitigation_is_recorded_where_a_dataset_has_it(rows: dict[tuple[str, str], list[Row]]) -> None:
    mitigated = [row for own in rows.values() for row in own if row.mitigation]
    assert mitigated
    assert all(row.dataset == "environmental-penalties" and row.kind is Kind.MITIGATED for row in mitigated)


def test_facts_name_records_that_exist_and_make_their_kinds_true(
    rows: dict[tuple[str, str], list[Row]], facts: list[Fact]
) -> None:
    ids = {(row.scheme, row.subject, row.dataset, row.id): row.kind for own in rows.values() for row in own}
    expected = {Kind.WITHDRAWN: "withdrawn", Kind.RESTORED: "restored"}
    expected |= {Kind.DISPUTED: "objection", Kind.OVERDUE: "objection"}
    about = {(f.scheme, f.subject, f.datasets[0], f.record): f.kind for f in facts if f.record}
    assert about == {key: expected[kind] for key, kind in ids.items() if kind in expected}
    kinds = Counter(fact.kind for fact in facts)
    assert set(kinds) == {"withdrawn", "restored", "objection", "opted-out", "consent"}
    consents = [fact for fact in facts if fact.kind == "consent"]
    assert {fact.until is not None and fact.until >= DAY for fact in consents} == {True, False}


def test_named_subjects(rows: dict[tuple[str, str], list[Row]], facts: list[Fact]) -> None:
    def kinds(name: str) -> dict[str, list[Kind]]:
        found: dict[str, list[Kind]] = {}
        for row in rows.get(NAMED[name].who.identifier, []):
            found.setdefault(row.dataset, []).append(row.kind)
        return found

    organisation_datasets = {name for name, shape in DATASETS.items() if "LEI" in shape.schemes}
    assert set(kinds("ordinary")) == organisation_datasets == set(kinds("all_withheld"))
    assert {kind for own in kinds("ordinary").values() for kind in own} == {Kind.SHOWN}
    assert not {Kind.SHOWN, Kind.LAST_DAY, Kind.DISPUTED, Kind.MITIGATED} & {
        kind for own in kinds("all_withheld").values() for kind in own
    }
    assert kinds("display_ended")["tax-arrears"] == [Kind.ENDED]
    assert kinds("no_source_document")["tax-arrears"] == [Kind.NO_DOCUMENT]
    assert kinds("no_records") == {}
    assert NAMED["no_records"].who.identifier in rows
    assert NAMED["unknown"].who.identifier not in rows
    assert Kind.MITIGATED in kinds("mitigated")["environmental-penalties"]
    consenting = {(fact.scheme, fact.subject) for fact in facts if fact.kind == "consent"}
    assert NAMED["person_with_consent"].who.identifier in consenting
    assert NAMED["person_without_consent"].who.identifier not in consenting
    assert kinds("person_with_consent") == kinds("person_without_consent")


def test_the_clients_are_those_of_the_policies() -> None:
    """Department, roles and purposes of each; what else a role needs: officials, and scopes."""
    registered = {entry.client: entry for entry in shipped().policies.requesters.values() if entry.issuer == "login"}
    assert set(CLIENTS) == set(registered)
    for name, client in CLIENTS.items():
        entry = registered[name]
        assert (client.department, set(client.roles)) == (entry.department, set(entry.roles)), name
        assert set(client.purposes) <= {grant.purpose for grant in entry.grants}, name
        assert ("inquire" in client.scopes) == ("recalls" in client.scopes) == (bool(entry.grants) and name != PORTAL)
        assert not entry.reports_changes or "steward" in client.scopes
    for department in DEPARTMENTS:
        stewards = CLIENTS[f"{department}-stewards"]
        assert (stewards.department, stewards.scopes) == (department, ("steward", "counter"))
        assert len(stewards.officials) >= 2
    assert (CLIENTS["oversight"].scopes, len(CLIENTS["oversight"].officials)) == (("oversight",), 2)
    assert (CLIENTS["policy-office"].scopes, len(CLIENTS["policy-office"].officials)) == (("officer",), 3)
    assert CLIENTS[PORTAL].scopes == ("self",)
    officials = [official for client in CLIENTS.values() for official in client.officials]
    assert len(officials) == len(set(officials)), "one issuer, so each is somebody else"


def test_who_is_awaited_is_in_no_policies_and_has_a_case() -> None:
    registered = {entry.client for entry in shipped().policies.requesters.values()}
    assert not registered & AWAITED.keys()
    for client in AWAITED.values():
        wanted = (client.department, True, client.officials[0])
        assert wanted in [(case.registry, case.open, case.official) for case in cases().values()]


def test_every_organisation_has_an_open_case_with_each_client_that_needs_one() -> None:
    known = cases()
    for client in ("market-regulator", "civil-court"):
        entry = CLIENTS[client]
        for name, named in NAMED.items():
            scheme, value = named.who.identifier
            if scheme == "LEI":
                wanted = (entry.department, True, scheme, value, entry.officials[0])
                assert wanted in [tuple(case) for case in known.values()], (client, name)
        own = [case for case in known.values() if case.registry == entry.department]
        assert any(not case.open for case in own)
        assert any(case.official != entry.officials[0] for case in own)


@pytest.mark.parametrize(
    ("day", "years", "expected"),
    [
        (datetime.date(2028, 2, 29), 3, datetime.date(2025, 2, 28)),
        (datetime.date(2028, 2, 29), 4, datetime.date(2024, 2, 29)),
        (datetime.date(2026, 3, 31), 3, datetime.date(2023, 3, 31)),
    ],
)
def test_years_before(day: datetime.date, years: int, expected: datetime.date) -> None:
    assert years_before(day, years) == expected


def test_stores_are_kept_for_a_day_and_a_version(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not stores.prepare(data, DAY)
    monkeypatch.setattr(region, "subjects", lambda: iter(organisations.organisation(n) for n in range(40)))
    folder = tmp_path / "data"
    assert stores.prepare(folder, DAY)
    assert not stores.prepare(folder, DAY)
    assert stores.prepare(folder, DAY + datetime.timedelta(days=1))
    monkeypatch.setattr(region, "VERSION", region.VERSION + 1)
    assert stores.prepare(folder, DAY + datetime.timedelta(days=1))
