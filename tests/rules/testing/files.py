"""A small file of policy tests, and copies of the shipped policies that have it with one thing changed."""

from __future__ import annotations

import shutil
from pathlib import Path

from gateway.errors import Problem
from gateway.rules.testing import read
from gateway.rules.testing.model import PolicyTest
from tests.rules.policies import copy, shipped

FILE = """now: 2026-06-15 12:00
requesters:
  regulator:
    client: market-regulator
    official: e.marin
    scopes: [inquire]
  clerk:
    client: labour-office
    official: k.petrova
    scopes: [inquire]
subjects:
  firm: {kind: organisation, identifier: 529900T8BM49AURSDO55}
  ana: {kind: person, identifier: 9001011237}
cases:
  tender: {number: T-1, verified: true}
consents:
  given:
    to: clerk
    purpose: SUBSIDY_ASSESSMENT
    datasets: {income-statements: [year]}
    until: 2026-12-31
tests:
  - name: arrears are told
    requester: regulator
    purpose: TENDER_QUALIFICATION
    subject: firm
    case: tender
    permits:
      organisation-register: [name, legalForm]
      business-licences: [number, activity, status, validUntil]
      tax-arrears: [period, amount, currency]
      market-penalties: [decisionNumber, conduct, decidedOn]
      environmental-penalties: [decisionNumber, conduct, decidedOn]
      wage-arrears: [period, workersAffected]
    denied:
      market-penalties.amount: {reason: PURPOSE_NOT_PERMITTED, rule: outside-purpose}
  - name: one year is told
    requester: clerk
    purpose: SUBSIDY_ASSESSMENT
    subject: ana
    consents: [given]
    permits:
      person-register: [name]
      income-statements: [year]
    denied:
      income-statements.currency: {reason: CONSENT_REQUIRED, rules: [consent-missing]}
"""


def place(to: Path, text: str, name: str = "some.yaml") -> Path:
    """A copy of the shipped policies whose only tests are these."""
    directory = copy(to)
    shutil.rmtree(directory / read.FOLDER)
    (directory / read.FOLDER).mkdir()
    (directory / read.FOLDER / name).write_text(text, encoding="utf-8")
    return directory


def edit(before: str, after: str) -> str:
    """The file with one text replaced."""
    assert FILE.count(before) >= 1, f"the file does not say `{before}`"
    return FILE.replace(before, after, 1)


def loaded(directory: Path) -> tuple[list[PolicyTest], list[Problem]]:
    problems: list[Problem] = []
    return read.load(directory, shipped(), problems), problems
