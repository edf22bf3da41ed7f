"""What only a real MariaDB can show of the `sql` kind: its sessions, its comparing, its types and its encryption."""

from __future__ import annotations

import datetime
import time
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError

from connectors import case_sql, sql
from connectors.base import Case, DatasetShape, Examined, Failure, Fault, Faulty, FieldType, Outcome, Subject
from connectors.database.opening import open_engine, protect
from tests.connectors.asking import ask, fetch, places, told, written
from tests.connectors.certificates import Authority
from tests.mariadb import MariaDB, kept_running, mariadb
from tests.waiting import until, until_async

ABC, LOWER, BLANK, UMLAUT = (Subject("organisation", "LEI", value) for value in ("ABC", "abc", "ABC ", "ÄBC"))
TYPES = {"text": "String", "number": "Int", "flag": "Boolean", "amount": "Decimal", "day": "Date", "moment": "DateTime"}
SHAPES = {name: DatasetShape(name, {f: FieldType(t) for f, t in TYPES.items()}) for name in ("facts", "others")}
COLUMNS = """no varchar(20), rev char(8), paper char(12), scheme varchar(20), value varchar(40), text varchar(40),
    number int, flag tinyint(1), amount decimal(40, 10), day date, moment timestamp(6) NULL"""
ROW = "'2', 'D-1', 'LEI', 'ABC', 'text', 7, TRUE, 12.50, '2026-01-02', '2026-01-02 03:04:05.123456'"


@pytest.fixture(scope="session")
def server(pytestconfig: pytest.Config) -> MariaDB:
    return kept_running(pytestconfig)


@pytest.fixture
def database(server: MariaDB) -> str:
    """Both tables, with one good row."""
    name = server.database()
    server.run(name, f"CREATE TABLE facts ({COLUMNS}, KEY (value))", f"CREATE TABLE others ({COLUMNS})")
    server.run(name, *(f"INSERT INTO {table} VALUES ('R-1', {ROW})" for table in SHAPES))
    return name


def config(url: str, **more: Any) -> dict[str, Any]:
    record = {"id": "no", "version": "rev", "document": "paper", "subject": {"scheme": "scheme", "value": "value"}}
    datasets = {name: {"table": name, "record": record, "fields": {f: f for f in TYPES}} for name in SHAPES}
    return {"kind": "sql", "url": url, "datasets": datasets, **more}


async def got(url: str, *subjects: Subject, fields: str = "text", **more: Any) -> dict[Subject, Outcome]:
    """What the department says of `facts`."""
    node = written(config(url, **more))
    connector = sql.build(node, SHAPES)
    assert node.problems == []
    try:
        outcomes = await fetch(connector, ask("facts", fields, *subjects))
        return {subject: outcomes[subject, "facts"] for subject in subjects}
    finally:
        await connector.close()


async def problems(url: str, **more: Any) -> list[str]:
    """What `check --connect` finds."""
    node = written(config(url, **more))
    connector = sql.build(node, SHAPES)
    assert node.problems == []
    assert isinstance(connector, Examined)
    try:
        return list(await connector.examine())
    finally:
        await connector.close()


async def test_each_type_is_read_as_what_it_is(server: MariaDB, database: str) -> None:
    (record,) = told((await got(server.url(database), ABC, fields=" ".join(TYPES)))[ABC], *TYPES)
    moment = datetime.datetime(2026, 1, 2, 3, 4, 5, 123456, datetime.UTC)
    assert record == ("text", 7, True, "12.5000000000", datetime.date(2026, 1, 2), moment)
    assert str(record[3]) == "12.5000000000"
    (about,) = (await got(server.url(database), ABC))[ABC]  # type: ignore[misc]
    assert (about.m_id, about.m_version, about.m_document) == ("R-1", "2", "D-1")


