"""`gateway/storage/SQL.md` lists what the store's statements use of PostgreSQL, and nothing that none of them uses."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.storage.store import open_store
from tests.docs.reading import ROOT
from tests.services import PROGRAMS, Postgres, postgres
from tests.storage.conftest import Place
from tests.storage.features import statements
from tests.storage.features.found import features
from tests.storage.office import LEI, SAID, Office

PAGE = ROOT / "gateway" / "storage" / "SQL.md"
OF_THE_TESTS = re.compile(r"(CREATE|DROP) DATABASE|ALTER SYSTEM|SELECT pg_(reload_conf|promote)|SHOW (?!fsync)\w+$")


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with postgres(fsync="on", **statements.LOGGED) as made:
        yield made


def _journey(office: Office) -> None:
    """Facts, inquiries, what people do by commands, projections, an erasure, a backup, keys, and a whole check."""
    office.populate()
    assert office.verify() == 0, office.err
    office.ran("backup", "--out", "copy")
    office.ran("ledger", "hold", "place", "--subject", LEI, *SAID)
    assert office.bare("store", "key", "--out", "store.key") == 0
    with office.config.open("a") as file:
        file.write("store_key_file: store.key\n")
    office.place.close()
    office.ran("store", "migrate", "--finish")


def test_the_page_has_what_statements_use_and_no_more(
    server: Postgres,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{PROGRAMS}{os.pathsep}{os.environ['PATH']}")
    place = Place(server.url(server.database()), server)
    open_store(place.url, single_node=True).close()
    try:
        _journey(Office(place, tmp_path, capsys))
    finally:
        place.close()
    server.stop()
    run = statements.logged(server.folder)
    assert any("unnest" in each for each in run), "the ledger's commits are in the log"
    found: dict[str, str] = {}
    for where, statement in [*(("run", each) for each in run), *statements.written()]:
        if not OF_THE_TESTS.match(statement):
            found |= dict.fromkeys(features(statement), f"{where}: {' '.join(statement.split())[:300]}")
    found |= {feature: where for where, feature in statements.called()}
    listed = set(re.findall(r"^\| `([^`]+)` \|", PAGE.read_text("utf-8"), re.M))
    assert {name: found[name] for name in found.keys() - listed} == {}, "not on the page"
    assert listed - found.keys() == set(), "on the page, and used by no statement"


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("SELECT a FROM t WHERE b = 1 ORDER BY a LIMIT 3", set()),
        ("SELECT rank() OVER (ORDER BY a) FROM t", {"Window", "rank()"}),
        ("SELECT a FROM t FOR UPDATE SKIP LOCKED", {"FOR UPDATE SKIP LOCKED or NOWAIT"}),
        ("INSERT INTO t VALUES (1) ON CONFLICT (a) DO UPDATE SET a = 2", {"ON CONFLICT DO UPDATE"}),
        ("SELECT a FROM t WHERE c = now()", {"current_timestamp()"}),
        ("SELECT a FROM t WHERE (a, b) > (1, 2)", {"row comparison"}),
        ("LISTEN news", {"LISTEN"}),
        ("DO $$ BEGIN END $$", {"DO"}),
    ],
)
def test_a_feature_is_seen(statement: str, expected: set[str]) -> None:
    assert features(statement) == expected
