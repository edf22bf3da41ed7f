"""Deliveries from a folder: what is taken in, what is refused, and what inquiries are answered from meanwhile."""

from __future__ import annotations

import datetime
import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from connectors import files
from connectors.base import Failure
from connectors.delivered import index, report
from connectors.delivered.report import Outcome
from connectors.kit import sshsig
from tests.connectors.asking import ACME, ANN, BETA, ask, fault, fetch, places, written
from tests.connectors.files.delivering import AWARD, KEY, NOW, ROW, SHAPES, Department, csv, jsonl, only, parquet, usual

ALL = " ".join(SHAPES["arrears"].fields)


@pytest.fixture
def registry(tmp_path: Path) -> Department:
    return Department(tmp_path)


async def test_a_delivery_is_answered_from(registry: Department) -> None:
    assert await fault(registry.connector) == "SOURCE_UNAVAILABLE"
    taken = registry.deliver([ROW, {**ROW, "no": "N-2", "id_no": BETA.value, "amount": "", "settled": "false"}])
    assert (taken.outcome, taken.sequence, taken.vanished) == (Outcome.TAKEN, 1, 0)
    assert {name: each.records for name, each in taken.datasets.items()} == {"arrears": 2, "awards": 1}
    outcomes = await fetch(registry.connector, ask("arrears", ALL, ACME, BETA), ask("awards", "title", BETA, ACME))
    [one], [other] = outcomes[ACME, "arrears"], outcomes[BETA, "arrears"]  # type: ignore[misc]
    assert (one.m_id, one.m_version, one.m_document, one.m_mitigation) == ("N-1", "1", "D-1", None)
    assert one.m_effective == datetime.date(2026, 1, 2)
    assert (one.f_period, one.f_amount, one.f_workers, one.f_settled) == ("2025", "10.50", 7, True)  # type: ignore[attr-defined]
    assert one.f_due == datetime.date(2026, 3, 4)  # type: ignore[attr-defined]
    assert one.f_seen.isoformat() == "2026-01-02T03:04:05+01:00"  # type: ignore[attr-defined]
    assert (other.f_amount, other.f_settled) == (None, False)  # type: ignore[attr-defined]
    assert [each.f_title for each in outcomes[BETA, "awards"]] == ["Prize"]  # type: ignore[union-attr]
    assert outcomes[ACME, "awards"] == []
    assert registry.take().outcome is Outcome.UNCHANGED
    kept = registry.connector.last()
    assert kept == taken
    await registry.connector.close()


async def test_only_the_fields_that_are_asked_for_are_read(registry: Department) -> None:
    registry.deliver()
    [record] = (await fetch(registry.connector, ask("arrears", "period")))[ACME, "arrears"]  # type: ignore[misc]
    assert not hasattr(record, "f_amount")
    assert b"never to be seen" not in (registry.folder / "index" / index.FILE).read_bytes()


def test_a_small_file_of_many_rows_fills_no_disk(tmp_path: Path) -> None:
    registry = Department(tmp_path, limits={"delivery": "256KiB"})
    registry.deliver()
    rows, row = 20_000, {**ROW, "note": "none"}
    many = parquet([row], arrays={**{name: pa.array([row[name]] * rows) for name in row}, "no": pa.array(range(rows))})
    registry.write(only("arrears.parquet", "parquet", many, rows))
    before = (tmp_path / "index" / index.FILE).read_bytes()
    with pytest.raises(OSError, match="larger than 4 times"):
        registry.take()
    assert (tmp_path / "index" / index.FILE).read_bytes() == before
    assert not list((tmp_path / "index").glob("quarantine-*"))


def test_more_rows_than_the_manifest_says_are_not_read_to_their_end(registry: Department) -> None:
    rows = [{**ROW, "no": f"N-{number}"} for number in range(2 * index.BATCH + 2)]
    registry.write(only("arrears.jsonl", "jsonl", jsonl(rows), 1))
    assert "arrears.jsonl: has more rows than the 1 of the manifest" in registry.refused()


