"""A department that delivers files: its mapping, rows and signed manifest, as a script of its own would write them."""

from __future__ import annotations

import datetime
import hashlib
import io
import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from connectors import files
from connectors.base import DatasetShape, FieldType
from connectors.delivered import manifest
from connectors.delivered.report import Outcome, Report
from connectors.files import FilesConnector
from connectors.kit import sshsig
from gateway.catalogue.identifiers import validator
from tests.connectors.asking import ACME, BETA, written

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
SCHEMES = {"organisation": ["LEI"]}
SHAPES = {
    "arrears": DatasetShape(
        "arrears",
        {
            "period": FieldType.STRING, "amount": FieldType.DECIMAL, "workers": FieldType.INT,
            "settled": FieldType.BOOLEAN, "due": FieldType.DATE, "seen": FieldType.DATETIME,
        },
        SCHEMES,
    ),
    "awards": DatasetShape("awards", {"title": FieldType.STRING}, SCHEMES),
}  # fmt: skip
ALL = " ".join(SHAPES["arrears"].fields)
DATASETS: dict[str, Any] = {
    "arrears": {
        "record": {
            "id": "no", "version": "rev", "document": "paper", "effective": "since", "mitigation": "note",
            "subject": {"scheme": "id_type", "value": "id_no"},
        },
        "fields": {name: name for name in SHAPES["arrears"].fields},
    },
    "awards": {
        "record": {"id": "no", "version": "rev", "subject": {"scheme": {"const": "LEI"}, "value": "lei"}},
        "fields": {"title": "title"},
    },
}  # fmt: skip
ROW: dict[str, Any] = {
    "no": "N-1", "rev": "1", "paper": "D-1", "since": "2026-01-02", "note": None, "id_type": "LEI", "id_no": ACME.value,
    "period": "2025", "amount": "10.50", "workers": 7, "settled": True, "due": "2026-03-04",
    "seen": "2026-01-02T03:04:05+01:00", "inner": "never to be seen",
}  # fmt: skip
AWARD = {"no": "A-1", "rev": "1", "lei": BETA.value, "title": "Prize"}
NOW = datetime.datetime.now(datetime.UTC).replace(microsecond=0)

lei = validator("stdnum.lei")


def canonical(scheme: str, value: str) -> str:
    """As the catalogue's schemes have it."""
    if scheme != "LEI":
        raise ValueError
    return lei(value)


def public(key: Ed25519PrivateKey) -> str:
    return f"{key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()} registry"


def csv(rows: Sequence[Mapping[str, Any]], mark: str = ",", header: Sequence[str] = ()) -> bytes:
    """Rows as CSV; `rows` may be none where the header is given."""
    names = [*header] or [*rows[0]]
    lines = [mark.join(names), *(mark.join(_text(row[name]) for name in names) for row in rows)]
    return "".join(f"{line}\n" for line in lines).encode()


def _text(value: Any) -> str:
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def jsonl(rows: Sequence[Mapping[str, Any]]) -> bytes:
    return "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows).encode()


def parquet(
    rows: Sequence[Mapping[str, Any]],
    types: Mapping[str, Any] | None = None,
    arrays: Mapping[str, Any] | None = None,
    **options: Any,
) -> bytes:
    """Rows as Parquet; `types` by column, else as Arrow infers them, and `arrays` in place of some columns."""
    import pyarrow as pa
    from pyarrow.parquet import write_table

    names = [*rows[0]]
    given = arrays or {}
    columns = [given.get(name, pa.array([row[name] for row in rows], (types or {}).get(name))) for name in names]
    out = io.BytesIO()
    write_table(pa.table(columns, names), out, **options)
    return out.getvalue()


