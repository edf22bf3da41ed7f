"""Case registries in a database: what verifies, what is no answer, and what a configuration must say."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from connectors.base import Case, Subject
from connectors.case_sql import SqlCases, build
from connectors.kinds import CASES
from gateway.errors import Refusal
from gateway.inquiry.case import config
from tests.configured import secret
from tests.connectors.asking import places, written

ORG = ("LEI", "5493001KJTIIGC8Y1R12")
TABLES = """
CREATE TABLE court_case (number TEXT, is_open INTEGER, status TEXT);
CREATE TABLE party (case_no TEXT, id_type TEXT, id_no TEXT);
CREATE TABLE official (case_no TEXT, login TEXT);
INSERT INTO court_case VALUES ('C-1', 1, 'stayed'), ('C-2', 0, 'closed'), ('C-3', 1, 'open'), ('twice', 1, 'open'),
  ('twice', 1, 'open'), ('null', NULL, NULL), ('words', 'yes', 'open'), ('unnamed', 1, 'open');
INSERT INTO party VALUES ('C-1', 'LEI', '5493001KJTIIGC8Y1R12'), ('C-1', 'PIN', '1234567897'),
  ('C-2', 'LEI', '5493001KJTIIGC8Y1R12'), ('unnamed', 'LEI', NULL);
INSERT INTO official VALUES ('C-1', 'j.okafor'), ('C-1', 'r.haas'), ('C-2', 'j.okafor');
"""
CONFIG: dict[str, Any] = {
    "url": "sqlite:///cases.db",
    "cases": {"table": "court_case", "id": "number", "open": "is_open"},
    "subjects": {"table": "party", "case": "case_no", "scheme": "id_type", "value": "id_no"},
    "officials": {"table": "official", "case": "case_no", "official": "login"},
}


NUMBERS = {"table": "t", "id": "n", "open": {"column": "s", "values": 1}}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    connection = sqlite3.connect(tmp_path / "cases.db")
    connection.executescript(TABLES)
    connection.close()
    return tmp_path


def cases(folder: Path, **changes: Any) -> SqlCases:
    node = written(CONFIG | changes, folder)
    registry = build(node, 5.0)
    assert node.problems == []
    return registry


async def test_a_case_is_told_whole(folder: Path) -> None:
    registry = cases(folder)
    officials = frozenset({"j.okafor", "r.haas"})
    assert await registry.find("C-1", 5.0) == Case(True, frozenset({ORG, ("PIN", "1234567897")}), officials)
    assert await registry.find("C-2", 5.0) == Case(False, frozenset({ORG}), frozenset({"j.okafor"}))
    assert await registry.find("C-3", 5.0) == Case(True, frozenset(), frozenset())
    for unknown in ("C-9", "c-1", "C-1' OR '1'='1", "%"):
        assert await registry.find(unknown, 5.0) is None
    await registry.close()


async def test_open_can_be_certain_values_and_the_scheme_a_constant(folder: Path) -> None:
    told = {"open": {"column": "status", "values": ["open", "stayed"]}}
    registry = cases(folder, cases=CONFIG["cases"] | told, subjects=CONFIG["subjects"] | {"scheme": {"const": "LEI"}})
    found = [await registry.find(case, 5.0) for case in ("C-1", "C-2")]
    assert [case is not None and case.open for case in found] == [True, False]
    assert found[1] is not None
    assert found[1].subjects == {ORG}
    await registry.close()


@pytest.mark.parametrize("case", ["twice", "null", "words", "unnamed"])
async def test_what_is_not_as_mapped_is_no_answer(folder: Path, case: str) -> None:
    registry = cases(folder)
    with pytest.raises(ValueError, match=r"not one case|neither true|another type"):
        await registry.find(case, 5.0)
    await registry.close()


async def test_nothing_can_be_written_and_no_database_is_made(folder: Path) -> None:
    registry = cases(folder)
    with pytest.raises(Exception, match="readonly"), registry._readers._engine.connect() as connection:
        connection.exec_driver_sql("DELETE FROM court_case")
    await registry.close()
    nowhere = cases(folder, url="sqlite:///nowhere.db")
    with pytest.raises(Exception, match="unable to open"):
        await nowhere.find("C-1", 5.0)
    await nowhere.close()
    assert not (folder / "nowhere.db").exists()


@pytest.mark.parametrize(
    ("change", "path", "says"),
    [
        ({"url": "mysql://x"}, ("url",), "`sqlite`, `postgresql` or `mariadb`"),
        ({"cases": None}, (), "`cases` is missing"),
        ({"cases": {"table": "a b", "id": "number", "open": "is_open"}}, ("cases", "table"), "name of a table or view"),
        ({"cases": {"table": "court_case", "id": "n;", "open": "is_open"}}, ("cases", "id"), "name of a column"),
        ({"cases": NUMBERS}, ("cases", "open", "values"), "must be a list"),
        ({"subjects": {"table": "p", "case": "c", "value": "v"}}, ("subjects",), "`scheme` is missing"),
        ({"officials": {"table": "p", "case": "c", "login": "v"}}, ("officials", "login"), "unknown key `login`"),
    ],
)  # fmt: skip
def test_a_wrong_configuration_says_where_and_what_instead(
    folder: Path, change: dict[str, Any], path: tuple[str, ...], says: str
) -> None:
    node = written(CONFIG | change, folder)
    build(node, 5.0)
    assert places(node, says) == [".".join(path)], node.problems


async def test_a_registry_in_a_database_verifies_like_any_other(folder: Path) -> None:
    node = written({"courts": {"kind": "case-sql", "cache": "0s", **CONFIG}}, folder)
    registries = config.build(node, CASES)
    assert node.problems == []
    org = Subject("organisation", *ORG)
    await registries.verify("courts", "C-1", "j.okafor", [org])
    for case, official, says in (
        ("C-1", "m.ivanova", "case `C-1` is not assigned to the official who asks"),
        ("C-2", "j.okafor", "case `C-2` is closed"),
        ("C-9", "j.okafor", "case `C-9` is unknown to its registry"),
        ("twice", "j.okafor", "the registry of case `twice` cannot be reached or understood now; ask again later"),
    ):
        with pytest.raises(Refusal) as refused:
            await registries.verify("courts", case, official, [org])
        assert refused.value.message == says
    (folder / "cases.db").unlink()
    await registries.close()


def test_a_webhooks_secret_is_read_from_its_file(tmp_path: Path) -> None:
    good, short = tmp_path / "good", tmp_path / "short"
    secret(good, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\nwhsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSx\n")
    secret(short, "whsec_AAAA\n")
    for file, expected in ((good, 0), (short, 1), (tmp_path / "none", 1)):
        given = {"kind": "case-rest", "url": "https://cases.example", "webhook": {"secret_file": str(file)}}
        node = written({"market": given})
        registries = config.build(node, CASES)
        assert len(node.problems) == expected
        assert len(registries.webhook_secrets.get("market", ())) == (2 if expected == 0 else 0)
