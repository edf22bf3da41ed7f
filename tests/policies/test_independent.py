"""`decide`, the matrix and `permissions` agree with an evaluator that was written apart, on random policies."""

from __future__ import annotations

import datetime
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, Phase, assume, event, given, settings
from hypothesis import strategies as st

from connectors.base import Subject, SubjectKind
from gateway.errors import ConfigurationError
from gateway.inquiry import decide as step
from gateway.inquiry.types import Declaration, Facts, Narrowing, Requester, Selected, Wanted
from gateway.rules.decide import base, engine, guards, vocabulary
from gateway.rules.explain import matrix, permissions
from gateway.rules.load import load
from gateway.rules.model import Cell
from gateway.rules.ruleset import RuleSet
from gateway.storage.subjects.kinds import Consent, SubjectFacts
from tests.policies.independent import evaluator
from tests.policies.independent.evaluator import OVERCOME, Folder, Inquiry, Verdict
from tests.policies.independent.random_policies import NOW, Written, folders, inquiries, place
from tests.rules.policies import SHIPPED, shipped

both = st.tuples(folders(), st.lists(inquiries(), min_size=5, max_size=15))


def made(written: Written) -> tuple[RuleSet, Folder]:
    """The policies as the gateway reads them, and as the evaluator does."""
    with tempfile.TemporaryDirectory() as folder:
        place(Path(folder), written)
        try:
            rule_set = load(Path(folder))
        except ConfigurationError as error:
            event(f"refused: {error.problems[0].message[:60]}")
            assume(False)
        return rule_set, Folder(Path(folder))


def asked(rule_set: RuleSet, inquiry: Inquiry) -> dict[tuple[str, str], Cell]:
    """What `decide` says of everything."""
    datasets = rule_set.policies.catalogue.datasets
    everything = {name: Wanted(frozenset(dataset.fields), False) for name, dataset in datasets.items()}
    kind = cast(SubjectKind, inquiry.kind)
    subject = Subject(kind, *inquiry.subject)
    consents = tuple(
        Consent(
            given["id"], given["issuer"], given["client"], given["purpose"],
            {name: None if fields is None else frozenset(fields) for name, fields in given["datasets"].items()},
            given["until"],
        )
        for given in inquiry.consents
    )  # fmt: skip
    facts = Facts(
        1,
        {subject: SubjectFacts(consents=consents, case_verified=inquiry.case_verified)},
        inquiry.break_glass,
        {(inquiry.purpose, name): "r-1" for name in inquiry.suspended},
    )
    declaration = Declaration(inquiry.purpose, case=inquiry.case, consent=inquiry.consent)
    selected = Selected({kind: everything})
    decision = step.decide(selected, caller(inquiry), declaration, rule_set, facts, [subject], inquiry.now)
    return dict(decision.subjects[subject].cells)


def caller(inquiry: Inquiry) -> Requester:
    narrowing = tuple(
        Narrowing(**{**part, "datasets": None if part.get("datasets") is None else frozenset(part["datasets"])})
        for part in inquiry.narrowed
    )
    return Requester(
        inquiry.issuer, inquiry.client, inquiry.official, inquiry.scopes, inquiry.expires.timestamp(), acr=inquiry.acr,
        narrowing=narrowing, identifier=inquiry.identifier,
    )  # fmt: skip


def verdict(cell: Cell) -> Verdict:
    return Verdict(cell.permitted, None if cell.reason is None else str(cell.reason), frozenset(cell.rules))


def agree(cell: Cell, expected: Verdict) -> bool:
    """Whether both say the same; where no rule forbade what it had to, the gateway names the base rule."""
    if expected.rules == OVERCOME:
        return not cell.permitted and str(cell.reason) == "NO_RULE" and cell.rule in base.BASE
    return verdict(cell) == expected


def check_decide(rule_set: RuleSet, folder: Folder, several: Sequence[Inquiry]) -> None:
    step._memo.clear()
    for inquiry in several:
        cells, expected = asked(rule_set, inquiry), folder.answers(inquiry)
        assert cells.keys() == expected.keys()
        for at, cell in cells.items():
            assert agree(cell, expected[at]), f"{at}: {verdict(cell)}, and {expected[at]} by the other"


def check_matrix(rule_set: RuleSet, folder: Folder) -> None:
    flags = {"scope": True, "consent": True, "case": True, "official": True, "step_up": True, "break_glass": False}
    for row in matrix.rows(rule_set):
        issuer = next(entry.issuer for entry in rule_set.policies.requesters.values() if row.grant in entry.grants)
        said = {"purpose": row.grant.purpose, "datasets": row.grant.datasets}
        at = (row.dataset, row.field)

        def told(said: Any = said, issuer: str = issuer, row: Any = row, at: Any = at, **lacking: bool) -> Verdict:
            return folder.ruled((issuer, row.client), said, row.kind, at, {**flags, **lacking})

        assert agree(row.cell, told()), at
        words = {"consent": "consent", "case": "case", "official": "official", "step_up": "step-up"}
        takes = tuple(word for flag, word in words.items() if told().permitted and not told(**{flag: False}).permitted)
        assert row.takes == takes, at


