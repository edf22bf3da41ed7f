"""A ledger as it is run, on a store of either kind: a gateway's part of it, and the commands as people type them.

`sql` is whoever has the database's password, or its file.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text

from gateway import cli
from gateway.clock import machines
from gateway.config import settings
from gateway.ledger.acting.commanded import done
from gateway.ledger.acting.planned import Made, Seen
from gateway.ledger.log import operator
from gateway.ledger.log.build import ledger_of
from gateway.ledger.projections.projector import Projector
from gateway.ledger.proof import key_files
from gateway.ledger.stored import read
from gateway.storage.subjects import facts
from gateway.storage.subjects.facts import fact_head
from gateway.storage.tables import SHARD_BITS
from gateway.storage.watch import findings as kept
from gateway.watch import reviews
from tests import configured
from tests.ledger.support import AT, SUBJECT, disclosed, receipt_of, recipients_found
from tests.services import Postgres
from tests.storage.conftest import Place, kept_running
from tests.watch.looks import POLICIES

LEI = f"{SUBJECT.scheme}:{SUBJECT.value}"
SAID = ("--by", "C. Auditor", "--reason", "audit 9")
FINDING = "out-of-hours-1-1"
PURPOSE = "TENDER_QUALIFICATION"


class Office:
    """`out` and `err` are what the last command printed."""

    def __init__(self, place: Place, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.place, self.folder, self._capsys = place, folder, capsys
        self.config = folder / "gateway.yaml"
        if not (folder / "ledger.key").exists():
            key_files.generate(folder / "ledger.key")
        self.move(place)

    def move(self, place: Place) -> None:
        """Have the configuration name another place's store, as after the restore of a backup."""
        self.place = place
        configured.write(
            self.folder,
            store=place.url,
            durability="single-node" if place.kind == "postgresql" else None,
            policies=str(POLICIES),
            ledger={"head_file": "heads.json", "backups": "P35D"},
        )

    def __call__(self, *arguments: object) -> int:
        """Run a command with the configuration."""
        return self.bare(*arguments, "--config", self.config)

    def bare(self, *arguments: object) -> int:
        """Run a command as it stands."""
        status = cli.main([str(each) for each in arguments])
        self.out, self.err = self._capsys.readouterr()
        assert "Traceback" not in self.err
        return status

    def ran(self, *arguments: object) -> str:
        """Run a command that is to succeed; what it printed."""
        assert self(*arguments) == 0, self.err
        if arguments[:3] == ("ledger", "erase", "request"):
            recipients_found(self.place.open())
        return self.out

    def refused(self, *arguments: object) -> str:
        """Run a command that is to be refused; why."""
        assert self(*arguments) == 1, self.out
        return self.err

    def verify(self) -> int:
        return self("ledger", "verify")

    def serve(self, *numbers: int) -> list[str]:
        """Start as a gateway does, answer so many inquiries, and stop; their receipts."""
        return asyncio.run(self._serve(numbers))

    async def _serve(self, numbers: Sequence[int]) -> list[str]:
        found = settings.load(self.config, os.environ)
        ledger = ledger_of(self.place.open(), found.ledger, key_files.load(found.ledger.key_file), machines)
        await ledger.start()
        try:
            with ledger.store.engine.connect() as connection:
                known = connection.execute(select(fact_head.c.change)).scalar_one()
            return [receipt_of(await disclosed(ledger, number, facts=known)) for number in numbers]
        finally:
            await ledger.close()

    def sql(self, statement: str, **values: Any) -> int:
        """Change the store behind the gateway's back; how many rows that changed."""
        if self.place.kind == "sqlite":
            with contextlib.closing(sqlite3.connect(self.place.url.removeprefix("sqlite:///"))) as file, file:
                return file.execute(statement, values).rowcount
        with self.place.open().engine.begin() as connection:
            connection.execute(text("SET LOCAL session_replication_role = replica"))  # no foreign key is looked at
            return connection.execute(text(statement), values).rowcount

    def find(self, shard: str = "1", index: int = 0) -> None:
        """What the watch would have found: one look at night."""
        engine = self.place.open().engine
        version, _ = kept.read_cursors(engine)
        at = self.heads()[shard]
        found = kept.Found(
            FINDING, "out-of-hours", "27", 1, "https://login.example", "market-regulator", "m.ivanova", PURPOSE,
            "one look at night", ((at[0] << SHARD_BITS) + index,),
        )  # fmt: skip
        assert kept.advance(engine, version, {at[0]: index + 1}, [found])

    def review(self, finding: str, by: str = "C. Auditor", verdict: str = "proper", reason: str = "audit 9") -> None:
        """End a finding's review; raises as `reviews.made`."""
        with operator.opened(self.config) as place:

            def make(seen: Seen) -> Made:
                return reviews.made(place.store, seen, finding, by, verdict, reason, operator.CLIENT)

            place.run(lambda ledger: done(ledger, make))

    def populate(self) -> None:
        """Facts, inquiries, everything that people do by a command, and what is made of it."""
        store = self.place.open()
        facts.set_opt_out(store.engine, SUBJECT, "awards", True, AT)
        facts.withdraw(store.engine, SUBJECT, "tax-arrears", "N-7", AT)
        self.serve(1, 2)
        facts.set_opt_out(store.engine, SUBJECT, "awards", False, AT)
        facts.withdraw(store.engine, SUBJECT, "tax-arrears", "N-8", AT)
        self.find()
        hold = self.ran("ledger", "hold", "place", "--subject", LEI, *SAID).split()[2].rstrip(",")
        self.ran("ledger", "hold", "lift", hold, *SAID)
        self.ran("ledger", "hold", "place", "--subject", LEI, *SAID)
        self.ran("ledger", "erase", "request", "--subject", LEI, *SAID)
        self.review(FINDING)
        projector = Projector(self.place.open())
        while projector.turn():
            pass
        projector.close()

    def heads(self) -> dict[str, tuple[int, int]]:
        """The id and size of each shard."""
        with contextlib.closing(self.place.open().reader()) as reader:
            return {head.name: (head.id, head.size) for head in read.heads(reader)}

    def sizes(self) -> dict[str, int]:
        return {name: size for name, (_, size) in self.heads().items()}


@pytest.fixture(scope="session")
def server(pytestconfig: pytest.Config) -> Postgres:
    """One that keeps what it committed, or no command would take it."""
    return kept_running(pytestconfig, fsync="on")


@pytest.fixture
def office(place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Office:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state-home"))
    return Office(place, tmp_path, capsys)
