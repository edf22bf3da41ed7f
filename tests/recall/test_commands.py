"""`dutybound recalls list` and `report`, as they are typed: the look is entered in the ledger, and no subject is"
" named."""

from __future__ import annotations

import base64
import contextlib
import csv
import io
import shutil
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert

from gateway import cli
from gateway.ledger.entry import entries
from gateway.ledger.proof import key_files
from gateway.ledger.stored import read
from gateway.storage.port import Store
from gateway.storage.recall.recalls import recall, work
from gateway.storage.recall.work import delivery_stop, lane_of, to_deliver
from gateway.storage.store import open_copy, open_store
from gateway.storage.subjects.facts import fact
from gateway.storage.tables import micros
from tests import configured
from tests.docs.reading import ROOT
from tests.ledger.support import AT
from tests.recall.reporting.histories import BEGIN, DEPARTMENTS, SUBJECTS, Recalled, acts, entered
from tests.recall.reporting.test_report import HISTORY
from tests.stores import store_at

DAY = 86_400_000_000
ISSUER = "http://127.0.0.1:9"
HOOK = "recalls: {url: 'https://{}.example/recalls', secret_file: hook.secret}"
ROWS: list[dict[str, Any]] = [
    {"client": "market-regulator", "due": 3, "state": "open", "delivered": micros(AT)},
    {"client": "market-regulator", "due": 1, "state": "overdue"},
    {"client": "labour-office", "due": 2, "state": "open", "outcome": "refused", "delivered": micros(AT)},
    {"client": "market-regulator", "due": 4, "state": "open", "work": True},
    {"client": "labour-office", "due": 5, "state": "open", "work": True},
    {"client": "tax-service", "due": 6, "state": "open"},
    {"client": "long-gone", "due": 7, "state": "open"},
    {"client": "succeeded", "due": 8, "state": "open"},
    {"client": "labour-office", "due": 0, "state": "acknowledged", "outcome": "applied"},
]
"""Recalls. Two clients are told by webhooks, of which one wanted nothing more; one asks for its recalls itself."""


def rows(store: Store) -> None:
    common = {"issuer": ISSUER, "place": 1, "inquiry": "i", "purpose": "LICENCE"}
    about = {"scheme": "LEI", "value": SUBJECTS[0], "records": '[{"record": "N-1"}]', "dataset": "tax-arrears"}
    with store.engine.begin() as connection:
        for number, row in enumerate(ROWS):
            own = {"id": f"{number:032x}", "sequence": number, "job": f"j-{number}", "action": "delete", "filed_in": 1}
            due = {"at": micros(AT), "due": micros(AT) + row["due"] * DAY}
            kept = {name: each for name, each in row.items() if name != "work"}
            connection.execute(insert(recall).values({**common, **about, **kept, **own, **due}))
            if "work" in row:
                connection.execute(insert(work).values(to_deliver(own["id"], ISSUER, row["client"], 1)))
        lane = {"lane": lane_of(ISSUER, "labour-office"), "at": 1, "filed_in": 1}
        connection.execute(insert(delivery_stop).values(lane))
        for number, (purpose, ended) in enumerate((("LICENCE", None), ("TAXES", 9))):
            of = {"dataset": "tax-arrears", "record": f"{1:032x}", "purpose": purpose, "ended": ended}
            who = {"kind": "suspension", "scheme": ISSUER, "value": "market-regulator"}
            own = {"id": f"s-{number}", "change": number + 50, "at": micros(AT)}
            connection.execute(insert(fact).values({**who, **of, **own}))


def policies(folder: Path) -> str:
    """The shipped policies, with two clients that have a webhook, of which one succeeds another."""
    shutil.copytree(ROOT / "policies", folder / "policies")
    configured.secret(folder / "policies" / "hook.secret", f"whsec_{base64.b64encode(b'k' * 32).decode()}\n")
    file = folder / "policies" / "requesters.yaml"
    text = file.read_text("utf-8")
    for client, more in (("market-regulator", "\n    succeeds: [succeeded]"), ("labour-office", "")):
        line = f"    client: {client}\n"
        assert text.count(line) == 1
        text = text.replace(line, f"{line}    {HOOK.replace('{}', client, 1)}{more}\n")
    file.write_text(text, "utf-8")
    return str(folder / "policies")


