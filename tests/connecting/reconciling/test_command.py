"""`ledger reconcile` finds every planted call without an entry, and none that is not there."""

from __future__ import annotations

import contextlib
import csv
import datetime
import hashlib
import json
import random
from collections.abc import Sequence
from pathlib import Path

import pytest

from deploy.demo import configuration
from gateway import cli
from gateway.ledger.entry import entries
from gateway.ledger.proof import key_files
from gateway.ledger.stored import read
from gateway.storage.store import open_copy
from tests import configured
from tests.connecting.reconciling import logged
from tests.connecting.reconciling.logged import AT, PENALTIES, PERMITS, PLACES, STEP, Entry, Line, lei
from tests.ports import free_port

LINES = 15_000
PLANTED = 60


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's files, with a ledger of its own."""
    place = configuration.Place(
        tmp_path_factory.mktemp("reconciling") / "var", {name: free_port() for name in configuration.USUAL}
    )
    place.run.mkdir(parents=True)
    configuration.write(place)
    configured.by_folder(place.config)
    key_files.generate(place.run / "ledger.key")
    text = place.config.read_text()
    store = next(line for line in text.splitlines() if line.startswith("store:"))
    place.config.write_text(text.replace(store, "store: sqlite:///ledger.db"))
    return place.run


@pytest.fixture(scope="module")
def made(folder: Path) -> list[Entry]:
    """The inquiries of the ledger, so many that their honest log has `LINES` lines."""
    found = logged.inquiries(500, random.Random(7))
    logged.enter(folder / "gateway.yaml", found)
    return found


def as_jsonl(lines: Sequence[Line]) -> str:
    return "".join(
        json.dumps({"when": each.at.isoformat(), "ref": {"inquiry": each.inquiry}, "who": each.value}) + "\n"
        for each in lines
    )


def as_common(lines: Sequence[Line]) -> str:
    """As a web server logs it: times in seconds, the identifier in the path."""
    return "".join(
        f'10.0.0.1 - gateway [{each.at:%d/%b/%Y:%H:%M:%S +0000}] "GET /environment/v2/operators/LEI/{each.value}/'
        f'{PLACES[each.dataset]}{f"?page={each.page}" if each.page else ""} HTTP/1.1" 200 512\n'
        for each in lines
    )


def said(
    folder: Path, log: Path, capsys: pytest.CaptureFixture[str], *options: str
) -> tuple[int, list[dict[str, str]]]:
    status = cli.main([
        "ledger", "reconcile", "--config", str(folder / "gateway.yaml"), "--department", "environment",
        "--log", str(log), "--by", "A. Auditor", "--reason", "yearly audit", "--json", *options,
    ])  # fmt: skip
    captured = capsys.readouterr()
    assert "Traceback" not in captured.err
    return status, [json.loads(line) for line in captured.out.splitlines()]


def planted(
    lines: list[Line], made: Sequence[Entry], dice: random.Random, *, ids: bool
) -> tuple[list[Line], set[Line]]:
    """The log with calls that no entry is of: of other subjects, at another time, of another's inquiry."""
    wrong: set[Line] = set()
    for number in range(PLANTED):
        each = dice.choice(made)
        quiet = each.at + STEP / 2 + datetime.timedelta(seconds=dice.uniform(14, 15))
        line = [
            Line(each.at, each.id, lei(1000 + number), PERMITS, 0),  # nobody asked about this one
            Line(each.at, "f" * 32 if ids else each.id, lei(2000 + number), PENALTIES, 0),
            Line(quiet, f"ffff{number:028x}", lei(3000 + number), PERMITS, 0),
        ][number % 3]
        wrong.add(line)
    return sorted([*lines, *wrong]), wrong


