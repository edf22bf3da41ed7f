"""One wrong row refuses a delivery and is found by its place; files are read as `sources.yaml` marks them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from connectors.delivered import index, report
from connectors.delivered.report import Outcome
from tests.connectors.asking import ACME, ANN, BETA, ask, fetch
from tests.connectors.files.delivering import ALL, ROW, Department, csv, dialect, jsonl, only, registry, usual

__all__ = ["registry"]


# What is wrong with rows


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"no": ""}, "arrears.csv, row 3, column `no`: must not be empty"),
        ({"no": "N\u200b2"}, "row 3, column `no`: an id"),
        ({"rev": ""}, "row 3, column `rev`: must not be empty"),
        ({"id_no": ""}, "row 3, column `id_no`: must not be empty"),
        ({"id_no": ACME.value.lower()}, "row 3, column `id_no`: is no subject's identifier in its canonical form"),
        ({"id_no": f"{ACME.value} "}, "row 3, column `id_no`"),
        ({"id_no": f"{ACME.value[:-1]}6"}, "row 3, column `id_no`"),
        ({"id_type": "PIN", "id_no": ANN.value}, "is of a scheme that names no subject of this dataset"),
        ({"since": "2026-02-31"}, "row 3, column `since`: must be a date"),
        ({"since": "02.01.2026"}, "row 3, column `since`: must be a date"),
        ({"amount": '"10,50"'}, "row 3, column `amount`: must be a Decimal"),
        ({"amount": "1_000"}, "row 3, column `amount`: must be a Decimal"),
        ({"amount": "1e999"}, "row 3, column `amount`: must be a Decimal"),
        ({"workers": "7.0"}, "row 3, column `workers`: must be a whole number"),
        ({"workers": "3000000000"}, "row 3, column `workers`: must be a whole number"),
        ({"settled": "yes"}, "row 3, column `settled`: must be `true` or `false`"),
        ({"seen": "2026-01-02T03:04:05"}, "row 3, column `seen`: must be a DateTime with an offset"),
        ({"no": "N-1"}, "row 3, column `no`: is the id of row 2 of `arrears.csv` too"),
        ({"period": "a,b"}, "row 3: has 15 columns, and the header 14"),
        ({"period": '"open'}, "is no CSV"),
    ],
)
def test_one_wrong_row_refuses_all_and_is_told_by_its_place(
    registry: Department, change: dict[str, Any], words: str
) -> None:
    registry.write(usual([ROW, {**ROW, "no": "N-2", **change}]))
    assert words in registry.refused()
    assert not (registry.folder / "index" / index.FILE).exists()


def test_many_wrong_rows_are_told_by_the_first_and_their_number(registry: Department) -> None:
    registry.write(usual([{**ROW, "no": f"N-{number}", "amount": "x"} for number in range(300)]))
    found = registry.take()
    assert (found.outcome, len(found.troubles), found.more) == (Outcome.REFUSED, report.MOST, 280)


def test_an_id_stands_once_in_all_files_of_a_dataset(registry: Department) -> None:
    two = [{**ROW, "no": "N-2"}, {**ROW, "id_no": BETA.value}]
    contents = usual()
    contents["more.csv"] = ("arrears", "csv", csv(two), 2)
    registry.write(contents)
    assert "more.csv, row 3, column `no`: is the id of row 2 of `arrears.csv` too" in registry.refused()
    contents["more.csv"] = ("arrears", "jsonl", jsonl(two[:1]), 1)
    registry.write(contents)
    assert "in several formats" in registry.refused()


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ([name for name in ROW if name != "amount"], "row 1, column `amount`: is not in the header"),
        ([*ROW, "amount"], "row 1, column `amount`: appears twice"),
    ],
)
def test_a_column_that_is_missing_or_stands_twice_is_told(registry: Department, header: list[str], words: str) -> None:
    registry.write(only("arrears.csv", "csv", csv([ROW], header=header), 1))
    assert words in registry.refused()


# Encodings and marks


async def test_the_marks_that_sources_yaml_says(tmp_path: Path) -> None:
    made = dialect(encoding="windows-1252", delimiter=";", decimal=",", booleans=["J", "N"])
    registry = Department(tmp_path, datasets=made)
    row = {**ROW, "amount": "1234,50", "settled": "J", "period": "Größe €"}
    registry.write(only("arrears.csv", "csv", csv([row], ";").decode().encode("windows-1252"), 1))
    assert registry.take().outcome is Outcome.TAKEN
    [record] = (await fetch(registry.connector, ask("arrears", ALL)))[ACME, "arrears"]  # type: ignore[misc]
    assert (record.f_amount, record.f_settled, record.f_period) == ("1234.50", True, "Größe €")  # type: ignore[attr-defined]
    for wrong in ("1234.50", "1.234,50", "1,2,3"):
        registry.write(only("arrears.csv", "csv", csv([{**row, "amount": wrong}], ";").decode().encode("cp1252"), 1))
        assert "row 2, column `amount`: must be a Decimal: digits, with a comma" in registry.refused()


def test_two_encodings_in_one_file_are_refused(tmp_path: Path) -> None:
    one, other = ({**ROW, "no": number, "period": "Größe"} for number in ("N-1", "N-2"))
    head, first = csv([one]).splitlines(keepends=True)
    [second] = csv([other]).splitlines(keepends=True)[1:]
    latin = second.decode().encode("windows-1252")
    for encoding, lines in (("utf-8", [head, first, latin]), ("windows-1252", [head, latin, first])):
        folder = tmp_path / encoding
        folder.mkdir()
        registry = Department(folder, datasets=dialect(encoding=encoding))
        registry.write(only("arrears.csv", "csv", b"".join(lines), 2))
        assert "arrears.csv, row 3:" in registry.refused()
        registry.write(only("arrears.csv", "csv", b"".join([head, latin if encoding != "utf-8" else first]), 1))
        assert registry.take().outcome is Outcome.TAKEN


async def test_a_byte_order_mark_is_no_part_of_the_first_name(registry: Department) -> None:
    registry.write(only("arrears.csv", "csv", b"\xef\xbb\xbf" + csv([ROW]), 1))
    assert registry.take().outcome is Outcome.TAKEN


def test_lines_are_bounded(registry: Department) -> None:
    registry.write(only("arrears.csv", "csv", csv([{**ROW, "inner": "x" * 2_000_000}]), 1))
    assert "row 2: is longer than 1024 KiB" in registry.refused()
    registry.write(only("arrears.jsonl", "jsonl", jsonl([{**ROW, "inner": "x" * 2_000_000}]), 1))
    assert "row 1: is longer than 1024 KiB" in registry.refused()