async def test_an_older_sequence_is_refused_also_after_a_restart(registry: Department) -> None:
    registry.deliver(sequence=12)
    registry.write(usual([{**ROW, "period": "old"}]), sequence=11)
    assert "an older delivery is never taken" in registry.refused()
    registry.connector = registry.connected()
    assert "12 was taken in" in registry.refused()
    registry.write(usual([{**ROW, "period": "other"}]), sequence=12)
    assert "that of another delivery" in registry.refused()
    registry.write(usual(), sequence=13, as_of=NOW - datetime.timedelta(hours=1))
    assert "`asOf` is before that of the delivery taken in last" in registry.refused()
    [record] = (await fetch(registry.connector, ask("arrears", "period")))[ACME, "arrears"]  # type: ignore[misc]
    assert record.f_period == "2025"  # type: ignore[attr-defined]


async def test_past_its_age_it_is_unavailable_and_never_stale(registry: Department) -> None:
    now = datetime.datetime.now(datetime.UTC).replace(microsecond=0)  # that of the file is of when it was read
    old = now - datetime.timedelta(hours=3)
    assert registry.deliver(as_of=old).outcome is Outcome.TAKEN
    for max_age, expected in (("3h", "SOURCE_UNAVAILABLE"), ("4h", "")):
        connector = registry.connected(max_age=max_age)
        outcome = (await fetch(connector, ask("arrears", "period")))[ACME, "arrears"]
        assert (outcome.fault.value if isinstance(outcome, Failure) else "") == expected
        await connector.close()
    registry.write(usual(), as_of=now + datetime.timedelta(hours=1))
    assert "in the future" in registry.refused()


async def test_records_that_are_gone_are_known(registry: Department) -> None:
    rows = [{**ROW, "no": f"N-{number}"} for number in range(5)]
    registry.deliver(rows)
    taken = registry.deliver(rows[2:])
    assert (taken.vanished, taken.datasets["arrears"].vanished, taken.datasets["awards"].vanished) == (2, 2, 0)
    gone = index.vanished(registry.folder / "index")
    assert [(each.dataset, each.id, each.version, each.scheme, each.value) for each in gone] == [
        ("arrears", number, "1", "LEI", ACME.value) for number in ("N-0", "N-1")
    ]
    assert {each.sequence for each in gone} == {2}
    taken = registry.deliver([*rows[1:4]], [])  # one comes back, one more goes, and all awards
    assert taken.vanished == 2
    gone = index.vanished(registry.folder / "index")
    assert sorted((each.dataset, each.id, each.sequence) for each in gone) == [
        ("arrears", "N-0", 2), ("arrears", "N-4", 3), ("awards", "A-1", 3),
    ]  # fmt: skip
    assert {each.scheme for each in gone} == {"LEI"}


async def test_another_mapping_takes_the_same_delivery_in_again(registry: Department) -> None:
    registry.deliver()
    datasets = dict(registry.config["datasets"])
    fields = {**datasets["arrears"]["fields"], "period": "paper"}
    datasets["arrears"] = {**datasets["arrears"], "fields": fields}
    other = registry.connected(datasets=datasets)
    outcomes = await fetch(other, ask("arrears", "period"), ask("awards", "title", BETA))
    assert isinstance(outcomes[ACME, "arrears"], Failure)
    assert not isinstance(outcomes[BETA, "awards"], Failure)
    registry.connector = other
    assert registry.take().outcome is Outcome.TAKEN
    [record] = (await fetch(other, ask("arrears", "period")))[ACME, "arrears"]  # type: ignore[misc]
    assert record.f_period == "D-1"  # type: ignore[attr-defined]


# What is not what was signed