class Department:
    """Its folder, and the gateway's side beside it. `deliver` writes a delivery and has it taken in."""

    def __init__(self, room: Path, **config: Any) -> None:
        self.folder = room
        self.out = room / "out"
        self.out.mkdir(exist_ok=True)
        (room / "signers").write_text(f"{public(KEY)}\n")
        self.config = {
            "kind": "files", "folder": "out", "signers_file": "signers", "index": "index", "max_age": "48h",
            "datasets": DATASETS, **config,
        }  # fmt: skip
        self.sequence = 0
        self.connector = self.connected()

    def connected(self, **config: Any) -> FilesConnector:
        """A connector as another start of the gateway would make it."""
        node = written({**self.config, **config}, self.folder)
        made = files.build(node, SHAPES)
        assert [str(problem) for problem in node.problems] == []
        assert isinstance(made, FilesConnector)
        return made

    def write(
        self,
        contents: Mapping[str, tuple[str, str, bytes, int]],
        *,
        sequence: int = 0,
        as_of: datetime.datetime = NOW,
        key: Ed25519PrivateKey = KEY,
        namespace: str = manifest.NAMESPACE,
        **more: Any,
    ) -> dict[str, Any]:
        """The files by name, each as (dataset, format, content, rows), and their manifest."""
        self.sequence = sequence or self.sequence + 1
        listed = [
            {
                "name": name, "dataset": dataset, "format": form, "size": len(content),
                "sha256": hashlib.sha256(content).hexdigest(), "rows": rows,
            }
            for name, (dataset, form, content, rows) in contents.items()
        ]  # fmt: skip
        for name, (_, _, content, _) in contents.items():
            self._put(name, content)
        said = {"sequence": self.sequence, "asOf": as_of.isoformat(), "files": listed, **more}
        self.sign(said, key, namespace)
        return said

    def sign(self, said: Mapping[str, Any], key: Ed25519PrivateKey = KEY, namespace: str = manifest.NAMESPACE) -> None:
        body = json.dumps(said).encode()
        self._put(manifest.NAME, body)
        self._put(manifest.SIGNATURE, sshsig.sign(key, body, namespace).encode())

    def _put(self, name: str, content: bytes) -> None:
        new = self.out / f".{secrets.token_hex(4)}"
        new.write_bytes(content)
        new.replace(self.out / name)

    def deliver(
        self, arrears: Sequence[Mapping[str, Any]] = (ROW,), awards: Sequence[Mapping[str, Any]] = (AWARD,), **more: Any
    ) -> Report:
        """A usual delivery, taken in."""
        self.write(usual(arrears, awards), **more)
        return self.take()

    def take(self) -> Report:
        return self.connector.deliver(canonical)

    def refused(self) -> str:
        """What is wrong with what was delivered, all of it; and nothing of a value is in it."""
        report = self.take()
        assert report.outcome is Outcome.REFUSED, report
        said = "\n".join(map(str, report.troubles))
        assert not any(value in said for value in (ACME.value, BETA.value, "never to be seen"))
        return said


def usual(
    arrears: Sequence[Mapping[str, Any]] = (ROW,), awards: Sequence[Mapping[str, Any]] = (AWARD,)
) -> dict[str, tuple[str, str, bytes, int]]:
    return {
        "arrears.csv": ("arrears", "csv", csv(arrears, header=[*ROW]), len(arrears)),
        "awards.jsonl": ("awards", "jsonl", jsonl(awards), len(awards)),
    }


def only(name: str, form: str, content: bytes, rows: int) -> dict[str, tuple[str, str, bytes, int]]:
    """The usual delivery, with other arrears."""
    return {name: ("arrears", form, content, rows), "awards.jsonl": usual()["awards.jsonl"]}


def dialect(**csv: Any) -> dict[str, Any]:
    """The usual datasets, whose CSV is marked so."""
    return {**DATASETS, "arrears": {**DATASETS["arrears"], "csv": csv}}


@contextmanager
def department(folder: Path, **config: Any) -> Iterator[Department]:
    yield Department(folder, **config)


@pytest.fixture
def registry(tmp_path: Path) -> Department:
    return Department(tmp_path)
