"""What only a real PostgreSQL can show of the `sql` kind: its read-only transactions, time-outs and savepoints.

That records come through unchanged is shown by the demo's own departments (`tests/demo/test_sources.py`).
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import DBAPIError

from connectors import sql
from connectors.base import DatasetRequest, DatasetShape, Failure, Fault, FieldType, Subject
from connectors.database.opening import open_engine, protect
from tests.connectors.asking import fetch, written
from tests.demo.conftest import Start, data, start

__all__ = ["data", "start"]  # fixtures

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
