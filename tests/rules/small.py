"""Small policies, read in no time: two datasets and a register, three purposes, three requesters, the base rules."""

from __future__ import annotations

from pathlib import Path

from tests.rules.policies import SHIPPED

CATALOGUE = """
department: tax
title: Tax Service
datasets:
  arrears:
    title: Arrears
    status: published
    subjects: [organisation]
    information: public
    disclosure: shared
    nature: adverse
    basis: [{law: Tax Act}]
    display: {max: P3Y, from: effective}
    fields: {amount: {type: Decimal, title: Amount}, year: {type: Int, title: Year}}
  income:
    title: Income
    status: published
    subjects: [person]
    information: non_public
    disclosure: authorised
    nature: neutral
    basis: [{law: Tax Act}]
    fields: {year: {type: Int, title: Year}}
  register:
    title: Register
    status: published
    subjects: [organisation]
    information: public
    disclosure: shared
    nature: neutral
    basis: [{law: Register Act}]
    fields: {name: {type: String, title: Name}}
"""
PURPOSES = """
CHECK:
  title: A check
  articles: ["19"]
  basis: [{law: Check Act}]
  dpv: dpv:LegalCompliance
  subjects: [organisation]
  case: {required: true}
  official: {required: true}
  step_up: high
  frequency: {max: 9, per: P1D}
  delete_after: P9D
  fields:
    register: {names: [name]}
    arrears: {names: [amount], because: it is needed, basis: [{law: Check Act}]}
HELP:
  title: Help
  articles: ["19"]
  basis: [{law: Help Act}]
  dpv: dpv:ServiceProvision
  subjects: [person]
  frequency: {max: 9, per: P1D}
  delete_after: P9D
  fields:
    income: {names: [year]}
OWN:
  title: One's own
  articles: ["42"]
  basis: [{law: Rights Act}]
  dpv: dpv:FulfilmentOfObligation
  scope: self
  subjects: [person]
  frequency: {max: 9, per: P1D}
  delete_after: P9D
  fields:
    income: {names: [year]}
"""
REQUESTERS = """
roles: {department: A department, portal: A portal, court: A court}
requesters:
  - issuer: login
    client: office
    title: Office
    department: tax
    roles: [department]
    registry: tax
    grants:
      - {purpose: CHECK, datasets: [arrears], from: 2026-01-01, until: 2026-12-31, agreed_by: A}
      - {purpose: HELP, datasets: [income], from: 2026-01-01, until: 2026-12-31, agreed_by: B, suspended: true}
  - issuer: login
    client: other
    title: Other
    department: tax
    roles: [department]
    grants:
      - {purpose: CHECK, datasets: [register], from: 2026-01-01, until: 2026-12-31, agreed_by: C}
      - {purpose: OWN, datasets: [income], from: 2026-01-01, until: 2026-12-31, agreed_by: D}
  - {issuer: login, client: nobody, title: Nobody, department: tax, roles: [court], grants: []}
"""
PLAIN = """@id("plain")
@article("1")
@advice("x")
@basis("x")
permit (principal, action == Action::"CHECK", resource) when { principal.department == Department::"tax" };
"""


BASE = {file.name for file in (SHIPPED / "rules").glob("*.cedar") if "Action::" not in file.read_text()}


def write(folder: Path) -> Path:
    """Write them into a folder that is not there yet; gives it."""
    (folder / "catalogue").mkdir(parents=True)
    (folder / "rules").mkdir()
    (folder / "catalogue" / "tax.yaml").write_text(CATALOGUE)
    (folder / "purposes.yaml").write_text(PURPOSES)
    (folder / "requesters.yaml").write_text(REQUESTERS)
    (folder / "calendar.yaml").write_text("time_zone: Europe/Sofia\n")
    (folder / "identifiers.yaml").write_text((SHIPPED / "identifiers.yaml").read_text())
    for name in BASE:
        (folder / "rules" / name).write_text((SHIPPED / "rules" / name).read_text())
    (folder / "rules" / "plain.cedar").write_text(PLAIN)
    return folder
