"""`gateway/ledger/FORMAT.md` is true: its constants, kinds and example are those of the code, its vectors exist."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import get_args

import msgspec
import pytest

from gateway.ledger.entry import entries, registry
from gateway.ledger.entry.acts import Simulated
from gateway.ledger.entry.inquiry_parts import ToldOf
from gateway.ledger.entry.parts import OF_SUBJECT
from gateway.ledger.entry.receipt import read_file, verify_receipt
from gateway.ledger.entry.registry import MAX_SHARDS
from gateway.ledger.proof import leaf, merkle, note, tlog_proof
from gateway.ledger.stored.read import TILE_WIDTH
from gateway.ledger.verify.published.follow import GRACE
from gateway.ledger.witness.server import MAX_PROOF
from tests.docs.reading import ROOT, code, fences, section, table

PAGE = ROOT / "gateway" / "ledger" / "FORMAT.md"
TEXT = PAGE.read_text("utf-8")
VECTORS = ROOT / "tests" / "vectors"
KINDS = {kind.__struct_config__.tag: kind for kind in get_args(entries.Known)}
OF_EVERY_KIND = {"v", "id", "at", "requester", "rule_set"}


def _table(heading: str, first: str) -> list[list[str]]:
    """The table of a section whose head begins with this cell."""
    _, head, rest = section(PAGE, heading).partition(f"| {first} |")
    assert head, f"no table of `{heading}` begins with `{first}`"
    return table(head + rest)


def _begins() -> set[bytes]:
    """What hashed and signed bytes begin with, as the code has it."""
    found = {value for name, value in vars(leaf).items() if "_PREFIX" in name}
    found |= {f"{tlog_proof.HEADER}\n".encode(), f"{registry._HANDOVER}\n".encode()}
    return found | {note.cosigned_text(b"", 1).partition(b"time")[0]}


def test_the_constants_are_those_of_the_code() -> None:
    told = [code(row[0])[0] for row in table(section(PAGE, "Constants"))]
    assert {text.strip('"').replace("\\n", "\n").encode() for text in told} == _begins()
    assert len(told) == 13
    used = set(re.findall(r'"(dutybound/[^"]+|cosignature/[^"]+)"', TEXT))
    assert used <= {text.strip('"') for text in told}


def test_the_sizes_are_those_of_the_code() -> None:
    sizes = _table("Constants", "size")
    assert [row[0] for row in sizes] == [
        f"{leaf.SALT_SIZE} bytes", "64 bytes", f"{TILE_WIDTH}", f"{tlog_proof.MAX_PATH}",
        f"{registry.MAX_REGISTRY:,} bytes",
    ]  # fmt: skip
    assert merkle.HASH_SIZE == leaf.SALT_SIZE
    assert note.MAX_SIGNATURES == tlog_proof.MAX_PATH
    assert f"(`1` to `{MAX_SHARDS}`)" in TEXT
    assert f"more than {GRACE.seconds} seconds after the gap's" in TEXT
    assert f"most {MAX_PROOF})" in TEXT
    assert f"| `v` | {registry.VERSION}; refuse another |" in TEXT
    assert entries.VERSIONS == (1, 2), "the page says what a version is"


def test_every_kind_of_entry_has_its_members() -> None:
    told = {code(row[0])[0]: (set(code(row[1])), set(code(row[2]))) for row in _table("What an entry says", "kind")}
    assert told == {
        tag: ({field.name for field in msgspec.structs.fields(kind)} - OF_EVERY_KIND, set(OF_SUBJECT[kind]))
        for tag, kind in KINDS.items()
    }
    members = [f"`{field.name}`" for field in msgspec.structs.fields(ToldOf)]
    assert f"{', '.join(members[:-1])} and {members[-1]}" in " ".join(TEXT.split())


@pytest.mark.parametrize(
    ("name", "type_"),
    [("`declaration`", entries.Declared), ("an obligation", entries.Duty), ("of `disclosed`", entries.Disclosed),
     ("a dataset", entries.Dataset), ("a caution", entries.Notice), ("`data`", entries.Data),
     ("`looked`", entries.Looked), ("`simulated`", Simulated)],
)  # fmt: skip
def test_an_object_has_its_members(name: str, type_: type[msgspec.Struct]) -> None:
    rows = _table("What an entry says", "object")
    [members] = [code(row[1]) for row in rows if row[0] == name]
    assert [each for each in members if "<" not in each] == [field.name for field in msgspec.structs.fields(type_)]


def test_what_a_registry_and_its_entries_have() -> None:
    said = section(PAGE, "The registry")
    change, document = said.partition("### The document")[::2]
    assert [member for row in table(change) for member in code(row[0])] == [
        "event", "shard", "key", "size", "root", "handover",
    ]  # fmt: skip
    assert [member for row in table(document) for member in code(row[0])] == [
        field.name for field in msgspec.structs.fields(registry.Document)
    ]


def _example() -> list[str]:
    """The lines of the example: each a label and what stands behind it, continued lines joined."""
    lines: list[str] = []
    for fence in fences(PAGE):
        if fence.text in section(PAGE, "An example"):
            for line in fence.text.splitlines():
                if line.startswith(" "):
                    lines[-1] += line.strip()
                else:
                    lines.append(re.sub(r" +", " ", line))
    return lines


def _side(extra: bytes) -> list[str]:
    """An `extra` of version 2 taken apart by the code, in the example's words."""
    opening = leaf.open_extra(extra)
    told, lines = opening.told, [f"version = {extra[:1].hex()}", f"oversight digest = {opening.oversight.hex()}"]
    for part in (told.general, *(told.subjects or ())):
        assert isinstance(part, leaf.Part)
        lines += ["open = 01", f"salt = {part.salt.hex()}", f"length = {len(part.body):08x}"]
        begins = re.match(r".*?\d(?:Z|2)\",", part.body.decode())
        assert begins
        lines.append(f"{len(part.body)} bytes : {begins[0]} ... }}")
    subject = (told.subjects or ())[0]
    assert isinstance(subject, leaf.Part)
    lines.append(f"general digest = {leaf.general_digest(*told.general).hex()}")
    lines.append(f"subject digest = {leaf.subject_digest(*subject).hex()}")
    lines.append(f"told digest = {leaf.told_digest(told).hex()}")
    lines.append(f"leaf = {opening.leaf.hex()}")
    return lines


