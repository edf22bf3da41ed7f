"""What the region's people did before its gateway started stands in the store as their acts would have written it."""

from __future__ import annotations

import contextlib
import datetime
from pathlib import Path

import pytest
from sqlalchemy import select

from deploy.demo import region, seed
from deploy.demo.region import Fact
from gateway.storage import store
from gateway.storage.subjects import kinds
from gateway.storage.subjects.facts import fact, fact_head
from tests.demo.conftest import DAY

ISSUER = "https://issuer.example"


def _stands(path: Path) -> tuple[list[dict[str, str | None]], int]:
    """Each fact by its columns that are not of a time, and the number of the last change."""
    with contextlib.closing(store.open_file(path)) as opened, opened.engine.connect() as connection:
        found = connection.execute(select(fact).order_by(fact.c.change)).mappings().all()
        left_out = ("id", "at")
        rows = [{name: value for name, value in row.items() if name not in left_out and value} for row in found]
        return rows, connection.execute(select(fact_head.c.change)).scalar_one()


def test_each_fact_has_the_next_number_and_the_columns_of_its_kind(tmp_path: Path) -> None:
    known = [fact for who in region.subjects() for fact in region.facts_of(who, list(region.records_of(who, DAY)), DAY)]
    last = seed.seed(tmp_path / "store.db", known, ISSUER)
    rows, head = _stands(tmp_path / "store.db")
    assert [row["change"] for row in rows] == list(range(1, last + 1))
    assert head == last >= len(known)
    assert {row["kind"] for row in rows} == {"consent", "objection", "opt-out", "restoration", "withdrawal"}
    beside = {"change", "kind", "scheme", "value", "reason"}
    assert all(row.keys() - beside == kinds.KINDS[str(row["kind"])].columns for row in rows)


def test_an_objection_is_due_and_a_consent_is_to_one_requester(tmp_path: Path) -> None:
    until = DAY + datetime.timedelta(days=30)
    objection = Fact("objection", "PIN", "1234567890", ("tax-arrears",), "T-1", DAY)
    consent = Fact("consent", "PIN", "1234567890", ("volunteering", "income-statements"), None, DAY, until)
    seed.seed(tmp_path / "store.db", [objection, consent], ISSUER)
    who = {"scheme": "PIN", "value": "1234567890"}
    due = (DAY + datetime.timedelta(days=11)).isoformat()
    client, purpose = seed.CONSENTED_TO
    to = {"issuer": ISSUER, "client": client, "purpose": purpose, "until": until.isoformat()}
    assert _stands(tmp_path / "store.db")[0] == [
        {"change": 1, "kind": "objection", **who, "dataset": "tax-arrears", "record": "T-1", "until": due},
        {"change": 2, "kind": "consent", **who, **to, "fields": '{"income-statements":null,"volunteering":null}'},
    ]


def test_a_fact_of_an_unknown_kind_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    known = [Fact(kind, "PIN", "1234567890", ("tax-arrears",), "T-1", DAY) for kind in ("withdrawn", "praised")]
    with pytest.raises(ValueError, match="unknown kind"):
        seed.seed(tmp_path / "store.db", known, ISSUER)
    assert _stands(tmp_path / "store.db") == ([], 0)
