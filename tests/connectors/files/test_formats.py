"""JSON Lines and Parquet: what each gives, and what each refuses, by row and column."""

from __future__ import annotations

import datetime
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from connectors.delivered import parquet_rows
from connectors.delivered.report import Outcome
from tests.connectors.asking import ACME, ask, fetch
from tests.connectors.files.delivering import DATASETS, ROW, SHAPES, Department, csv, jsonl, only, parquet

pa = pytest.importorskip("pyarrow")
ALL = " ".join(SHAPES["arrears"].fields)
MOMENT = datetime.datetime(2026, 1, 2, 2, 4, 5, tzinfo=datetime.UTC)
TYPED = {
    **ROW, "no": 17, "since": datetime.date(2026, 1, 2), "amount": Decimal("10.50"), "due": datetime.date(2026, 3, 4),
    "seen": MOMENT,
}  # fmt: skip
"""The row in Parquet's own types."""


@pytest.fixture
def registry(tmp_path: Path) -> Department:
    return Department(tmp_path)


def typed(**more: Any) -> bytes:
    types = {"note": pa.string(), "seen": pa.timestamp("ns", "UTC"), "workers": pa.int32()}
    row = {**TYPED, **more}
    return parquet([row], {name: type_ for name, type_ in types.items() if name not in more})


async def read(registry: Department) -> Any:
    [record] = (await fetch(registry.connector, ask("arrears", ALL)))[ACME, "arrears"]  # type: ignore[misc]
    return record


# JSON Lines


async def test_json_lines_give_every_type(registry: Department) -> None:
    registry.write(only("arrears.jsonl", "jsonl", jsonl([ROW]).replace(b'"10.50"', b"10.500"), 1))
    assert registry.take().outcome is Outcome.TAKEN
    record = await read(registry)
    assert (record.m_id, record.f_workers, record.f_settled) == ("N-1", 7, True)
    assert record.f_amount == "10.500"  # with all its digits
    assert record.f_seen == MOMENT


async def test_json_lines_nest(tmp_path: Path) -> None:
    fields = {**DATASETS["arrears"]["fields"], "amount": "sum.total"}
    registry = Department(tmp_path, datasets={**DATASETS, "arrears": {**DATASETS["arrears"], "fields": fields}})
    rows = [{**ROW, "sum": {"total": 3}}, {**ROW, "no": "N-2", "sum": None}]
    registry.write(only("arrears.jsonl", "jsonl", jsonl(rows), 2))
    assert registry.take().outcome is Outcome.TAKEN
    outcome = (await fetch(registry.connector, ask("arrears", "amount")))[ACME, "arrears"]
    assert [record.f_amount for record in outcome] == ["3", None]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"[1]", "row 2: is no JSON object"),
        (b"{", "row 2: is no JSON object"),
        (b"", "row 2: is no JSON object"),
        (b'{"no": "N-2", "no": "N-3"}', "row 2: is no JSON object that is read one way only: duplicate keys"),
        (b'{"no": "\xe4"}', "row 2: byte 9 of the line is not UTF-8"),
        (b"[" * 100_000, "row 2: is no JSON object"),
        (jsonl([{**ROW, "workers": 7.5}]).strip(), "row 2, column `workers`"),
        (jsonl([{**ROW, "workers": "7"}]).strip(), "row 2, column `workers`"),
        (jsonl([{**ROW, "settled": 1}]).strip(), "row 2, column `settled`: must be true or false"),
        (jsonl([{**ROW, "period": 2025}]).strip(), "row 2, column `period`: must be text"),
        (jsonl([{**ROW, "period": 20.5}]).strip(), "row 2, column `period`: must be text"),
        (jsonl([{**ROW, "amount": True}]).strip(), "row 2, column `amount`: must be a Decimal"),
        (jsonl([{**ROW, "amount": "10,5"}]).strip(), "row 2, column `amount`: must be a Decimal"),
        (jsonl([ROW]).strip().replace(b'"10.50"', b"1e300"), "row 2, column `amount`: must be a Decimal"),
        (jsonl([ROW]).strip().replace(b'"2025"', rb'"\ud800"'), "row 2"),
        (jsonl([{**ROW, "id_no": None}]).strip(), "row 2, column `id_no`: must not be empty"),
        (jsonl([{**ROW, "id_no": {"no": 1}}]).strip(), "row 2, column `id_no`"),
    ],
)
def test_json_lines_refuse(registry: Department, line: bytes, words: str) -> None:
    registry.write(only("arrears.jsonl", "jsonl", jsonl([ROW]) + line + b"\n", 2))
    assert f"arrears.jsonl, {words}" in registry.refused()