async def test_text_is_whole_whatever_the_columns_characters(server: MariaDB, database: str) -> None:
    server.run(database, "ALTER TABLE facts MODIFY text varchar(40) CHARACTER SET latin1")
    server.run(database, "UPDATE facts SET text = 'Straße', no = '𝄞-1'")
    outcome = (await got(server.url(database), ABC))[ABC]
    assert told(outcome, "text") == [("Straße",)]
    assert not isinstance(outcome, Failure)
    assert outcome[0].m_id == "𝄞-1"


@pytest.mark.parametrize("of", ["text CHARACTER SET latin1", "text CHARACTER SET utf16", "blob"])
async def test_bytes_are_counted_as_they_are_sent(server: MariaDB, database: str, of: str) -> None:
    server.run(database, f"ALTER TABLE facts MODIFY text long{of}")
    server.run(database, "UPDATE facts SET text = REPEAT('ü', 5000)")  # 10,000 bytes in UTF-8
    small = (await got(server.url(database), ABC, limits={"max_bytes": "9KiB"}))[ABC]
    assert isinstance(small, Failure)
    assert small.fault is Fault.INVALID
    assert not isinstance((await got(server.url(database), ABC, limits={"max_bytes": "11KiB"}))[ABC], Failure)


@pytest.mark.parametrize(
    ("column", "type_", "value"),
    [
        ("flag", "tinyint(1)", "2"), ("flag", "bit(1)", "b'1'"), ("flag", "varchar(5)", "'true'"),
        ("moment", "datetime", "'2026-01-02 03:04:05'"), ("moment", "timestamp NULL", "'0000-00-00 00:00:00'"),
        ("day", "date", "'0000-00-00'"), ("day", "date", "'2026-02-00'"), ("day", "datetime", "'2026-01-02'"),
        ("day", "time", "'03:04:05'"), ("amount", "varchar(9)", "'1_000'"), ("amount", "varbinary(9)", "'12'"),
        ("number", "bigint", "2147483648"), ("number", "decimal(3,1)", "7.0"), ("text", "varbinary(9)", "x'ff'"),
        ("text", "int", "5"), ("paper", "blob", "'D-1'"),
    ],
)  # fmt: skip
async def test_any_other_type_makes_a_record_faulty(
    server: MariaDB, database: str, column: str, type_: str, value: str
) -> None:
    server.run(
        database, f"ALTER TABLE facts DROP {column}, ADD {column} {type_}", f"UPDATE facts SET {column} = {value}"
    )
    outcome = (await got(server.url(database), ABC, fields="text" if column == "paper" else column))[ABC]
    assert not isinstance(outcome, Failure)
    assert [type(record) for record in outcome] == [Faulty]


async def test_a_subject_is_compared_character_by_character(server: MariaDB, database: str) -> None:
    """The columns' own collation takes each of these for any other."""
    for number, subject in enumerate((LOWER, BLANK, UMLAUT), 2):
        server.run(database, f"INSERT INTO facts SELECT 'R-{number}', {ROW.replace('ABC', subject.value)}")
    server.run(database, f"INSERT INTO facts SELECT 'R-5', {ROW.replace('LEI', 'lei')}")
    subjects = (ABC, LOWER, UMLAUT)
    together = await got(server.url(database), *subjects)
    alone = {subject: (await got(server.url(database), subject))[subject] for subject in subjects}
    for outcomes in (together, alone):
        ids = {
            subject: [] if isinstance(outcome, Failure) else [record.m_id for record in outcome]
            for subject, outcome in outcomes.items()
        }
        assert ids == {ABC: ["R-1"], LOWER: ["R-2"], UMLAUT: ["R-4"]}


async def test_an_index_of_the_column_serves(server: MariaDB, database: str) -> None:
    server.run(database, f"INSERT INTO facts SELECT seq, {ROW.replace('ABC', 'X')} FROM seq_1_to_1000")
    node = written(config(server.url(database)))
    connector = sql.build(node, SHAPES)
    statement, _ = connector._tables["facts"].statement(("text",))  # type: ignore[attr-defined]
    engine = connector._readers._engine  # type: ignore[attr-defined]

    @event.listens_for(engine, "before_cursor_execute", retval=True)
    def explain(_connection: Any, _cursor: Any, text: str, parameters: Any, *_: Any) -> tuple[str, Any]:
        return text.replace("SELECT", "EXPLAIN SELECT", 1), parameters

    with engine.connect() as connection:
        cursor = connection.execute(statement, {"values": ["ABC"], "scheme": "LEI"}).cursor
        names = [column[0] for column in cursor.description]
        plan = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    assert [row["key"] for row in plan if row["table"] == "facts"] == ["value"], plan
    await connector.close()


