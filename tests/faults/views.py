"""A department that is a database: its datasets as views over one table of subjects, and what can be wrong with them.

A mood is another definition of a dataset's view: other columns, or more behind its FROM.
"""

from __future__ import annotations

from collections.abc import Mapping

from gateway.catalogue.model import Dataset

WELL = {
    "m_id": "'R-1'", "m_version": "'1'", "m_document": "'D-' || value", "m_effective": "{date}'2026-10-01'",
    "m_scheme": "scheme", "m_subject": "value",
}  # fmt: skip
TYPES = {
    "String": "'text'", "Int": "7", "Boolean": "{true}", "Decimal": "12.5", "Date": "{date}'2026-01-02'",
    "DateTime": "{moment}'2026-01-02T03:04:05+00:00'",
}  # fmt: skip
WORDS = {
    "sqlite": {"{date}": "", "{moment}": "", "{true}": "1", "{none}": "NULL"},
    "postgresql": {"{date}": "date ", "{moment}": "timestamptz ", "{true}": "true", "{none}": "NULL::text"},
    # A moment is a column of its own: there is no other way to write one.
    "mariadb": {"{date}": "date ", "{moment}'2026-01-02T03:04:05+00:00'": "moment", "{true}": "true", "{none}": "NULL"},
}

SUBJECTS = "CREATE TABLE IF NOT EXISTS subject (scheme varchar(20), value varchar(40) PRIMARY KEY{more})"
MORE = {"mariadb": ", moment timestamp DEFAULT '2026-01-02 03:04:05'"}
"""The table of subjects, and what more there is of it."""

Changes = tuple[Mapping[str, str], str]
"""Columns by name, or by a type: then of the first field of the type; and what stands behind FROM."""

_NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"
COLUMNS: Mapping[str, Mapping[str, Changes]] = {
    "sqlite": {
        "no id": ({"m_id": "NULL"}, ""),
        "no day": ({"m_effective": "'2026-02-31'"}, ""),
        "infinity": ({"m_effective": "'infinity'"}, ""),
        "five digits": ({"m_effective": "'12026-01-02'"}, ""),
        "an overflow": ({"m_version": "abs(-9223372036854775807 - 1)"}, ""),
        "an infinite decimal": ({"Decimal": "9e999"}, ""),
        "a word as decimal": ({"Decimal": "'twelve'"}, ""),
        "underscores": ({"Decimal": "'1_000'"}, ""),
        "2 for true": ({"Boolean": "2"}, ""),
        "not UTF-8": ({"m_document": "CAST(x'ff6f' AS TEXT)"}, ""),
        "a blob": ({"m_document": "x'6162'"}, ""),
        "30 MB": ({"m_document": "replace(hex(zeroblob(15000000)), '0', 'x')"}, ""),
        "many large rows": (
            {"m_document": "printf('%.*c', 1000000, 'x')"}, f", ({_NUMBERS} SELECT i FROM n LIMIT 64)"
        ),
        "many rows": ({}, f", ({_NUMBERS} SELECT i FROM n LIMIT 5000)"),
        "endless": ({}, f", ({_NUMBERS} SELECT i FROM n WHERE i < 0)"),
        "two contents": ({"m_document": "i"}, ", (SELECT 'a' AS i UNION SELECT 'b')"),
    },
    "postgresql": {
        "no id": ({"m_id": "NULL::text"}, ""),
        "infinity": ({"m_effective": "date 'infinity'"}, ""),
        "before Christ": ({"m_effective": "date '0044-03-15 BC'"}, ""),
        "five digits": ({"m_effective": "date '12026-01-02'"}, ""),
        "a division by zero": ({"m_version": "(1 / (length(value) - length(value)))::text"}, ""),
        "NaN": ({"Decimal": "numeric 'NaN'"}, ""),
        "an infinite decimal": ({"Decimal": "numeric 'Infinity'"}, ""),
        "underscores": ({"Decimal": "'1_000'::text"}, ""),
        "1 for true": ({"Boolean": "1"}, ""),
        "bytes": ({"m_document": "'\\x6162'::bytea"}, ""),
        "30 MB": ({"m_document": "repeat('x', 30000000)"}, ""),
        "many large rows": ({"m_document": "repeat('x', 1000000)"}, ", generate_series(1, 64)"),
        "many rows": ({}, ", generate_series(1, 5000)"),
        "endless": ({}, ", pg_sleep(60)"),
        "two contents": ({"m_document": "i"}, ", (VALUES ('a'), ('b')) AS n(i)"),
    },
    "mariadb": {
        "no id": ({"m_id": "NULL"}, ""),
        "no day": ({"m_effective": "date '0000-00-00'"}, ""),
        "an overflow": ({"m_version": "18446744073709551615 + length(value)"}, ""),
        "several for one": ({"m_version": "(SELECT '1' UNION SELECT value)"}, ""),
        "a word as decimal": ({"Decimal": "'twelve'"}, ""),
        "underscores": ({"Decimal": "'1_000'"}, ""),
        "2 for true": ({"Boolean": "2"}, ""),
        "a moment without a zone": ({"DateTime": "timestamp '2026-01-02 03:04:05'"}, ""),
        "bytes": ({"m_document": "x'6162'"}, ""),
        "30 MB": ({"m_document": "repeat('x', 30000000)"}, ""),
        "many large rows": ({"m_document": "repeat('x', 1000000)"}, ", seq_1_to_64"),
        "many rows": ({}, ", seq_1_to_5000"),
        "endless": ({}, ", (SELECT sleep(60) AS i) AS n"),
        "two contents": ({"m_document": "i"}, ", (SELECT 'a' AS i UNION SELECT 'b') AS n"),
    },
    "postgresql-ascii": {"not UTF-8": ({"m_document": "convert_from('\\xff6f', 'SQL_ASCII')"}, "")},
}  # fmt: skip


def definition(kind: str, dataset: Dataset, mood: str) -> list[str]:
    """The statements that make the dataset's view anew."""
    words = WORDS[kind.partition("-")[0]]
    changes, behind = COLUMNS[kind].get(mood, ({}, ""))
    fields = {field.name: TYPES[str(field.type)] for field in dataset.fields.values()}
    named = {}
    for name, value in changes.items():
        if name in TYPES:
            of_type = [field.name for field in dataset.fields.values() if str(field.type) == name]
            name, value = (of_type[0], value) if of_type else ("m_id", "{none}")
        named[name] = value
    listed = ", ".join(f'{_filled(value, words)} AS "{name}"' for name, value in {**WELL, **fields, **named}.items())
    view = dataset.id.replace("-", "_")
    dropped = f"DROP VIEW IF EXISTS {view}"
    if mood == "no table":
        return [dropped]
    return [dropped, f"CREATE VIEW {view} AS SELECT {listed} FROM subject{behind}"]


def _filled(text: str, words: Mapping[str, str]) -> str:
    for word, meant in words.items():
        text = text.replace(word, meant)
    return text
