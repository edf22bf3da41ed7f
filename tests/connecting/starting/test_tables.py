"""What is made of the columns of tables and views: types, keys, and what a catalogue may not have."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from tests.configured import secret
from tests.connecting.starting.making import gateway, run
from tests.mariadb import kept_running
from tests.services import Postgres
from tests.storage.conftest import server

__all__ = ["server"]

TABLE = """CREATE TABLE {name} (
    file_no VARCHAR(20) PRIMARY KEY, edition INTEGER NOT NULL, decision_no VARCHAR(20), in_force DATE,
    id_scheme VARCHAR(8) NOT NULL, id_value VARCHAR(64) NOT NULL, work_month VARCHAR(7), workers INTEGER,
    unpaid NUMERIC(12, 2), settled BOOLEAN, seen {moment}, total BIGINT, phone VARCHAR(20), "a b" VARCHAR(5),
    "x""y" VARCHAR(5), picture {bytes})"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return gateway(tmp_path)


def test_a_table_of_sqlite(config: Path) -> None:
    file = config.parent / "register.db"
    with sqlite3.connect(file) as connection:
        connection.execute(TABLE.format(name="t_wage_finding", moment="DATETIME", bytes="BLOB"))
        connection.execute("CREATE VIEW v_closed AS SELECT file_no, edition, id_value, unpaid FROM t_wage_finding")
    connection.close()
    before = file.read_bytes()
    words = ("--tables", "sqlite:///register.db", "--table", "t_wage_finding", "--table", "v_closed")
    made = run("tax", *words, "--config", config)
    assert (file.read_bytes(), [*config.parent.glob("register.db-*")]) == (before, [])
    department = made.parts[0]["tax"]
    assert (department["kind"], department["url"]) == ("sql", "sqlite:///register.db")
    wages, closed = department["datasets"].values()
    assert wages["record"] == {
        "id": "file_no", "version": "edition", "document": "decision_no", "effective": "in_force",
        "subject": {"scheme": "id_scheme", "value": "id_value"},
    }  # fmt: skip
    assert wages["fields"] == {
        "fileNo": "file_no", "decisionNo": "decision_no", "inForce": "in_force", "workMonth": "work_month",
        "workers": "workers", "unpaid": "unpaid", "settled": "settled", "seen": "seen", "total": "total",
    }  # fmt: skip
    fields = made.parts[1]["datasets"]["wage-finding"]["fields"]
    assert {name: each["type"] for name, each in fields.items()} == {
        "fileNo": "String", "decisionNo": "String", "inForce": "Date", "workMonth": "String", "workers": "Int",
        "unpaid": "Decimal", "settled": "Boolean", "seen": "DateTime", "total": "Decimal",
    }  # fmt: skip
    assert closed["table"] == "v_closed"
    assert set(closed["record"]["subject"]["scheme"]) == {"const"}
    for name, why in [
        ("phone", "communications"),
        ("a b", "cannot name it"),
        ('x"y', "cannot name it"),
        ("picture", "BLOB"),
    ]:
        assert why in made.line(f"passed over: `{name}`")


def test_a_table_of_postgresql(config: Path, server: Postgres, tmp_path: Path) -> None:
    database = server.database()
    with server.connect(database) as connection:
        connection.execute("CREATE SCHEMA register")
        connection.execute(TABLE.format(name="register.wage_finding", moment="TIMESTAMPTZ", bytes="BYTEA").encode())
        connection.execute("ALTER TABLE register.wage_finding ADD told TIMESTAMP, ADD mark UUID, ADD more JSONB")
        connection.execute("COMMENT ON COLUMN register.wage_finding.unpaid IS 'Unpaid amount. In euro.'")
    url = f"postgresql+psycopg://postgres@127.0.0.1:{server.port}/{database}"
    password = secret(tmp_path / "password", "wort\n")
    words = ("tax", "--tables", url, "--table", "register.wage_finding", "--config", config)
    made = run(*words, "--password-file", password)
    department = made.parts[0]["tax"]
    assert (department["url"], department["password_file"]) == (url, str(password))
    assert "wort" not in made.out
    [found] = department["datasets"].values()
    assert found["table"] == "register.wage_finding"
    assert found["record"]["id"] == "file_no"
    fields = made.parts[1]["datasets"]["wage-finding"]["fields"]
    assert (fields["seen"]["type"], fields["settled"]["type"]) == ("DateTime", "Boolean")
    assert fields["unpaid"] == {"type": "Decimal", "title": "Unpaid amount"}
    for name, why in [("told", "no offset"), ("mark", "no text"), ("more", "JSONB"), ("picture", "BYTEA")]:
        assert why in made.line(f"passed over: `{name}`")
    missing = run("tax", "--tables", url, "--table", "register.nothing", "--config", config)
    assert (missing.status, "there is no table or view `register.nothing`" in missing.err) == (1, True)
    server.drop(database)


def test_a_table_of_mariadb(config: Path, pytestconfig: pytest.Config) -> None:
    maria = kept_running(pytestconfig)
    database = maria.database()
    maria.run(database, TABLE.format(name="wage_finding", moment="TIMESTAMP", bytes="BLOB"))
    maria.run(database, "ALTER TABLE wage_finding ADD told DATETIME")
    made = run("tax", "--tables", maria.url(database), "--table", "wage_finding", "--config", config)
    department = made.parts[0]["tax"]
    assert (department["url"], department["password_file"]) == (maria.url(database), None)
    [found] = department["datasets"].values()
    assert (found["table"], found["record"]["id"]) == ("wage_finding", "file_no")
    fields = made.parts[1]["datasets"]["wage-finding"]["fields"]
    assert (fields["seen"]["type"], fields["settled"]["type"], fields["workers"]["type"]) == (
        "DateTime",
        "Boolean",
        "Int",
    )
    assert "no offset" in made.line("passed over: `told`")
    maria.run("mysql", f"DROP DATABASE {database}")


@pytest.mark.parametrize(
    ("url", "table", "why"),
    [
        ("sqlite:///nowhere.db", "t", "cannot be read"),
        ("sqlite:///:memory:", "t", "must be `sqlite:///`"),
        ("oracle://x", "t", "must name"),
        ("postgresql+psycopg://u:secret@127.0.0.1:1/x", "t", "a password does not belong here"),
        ("postgresql+psycopg://u@127.0.0.1:1/x", "t", "cannot be read"),
        ("nonsense", "t", "must be a database address"),
        ("", "t", "name a database"),
        ("sqlite:///register.db", "t; DROP TABLE x", "is no table that"),
        ("sqlite:///register.db", "missing", "there is no table or view"),
        ("sqlite:///register.db", "medical_records", "health data"),
    ],
)
def test_what_cannot_be_read_is_told(config: Path, url: str, table: str, why: str) -> None:
    with sqlite3.connect(config.parent / "register.db") as connection:
        connection.execute("CREATE TABLE medical_records (id TEXT)")
    connection.close()
    made = run("tax", "--tables", url, "--table", table, "--config", config)
    assert (made.status, made.out) == (1, "")
    assert why in made.err
    assert "secret" not in made.err
    assert not (config.parent / "nowhere.db").exists()