@pytest.mark.parametrize("kind", ["jsonl", "common"])
def test_every_planted_call_is_found_among_thousands_of_lines_and_no_other(
    kind: str, folder: Path, made: list[Entry], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dice = random.Random(11)
    some = made if kind == "common" else made[:200]
    lines, wrong = planted(logged.honest(some, dice), some, dice, ids=kind == "jsonl")
    assert kind == "jsonl" or len(lines) >= LINES
    log = tmp_path / ("calls.jsonl" if kind == "jsonl" else "access.log")
    log.write_text((as_jsonl if kind == "jsonl" else as_common)(lines))
    options = ("--time", "when", "--inquiry", "ref.inquiry", "--subject", "who") if kind == "jsonl" else ()
    status, told = said(folder, log, capsys, *options)
    *found, total = told
    assert status == 1
    assert {int(each["where"]) for each in found} == {lines.index(each) + 1 for each in wrong}
    assert {each["kind"] for each in found} == {"call"}
    assert (total["calls"], total["missing"], total["nobody"]) == (len(lines), PLANTED, 0)
    assert total["entered"] == len(lines) - PLANTED


def test_entries_without_a_call_are_found(
    folder: Path, made: list[Entry], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    few = made[100:140]
    dice = random.Random(3)
    whole = logged.honest(few, dice)
    hidden = next(each for each in few[10:] if not each.failure)
    gone = [each for each in whole if not (each.inquiry == hidden.id and each.dataset == PENALTIES)]
    log = tmp_path / "calls.log"
    log.write_text(as_common(whole))
    assert said(folder, log, capsys)[0] == 0
    log.write_text(as_common(gone))
    status, (found, _) = said(folder, log, capsys)
    assert (status, found["kind"]) == (1, "entry")
    assert found["where"] == f"commands/{made.index(hidden)}"
    assert f"no call for `{PENALTIES}` of {len(hidden.values)} subject" in found["why"]


def test_what_a_log_can_look_like(
    folder: Path, made: list[Entry], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """CSV, digests, times without an offset, seconds since 1970, lines about nobody, paths behind a proxy."""
    few = made[:5]
    lines = logged.honest(few, random.Random(5))
    log = tmp_path / "calls.csv"
    with log.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["local", "digest", "note"])
        for each in lines:
            local = (each.at + datetime.timedelta(hours=1)).replace(tzinfo=None)
            writer.writerow([local.isoformat(), hashlib.sha256(each.value.encode()).hexdigest(), 'say "hm", twice'])
    columns = ("--time", "local", "--subject", "digest", "--digest", "sha256")
    assert said(folder, log, capsys, *columns, "--time-zone", "Europe/Zurich")[0] == 0
    other = tmp_path / "calls.jsonl"
    rows = [{"t": each.at.timestamp(), "p": f"/operators/LEI/{each.value}/{PLACES[each.dataset]}"} for each in lines]
    rows.insert(3, {"t": rows[3]["t"], "p": "/health"})
    other.write_text("".join(json.dumps(row) + "\n" for row in rows))
    status, told = said(folder, other, capsys, "--time", "t", "--path", "p")
    assert (status, told[-1]["nobody"]) == (0, 1)
    late = [{**row, "t": row["t"] + 20} for row in rows]
    other.write_text("".join(json.dumps(row) + "\n" for row in late))
    assert said(folder, other, capsys, "--time", "t", "--path", "p")[0] == 0  # it may have taken that long
    late = [{**row, "t": row["t"] - 20} for row in rows]
    other.write_text("".join(json.dumps(row) + "\n" for row in late))
    status, told = said(folder, other, capsys, "--time", "t", "--path", "p")
    assert (status, "call" in {each["kind"] for each in told}) == (1, True)
    assert said(folder, other, capsys, "--time", "t", "--path", "p", "--skew", "30")[0] == 0


def test_the_inquirys_id_is_found_in_a_web_servers_line_and_in_x_roads(
    folder: Path, made: list[Entry], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = logged.honest(made[:4], random.Random(9))
    wrong = lines[2]._replace(inquiry="f" * 32)
    log = tmp_path / "access.log"
    text = "".join(
        line.rstrip("\n") + f' "-" "dutybound" "{each.inquiry}-{"0123456789abcdef"}"\n'
        for each in [*lines[:3], wrong, *lines[3:]]
        for line in [as_common([each])]
    )
    log.write_text(text)
    status, (found, total) = said(folder, log, capsys, "--inquiry", "x-road-id")
    assert (status, found["kind"], found["where"]) == (1, "call", "4")
    assert "no entry has its inquiry's id" in found["why"]
    assert total["entered"] == len(lines)


def test_identifiers_are_read_as_people_write_them(
    folder: Path, made: list[Entry], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In other letters, with blanks around; and a file that begins with a byte order mark, as of spreadsheets."""
    lines = logged.honest(made[40:44], random.Random(6))
    log = tmp_path / "calls.csv"
    rows = "".join(f"{each.at.isoformat()},{each.inquiry}, {each.value.lower()} \n" for each in lines)
    log.write_text(f"time,id,who\n{rows}", "utf-8-sig")
    status, told = said(folder, log, capsys, "--inquiry", "id", "--subject", "who")
    assert (status, told[-1]["entered"]) == (0, len(lines))
    found = said_wrong(folder, log, capsys, "--subject", "who", "--since", "2026-12-01", "--until", "2026-11-01")
    assert "there is no such period" in found


def said_wrong(folder: Path, log: Path, capsys: pytest.CaptureFixture[str], *options: str) -> str:
    status = cli.main([
        "ledger", "reconcile", "--config", str(folder / "gateway.yaml"), "--department", "environment",
        "--log", str(log), "--by", "A. Auditor", "--reason", "yearly audit", *options,
    ])  # fmt: skip
    assert status == 1
    return capsys.readouterr().err


def test_a_line_with_several_ids_counts_for_each(
    folder: Path, made: list[Entry], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Such as one call for two inquiries of the same subject, or an id of a trace beside the inquiry's."""
    one, other = made[20], made[21]
    each = made[20]._replace(id=other.id)
    lines = logged.honest([one], random.Random(2))
    both = sorted({(line.at, line.value, line.dataset, line.page) for line in lines})
    log = tmp_path / "calls.jsonl"

    def told(ids: str) -> tuple[int, list[dict[str, str]]]:
        rows = [{"t": at.isoformat(), "i": ids, "who": value} for at, value, _, _ in both]
        log.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return said(folder, log, capsys, "--time", "t", "--inquiry", "i", "--subject", "who")

    assert each.values == one.values
    for ids in (one.id, f"{one.id},{'d' * 32}", f"{'d' * 32} {one.id}"):
        status, found = told(ids)
        assert (status, found[-1]["entered"]) == (0, len(both)), ids
    assert told(f"{'d' * 32},{'e' * 32}")[0] == 1


def test_pages_have_paths_of_their_own_and_one_path_is_asked_for_so_often_as_it_is_tried(
    folder: Path, made: list[Entry], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    few = [each for each in made[200:230] if not each.failure]
    whole = logged.honest(few, random.Random(4))
    first = next(each for each in whole if each.page == 0 and each.dataset == PERMITS and each.at > few[5].at)
    log = tmp_path / "access.log"
    log.write_text(as_common(sorted([*whole, *[first] * 20])))
    status, (*found, total) = said(folder, log, capsys)
    assert (status, {each["kind"] for each in found}) == (1, {"call"})
    assert 14 <= len(found) <= 20
    assert "as they account for" in found[0]["why"]
    assert total["missing"] == len(found)


@pytest.mark.parametrize(
    ("path", "id_"),
    [
        ("/v2/operators/LEI/{}/permits/", ""),
        ("/v2/exports?of={}", ""),
        ("/v2/exports/x,%{:02x}{}", ""),
        ("/v2/exports?of={}", "its own"),
        ("/v2/operators/LEI/{}/permits", "none"),
    ],
)
def test_calls_that_the_gateway_never_sends_are_found(
    path: str, id_: str, folder: Path, made: list[Entry], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By paths that are not mapped, under the id of an inquiry about others; or without an id."""
    lines = logged.honest(made[:4], random.Random(9))
    value = lines[2].value if id_ == "none" else lei(4000)
    asked = path.format(ord(value[0]), value[1:]) if ":02x" in path else path.format(value)
    call = f'10.0.0.1 - - [{lines[2].at:%d/%b/%Y:%H:%M:%S +0000}] "GET {asked} HTTP/1.1" 200 512 "-" "-"'
    texts = [f'{as_common([each]).rstrip()} "-" "{each.inquiry if id_ else "-"}"\n' for each in lines]
    texts.insert(3, f'{call} "{lines[2].inquiry if id_ == "its own" else "-"}"\n')
    log = tmp_path / "access.log"
    log.write_text("".join(texts))
    status, (found, total) = said(folder, log, capsys, *(("--inquiry", "x") if id_ else ()))
    assert (status, found["kind"], found["where"]) == (1, "call", "4")
    assert (total["entered"], total["nobody"]) == (len(lines), 0)


def test_the_look_is_entered_before_anything_is_opened(
    folder: Path, made: list[Entry], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "calls.log"
    log.write_text(as_common(logged.honest(made[:3], random.Random(2))))
    said(folder, log, capsys)
    with contextlib.closing(open_copy(folder / "ledger.db")) as store, contextlib.closing(store.reader()) as reader:
        (head,) = [each for each in read.heads(reader) if each.name == "commands"]
        (entry,) = read.read_entries(reader, head.id, head.size - 1, 1)
        view = entry.read_told()
    assert isinstance(view, entries.View)
    assert (view.by, view.reason, view.parts) == ("A. Auditor", "yearly audit", ("told",))
    assert view.format == "reconciliation with the log of environment"
    assert view.looked.since is not None
    assert view.looked.since < AT + STEP


@pytest.mark.parametrize(
    ("name", "text", "options", "words"),
    [
        ("a.jsonl", "", ("--subject", "s"), "has no line"),
        ("a.jsonl", '{"time": "2026-11-20T09:00:00Z"}\n{]\n', ("--subject", "s"), "a.jsonl:2: is not JSON"),
        ("a.jsonl", "[1]\n", ("--subject", "s"), "a.jsonl:1: is no JSON object"),
        ("a.jsonl", '{"time": "2026-11-20T09:00:00"}\n', ("--subject", "s"), "has no offset from UTC"),
        ("a.jsonl", '{"time": "yesterday"}\n', ("--subject", "s"), "`time` is no time such as"),
        ("a.jsonl", '{"time": 1, "s": {}}\n', ("--subject", "s"), "`s` is no text"),
        ("a.jsonl", '{"time": 1}\n', (), "name where the log has whom a call is about"),
        ("a.csv", "time,s\n1,2,3\n", ("--subject", "s"), "a.csv:2: has 3 columns, and the first line 2"),
        ("a.csv", "when,s\n", ("--subject", "s"), "has no column `time`; there are `when`, `s`"),
        ("a.log", "what is this\n", (), "a.log:1: is not in the common log format"),
        ("a.log", '1 - - [x] "GET / HTTP/1.1" 200 1\n', (), "has no time such as"),
        ("a.jsonl", '{"time": "2026-11-20T10:00:00Z"}\n' * 2 + '{"time": "2026-11-20T13:00:00Z"}\n'
         + '{"time": "2026-11-20T09:30:00Z"}\n', ("--subject", "s"), "a.jsonl:4: is more than two minutes older"),
        ("a.jsonl", "x" * 70_000, ("--subject", "s"), "has more than 65536 characters"),
        ("a.jsonl", '{"time": 1}\n', ("--subject", "s", "--time-zone", "Mars"), "there is no zone `Mars`"),
        ("a.jsonl", '{"time": 1}\n', ("--subject", "s"), "a.jsonl` has no line with `s`"),
        ("a.jsonl", '{"time": 1, "s": ""}\n', ("--subject", "s", "--since", "2026-11-20"), "nothing of that time"),
        ("a.jsonl", '{"time": 1}\n', ("--subject", "s", "--skew", "-1"), "0 to 3600"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused_and_nothing_is_entered(
    name: str, text: str, options: Sequence[str], words: str, folder: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    log = tmp_path / name
    log.write_text(text)
    before = (folder / "ledger.db").stat().st_mtime_ns if (folder / "ledger.db").exists() else 0
    status = cli.main([
        "ledger", "reconcile", "--config", str(folder / "gateway.yaml"), "--department", "environment", "--log",
        str(log), "--by", "A", "--reason", "b", *options,
    ])  # fmt: skip
    assert (status, words in (err := capsys.readouterr().err)) == (1, True), err
    assert before == ((folder / "ledger.db").stat().st_mtime_ns if before else 0)
