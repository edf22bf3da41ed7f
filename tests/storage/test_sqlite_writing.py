"""Rows of a group are inserted by few statements: as many as there are, in their order, whatever their number."""

from __future__ import annotations

import sqlite3

import pytest

from gateway.storage.engines.sqlite_writing import insert_rows


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 5, 7, 16, 20, 63, 64, 87, 256])
def test_each_row_is_inserted_once_in_order(count: int) -> None:
    rows = [(number, f"row {number}") for number in range(count)]
    ran: list[str] = []
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.execute("CREATE TABLE made (number INTEGER, said TEXT)")
    connection.set_trace_callback(ran.append)
    insert_rows(connection, "INSERT INTO made VALUES (?, ?)", rows)
    connection.set_trace_callback(None)
    assert connection.execute("SELECT * FROM made ORDER BY rowid").fetchall() == rows
    assert len(ran) == count // 64 + count % 64 // 16 + count % 16 // 4 + count % 4
    connection.close()
