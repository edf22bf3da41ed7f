"""A year of counts in a running region's store, as the ledger would have given them, for the pages that draw them."""

from __future__ import annotations

import contextlib
import datetime
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import create_engine, delete, insert

from gateway.storage.projections.transparency import transparency_count, transparency_month

_STEADY = {
    ("market", "LICENCE_RENEWAL", "answered", ""): (812, 830, 796, 841, 902, 877, 850, 861, 915, 930, 944, 958),
    ("labour", "SUBSIDY_ASSESSMENT", "answered", ""): (310, 322, 298, 305, 341, 330, 352, 348, 339, 360, 371, 366),
    ("courts", "COURT_ENFORCEMENT", "answered", ""): (120, 118, 131, 127, 125, 119, 140, 133, 129, 136, 138, 142),
}
_DENIED = {
    ("market", "LICENCE_RENEWAL", "denied", "PURPOSE_NOT_PERMITTED"): (44, 51, 47, 39, 58, 61, 49, 53, 72, 96, 88, 118),
    ("labour", "SUBSIDY_ASSESSMENT", "denied", "CONSENT_REQUIRED"): (21, 18, 25, 22, 19, 28, 24, 31, 27, 22, 26, 23),
    ("labour", "SUBSIDY_ASSESSMENT", "denied", "PURPOSE_NOT_PERMITTED"): (12, 9, 14, 11, 8, 12, 10, 13, 15, 12, 14, 9),
    ("courts", "COURT_ENFORCEMENT", "denied", "GRANT_INACTIVE"): (3, 0, 0, 4, 0, 2, 0, 0, 1, 14, 18, 0),
    ("courts", "COURT_ENFORCEMENT", "denied", "NO_RULE"): (4, 2, 0, 7, 3, 1, 2, 5, 0, 3, 2, 1),
}
_REFUSED = {
    ("market", "LICENCE_RENEWAL", "refused", "CASE_NOT_VERIFIED"): (33, 29, 35, 31, 30, 36, 28, 34, 31, 33, 35, 30),
    ("labour", "SUBSIDY_ASSESSMENT", "refused", "CASE_NOT_VERIFIED"): (11, 13, 9, 12, 14, 10, 12, 11, 9, 13, 12, 14),
    ("market", "", "refused", "INQUIRY_REQUIRED"): (64, 58, 41, 30, 22, 17, 15, 12, 11, 10, 12, 11),
    ("market", "LICENCE_RENEWAL", "refused", "QUOTA_EXCEEDED"): (0, 2, 1, 0, 0, 3, 0, 19, 2, 0, 1, 0),
}


Lines = Mapping[tuple[str, str, str, str], Sequence[int]]
"""By department, purpose, what and reason: a figure for each of the twelve months."""


@contextlib.contextmanager
def year(told: Mapping[str, Any], lines: Lines = _STEADY | _DENIED | _REFUSED) -> Iterator[list[str]]:
    """The twelve months before this one, closed; they are gone again at the end. Gives their names."""
    this, names = datetime.date.today().replace(day=1), []
    for _ in range(12):
        this = (this - datetime.timedelta(days=1)).replace(day=1)
        names.insert(0, f"{this:%Y-%m}")
    rows = [
        dict(zip(("month", "department", "purpose", "what", "reason"), (name, *key), strict=True), many=many, took=0)
        for key, line in lines.items()
        for name, many in zip(names, line, strict=True)
        if many
    ]
    engine = create_engine(told["store"])
    try:
        with engine.begin() as connection:
            connection.execute(insert(transparency_count), rows)
            closed = [{"month": name, "made": int(time.time() * 1_000_000), "checkpoints": "[]"} for name in names]
            connection.execute(insert(transparency_month), closed)
        yield names
    finally:
        with engine.begin() as connection:
            for table in (transparency_count, transparency_month):
                connection.execute(delete(table).where(table.c.month.in_(names)))
        engine.dispose()
