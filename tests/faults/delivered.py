"""Departments that deliver files, and what can be wrong with a delivery: the one before stays, or nothing is told."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from pathlib import Path

from connectors.base import DatasetShape
from connectors.delivered import index
from connectors.delivered.report import Outcome, Report
from connectors.files import FilesConnector, build
from gateway.catalogue.model import Dataset
from gateway.documents import Node
from tests.connectors.files.delivering import KEY, Department, canonical, csv, public
from tests.waiting import until

MOODS = ("no delivery", "too old", "cut short", "swapped", "unsigned", "an older one", "another scheme", "half of it")
NOTHING = ("no delivery", "too old")
"""After these there is nothing to tell; after the others what was delivered before is."""
TYPES = {
    "String": "text", "Int": "7", "Boolean": "true", "Decimal": "12.5", "Date": "2026-01-02",
    "DateTime": "2026-01-02T03:04:05+00:00",
}  # fmt: skip


class Delivery(Department):
    """One department's: its folder, and the connector that takes in."""

    def __init__(self, room: Path, datasets: Sequence[Dataset], subjects: Sequence[str]) -> None:
        self.folder, self.out = room, room / "out"
        self.out.mkdir(parents=True)
        (room / "signers").write_text(f"{public(KEY)}\n")
        self._datasets, self._subjects, self.sequence = datasets, subjects, 100

    def config(self) -> dict[str, object]:
        """Its part of `sources.yaml`, without the datasets."""
        named = {"folder": self.out, "signers_file": self.folder / "signers", "index": self.folder / "index"}
        return {"kind": "files", "max_age": "48h", "poll": "24h", **{key: str(path) for key, path in named.items()}}

    def connect(self, node: Node, shapes: Mapping[str, DatasetShape]) -> None:
        """Make the connector that takes in."""
        made = build(node, shapes)
        assert node.problems == []
        assert isinstance(made, FilesConnector)
        self.connector = made

    def mood(self, dataset: str, mood: str) -> None:
        """Deliver anew, well or wrong, and have it taken in."""
        if mood in NOTHING:
            (self.folder / "index" / index.FILE).unlink(missing_ok=True)
        if mood == "no delivery":
            return
        now = datetime.datetime.now(datetime.UTC)
        contents = {each.id + ".csv": (each.id, "csv", *self._csv(each, dataset)) for each in self._datasets}
        file = f"{dataset}.csv"
        if mood == "another scheme":
            name, form, content, rows = contents[file]
            contents[file] = (name, form, content.replace(b",LEI,", b",PIN,", 1), rows)
        old = self.sequence
        said = self.write(
            contents,
            sequence=old - 50 if mood == "an older one" else old + 1,
            as_of=now - datetime.timedelta(hours=50) if mood == "too old" else now,
        )
        self.sequence = old + 1
        whole = contents[file][2]
        if mood in ("cut short", "swapped"):
            (self.out / file).write_bytes(whole[:-9] if mood == "cut short" else whole.replace(b"D-", b"E-"))
        elif mood == "half of it":
            (self.out / file).unlink()
        elif mood == "unsigned":
            self._put("manifest.json", repr(said).encode())

        def taken() -> Report | None:
            found = self.connector.deliver(canonical)  # the gateway's own process may be at it
            return None if found.outcome is Outcome.UNREACHED else found

        found = until("an intake", taken)
        wanted = {Outcome.TAKEN, Outcome.UNCHANGED} if mood in ("well", "too old") else {Outcome.REFUSED}
        assert found.outcome in wanted, found

    def _csv(self, dataset: Dataset, told: str) -> tuple[bytes, int]:
        columns = {field.name: TYPES[str(field.type)] for field in dataset.fields.values()}
        fixed = {"m_version": "1", "m_effective": "2026-10-01", "m_scheme": "LEI", **columns}
        head = [*fixed, "m_id", "m_document", "m_subject"]
        rows = [
            {**fixed, "m_id": f"R-{value}", "m_document": f"D-{value}", "m_subject": value}
            for value in (self._subjects if dataset.id == told else ())
        ]
        return csv(rows, header=head), len(rows)
