"""Deliveries of files as a watch sees them: what is gone, refused or due is found, and over once it is mended."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Any

import pytest

from connectors.base import Subject
from gateway import cli
from gateway.connecting.department import opened
from gateway.connecting.drifting import delivered
from gateway.storage.store import open_store
from gateway.storage.subjects import facts
from gateway.storage.watch.source_findings import findings
from tests.connecting.delivering.labour import FINDING, Labour


def deliver(labour: Labour, *rows: dict[str, object]) -> int:
    labour.hand_over(*rows)
    return cli.main(["source", "deliver", "--config", str(labour.gateway), "labour"])


def test_what_is_gone_or_refused_is_a_finding(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    labour = Labour(tmp_path)
    text = "\n".join(line for line in labour.gateway.read_text().splitlines() if not line.startswith("store:"))
    labour.gateway.write_text(f"{text}\nstore: sqlite:///watched.db\n")
    file = f"sqlite:///{labour.gateway.parent / 'watched.db'}"
    open_store(file).close()
    state = tmp_path / "watched.json"
    config = ["--config", str(labour.gateway), "--state", str(state)]

    def look() -> dict[str, Any]:
        """What does not fit of deliveries, by kind; the store holds exactly all that was found."""
        capsys.readouterr()
        cli.main(["source", "watch", "labour", *config, "--once", "--json"])
        told = json.loads(capsys.readouterr().out)["drifts"]
        store = open_store(file)
        with store.engine.connect() as connection:
            held = findings(connection)
        store.close()
        assert {each.finding: each.what for each in held} == {each["id"]: each["words"] for each in told}
        assert all("F-2" not in each.what and str(FINDING["id_value"]) not in each.what for each in held)
        return {each["kind"]: each for each in told if each["kind"] in ("vanished", "refused")}

    def withdraw(record: str) -> str:
        """The department reports that a record is withdrawn; the fact's id."""
        whom = Subject("organisation", str(FINDING["id_scheme"]), str(FINDING["id_value"]))
        store = open_store(file)
        made = facts.withdraw(store.engine, whom, "wage-arrears", record, datetime.datetime.now(datetime.UTC))
        store.close()
        return made.id

    second = {**FINDING, "file_no": "F-2"}
    assert deliver(labour, FINDING, second) == 0
    assert look() == {}
    assert deliver(labour, FINDING) == 0
    gone = look()["vanished"]
    assert (gone["dataset"], gone["department"]) == ("wage-arrears", "labour")
    assert "1 record is not in delivery 2" in gone["words"]
    withdraw("F-9")
    assert look()["vanished"]["since"] == gone["since"]
    taken_back = withdraw("F-2")
    assert look() == {}, "its withdrawal is reported"
    store = open_store(file)
    facts.end(store.engine, "withdrawal", taken_back, datetime.datetime.now(datetime.UTC))
    store.close()
    gone = look()["vanished"]
    assert deliver(labour, {**FINDING, "unpaid": "x"}) == 1
    found = look()
    assert {*found} == {"vanished", "refused"}
    assert (found["vanished"]["since"], found["refused"]["dataset"]) == (gone["since"], "")
    assert "delivery 3 is refused: wage.csv, row 2, column `unpaid`" in found["refused"]["words"]
    assert deliver(labour, FINDING, second) == 0
    assert look() == {}


async def test_the_next_delivery_is_due_before_the_last_one_is_too_old(tmp_path: Path) -> None:
    labour = Labour(tmp_path)
    assert deliver(labour, FINDING) == 0
    async with opened(labour.gateway, "labour") as found:
        (department,) = found.each

        def due(hours: float) -> list[tuple[tuple[str, ...], str]]:
            at = datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=hours)
            return [(each.key, each.kind) for each, _ in delivered.mismatches(department, at)]

        assert due(22) == []  # of 26 hours
        assert due(25) == due(30) == [(("max_age",), "ending")]
        (labour.index / "index.sqlite").chmod(0o600)
        (labour.index / "index.sqlite").write_bytes(b"no database, and long enough to be looked at" * 9)
        assert due(1) == [(("index",), "wrong")]
