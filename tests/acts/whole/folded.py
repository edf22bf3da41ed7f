"""What is known of subjects, told from the entries of acts alone: no table is read but for the order of the acts."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import select

from gateway.ledger.entry import entries
from gateway.ledger.stored import read
from gateway.storage.port import Store
from gateway.storage.subjects.acts import act


class Consent(NamedTuple):
    client: str
    purpose: str
    fields: Mapping[str, frozenset[str]]
    until: datetime.date


class Dispute(NamedTuple):
    record: tuple[str, str]
    version: str
    due: datetime.date


@dataclasses.dataclass
class Known:
    """Of one subject: consents by id, disputes by matter, and what became of records, as (dataset, record)."""

    consents: dict[str, Consent] = dataclasses.field(default_factory=dict)
    disputes: dict[str, Dispute] = dataclasses.field(default_factory=dict)
    upheld: set[str] = dataclasses.field(default_factory=set)
    withdrawn: set[tuple[str, str]] = dataclasses.field(default_factory=set)
    restored: set[tuple[str, str]] = dataclasses.field(default_factory=set)
    opted_out: set[str] = dataclasses.field(default_factory=set)

    def overdue(self, day: datetime.date) -> set[tuple[str, str]]:
        return {each.record for each in self.disputes.values() if each.due < day}

    def take(self, told: entries.Acted) -> None:
        """What an act changes."""
        record = (told.dataset, told.record)
        match told.what:
            case "consent-granted":
                assert told.recipient is not None
                assert told.until is not None
                terms = {name: frozenset(several) for name, several in told.fields.items()}
                self.consents[told.matter] = Consent(told.recipient.client, told.purpose, terms, told.until)
            case "consent-revoked":
                del self.consents[told.matter]
            case "objection-filed" if told.record:
                assert told.due is not None
                self.disputes[told.matter] = Dispute(record, told.version, told.due)
            case "objection-decided" if told.outcome != "refused" and not told.changes:
                self.upheld.add(told.matter)
            case "objection-decided" | "matter-withdrawn":
                self.disputes.pop(told.matter, None)
            case "restoration-confirmed":
                self.restored.add(record)
            case "opt-out-set":
                self.opted_out.add(told.dataset)
            case "opt-out-lifted":
                self.opted_out.remove(told.dataset)
            case "change-reported" | "change-confirmed" if told.changes:
                self._changed(told, record)

    def _changed(self, told: entries.Acted, record: tuple[str, str]) -> None:
        if told.outcome == "reinstated":
            return self.withdrawn.remove(record)
        if told.outcome == "withdrawn":
            self.withdrawn.add(record)
        for matter, each in list(self.disputes.items()):
            same = not (told.version and each.version) or told.version == each.version
            if matter in self.upheld and each.record == record and same:
                del self.disputes[matter]
        return None


class Ledgers:
    """All that stands in a store's ledgers: what was told and the other side by id, and the acts in their order."""

    def __init__(self, store: Store) -> None:
        self.told: dict[str, tuple[entries.Told, entries.Oversight]] = {}
        self.places: dict[int, str] = {}
        with contextlib.closing(store.reader()) as reader:
            for head in read.heads(reader):
                for each in read.read_entries(reader, head.id, 0, head.size):
                    told = each.read_told()
                    assert told.id not in self.told, "an entry appears twice"
                    self.told[told.id] = (told, each.read_oversight())
        acts = {id_: told for id_, (told, _) in self.told.items() if isinstance(told, entries.Acted)}
        with store.engine.connect() as connection:
            rows = connection.execute(select(act.c.id, act.c.number, act.c.entry).order_by(act.c.number)).all()
        self.numbers = [row.number for row in rows]
        self.places = {row.entry: row.id for row in rows}
        assert sorted(acts) == sorted(row.id for row in rows), "an act without its entry, or the other way round"
        self.acts: Sequence[entries.Acted] = [acts[row.id] for row in rows]

    def known(self, subject: tuple[str, str], change: int | None = None) -> Known:
        """What is known of a subject once that many changes of facts were made; of all, where it is not said."""
        found = Known()
        for told in self.acts:
            if change is not None and told.changes and told.changes[0] > change:
                break
            if (told.scheme, told.value) == subject:
                found.take(told)
        return found