def test_where_no_line_can_be_read_that_is_what_is_told(registry: Department) -> None:
    registry.write(only("arrears.jsonl", "jsonl", b"\xef\xbb\xbf" + jsonl([ROW]), 1))
    assert "arrears.jsonl, row 1: is no JSON object" in registry.refused()


def test_a_name_that_no_row_has_is_told(registry: Department) -> None:
    rows = [{key: value for key, value in ROW.items() if key != "amount"}] * 2
    registry.write(only("arrears.jsonl", "jsonl", jsonl(rows), 2))
    assert "column `amount`: is in no row" in registry.refused()


# Parquet


async def test_parquet_gives_every_type(registry: Department) -> None:
    registry.write(only("arrears.parquet", "parquet", typed(), 1))
    assert registry.take().outcome is Outcome.TAKEN
    record = await read(registry)
    assert (record.m_id, record.m_effective) == ("17", datetime.date(2026, 1, 2))
    assert (record.f_amount, record.f_workers, record.f_settled) == ("10.50", 7, True)
    assert (record.f_due, record.f_seen) == (datetime.date(2026, 3, 4), MOMENT)


async def test_parquet_in_other_shapes(tmp_path: Path) -> None:
    fields = {**DATASETS["arrears"]["fields"], "amount": "sum.total"}
    registry = Department(tmp_path, datasets={**DATASETS, "arrears": {**DATASETS["arrears"], "fields": fields}})
    rows = [
        {**ROW, "no": f"N-{number}", "sum": {"total": Decimal(number) / 4, "other": 1}, "note": "fire"}
        for number in range(2500)
    ]
    content = parquet(rows, {"period": pa.dictionary(pa.int32(), pa.string())}, row_group_size=700, compression="zstd")
    registry.write(only("arrears.parquet", "parquet", content, 2500))
    found = registry.take()
    assert found.outcome is Outcome.TAKEN, found
    connector = registry.connected(limits={"rows": 5000})
    outcome = (await fetch(connector, ask("arrears", "amount period")))[ACME, "arrears"]
    assert sorted(Decimal(record.f_amount) for record in outcome) == [Decimal(number) / 4 for number in range(2500)]  # type: ignore[union-attr]
    await connector.close()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"workers": "7"}, "column `workers`: is of a type (`text`) that holds no `Int`"),
        ({"seen": datetime.datetime(2026, 1, 2)}, "column `seen`: is of a type (`timestamp[us]`)"),
        ({"period": b"2025"}, "column `period`: is of a type (`binary`)"),
        ({"settled": 1}, "column `settled`: is of a type (`whole`)"),
        ({"amount": [1]}, "column `amount`: is of a type (`list<"),
        ({"amount": 1.5}, "column `amount`: is of a type (`float`) that holds no `Decimal`; write it as `decimal`"),
        ({"no": None}, "column `no`"),
        ({"id_no": ACME.value.lower()}, "row 1, column `id_no`: is no subject's identifier"),
    ],
)
def test_parquet_refuses(registry: Department, change: dict[str, Any], words: str) -> None:
    registry.write(only("arrears.parquet", "parquet", typed(**change), 1))
    assert words in registry.refused()