def test_a_delivery_without_its_departments_signature_is_refused(registry: Department) -> None:
    said = registry.write(usual())
    body = (registry.out / "manifest.json").read_bytes()
    (registry.out / "manifest.json").write_bytes(body.replace(b'"sequence": 1', b'"sequence": 2'))
    assert "is not over these words" in registry.refused()
    registry.sign(said, Ed25519PrivateKey.generate())
    assert "`signers_file` does not have" in registry.refused()
    registry.sign(said, namespace="dutybound-rules")
    assert "another namespace" in registry.refused()
    (registry.out / "manifest.json.sig").write_bytes(b"\xff")
    assert "is no SSH signature" in registry.refused()
    (registry.out / "manifest.json.sig").unlink()
    assert "sign the manifest" in registry.refused()
    registry.sign(said)
    assert registry.take().outcome is Outcome.TAKEN
    (registry.out / "manifest.json").unlink()
    assert registry.take().outcome is Outcome.UNREACHED


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"sequence": 0}, "`$.sequence`"),
        ({"asOf": "2026-01-01T00:00:00"}, "`$.asOf`"),
        ({"files": []}, "`$.files`"),
        ({"more": 1}, "unknown field `more`"),
        ({"name": "../arrears.csv"}, "`$.files[0].name`"),
        ({"name": ".hidden"}, "a file's name has 1 to 128 of the letters A to Z and a to z, digits"),
        ({"name": "awards.jsonl"}, "names a file twice"),
        ({"name": "manifest.json"}, "or itself"),
        ({"format": "xlsx"}, "`$.files[0].format`"),
        ({"dataset": "pensions"}, "a dataset that `sources.yaml` does not map"),
        ({"dataset": "awards"}, "has no file of `arrears`"),
        ({"rows": 2}, "has 1 rows; the manifest has 2"),
        ({"size": 2**49}, "more bytes than `limits.delivery`"),
    ],
)
def test_a_manifest_says_nothing_else(registry: Department, change: dict[str, Any], words: str) -> None:
    said = registry.write(usual())
    target = said if {*change} & {"sequence", "asOf", "files", "more"} else said["files"][0]
    registry.sign({**said, **change} if target is said else {**said, "files": [{**target, **change}, said["files"][1]]})
    assert words in registry.refused()
    assert not (registry.folder / "index" / index.FILE).exists()


def test_a_key_that_stands_twice_is_refused(registry: Department) -> None:
    registry.write(usual())
    body = (registry.out / "manifest.json").read_bytes().replace(b'"sequence": 1', b'"sequence": 9, "sequence": 1')
    (registry.out / "manifest.json").write_bytes(body)
    (registry.out / "manifest.json.sig").write_text(sshsig.sign(KEY, body, "dutybound-delivery"))
    assert "duplicate keys" in registry.refused()


def test_only_the_bytes_that_were_signed_are_read(registry: Department) -> None:
    registry.write(usual())
    good = (registry.out / "arrears.csv").read_bytes()
    for content, words in (
        (good[:-20], "its upload is not over"),
        (good.replace(b"2025", b"2024"), "another SHA-256"),
        (good + b"x", "more bytes than in the manifest"),
    ):
        (registry.out / "arrears.csv").write_bytes(content)
        assert words in registry.refused()
        assert [*(registry.folder / "index").glob("quarantine-*")] == []
    (registry.out / "arrears.csv").write_bytes(good)
    assert registry.take().outcome is Outcome.TAKEN


async def test_a_file_that_is_swapped_between_check_and_use_has_no_part_in_anything(registry: Department) -> None:
    """The files are changed after they were copied, while the intake reads on."""
    registry.write(usual())
    intake = registry.connector._intake
    indexed = intake._indexed

    def swapped(*arguments: Any) -> Any:
        (registry.out / "arrears.csv").write_bytes(csv([{**ROW, "period": "forged"}]))
        return indexed(*arguments)

    intake._indexed = swapped  # type: ignore[method-assign]
    assert registry.take().outcome is Outcome.TAKEN
    [record] = (await fetch(registry.connector, ask("arrears", "period")))[ACME, "arrears"]  # type: ignore[misc]
    assert record.f_period == "2025"  # type: ignore[attr-defined]


def test_links_pipes_and_folders_are_no_files(registry: Department) -> None:
    registry.write(usual())
    file, aside = registry.out / "arrears.csv", registry.folder / "aside.csv"
    file.rename(aside)
    file.symlink_to(aside)
    assert "is a link" in registry.refused()
    file.unlink()
    assert "is not there" in registry.refused()
    os.mkfifo(file)
    assert "is no file" in registry.refused()
    file.unlink()
    file.mkdir()
    assert "is no file" in registry.refused()
    file.rmdir()
    (registry.out / "manifest.json").rename(registry.folder / "manifest.json")
    (registry.out / "manifest.json").symlink_to(registry.folder / "manifest.json")
    assert "manifest.json: is a link" in registry.refused()


