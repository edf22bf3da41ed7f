"""What only a real PostgreSQL can show of the `sql` kind: its read-only transactions, time-outs and savepoints.

That records come through unchanged is shown by the demo's own departments (`tests/demo/test_sources.py`).
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy.exc import DBAPIError

from connectors import sql
from connectors.base import DatasetRequest, DatasetShape, Examined, Failure, Fault, Faulty, FieldType, Subject
from connectors.database.opening import open_engine, protect
from tests.connectors.asking import fetch, written
from tests.demo.conftest import Start, data, start
from tests.services import Postgres
from tests.storage.conftest import server

__all__ = ["data", "server", "start"]  # fixtures

RECORD = {"id": "notice_no", "version": "rev", "subject": {"scheme": "payer_id_type", "value": "payer_id"}}
SHAPES = {name: DatasetShape(name, {"period": FieldType.STRING}) for name in ("good", "broken", "mistyped")}
WHO = Subject("organisation", "LEI", "none")


def config(port: int) -> dict[str, Any]:
    good = {"table": "arrears", "record": RECORD, "fields": {"period": "tax_period"}}
    return {
        "url": f"postgresql+psycopg://gateway@127.0.0.1:{port}/tax",
        "datasets": {
            "broken": {**good, "table": "no_such_table"},
            "mistyped": {**good, "fields": {"period": "no_such_column"}},
            "good": good,
        },
    }


async def test_postgresql_is_read_only_bounded_in_time_and_fails_in_parts(start: Start, tmp_path: Path) -> None:
    _, port = start("departments.tax")
    node = written(config(port), tmp_path)
    engine = open_engine(node.mapping(any_key=True), 2, 5.0)
    with engine.connect() as connection:
        # The demo's account reads only by default; here it is the connector that must see to it.
        connection.exec_driver_sql("SET default_transaction_read_only = off")
        connection.commit()
        protect(connection, time.monotonic() + 30)
        with pytest.raises(DBAPIError, match="read-only transaction"):
            connection.exec_driver_sql("CREATE TABLE x (y int)")
    with engine.connect() as connection:
        protect(connection, time.monotonic() + 0.2)
        with pytest.raises(DBAPIError, match="statement timeout"):
            connection.exec_driver_sql("SELECT pg_sleep(60)")
    engine.dispose()

    connector = sql.build(node, SHAPES)
    asked = [DatasetRequest(name, ("period",), (WHO,)) for name in ("broken", "mistyped", "good")]
    outcomes = await fetch(connector, *asked)
    await connector.close()
    for name in ("broken", "mistyped"):
        failure = outcomes[WHO, name]
        assert isinstance(failure, Failure)
        assert failure.fault is Fault.UNAVAILABLE
    assert outcomes[WHO, "good"] == []


async def test_an_account_that_could_write_is_reported(server: Postgres, tmp_path: Path) -> None:
    database = server.database()
    with server.connect(database) as connection:
        connection.execute('CREATE TABLE "Arrears" (notice_no text, rev text, type text, no text, period text)')
        connection.execute("DROP ROLE IF EXISTS clerk")
        connection.execute("CREATE ROLE clerk LOGIN")
        connection.execute('GRANT SELECT ON "Arrears" TO clerk')
        about = {"id": "notice_no", "version": "rev", "subject": {"scheme": "type", "value": "no"}}
        good = {"table": "public.Arrears", "record": about, "fields": {"period": "period"}}
        url = f"postgresql+psycopg://clerk@127.0.0.1:{server.port}/{database}"
        connector = sql.build(written({"url": url, "datasets": {"good": good}}, tmp_path), {"good": SHAPES["good"]})
        assert isinstance(connector, Examined)
        assert list(await connector.examine()) == []
        connection.execute('GRANT UPDATE, DELETE ON "Arrears" TO clerk')
        said = "the account may do more than read (`UPDATE`, `DELETE`); let it have `SELECT` alone"
        assert list(await connector.examine()) == [said]
        await connector.close()
        connection.execute("DROP OWNED BY clerk")
        connection.execute("DROP ROLE clerk")


async def test_columns_of_a_fixed_width_name_records_without_their_padding(server: Postgres, tmp_path: Path) -> None:
    database = server.database()
    with server.connect(database) as connection:
        connection.execute(
            "CREATE TABLE arrears (notice_no char(12), rev char(4), paper char(8), type text, no text, period text)"
        )
        connection.execute("INSERT INTO arrears VALUES ('N-1', '2', ' ', 'LEI', 'none', '2026')")
    url = f"postgresql+psycopg://postgres@127.0.0.1:{server.port}/{database}"
    about = {"id": "notice_no", "version": "rev", "document": "paper", "subject": {"scheme": "type", "value": "no"}}
    good = {"table": "arrears", "record": about, "fields": {"period": "period"}}
    connector = sql.build(written({"url": url, "datasets": {"good": good}}, tmp_path), {"good": SHAPES["good"]})
    outcomes = await fetch(connector, DatasetRequest("good", ("period",), (WHO,)))
    await connector.close()
    (record,) = outcomes[WHO, "good"]
    assert (record.m_id, record.m_version, record.m_document) == ("N-1", "2", None)


async def test_a_moment_before_there_were_time_zones_stays_the_same_moment(server: Postgres, tmp_path: Path) -> None:
    database = server.database()
    with server.connect(database) as connection:
        connection.execute(f"ALTER DATABASE {database} SET timezone TO 'Europe/Amsterdam'")
        connection.execute("CREATE TABLE births (no text, rev int, type text, id text, born timestamptz)")
        # The last is of year 1 in Amsterdam, and of the year before in UTC, which Python has not.
        for number, born in enumerate(("1900-01-01 00:00+00", "2024-07-01 00:00+00", "0001-01-01 00:10+00:19:32")):
            row = (f"N-{number}", 1, "LEI", WHO.value, born)
            connection.execute("INSERT INTO births VALUES (%s, %s, %s, %s, %s)", row)
    about = {"id": "no", "version": "rev", "subject": {"scheme": "type", "value": "id"}}
    births = {"table": "births", "record": about, "fields": {"born": "born"}}
    url = f"postgresql+psycopg://postgres@127.0.0.1:{server.port}/{database}"
    shape = DatasetShape("births", {"born": FieldType.DATETIME})
    connector = sql.build(written({"url": url, "datasets": {"births": births}}, tmp_path), {"births": shape})
    outcomes = await fetch(connector, DatasetRequest("births", ("born",), (WHO,)))
    await connector.close()
    *right, wrong = outcomes[WHO, "births"]
    assert [msgspec.json.encode(record.f_born) for record in right] == [
        b'"1900-01-01T00:00:00Z"',
        b'"2024-07-01T02:00:00+02:00"',
    ]
    assert isinstance(wrong, Faulty)
