"""Deliveries from a folder: what is taken in, what is answered from, and until when."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from connectors import files
from connectors.base import Failure
from connectors.delivered import index
from connectors.delivered.report import Outcome
from tests.connectors.asking import ACME, BETA, ask, fault, fetch, places, written
from tests.connectors.files.delivering import (
    ALL,
    AWARD,
    NOW,
    ROW,
    SHAPES,
    Department,
    dialect,
    jsonl,
    only,
    parquet,
    registry,
    usual,
)

__all__ = ["registry"]


async def test_a_delivery_is_answered_from(registry: Department) -> None:
    assert await fault(registry.connector) == "SOURCE_UNAVAILABLE"
    taken = registry.deliver([ROW, {**ROW, "no": "N-2", "id_no": BETA.value, "amount": "", "settled": "false"}])
    assert (taken.outcome, taken.sequence, taken.vanished) == (Outcome.TAKEN, 1, 0)
    assert {name: each.records for name, each in taken.datasets.items()} == {"arrears": 2, "awards": 1}
    outcomes = await fetch(registry.connector, ask("arrears", ALL, ACME, BETA), ask("awards", "title", BETA, ACME))
    [one], [other] = outcomes[ACME, "arrears"], outcomes[BETA, "arrears"]  # type: ignore[misc]
    assert (one.m_id, one.m_version, one.m_document, one.m_mitigation) == ("N-1", "1", "D-1", None)
    assert one.m_effective == datetime.date(2026, 1, 2)
    assert (one.f_period, one.f_amount, one.f_workers, one.f_settled) == ("2025", "10.50", 7, True)  # type: ignore[attr-defined]
    assert one.f_due == datetime.date(2026, 3, 4)  # type: ignore[attr-defined]
    assert one.f_seen.isoformat() == "2026-01-02T03:04:05+01:00"  # type: ignore[attr-defined]
    assert (other.f_amount, other.f_settled) == (None, False)  # type: ignore[attr-defined]
    assert [each.f_title for each in outcomes[BETA, "awards"]] == ["Prize"]  # type: ignore[union-attr]
    assert outcomes[ACME, "awards"] == []
    assert registry.take().outcome is Outcome.UNCHANGED
    kept = registry.connector.last()
    assert kept == taken
    await registry.connector.close()


async def test_only_the_fields_that_are_asked_for_are_read(registry: Department) -> None:
    registry.deliver()
    [record] = (await fetch(registry.connector, ask("arrears", "period")))[ACME, "arrears"]  # type: ignore[misc]
    assert not hasattr(record, "f_amount")
    assert b"never to be seen" not in (registry.folder / "index" / index.FILE).read_bytes()


def test_a_small_file_of_many_rows_fills_no_disk(tmp_path: Path) -> None:
    registry = Department(tmp_path, limits={"delivery": "256KiB"})
    registry.deliver()
    rows, row = 20_000, {**ROW, "note": "none"}
    many = parquet([row], arrays={**{name: pa.array([row[name]] * rows) for name in row}, "no": pa.array(range(rows))})
    registry.write(only("arrears.parquet", "parquet", many, rows))
    before = (tmp_path / "index" / index.FILE).read_bytes()
    with pytest.raises(OSError, match="larger than 4 times"):
        registry.take()
    assert (tmp_path / "index" / index.FILE).read_bytes() == before
    assert not list((tmp_path / "index").glob("quarantine-*"))


def test_more_rows_than_the_manifest_says_are_not_read_to_their_end(registry: Department) -> None:
    rows = [{**ROW, "no": f"N-{number}"} for number in range(2 * index.BATCH + 2)]
    registry.write(only("arrears.jsonl", "jsonl", jsonl(rows), 1))
    assert "arrears.jsonl: has more rows than the 1 of the manifest" in registry.refused()


async def test_an_older_sequence_is_refused_also_after_a_restart(registry: Department) -> None:
    registry.deliver(sequence=12)
    registry.write(usual([{**ROW, "period": "old"}]), sequence=11)
    assert "an older delivery is never taken" in registry.refused()
    registry.connector = registry.connected()
    assert "12 was taken in" in registry.refused()
    registry.write(usual([{**ROW, "period": "other"}]), sequence=12)
    assert "that of another delivery" in registry.refused()
    registry.write(usual(), sequence=13, as_of=NOW - datetime.timedelta(hours=1))
    assert "`asOf` is before that of the delivery taken in last" in registry.refused()
    [record] = (await fetch(registry.connector, ask("arrears", "period")))[ACME, "arrears"]  # type: ignore[misc]
    assert record.f_period == "2025"  # type: ignore[attr-defined]


async def test_past_its_age_it_is_unavailable_and_never_stale(registry: Department) -> None:
    now = datetime.datetime.now(datetime.UTC).replace(microsecond=0)  # that of the file is of when it was read
    old = now - datetime.timedelta(hours=3)
    assert registry.deliver(as_of=old).outcome is Outcome.TAKEN
    for max_age, expected in (("3h", "SOURCE_UNAVAILABLE"), ("4h", "")):
        connector = registry.connected(max_age=max_age)
        outcome = (await fetch(connector, ask("arrears", "period")))[ACME, "arrears"]
        assert (outcome.fault.value if isinstance(outcome, Failure) else "") == expected
        await connector.close()
    registry.write(usual(), as_of=now + datetime.timedelta(hours=1))
    assert "in the future" in registry.refused()


async def test_records_that_are_gone_are_known(registry: Department) -> None:
    rows = [{**ROW, "no": f"N-{number}"} for number in range(5)]
    registry.deliver(rows)
    taken = registry.deliver(rows[2:])
    assert (taken.vanished, taken.datasets["arrears"].vanished, taken.datasets["awards"].vanished) == (2, 2, 0)
    gone = index.vanished(registry.folder / "index")
    assert [(each.dataset, each.id, each.version, each.scheme, each.value) for each in gone] == [
        ("arrears", number, "1", "LEI", ACME.value) for number in ("N-0", "N-1")
    ]
    assert {each.sequence for each in gone} == {2}
    taken = registry.deliver([*rows[1:4]], [])  # one comes back, one more goes, and all awards
    assert taken.vanished == 2
    gone = index.vanished(registry.folder / "index")
    assert sorted((each.dataset, each.id, each.sequence) for each in gone) == [
        ("arrears", "N-0", 2), ("arrears", "N-4", 3), ("awards", "A-1", 3),
    ]  # fmt: skip
    assert {each.scheme for each in gone} == {"LEI"}


async def test_another_mapping_takes_the_same_delivery_in_again(registry: Department) -> None:
    registry.deliver()
    datasets = dict(registry.config["datasets"])
    fields = {**datasets["arrears"]["fields"], "period": "paper"}
    datasets["arrears"] = {**datasets["arrears"], "fields": fields}
    other = registry.connected(datasets=datasets)
    outcomes = await fetch(other, ask("arrears", "period"), ask("awards", "title", BETA))
    assert isinstance(outcomes[ACME, "arrears"], Failure)
    assert not isinstance(outcomes[BETA, "awards"], Failure)
    registry.connector = other
    assert registry.take().outcome is Outcome.TAKEN
    [record] = (await fetch(other, ask("arrears", "period")))[ACME, "arrears"]  # type: ignore[misc]
    assert record.f_period == "D-1"  # type: ignore[attr-defined]


# Configuration


@pytest.mark.parametrize(
    ("change", "place", "words"),
    [
        ({"sftp": {}}, "", "needs one of `folder` and `sftp`"),
        ({"folder": None}, "", "needs one of `folder` and `sftp`"),
        ({"max_age": None}, "", "`max_age` is missing"),
        ({"index": "nowhere/index"}, "index", "is no folder; make it"),
        ({"signers_file": "empty"}, "signers_file", "names no key"),
        ({"signers_file": "cut"}, "signers_file", "is cut short"),
        ({"signers_file": "none"}, "signers_file", "none"),
        ({"datasets": dialect(encoding="utf-16")}, "datasets.arrears.csv.encoding", "utf-8"),
        ({"datasets": dialect(booleans=["J", "J"])}, "datasets.arrears.csv.booleans", "two different words"),
    ],
)
def test_a_wrong_configuration_says_where_and_what(
    tmp_path: Path, change: dict[str, Any], place: str, words: str
) -> None:
    registry = Department(tmp_path)
    (tmp_path / "empty").write_text("# none yet\n")
    (tmp_path / "cut").write_text("ssh-ed25519 AAAAC3Nz\n")
    node = written({**registry.config, **change}, tmp_path)
    files.build(node, SHAPES)
    assert place in places(node, words)


async def test_examine_says_what_is_missing(registry: Department) -> None:
    [said] = await registry.connector.examine()
    assert "no delivery was taken in yet" in said
    registry.deliver()
    assert await registry.connector.examine() == []
    registry.out.rename(registry.folder / "away")
    [said] = await registry.connector.examine()
    assert "the folder cannot be read" in said
    assert registry.take().outcome is Outcome.UNREACHED


async def test_an_index_that_cannot_be_read_is_never_taken_for_none(registry: Department) -> None:
    registry.deliver()
    file = registry.folder / "index" / index.FILE
    file.chmod(0o600)
    file.write_bytes(b"no database" * 1000)
    assert await fault(registry.connector) == "SOURCE_UNAVAILABLE"
    found = registry.take()
    assert found.outcome is Outcome.UNREACHED
    assert "cannot be read; move it away" in str(found.troubles[0])


def test_one_intake_at_a_time(registry: Department) -> None:
    registry.write(usual([ROW], [AWARD]))
    with registry.connector._intake._alone() as alone:
        assert alone
        assert "another intake" in str(registry.connected().deliver(lambda _, value: value).troubles[0])
    assert registry.take().outcome is Outcome.TAKEN