def test_all_that_a_file_lacks_is_reported_at_once(registry: Department) -> None:
    """The names of columns, in each format; and types that cannot hold what is mapped."""
    less = {key: value for key, value in ROW.items() if key not in ("amount", "due", "rev")}
    for form, content, words in (
        ("csv", csv([less]), "is not in the header"), ("jsonl", jsonl([less]), "is in no row"),
        ("parquet", parquet([less]), "is no column"),
    ):  # fmt: skip
        registry.write(only(f"arrears.{form}", form, content, 1))
        said = registry.refused()
        assert [name for name in ROW if f"column `{name}`: {words}" in said] == ["rev", "amount", "due"], said
    registry.write(only("arrears.parquet", "parquet", typed(amount=1.5, workers="7"), 1))
    said = registry.refused()
    assert "column `amount`: is of a type" in said
    assert "column `workers`: is of a type" in said


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"amount": "NaN"}, "column `amount`: must be a Decimal: a value that is no number is left empty"),
        ({"amount": "-Infinity"}, "column `amount`: must be a Decimal: a value that is no number is left empty"),
        ({"amount": "1e999999999"}, "column `amount`: must be a Decimal: it has more than 64 digits"),
        ({"period": "20\x0025"}, "column `period`: must be text without the character NUL"),
    ],
)
def test_what_is_no_number_or_no_text_is_explained(registry: Department, change: dict[str, Any], words: str) -> None:
    for form, content in (("csv", csv([{**ROW, **change}])), ("jsonl", jsonl([{**ROW, **change}]))):
        registry.write(only(f"arrears.{form}", form, content, 1))
        assert words in registry.refused(), form


def test_what_is_no_parquet_or_lacks_a_column_is_refused(registry: Department) -> None:
    good = typed()
    for content in (b"PAR1PAR1", good[: len(good) // 2], good[:-100] + bytes(92) + good[-8:], b""):
        registry.write(only("arrears.parquet", "parquet", content, 1))
        assert "is no Parquet file that can be read" in registry.refused()
    rows = [{key: value for key, value in ROW.items() if key != "amount"}]
    registry.write(only("arrears.parquet", "parquet", parquet(rows), 1))
    assert "column `amount`: is no column" in registry.refused()
    registry.write(only("arrears.parquet", "parquet", typed(), 1))
    assert registry.take().outcome is Outcome.TAKEN


def test_a_parquet_file_that_is_small_and_becomes_large_takes_bounded_memory(tmp_path: Path) -> None:
    """Hundreds of rows that each have one text of a megabyte: as a dictionary, the file is of a few kilobytes."""
    registry = Department(tmp_path, limits={"decoding": "768MiB"})
    note = pa.DictionaryArray.from_arrays(pa.array([0] * 900, pa.int32()), pa.array(["x" * 2**20]))
    bomb = parquet([{**ROW, "no": f"N-{n}"} for n in range(900)], arrays={"note": note}, compression="zstd")
    assert len(bomb) < 100_000
    registry.write(only("arrears.parquet", "parquet", bomb, 900))
    said = registry.refused()
    assert "takes too much memory or time" in said or "ArrowMemoryError" in said


def test_decoding_takes_bounded_time_and_leaves_no_process(registry: Department) -> None:
    rows = [{**ROW, "no": f"N-{n}"} for n in range(2000)]
    content = parquet(rows, {"note": pa.string()})
    (registry.folder / "file").write_bytes(content)
    columns = registry.connector._intake._datasets["arrears"].columns
    with (registry.folder / "file").open("rb") as file:
        reading = parquet_rows.rows(file, "file", columns)
        assert next(reading)[0] == 1
        reading.close()
    children = subprocess.run(
        ["ps", "-A", "-o", "args"], capture_output=True, text=True, check=True
    ).stdout  # of this test's own file, whose paths nobody else asks for
    assert not [line for line in children.splitlines() if parquet_rows.MODULE in line and "paper" in line]


def test_the_process_that_decodes_is_bounded() -> None:
    """It says of itself what it may take, before it has read a byte of the file."""
    code = (
        "import io, resource, sys; from connectors.delivered import parquet_child as child;"
        "child.work = lambda *_: sys.stderr.write(repr([resource.getrlimit(each)[0] for each in"
        " (resource.RLIMIT_AS, resource.RLIMIT_CPU, resource.RLIMIT_FSIZE, resource.RLIMIT_CORE)]));"
        "child.main(2**31, 50, [])"
    )
    done = subprocess.run([sys.executable, "-c", code], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert done.stderr == repr([2**31, 50, 0, 0])


def test_without_its_library_parquet_is_not_taken_and_the_fix_is_told(
    registry: Department, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet_rows, "installed", lambda: False)
    registry.write(only("arrears.parquet", "parquet", typed(), 1))
    found = registry.take()
    assert found.outcome is Outcome.UNREACHED
    assert "dutybound[parquet]" in str(found.troubles[0])
