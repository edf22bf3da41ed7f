"""The bench's subjects and records, the same in every run but for the dates, which lie within the last year.

Five departments hold `records` records of eight fields for each subject; how many depends on the subject's group. The
same values are told in two shapes: as a department's own REST answer, with names of its own, and as the catalogue's
GraphQL fields. Dates are recent so that no record's display has ended: every leaf value must reach the answer.
"""

from __future__ import annotations

import datetime
from typing import Any, NamedTuple

from stdnum.iso7064 import mod_97_10

DEPARTMENTS = ("alpha", "bravo", "charlie", "delta", "echo")

FIELDS = {
    "reference": "String",
    "activity": "String",
    "quantity": "Int",
    "year": "Int",
    "amount": "Decimal",
    "fee": "Decimal",
    "decidedOn": "Date",
    "final": "Boolean",
}
"""The catalogue fields of every dataset, and their types."""

SOURCE_FIELDS = {
    "reference": "refNo",
    "activity": "act",
    "quantity": "qty",
    "year": "yr",
    "amount": "sum.total",
    "fee": "sum.fee",
    "decidedOn": "decided",
    "final": "isFinal",
}
"""Where a department's own answer has them."""


class Group(NamedTuple):
    """Subjects for each of which every department holds `records` records; `fields` of each are asked for."""

    name: str
    subjects: int
    records: int
    fields: tuple[str, ...]

    @property
    def leaves(self) -> int:
        """Leaf values in one answer."""
        return len(DEPARTMENTS) * self.records * len(self.fields)


ALL = tuple(FIELDS)
GROUPS = {
    "200": Group("200", 1000, 5, ALL),
    "50": Group("50", 200, 2, ALL[:5]),
    "800": Group("800", 200, 20, ALL),
}


ALIAS = "seenNever"
"""What a document that nobody asked before calls its extra field, with a number."""


def subjects(group: Group) -> list[str]:
    """The LEIs of a group, valid by their check digits and distinct over groups."""
    prefix = f"9845{int(group.name):04d}"
    stems = [f"{prefix}{index:010d}" for index in range(group.subjects)]
    return [stem + mod_97_10.calc_check_digits(stem) for stem in stems]


def values(department: str, subject: str, index: int, today: datetime.date) -> dict[str, Any]:
    """One record's catalogue fields as a GraphQL answer shows them; decimals are strings."""
    seed = DEPARTMENTS.index(department) * 7919 + int(subject[8:18]) * 104_729 + index * 31
    decided = today - datetime.timedelta(days=20 + seed % 300)
    return {
        "reference": f"{department[0].upper()}-{seed % 100_000:05d}",
        "activity": f"Activity {seed % 97} of the \u201cregister\u201d",
        "quantity": seed % 2_000_000,
        "year": decided.year,
        "amount": f"{seed % 90_000 + 1_000}.{seed % 9 + 1}{seed % 7 + 1}",
        "fee": f"{seed % 900 + 10}.{seed % 8 + 1}{seed % 5 + 1}",
        "decidedOn": decided.isoformat(),
        "final": seed % 3 != 0,
    }


def dataset(department: str) -> str:
    """The department's one dataset."""
    return f"{department}-notices"


def graphql_name(department: str) -> str:
    return f"{department}Notices"


def type_name(department: str) -> str:
    return f"{department.capitalize()}Notices"


def source_record(department: str, subject: str, index: int, today: datetime.date) -> dict[str, Any]:
    """One record as the department's REST interface tells it; decimals are told as strings."""
    told = values(department, subject, index, today)
    return {
        "noticeNo": f"{department}-{subject[12:18]}-{index}",
        "rev": "1",
        "decisionNo": f"D {told['reference']}",
        "issuedOn": told["decidedOn"],
        "idType": "LEI",
        "idNo": subject,
        "refNo": told["reference"],
        "act": told["activity"],
        "qty": told["quantity"],
        "yr": told["year"],
        "sum": {"total": told["amount"], "fee": told["fee"]},
        "decided": told["decidedOn"],
        "isFinal": told["final"],
    }


def expected(group: Group, subject: str, today: datetime.date) -> dict[str, Any]:
    """The `data` that every gateway must answer for a subject of the group."""
    return {
        "organisation": {
            graphql_name(department): [
                {name: told for name, told in values(department, subject, index, today).items() if name in group.fields}
                for index in range(group.records)
            ]
            for department in DEPARTMENTS
        }
    }


def document(group: Group, directive: str = "", alias: str = "") -> str:
    """The operation that asks for all the group's fields; `alias`, if any, renames one field (a new document)."""
    selections = [f"{graphql_name(department)} {{ {' '.join(group.fields)} }}" for department in DEPARTMENTS]
    if alias:
        selections.append(f"{alias}: {graphql_name(DEPARTMENTS[0])} {{ {group.fields[0]} }}")
    return f"query Bench($id: IdentifierInput!) {directive} {{ organisation(id: $id) {{ {' '.join(selections)} }} }}"