def test_the_example_is_what_the_vectors_have() -> None:
    key = note.parse_verifier((VECTORS / "v2" / "ledger.pub").read_text().strip())
    receipt = (VECTORS / "v2" / "receipts" / "first.txt").read_text()
    proof = tlog_proof.parse(receipt)
    proved = verify_receipt(receipt, [key])
    text, line = note.note_body(proof.checkpoint), note.signature_lines(proof.checkpoint, [key])[0]
    signature = note.unb64(line.split()[-1])
    data = read_file((VECTORS / "v2" / "answers" / "first.json").read_bytes()).data or b""
    told = proved.told
    assert isinstance(told, entries.Inquiry)
    assert leaf.data_digest(told.data.salt, data) == told.data.sha256
    gap = tlog_proof.parse((VECTORS / "proof-v3" / "receipts" / "gap.txt").read_text())
    gap_hash = merkle.leaf_hash(leaf.open_extra(gap.extra).leaf)
    old = tlog_proof.parse((VECTORS / "v1" / "receipts" / "view.txt").read_text())
    view = leaf.open_extra(old.extra)
    key_hash = hashlib.sha256(f"{key.name}\n".encode() + key.kind + key.public)
    assert _example() == [
        str(key),
        f"kind and key = {(key.kind + key.public).hex()}",
        f"H(name 0A ..) = {key_hash.hexdigest()}",
        *_side(proof.extra),
        f"leaf hash = root = {proved.root.hex()}",
        f"text = {text.encode().hex()}",
        f"key id = {signature[:4].hex()}",
        f"signature = {signature[4:].hex()}",
        f"data bytes : {data.decode()}",
        f"data salt = {told.data.salt.hex()}",
        f"data digest = {told.data.sha256.hex()}",
        f"leaf hash = {gap_hash.hex()}",
        f"path = {gap.path[0].hex()}",
        f"root = {note.parse_checkpoint(note.note_body(gap.checkpoint)).root.hex()}",
        f"told salt = {view.told.general.salt.hex()}",
        f"oversight digest = {view.oversight.hex()}",
        f"told digest = {leaf.told_digest(view.told).hex()}",
        f"leaf = {view.leaf.hex()}",
        f"leaf hash = {merkle.leaf_hash(view.leaf).hex()}",
    ]
    assert f"has {len(proof.extra)} bytes" in TEXT
    assert f"has {len(text)} bytes; the base64" in TEXT
    assert f"of the answer, {len(data)} bytes" in TEXT


def _vectors() -> list[str]:
    return [name for row in table(section(PAGE, "Vectors")) for name in code(row[0])]


@pytest.mark.parametrize("name", _vectors())
def test_a_vector_that_is_named_exists(name: str) -> None:
    folders = [VECTORS, *(path for path in VECTORS.iterdir() if path.is_dir())]
    assert any(found.exists() for folder in folders for found in folder.glob(name.rstrip("/")))


def test_every_vector_is_named() -> None:
    files = {path for path in VECTORS.rglob("*") if path.is_file() and path.suffix in (".txt", ".fork", ".request")}
    named: set[Path] = set()
    for name in _vectors():
        if not name.endswith("/") or name.startswith("proof-*"):
            for folder in (VECTORS, *(path for path in VECTORS.iterdir() if path.is_dir())):
                named |= set(folder.glob(name))
    files -= {path for path in files if "evidence" in path.parts and "checkpoints" in path.parts}
    assert files <= named