def check_permissions(rule_set: RuleSet, folder: Folder, several: Sequence[Inquiry]) -> None:
    for inquiry in several:
        who, today = (inquiry.issuer, inquiry.client), folder.day(inquiry.now)
        grant = folder.grant(who, inquiry.purpose, today)
        suspended = {(inquiry.purpose, name): "r-1" for name in inquiry.suspended}
        for row in permissions.rows(rule_set, caller(inquiry), inquiry.purpose, today, suspended):
            name = row["dataset"]
            expected = grant
            if not isinstance(grant, Verdict) and name in inquiry.suspended:
                expected = Verdict(False, "GRANT_INACTIVE", frozenset())
            elif not isinstance(grant, Verdict):
                own = inquiry.identifier is not None
                brought = {
                    "scope": folder.scoped(inquiry.scopes, own, inquiry.purpose, name),
                    "consent": False,
                    "case": True,
                    "official": inquiry.official is not None,
                    "step_up": folder.purposes[inquiry.purpose].get("step_up") in (None, inquiry.acr),
                    "break_glass": False,
                }
                expected = folder.ruled(who, grant, row["subject"], (name, row["field"]), brought)
                covered = [
                    part
                    for part in inquiry.narrowed
                    if part.get("purpose") in (None, inquiry.purpose)
                    and (part.get("datasets") is None or name in part["datasets"])
                ]
                if expected.permitted and inquiry.narrowed and not covered:
                    expected = Verdict(False, "TOKEN_NARROWED", frozenset())
            assert (row["permitted"], row["reason"]) == expected[:2], row


def check(policies: tuple[Written, list[Inquiry]]) -> None:
    rule_set, folder = made(policies[0])
    check_decide(rule_set, folder, policies[1])
    check_matrix(rule_set, folder)
    check_permissions(rule_set, folder, policies[1])


@given(both)
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
def test_decide_the_matrix_and_permissions_agree_with_it(policies: tuple[Written, list[Inquiry]]) -> None:
    check(policies)


def test_so_they_do_on_the_shipped_policies() -> None:
    folder = Folder(SHIPPED)
    check_matrix(shipped(), folder)
    inquiry = Inquiry(
        "login", "market-regulator", "TENDER_QUALIFICATION", "organisation", ("LEI", "529900T8BM49AURSDO55"), NOW,
        frozenset({"inquire"}), "o.fficial", None, NOW + datetime.timedelta(hours=1), None, (), "C-1", True, (), None,
        False, frozenset(),
    )  # fmt: skip
    several = [inquiry._replace(issuer=who[0], client=who[1], purpose=purpose)
               for who in folder.requesters for purpose in folder.purposes]  # fmt: skip
    check_decide(shipped(), folder, several)
    check_permissions(shipped(), folder, several)


def test_the_page_tells_the_order_of_reasons_that_the_gateway_has() -> None:
    assert evaluator.order() == [str(reason) for reason in engine.REASONS]


@pytest.mark.long
def test_what_is_asked_of_them_opens_something_often_enough() -> None:
    """A property over denials alone would show little."""
    counted = {"permitted": 0, "conflicts": 0, "inquiries": 0}

    @given(both)
    @settings(max_examples=30, deadline=None, database=None, derandomize=True, phases=[Phase.generate],
              suppress_health_check=list(HealthCheck))  # fmt: skip
    def count(policies: tuple[Written, list[Inquiry]]) -> None:
        with tempfile.TemporaryDirectory() as temporary:
            folder = Folder(place(Path(temporary), policies[0]))
        for inquiry in policies[1]:
            found = folder.answers(inquiry).values()
            counted["inquiries"] += 1
            counted["permitted"] += any(each.permitted for each in found)
            counted["conflicts"] += any(not each.permitted and len(each.rules) > 1 for each in found)

    count()
    assert counted["permitted"] > counted["inquiries"] / 30
    assert counted["conflicts"] > 0


def _every_dataset_is_granted(monkeypatch: pytest.MonkeyPatch) -> None:
    request = vocabulary.request

    def granted(*question: Any) -> dict[str, Any]:
        asked = request(*question)
        asked["context"]["in_grant"] = True
        return asked

    monkeypatch.setattr(vocabulary, "request", granted)


def _a_consent_of_any_purpose_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    coverage = step._coverage

    def loose(consents: Any, requester: Any, declaration: Any, today: Any) -> Any:
        return coverage([Consent(c.id, c.issuer, c.client, declaration.purpose, c.datasets, c.until) for c in consents],
                        requester, declaration, today)  # fmt: skip

    monkeypatch.setattr(step, "_coverage", loose)


def _a_grant_holds_a_day_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    inactive = guards.inactive
    monkeypatch.setattr(guards, "inactive", lambda grant, today: inactive(grant, today - datetime.timedelta(days=1)))


@pytest.mark.long_cases("_a_consent_of_any_purpose_counts")
@pytest.mark.parametrize(
    "fault",
    [_every_dataset_is_granted, _a_consent_of_any_purpose_counts, _a_grant_holds_a_day_longer],
)
def test_a_planted_fault_is_found(monkeypatch: pytest.MonkeyPatch, fault: Callable[[pytest.MonkeyPatch], None]) -> None:
    fault(monkeypatch)

    @given(both)
    @settings(max_examples=250, deadline=None, database=None, derandomize=True, phases=[Phase.generate],
              report_multiple_bugs=False, suppress_health_check=list(HealthCheck))  # fmt: skip
    def search(policies: tuple[Written, list[Inquiry]]) -> None:
        check(policies)

    try:
        with pytest.raises(AssertionError):
            search()
    finally:
        step._memo.clear()