# What is wrong with rows


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"no": ""}, "arrears.csv, row 3, column `no`: must not be empty"),
        ({"no": "N\u200b2"}, "row 3, column `no`: an id"),
        ({"rev": ""}, "row 3, column `rev`: must not be empty"),
        ({"id_no": ""}, "row 3, column `id_no`: must not be empty"),
        ({"id_no": ACME.value.lower()}, "row 3, column `id_no`: is no subject's identifier in its canonical form"),
        ({"id_no": f"{ACME.value} "}, "row 3, column `id_no`"),
        ({"id_no": f"{ACME.value[:-1]}6"}, "row 3, column `id_no`"),
        ({"id_type": "PIN", "id_no": ANN.value}, "is of a scheme that names no subject of this dataset"),
        ({"since": "2026-02-31"}, "row 3, column `since`: must be a date"),
        ({"since": "02.01.2026"}, "row 3, column `since`: must be a date"),
        ({"amount": '"10,50"'}, "row 3, column `amount`: must be a Decimal"),
        ({"amount": "1_000"}, "row 3, column `amount`: must be a Decimal"),
        ({"amount": "1e999"}, "row 3, column `amount`: must be a Decimal"),
        ({"workers": "7.0"}, "row 3, column `workers`: must be a whole number"),
        ({"workers": "3000000000"}, "row 3, column `workers`: must be a whole number"),
        ({"settled": "yes"}, "row 3, column `settled`: must be `true` or `false`"),
        ({"seen": "2026-01-02T03:04:05"}, "row 3, column `seen`: must be a DateTime with an offset"),
        ({"no": "N-1"}, "row 3, column `no`: is the id of row 2 of `arrears.csv` too"),
        ({"period": "a,b"}, "row 3: has 15 columns, and the header 14"),
        ({"period": '"open'}, "is no CSV"),
    ],
)
def test_one_wrong_row_refuses_all_and_is_told_by_its_place(
    registry: Department, change: dict[str, Any], words: str
) -> None:
    registry.write(usual([ROW, {**ROW, "no": "N-2", **change}]))
    assert words in registry.refused()
    assert not (registry.folder / "index" / index.FILE).exists()


def test_many_wrong_rows_are_told_by_the_first_and_their_number(registry: Department) -> None:
    registry.write(usual([{**ROW, "no": f"N-{number}", "amount": "x"} for number in range(300)]))
    found = registry.take()
    assert (found.outcome, len(found.troubles), found.more) == (Outcome.REFUSED, report.MOST, 280)


def test_an_id_stands_once_in_all_files_of_a_dataset(registry: Department) -> None:
    two = [{**ROW, "no": "N-2"}, {**ROW, "id_no": BETA.value}]
    contents = usual()
    contents["more.csv"] = ("arrears", "csv", csv(two), 2)
    registry.write(contents)
    assert "more.csv, row 3, column `no`: is the id of row 2 of `arrears.csv` too" in registry.refused()
    contents["more.csv"] = ("arrears", "jsonl", jsonl(two[:1]), 1)
    registry.write(contents)
    assert "in several formats" in registry.refused()


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ([name for name in ROW if name != "amount"], "row 1, column `amount`: is not in the header"),
        ([*ROW, "amount"], "row 1, column `amount`: appears twice"),
    ],
)
def test_a_column_that_is_missing_or_stands_twice_is_told(registry: Department, header: list[str], words: str) -> None:
    registry.write(only("arrears.csv", "csv", csv([ROW], header=header), 1))
    assert words in registry.refused()


# Encodings and marks


def dialect(**csv: Any) -> dict[str, Any]:
    from tests.connectors.files.delivering import DATASETS

    return {**DATASETS, "arrears": {**DATASETS["arrears"], "csv": csv}}


async def test_the_marks_that_sources_yaml_says(tmp_path: Path) -> None:
    made = dialect(encoding="windows-1252", delimiter=";", decimal=",", booleans=["J", "N"])
    registry = Department(tmp_path, datasets=made)
    row = {**ROW, "amount": "1234,50", "settled": "J", "period": "Größe €"}
    registry.write(only("arrears.csv", "csv", csv([row], ";").decode().encode("windows-1252"), 1))
    assert registry.take().outcome is Outcome.TAKEN
    [record] = (await fetch(registry.connector, ask("arrears", ALL)))[ACME, "arrears"]  # type: ignore[misc]
    assert (record.f_amount, record.f_settled, record.f_period) == ("1234.50", True, "Größe €")  # type: ignore[attr-defined]
    for wrong in ("1234.50", "1.234,50", "1,2,3"):
        registry.write(only("arrears.csv", "csv", csv([{**row, "amount": wrong}], ";").decode().encode("cp1252"), 1))
        assert "row 2, column `amount`: must be a Decimal: digits, with a comma" in registry.refused()