@pytest.mark.parametrize(
    "text", ["DELETE FROM facts", "CREATE TABLE x (y int)", "DROP TABLE facts", "SELECT nextval(s)"]
)
def test_nothing_can_be_written_even_by_an_account_that_may(server: MariaDB, database: str, text: str) -> None:
    server.run(database, "CREATE SEQUENCE s")
    url = server.url(database).replace("gateway@", "root@")
    engine = open_engine(written({"url": url}).mapping(any_key=True), 1, 5.0)
    with engine.connect() as connection:
        protect(connection, time.monotonic() + 30)
        with pytest.raises(DBAPIError, match="READ ONLY transaction"):
            connection.exec_driver_sql(text)
    engine.dispose()


async def test_all_of_an_inquiry_is_of_one_moment(server: MariaDB, database: str) -> None:
    engine = open_engine(written({"url": server.url(database)}).mapping(any_key=True), 1, 5.0)
    with engine.connect() as connection:
        protect(connection, time.monotonic() + 30)
        server.run(database, "UPDATE others SET text = 'new'")
        assert connection.exec_driver_sql("SELECT text FROM others").all() == [("text",)]
    engine.dispose()


async def test_a_statement_without_end_is_ended_and_the_connection_serves_on(server: MariaDB, database: str) -> None:
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT 1 - i FROM n) SELECT facts.* FROM facts, n WHERE i > 1"
    server.run(database, "SET GLOBAL max_recursive_iterations = 4294967295")
    server.run(database, f"CREATE VIEW slow AS {endless}")
    slow = config(server.url(database), limits={"timeout": "300ms", "concurrency": 1, "breaker": {"failures": 100}})
    slow["datasets"]["facts"]["table"] = "slow"
    connector = sql.build(written(slow), SHAPES)
    failure = (await fetch(connector, ask("facts", "text", ABC)))[ABC, "facts"]
    assert isinstance(failure, Failure)
    assert failure.fault is Fault.TIMEOUT

    async def answered() -> bool:
        return not isinstance((await fetch(connector, ask("others", "text", ABC)))[ABC, "others"], Failure)

    await until_async("an answer", answered)
    await connector.close()
    running = f"SELECT 1 FROM information_schema.processlist WHERE db = '{database}' AND info LIKE '%slow%recursive%'"
    until("the statement to end", lambda: not _rows(server, running))


def _rows(server: MariaDB, statement: str) -> Any:
    with server.connect("mysql") as connection, connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall()


async def test_a_part_fails_alone_and_what_is_missing_is_named(server: MariaDB, database: str) -> None:
    assert await problems(server.url(database)) == []
    server.run(database, "ALTER TABLE facts RENAME COLUMN text TO other", "INSERT INTO others SELECT * FROM others")
    outcome = (await got(server.url(database), ABC))[ABC]
    assert isinstance(outcome, Failure)
    assert (outcome.fault, outcome.retryable) == (Fault.UNAVAILABLE, False)
    (said,) = await problems(server.url(database))
    assert said.startswith("`facts`: ")
    assert "Unknown column 'facts.text'" in said


async def test_a_view_whose_table_changed_fails_alone_and_for_good(server: MariaDB, database: str) -> None:
    server.run(database, "RENAME TABLE facts TO held", "CREATE VIEW facts AS SELECT * FROM held")
    server.run(database, "ALTER TABLE held RENAME COLUMN text TO other")
    outcome = (await got(server.url(database), ABC))[ABC]
    assert isinstance(outcome, Failure)
    assert (outcome.fault, outcome.retryable) == (Fault.UNAVAILABLE, False)


