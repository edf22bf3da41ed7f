"""What `make test` leaves out is run on the other store, and is what `make trials` runs."""

from __future__ import annotations

import pytest

from tests.long import left_out


def pair(test: str) -> list[str]:
    return [f"{test}[{store}-x]" for store in ("sqlite", "postgresql")]


def test_each_test_stays_on_one_store_and_each_file_has_both() -> None:
    names = [*pair("tests/acts/test_a.py::test_1"), *pair("tests/acts/test_a.py::test_2")]
    assert left_out(names) == {"tests/acts/test_a.py::test_1[postgresql-x]", "tests/acts/test_a.py::test_2[sqlite-x]"}


def test_what_looks_at_rows_takes_turns_too() -> None:
    assert len(left_out(pair("tests/ledger/verify/rows/test_a.py::test_1"))) == 1
    assert len(left_out(pair("tests/storage/test_erasing.py::test_1"))) == 1


def test_files_take_turns_of_their_own() -> None:
    names = [*pair("tests/acts/test_a.py::test_1"), *pair("tests/acts/test_b.py::test_1")]
    assert left_out(names) == {f"tests/acts/test_{each}.py::test_1[postgresql-x]" for each in "ab"}


@pytest.mark.parametrize(
    "names",
    [
        pair("tests/storage/test_a.py::test_1"),
        pair("tests/ledger/log/test_a.py::test_1"),
        pair("tests/acts/test_a.py::test_1")[:1],
        pair("tests/acts/test_a.py::test_1")[1:],
        ["tests/acts/test_sqlite.py::test_1", "tests/acts/test_postgresql.py::test_1"],
    ],
    ids=["a store's", "the ledger's", "on SQLite alone", "on PostgreSQL alone", "two files"],
)
def test_nothing_else_is_left_out(names: list[str]) -> None:
    assert left_out(names) == set()