def test_two_encodings_in_one_file_are_refused(tmp_path: Path) -> None:
    one, other = ({**ROW, "no": number, "period": "Größe"} for number in ("N-1", "N-2"))
    head, first = csv([one]).splitlines(keepends=True)
    [second] = csv([other]).splitlines(keepends=True)[1:]
    latin = second.decode().encode("windows-1252")
    for encoding, lines in (("utf-8", [head, first, latin]), ("windows-1252", [head, latin, first])):
        folder = tmp_path / encoding
        folder.mkdir()
        registry = Department(folder, datasets=dialect(encoding=encoding))
        registry.write(only("arrears.csv", "csv", b"".join(lines), 2))
        assert "arrears.csv, row 3:" in registry.refused()
        registry.write(only("arrears.csv", "csv", b"".join([head, latin if encoding != "utf-8" else first]), 1))
        assert registry.take().outcome is Outcome.TAKEN


async def test_a_byte_order_mark_is_no_part_of_the_first_name(registry: Department) -> None:
    registry.write(only("arrears.csv", "csv", b"\xef\xbb\xbf" + csv([ROW]), 1))
    assert registry.take().outcome is Outcome.TAKEN


def test_lines_are_bounded(registry: Department) -> None:
    registry.write(only("arrears.csv", "csv", csv([{**ROW, "inner": "x" * 2_000_000}]), 1))
    assert "row 2: is longer than 1024 KiB" in registry.refused()
    registry.write(only("arrears.jsonl", "jsonl", jsonl([{**ROW, "inner": "x" * 2_000_000}]), 1))
    assert "row 1: is longer than 1024 KiB" in registry.refused()


# Configuration


@pytest.mark.parametrize(
    ("change", "place", "words"),
    [
        ({"sftp": {}}, "", "needs one of `folder` and `sftp`"),
        ({"folder": None}, "", "needs one of `folder` and `sftp`"),
        ({"max_age": None}, "", "`max_age` is missing"),
        ({"index": "nowhere/index"}, "index", "is no folder; make it"),
        ({"signers_file": "empty"}, "signers_file", "names no key"),
        ({"signers_file": "cut"}, "signers_file", "is cut short"),
        ({"signers_file": "none"}, "signers_file", "none"),
        ({"datasets": dialect(encoding="utf-16")}, "datasets.arrears.csv.encoding", "utf-8"),
        ({"datasets": dialect(booleans=["J", "J"])}, "datasets.arrears.csv.booleans", "two different words"),
    ],
)
def test_a_wrong_configuration_says_where_and_what(
    tmp_path: Path, change: dict[str, Any], place: str, words: str
) -> None:
    registry = Department(tmp_path)
    (tmp_path / "empty").write_text("# none yet\n")
    (tmp_path / "cut").write_text("ssh-ed25519 AAAAC3Nz\n")
    node = written({**registry.config, **change}, tmp_path)
    files.build(node, SHAPES)
    assert place in places(node, words)


async def test_examine_says_what_is_missing(registry: Department) -> None:
    [said] = await registry.connector.examine()
    assert "no delivery was taken in yet" in said
    registry.deliver()
    assert await registry.connector.examine() == []
    registry.out.rename(registry.folder / "away")
    [said] = await registry.connector.examine()
    assert "the folder cannot be read" in said
    assert registry.take().outcome is Outcome.UNREACHED


async def test_an_index_that_cannot_be_read_is_never_taken_for_none(registry: Department) -> None:
    registry.deliver()
    file = registry.folder / "index" / index.FILE
    file.chmod(0o600)
    file.write_bytes(b"no database" * 1000)
    assert await fault(registry.connector) == "SOURCE_UNAVAILABLE"
    found = registry.take()
    assert found.outcome is Outcome.UNREACHED
    assert "cannot be read; move it away" in str(found.troubles[0])


def test_one_intake_at_a_time(registry: Department) -> None:
    registry.write(usual([ROW], [AWARD]))
    with registry.connector._intake._alone() as alone:
        assert alone
        assert "another intake" in str(registry.connected().deliver(lambda _, value: value).troubles[0])
    assert registry.take().outcome is Outcome.TAKEN