async def test_an_account_whose_password_had_expired_is_served_again(server: MariaDB, database: str) -> None:
    """A session from meanwhile is alive, and refuses everything as long as it lives."""
    who = "expiring@'127.0.0.1'"
    server.run(database, f"CREATE OR REPLACE USER {who}", f"GRANT SELECT ON {database}.* TO {who}")
    connector = sql.build(written(config(server.url(database).replace("gateway@", "expiring@"))), SHAPES)

    async def outcome() -> Outcome:
        return (await fetch(connector, ask("facts", "text", ABC)))[ABC, "facts"]

    try:
        assert told(await outcome(), "text") == [("text",)]
        server.run(database, f"ALTER USER {who} PASSWORD EXPIRE", f"KILL USER {who}")
        refused = await outcome()
        assert isinstance(refused, Failure)
        assert refused.fault is Fault.UNAVAILABLE
        server.run(database, f"SET PASSWORD FOR {who} = ''")
        assert told(await outcome(), "text") == [("text",)]
    finally:
        await connector.close()


@pytest.mark.parametrize("on", ["*.*", "{database}.*", "{database}.facts"])
async def test_an_account_that_could_write_is_reported(server: MariaDB, database: str, on: str) -> None:
    server.run(database, "CREATE OR REPLACE USER writer@'127.0.0.1'", "GRANT SELECT ON *.* TO writer@'127.0.0.1'")
    url = server.url(database).replace("gateway@", "writer@")
    assert await problems(url) == []
    server.run(database, f"GRANT DELETE, INSERT ON {on.format(database=database)} TO writer@'127.0.0.1'")
    said = "the account may do more than read (`INSERT`, `DELETE`); let it have `SELECT` alone"
    assert await problems(url) == [said]


async def test_names_that_are_words_of_sql_are_quoted(server: MariaDB) -> None:
    name = server.database()
    server.run(name, 'CREATE TABLE "Order" ("key" text, "rank" text, "group" text, "SELECT" text)')
    server.run(name, """INSERT INTO "Order" VALUES ('R-1', '1', 'ABC', 'text')""")
    record = {"id": "key", "version": "rank", "subject": {"scheme": {"const": "LEI"}, "value": "group"}}
    shape = DatasetShape("facts", {"text": FieldType.STRING})
    mapped = {"facts": {"table": f"{name}.Order", "record": record, "fields": {"text": "SELECT"}}}
    node = written({"kind": "sql", "url": server.url(name), "datasets": mapped})
    connector = sql.build(node, {"facts": shape})
    assert node.problems == []
    assert told((await fetch(connector, ask("facts", "text", ABC)))[ABC, "facts"], "text") == [("text",)]
    await connector.close()


@pytest.mark.parametrize("value", ["' OR 1=1 -- ", "\\' OR 1=1 -- ", "ABC\\", "%", "%s", '" OR ""="', "ABC\0"])
async def test_an_identifier_is_never_part_of_the_statement(server: MariaDB, database: str, value: str) -> None:
    sly = Subject("organisation", "LEI", value)
    assert await got(server.url(database), sly) == {sly: []}
    assert await got(server.url(database), Subject("organisation", value, "ABC")) == {
        Subject("organisation", value, "ABC"): []
    }


async def test_a_case_is_compared_so_too(server: MariaDB) -> None:
    name = server.database()
    server.run(
        name,
        "CREATE TABLE court_case (number varchar(20), is_open boolean)",
        "CREATE TABLE party (case_no varchar(20), id_type text, id_no text)",
        "CREATE TABLE official (case_no varchar(20), login text)",
        "INSERT INTO court_case VALUES ('C-1', TRUE), ('c-1', FALSE)",
        "INSERT INTO party VALUES ('C-1', 'LEI', 'ABC'), ('c-1', 'LEI', 'OTHER')",
        "INSERT INTO official VALUES ('C-1', 'j.okafor'), ('c-1', 'r.haas')",
    )
    given = {
        "url": server.url(name),
        "cases": {"table": "court_case", "id": "number", "open": "is_open"},
        "subjects": {"table": "party", "case": "case_no", "scheme": "id_type", "value": "id_no"},
        "officials": {"table": "official", "case": "case_no", "official": "login"},
    }
    registry = case_sql.build(written(given), 5.0)
    assert await registry.find("C-1", 5.0) == Case(True, frozenset({("LEI", "ABC")}), frozenset({"j.okafor"}))
    assert await registry.find("C-1 ", 5.0) is None
    assert await registry.examine() == []
    await registry.close()