@pytest.fixture
async def folder(tmp_path: Path) -> Path:
    """A store with a history of recalls, rows of open ones, and its configuration with the shipped policies."""
    private = key_files.generate(tmp_path / "ledger.key")
    store = store_at(tmp_path / "ledger.db")
    more = Recalled("=cmd|' /C calc'!A0", 24 * 30, 9, 1, None, ())
    await entered(store, acts([*HISTORY, more]), private=private)
    rows(store)
    store.close()
    configured.write(tmp_path, policies=policies(tmp_path))
    return tmp_path


class Run:
    """Runs one command of `recalls`; `out` and `err` are what it printed."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self._capsys = folder, capsys

    def __call__(self, command: str, *arguments: str) -> int:
        status = cli.main(["recalls", command, "--config", str(self.folder / "gateway.yaml"), *arguments])
        self.out, self.err = self._capsys.readouterr()
        assert "Traceback" not in self.err
        assert not any(value in self.out + self.err for value in SUBJECTS)
        return status

    def views(self) -> list[entries.View]:
        file = self.folder / "ledger.db"
        with contextlib.closing(open_copy(file)) as store, contextlib.closing(store.reader()) as reader:
            told = [
                entry.read_told()
                for head in read.heads(reader)
                for entry in read.read_entries(reader, head.id, 0, head.size)
            ]
        return [each for each in told if isinstance(each, entries.View)]


@pytest.fixture
def run(folder: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    return Run(folder, capsys)


def listed(run: Run) -> list[int]:
    """The recalls that were printed, in order."""
    return [int(line.split()[0], 16) for line in run.out.splitlines() if line.startswith("0000")]


def test_what_is_not_done_with_is_listed_and_the_look_is_entered(run: Run) -> None:
    assert run("list") == 0
    assert listed(run) == [1, 2, 0, 3, 4, 5, 6, 7]
    suspended, *_, last = run.out.splitlines()
    assert suspended.startswith("market-regulator   tax-arrears for LICENCE   suspended since 2026-11-24 09:30 UTC")
    assert "TAXES" not in run.out, "it ended"
    assert "  sent 2026-11-24 09:30 UTC, overdue since 2026-11-25 09:30 UTC, not delivered, and not tried" in run.out
    assert "due 2026-11-26 09:30 UTC, refused, delivered 2026-11-24 09:30 UTC" in run.out
    assert [line.split("UTC, ")[-1] for line in run.out.splitlines() if line.startswith("  sent")][3:] == [
        "not delivered yet",
        "not delivered: its client wants no more messages",
        "its client asks for its recalls itself",
        "not delivered: its client is gone, and no other succeeds it (`succeeds` in requesters.yaml)",
        "its client is gone, and another answers for it",
    ]
    assert last.startswith("entered: this view is entry ")
    (view,) = run.views()
    assert (view.format, view.looked, view.reason) == ("recalls", entries.Looked(), "open recalls")


@pytest.mark.parametrize(
    ("narrowed", "found"),
    [
        (("--state", "open"), [2, 0, 3, 4, 5, 6, 7]),
        (("--state", "overdue"), [1]),
        (("--state", "refused"), [2]),
        (("--state", "undeliverable"), [1, 4, 6]),
        (("--client", "labour-office"), [2, 4]),
        (("--client", "labour-office", "--state", "overdue"), []),
    ],
)
def test_it_can_be_narrowed(run: Run, narrowed: tuple[str, ...], found: list[int]) -> None:
    assert run("list", *narrowed) == 0
    assert listed(run) == found
    assert ("there is none" in run.out) == (not found)
    assert all(f"`{each}`" in run.views()[0].reason for each in narrowed[1::2])


def test_pages_follow_each_other(run: Run) -> None:
    found: list[int] = []
    more: tuple[str, ...] = ()
    for _ in range(4):
        assert run("list", "--first", "2", *more) == 0
        found += listed(run)
        assert ("suspended since" in run.out) == (not more), "once, on the first page"
        line = next((each for each in run.out.splitlines() if each.startswith("there are more")), None)
        if line is None:
            break
        more = ("--after", line.split("`")[1].removeprefix("--after "))
    assert found == [1, 2, 0, 3, 4, 5, 6, 7]
    for wrong in ("x", "1-2", f"{2**63:x}-{0:032x}"):
        assert run("list", "--after", wrong) == 1
        assert "no cursor of this list" in run.err
    assert len(run.views()) == 7, "also where the cursor was none: the look was entered before"


def test_without_an_entry_nothing_is_listed(run: Run) -> None:
    with contextlib.closing(open_store(f"sqlite:///{run.folder / 'ledger.db'}")) as store, store.engine.begin() as made:
        made.exec_driver_sql("CREATE TRIGGER full BEFORE INSERT ON entry BEGIN SELECT RAISE(ABORT, 'no more'); END")
    assert run("list") == 1
    assert run.out == ""


def test_a_report_as_text_names_every_department_and_what_was_read(run: Run) -> None:
    assert run("report") == 0
    lines = run.out.splitlines()
    assert lines[0].startswith("Recalls since the ledger began (")
    heading = next(line for line in lines if line.startswith("Department"))
    market = next(line for line in lines if line.startswith("Market Regulation Authority"))
    assert heading.split()[1:4] == ["Sent", "Delivered", "Acknowledged"]
    assert market.split()[3:10] == ["3", "2", "2", "1", "0", "1", "2"]
    assert "4 h   12 d 12 h" in market
    assert lines.index(market) < next(place for place, line in enumerate(lines) if line.startswith("Tax"))
    assert [line.split(", of the tree")[0] for line in lines if line.startswith("Read: ")] == [
        f"Read: entries 0 to {last} of gateway.example/ledger/{name}" for name, last in (("1", 11), ("2", 5))
    ]
    assert run.views() == [], "it shows counts of departments, and nobody's data"


def test_a_report_as_csv_can_be_opened_by_a_spreadsheet(run: Run) -> None:
    out = run.folder / "report.csv"
    assert run("report", "--format", "csv", "--by", "quarter", "--out", str(out)) == 0
    assert run.out == ""
    assert "of the tree with the root" in run.err
    assert out.stat().st_mode & 0o077 == 0
    found = list(csv.DictReader(io.StringIO(out.read_text("utf-8"))))
    market = next(row for row in found if (row["department"], row["period"]) == ("market", "all"))
    assert (market["title"], market["sent"], market["p50_seconds"]) == (
        "Market Regulation Authority", "3", "14400.000000",
    )  # fmt: skip
    assert {row["period"] for row in found} == {"2026-Q4", "all"}
    assert {row["department"] for row in found} == {*DEPARTMENTS, "all", "'=cmd|' /C calc'!A0"}
    assert not any(cell.startswith(("=", "+", "-", "@")) for row in found for cell in row.values())
    assert run("report", "--format", "csv", "--out", str(out)) == 1
    assert "is there already" in run.err


def test_a_report_as_a_page(run: Run) -> None:
    out = run.folder / "report.html"
    assert run("report", "--format", "html", "--out", str(out)) == 0
    made = out.read_text("utf-8")
    assert made.startswith("<!doctype html>")
    assert "Market Regulation Authority: 3 recalls, 2 acknowledged" in made
    assert "=cmd|&#x27; /C calc&#x27;!A0" in made


def test_days_are_those_of_the_policies_zone_and_both_are_included(run: Run) -> None:
    day = BEGIN.date().isoformat()
    assert run("report", "--from", day, "--until", day, "--format", "csv") == 0
    last = list(csv.DictReader(io.StringIO(run.out)))[-1]
    assert (last["department"], last["sent"], last["late_objections"]) == ("all", "3", "0")
    assert run("report", "--from", "2027-01-01", "--until", "2026-01-01") == 2
    assert "is before" in run.err
    assert run("report", "--from", "2031-01-01") == 0
    assert "No recall was sent" in run.out


@pytest.mark.parametrize("day", ["2026-02-30", "yesterday", "9999-12-31", "2026-1-1"])
def test_a_day_is_a_day(run: Run, day: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        run("report", "--until", day)
    assert ended.value.code == 2
    assert f"`{day}` is no day" in capsys.readouterr().err
