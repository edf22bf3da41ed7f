"""A verifier in JavaScript, written from `gateway/ledger/FORMAT.md` alone, agrees with this one.

On every vector, on logs that were tampered with, and on receipts, answers and registries with something changed.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway.errors import VerificationFailed
from gateway.ledger.commands.receipt_files import check_presented
from gateway.ledger.entry import describe
from gateway.ledger.entry.receipt import read_file
from gateway.ledger.entry.registry import read_document
from gateway.ledger.proof import key_files, tlog_proof
from gateway.ledger.proof.leaf import Part, open_extra, subject_digest, write_extra
from gateway.ledger.proof.merkle import Tree, leaf_hash
from gateway.ledger.proof.note import Signer, Verifier
from gateway.ledger.verify.published import gaps
from tests.conformance.conftest import Client
from tests.ledger import served
from tests.ledger.support import KEY, ORIGIN

VECTORS = Path(__file__).resolve().parent.parent / "vectors"
OF_LOGS = [VECTORS / "v1", VECTORS / "v2"]
OF_PROOF = sorted(VECTORS.glob("proof-v*"))
REVIEW = VECTORS / "review-v1"
CHANGES = 120

Check = dict[str, Any]
Checked = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def checked(client: Client) -> Checked:
    """Runs the checks, and gives their results."""

    def run(*checks: Check) -> list[dict[str, Any]]:
        results: list[dict[str, Any]] = client("verify", {"checks": msgspec.to_builtins(checks, enc_hook=str)})
        assert len(results) == len(checks)
        return results

    return run


def test_it_stands_on_the_page_alone() -> None:
    lines = (Path(__file__).parent / "clients" / "verify.mjs").read_text().splitlines()
    assert len(lines) < 300
    assert [line.rpartition(" from ")[2] for line in lines if line.startswith("import ")] == [
        '"node:crypto";', '"node:fs";',
    ]  # fmt: skip


def _of(version: Path) -> list[Check]:
    files = [*version.glob("receipts/*.txt"), *version.glob("answers/*.json"), *version.glob("evidence/entries/*.txt")]
    return [{"check": "receipt", "keys": version / "ledger.pub", "file": path} for path in sorted(files)]


@pytest.mark.parametrize("version", OF_LOGS, ids=lambda path: path.name)
def test_receipts_and_answers_of_the_vectors_verify(version: Path, checked: Checked) -> None:
    checks = _of(version)
    assert len(checks) >= 12
    keys = key_files.read_verifiers(version / "ledger.pub")
    for check, result in zip(checks, checked(*checks), strict=True):
        proved, data = check_presented(read_file(check["file"].read_bytes()), keys)
        assert result == {
            "ok": True,
            "origin": proved.origin,
            "index": proved.index,
            "size": proved.size,
            "kind": describe.tag(proved.told),
            "leaf": proved.leaf.hex(),
            "closed": proved.left_out,
            "lost": False,
            "data": data,
        }, check
        assert data == (check["file"].suffix == ".json")


@pytest.mark.parametrize("version", OF_LOGS, ids=lambda path: path.name)
def test_what_must_not_verify_does_not(version: Path, checked: Checked) -> None:
    refused = sorted((version / "refused").iterdir())
    assert len(refused) >= 9
    results = checked(*[{"check": "receipt", "keys": version / "ledger.pub", "file": path} for path in refused])
    assert [result["ok"] for result in results] == [False] * len(refused)


@pytest.mark.parametrize("version", [*OF_LOGS, REVIEW], ids=lambda path: path.name)
def test_logs_of_the_vectors_are_whole(version: Path, checked: Checked) -> None:
    log = {
        "check": "log",
        "keys": next(version.glob("*.pub")),
        "folder": version / "log",
        "earlier": sorted(version.glob("checkpoints/*.txt")),
        "receipts": sorted([*version.glob("receipts/*.txt"), *version.glob("review.txt")]),
    }
    assert log["receipts"]
    [result] = checked(log)
    assert result["ok"], result
    assert result["size"] == served.size_of({"checkpoint": (version / "log" / "checkpoint").read_bytes()})


@pytest.mark.parametrize("version", OF_PROOF, ids=lambda path: path.name)
def test_the_registry_of_the_vectors_vouches_for_receipts_and_logs(version: Path, checked: Checked) -> None:
    known = {"keys": version / "root.pub", "registry": version / "registry.json"}
    receipts = {path.stem: path for path in (version / "receipts").iterdir()}
    logs = [{"check": "log", **known, "folder": version / "log" / shard} for shard in ("root", "1", "2")]
    logs[1]["receipts"] = [receipts["first-key"], receipts["second-key"], receipts["lost"]]
    logs[2]["receipts"] = [receipts["gap"]]
    [registry] = checked({"check": "registry", "keys": version / "root.pub", "file": version / "registry.json"})
    gaps = [] if version.name == "proof-v1" else [f"{ORIGIN}/1"]
    assert (registry["ok"], registry["size"], registry["gaps"]) == (True, 6, gaps)
    assert registry["shards"] == {
        f"{ORIGIN}/root": {"keys": 2, "sealed": None},
        f"{ORIGIN}/1": {"keys": 2, "sealed": 5},
        f"{ORIGIN}/2": {"keys": 1, "sealed": None},
    }
    by_registry = checked(*[{"check": "receipt", **known, "file": path} for path in receipts.values()])
    assert {name: (each["ok"], each.get("lost")) for name, each in zip(receipts, by_registry, strict=True)} == {
        "first-key": (True, False), "second-key": (True, False), "lost": (True, True), "gap": (True, False),
    }  # fmt: skip
    by_root = checked(*[{"check": "receipt", "keys": version / "root.pub", "file": path} for path in receipts.values()])
    assert not any(each["ok"] for each in by_root)
    assert [each.get("why", each["size"]) for each in checked(*logs)] == [6, 5, 2]
    [alone] = checked({**logs[1], "registry": None, "keys": version / "witness" / "log.pub"})
    assert not alone["ok"], "that key was given up"


@pytest.mark.parametrize("version", OF_PROOF, ids=lambda path: path.name)
def test_cosigned_checkpoints_of_the_vectors_verify(version: Path, tmp_path: Path, checked: Checked) -> None:
    folder = version / "witness"
    (tmp_path / "keys").write_text((folder / "log.pub").read_text() + (folder / "witness.pub").read_text())
    for request in sorted(folder.glob("*.request")):
        note = request.read_text().partition("\n\n")[2]
        line = request.with_suffix(".response").read_text()
        (tmp_path / "good").write_text(note + line)
        (tmp_path / "bad").write_text(note + line.replace("5CsvLAAAAABl", "5CsvLAAAAABm"))
        checks = [
            {"check": "checkpoint", "keys": tmp_path / "keys", "file": tmp_path / name} for name in ("good", "bad")
        ]
        good, bad = checked(*checks)
        assert (good["ok"], good.get("witnesses"), bad["ok"]) == (True, ["witness.example/w1"], False)


def test_a_log_that_was_tampered_with_is_refused(tmp_path: Path, checked: Checked) -> None:
    files = sorted(path for path in (VECTORS / "v2" / "log").rglob("*") if path.is_file())
    assert len(files) == 6
    checks = []
    for number, path in enumerate(files):
        for name, tamper in (("altered", _flipped), ("cut", lambda content: content[:-32]), ("gone", None)):
            folder = tmp_path / f"{number}-{name}"
            shutil.copytree(VECTORS / "v2" / "log", folder)
            copy = folder / path.relative_to(VECTORS / "v2" / "log")
            if tamper is not None:
                copy.write_bytes(tamper(path.read_bytes()))
            elif path.name != "checkpoint":
                copy.unlink()
            else:
                copy.write_text(Signer(f"{ORIGIN}/1", KEY).checkpoint(260, bytes(32)))
            checks.append({"check": "log", "keys": VECTORS / "v2" / "ledger.pub", "folder": folder})
    assert not any(result["ok"] for result in checked(*checks))


def _flipped(content: bytes) -> bytes:
    return content[:20] + bytes([content[20] ^ 1]) + content[21:]


def test_a_large_log_is_read_by_the_paths_of_the_page(tmp_path: Path, checked: Checked) -> None:
    leaves = [number.to_bytes(32, "big") for number in range(256 * 1000 + 3)]
    served.write(served.made_of(leaves), tmp_path)
    assert (tmp_path / "tile" / "entries" / "x001" / "000.p" / "3").exists()
    log = {"check": "log", "keys": VECTORS / "v2" / "ledger.pub", "folder": tmp_path}
    assert checked(log) == [{"ok": True, "origin": f"{ORIGIN}/1", "size": len(leaves)}]


def _changed(content: bytes, random_: random.Random) -> Iterator[bytes]:
    """The content with one thing changed, again and again."""
    for _ in range(CHANGES):
        at, other = random_.randrange(len(content)), random_.randrange(len(content))
        yield random_.choice([
            content[:at] + bytes([content[at] ^ 1 << random_.randrange(7)]) + content[at + 1 :],
            content[:at] + content[at + 1 :],
            content[:at] + content[other : other + 1] + content[at:],
            content[:at] + random_.choice([b" ", b"\n", b"\r\n", b"\t"]) + content[at:],
            content[: max(at, 1)],
        ])  # fmt: skip


def _holds(check: Callable[[], object]) -> bool:
    try:
        check()
    except VerificationFailed:
        return False
    return True


@pytest.mark.parametrize(
    "name", ["v1/answers/grouped.json", "v1/receipts/view.txt", "v2/answers/of-two.json", "v2/receipts/erased.txt"]
)
def test_both_verifiers_refuse_the_same_changes(name: str, tmp_path: Path, checked: Checked) -> None:
    keys_file = VECTORS / name.partition("/")[0] / "ledger.pub"
    keys = key_files.read_verifiers(keys_file)
    contents = list(_changed((VECTORS / name).read_bytes(), random.Random(name)))
    paths = [tmp_path / str(number) for number in range(len(contents))]
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(content)
    ours = [_holds(lambda content=content: check_presented(read_file(content), keys)) for content in contents]
    theirs = checked(*[{"check": "receipt", "keys": keys_file, "file": path} for path in paths])
    differ = [(contents[at], ours[at], told) for at, told in enumerate(theirs) if told["ok"] != ours[at]]
    assert differ == []
    assert 0 < sum(ours) < CHANGES / 2 if name.endswith(".json") else not any(ours)


def test_both_verifiers_refuse_the_same_registries(tmp_path: Path, checked: Checked) -> None:
    version = OF_PROOF[-1]
    keys = key_files.read_verifiers(version / "root.pub")
    whole = msgspec.json.decode((version / "registry.json").read_bytes())
    documents = list(_changed((version / "registry.json").read_bytes(), random.Random(1)))
    for at in range(len(whole["entries"])):
        rest = [entry for place, entry in enumerate(whole["entries"]) if place != at]
        documents.append(msgspec.json.encode({**whole, "entries": rest}))
        documents.append(msgspec.json.encode({**whole, "entries": [*rest, whole["entries"][at]]}))
    documents.append(msgspec.json.encode({**whole, "gaps": []}))
    paths = [tmp_path / str(number) for number in range(len(documents))]
    for path, content in zip(paths, documents, strict=True):
        path.write_bytes(content)
    ours = [_holds(lambda content=content: _registry(content, keys)) for content in documents]
    theirs = checked(*[{"check": "registry", "keys": version / "root.pub", "file": path} for path in paths])
    assert [told["ok"] for told in theirs] == ours
    assert not any(ours[CHANGES:-1][::2])
    assert ours[-1]


def _registry(content: bytes, keys: list[Verifier]) -> None:
    registry = read_document(content, keys)
    gaps.explain(registry, registry.gaps)


def test_a_part_that_a_holder_closed_leaves_the_rest_proved(tmp_path: Path, checked: Checked) -> None:
    proof = tlog_proof.parse((VECTORS / "v2" / "receipts" / "of-two.txt").read_text())
    opening = open_extra(proof.extra)
    first, second = opening.told.subjects or ()
    assert isinstance(first, Part)
    extra = write_extra(opening.oversight, opening.told.general, [subject_digest(*first), second])
    lines = b"".join(tlog_proof.path_line(b"", each) for each in proof.path)
    (tmp_path / "closed").write_bytes(tlog_proof.write(extra, proof.index, lines, proof.checkpoint.encode()))
    [closed] = checked({"check": "receipt", "keys": VECTORS / "v2" / "ledger.pub", "file": tmp_path / "closed"})
    assert (closed["ok"], closed["closed"], closed["leaf"]) == (True, True, opening.leaf.hex())


def test_a_key_that_was_given_up_signs_nothing_more(tmp_path: Path, checked: Checked) -> None:
    version = OF_PROOF[-1]
    extra = tlog_proof.parse((version / "receipts" / "first-key.txt").read_text()).extra
    known = {"check": "receipt", "keys": version / "root.pub", "registry": version / "registry.json"}
    for others in (2, 9):
        (tmp_path / str(others)).write_text(served.receipt_over(extra, others))
    told = checked(*[{**known, "file": tmp_path / name} for name in ("2", "9")])
    assert [each.get("why", "fine") for each in told] == ["fine", "the key that signed it was given up before"]


def test_a_kind_that_is_not_known_is_proved_and_compared_with_nothing(tmp_path: Path, checked: Checked) -> None:
    head = {"v": 2, "id": "e", "at": "2026-11-24T09:30:00Z", "requester": {"issuer": "i", "client": "c"}}
    kinds = {"later": True, "hold": True, None: False, "later v3": False, "nobody's": False}
    for kind in kinds:
        wrong = {"later v3": {"v": 3}, "nobody's": {"requester": {"issuer": "i"}}}
        said = head | {"kind": kind or 7, "event": "paused"} | wrong.get(str(kind), {})
        extra = write_extra(bytes(32), Part(bytes(32), msgspec.json.encode(said)), [bytes(32)])
        tree = Tree().grow([leaf_hash(open_extra(extra).leaf)]).tree
        note = Signer(f"{ORIGIN}/1", KEY).checkpoint(1, tree.root)
        (tmp_path / str(kind)).write_bytes(tlog_proof.write(extra, 0, b"", note.encode()))
    keys = VECTORS / "v2" / "ledger.pub"
    receipts = [tmp_path / str(kind) for kind in kinds]
    results = checked(*[{"check": "receipt", "keys": keys, "file": path} for path in receipts])
    assert [each["ok"] for each in results] == list(kinds.values())
    assert [each["kind"] for each in results[:2]] == ["later", "hold"]
    trusted = key_files.read_verifiers(keys)
    ours = [_holds(lambda path=path: check_presented(read_file(path.read_bytes()), trusted)) for path in receipts]
    assert ours == list(kinds.values())
    (tmp_path / "answer").write_bytes(
        msgspec.json.encode({"data": None, "extensions": {"inquiry": {"receipt": receipts[0].read_text()}}})
    )
    [answer] = checked({"check": "receipt", "keys": keys, "file": tmp_path / "answer"})
    assert not answer["ok"]
    assert not _holds(lambda: check_presented(read_file((tmp_path / "answer").read_bytes()), trusted))