async def test_a_servers_certificate_is_verified(tmp_path: Path) -> None:
    good, other = Authority(tmp_path, "good"), Authority(tmp_path, "other")
    with mariadb(good.issue("server")) as server:
        database = server.database()
        server.run(database, *(f"CREATE TABLE {table} ({COLUMNS})" for table in SHAPES))
        server.run(database, "CREATE USER reader@'127.0.0.1' REQUIRE SSL", "GRANT SELECT ON *.* TO reader@'127.0.0.1'")
        url = server.url(database).replace("gateway@", "reader@")
        trusted = {"ca_file": str(good.ca_file)}
        assert await problems(url, tls=trusted) == []
        for told_of, tls, words in (
            (url, None, "Access denied"),
            (url, {"ca_file": str(other.ca_file)}, "certificate verify failed"),
            (url.replace("127.0.0.1", "localhost"), trusted, "certificate verify failed"),
        ):
            (said,) = await problems(told_of, tls=tls)
            assert words in said


async def test_a_password_stands_in_a_file(server: MariaDB, database: str, tmp_path: Path) -> None:
    server.run(database, "CREATE OR REPLACE USER reader@'127.0.0.1' IDENTIFIED BY 'päss\"w%rd'")
    server.run(database, "GRANT SELECT ON *.* TO reader@'127.0.0.1'")
    url = server.url(database).replace("gateway@", "reader@")
    secret = tmp_path / "secret"
    for text, well in (('päss"w%rd', True), ("other", False)):
        secret.touch(mode=0o600)
        secret.write_text(text)
        outcome = (await got(url, ABC, password_file=str(secret)))[ABC]
        assert isinstance(outcome, Failure) != well


URL = "mariadb+pymysql://gateway@db.example/tax"


@pytest.mark.parametrize(
    ("change", "where", "words"),
    [
        ({"url": "mysql+pymysql://u@h/d"}, ("url",), "`sqlite`, `postgresql` or `mariadb`"),
        ({"url": "mariadb+mysqldb://u@h/d"}, ("url",), "is not the driver here; write `mariadb+pymysql://`"),
        ({"url": "mariadb+aiomysql://u@h/d"}, ("url",), "is not the driver here"),
        ({"url": "mariadb+pymysql://u:secret@h/d"}, ("url",), "password_file"),
        ({"url": f"{URL}?ssl_disabled=true"}, ("url",), "encryption is the key `tls`"),
        ({"tls": {"ca_file": "none"}}, ("tls", "ca_file"), "there is no file"),
        ({"tls": {"ca_file": "text"}}, ("tls", "ca_file"), "must be PEM"),
        ({"tls": {"verify": False}}, ("tls", "verify"), "unknown key"),
        ({"tls": {"cert_file": "text"}}, ("tls",), "stand together"),
        ({"url": "sqlite:///tax.db", "tls": {}}, ("tls",), "is for MariaDB"),
        ({"url": "postgresql+psycopg://u@h/d", "allow_plain": True}, ("allow_plain",), "is for MariaDB"),
    ],
)
def test_a_wrong_configuration_says_where_and_what(
    change: dict[str, Any], where: tuple[str, ...], words: str, tmp_path: Path
) -> None:
    (tmp_path / "text").write_text("no certificate")
    node = written({**config(URL), **change}, tmp_path)
    sql.build(node, SHAPES)
    assert places(node, words) == [".".join(where)], node.problems
    assert "u:secret" not in str(node.problems)
