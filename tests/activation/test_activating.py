"""The act that activates: one epoch after the other, an entry for each, and a start that takes back nothing."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from pathlib import Path

import pytest
from sqlalchemy import select

from gateway.activation import stored
from gateway.activation.activating import Wanted, by_command, by_files
from gateway.activation.archive import packed
from gateway.config.settings import Settings
from gateway.config.settings import load as load_settings
from gateway.errors import ConfigurationError, Refusal
from gateway.ledger.acting.commanded import done
from gateway.ledger.entry import entries
from gateway.ledger.entry.registry import COMMANDS, ROOT
from gateway.ledger.log import operator
from gateway.ledger.log.operator import ActRefused, Workplace
from gateway.ledger.proof import key_files
from gateway.ledger.stored import read
from gateway.ledger.verify.store import verify_store
from gateway.rules.load import load
from gateway.storage.port import Store
from gateway.storage.rules import rulesets
from gateway.storage.subjects.facts import fact_head
from tests import configured
from tests.ledger.support import verifiers
from tests.storage.conftest import Place, bare, place, server

__all__ = ["bare", "place", "server"]

POLICIES = Path("policies")


class Office:
    """A configured store with two sets that can be activated."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        shutil.copytree(POLICIES, folder / "policies", dirs_exist_ok=True)
        key_files.generate(folder / "ledger.key")
        self.url = url
        self.shipped = load(POLICIES).digest, packed(POLICIES)
        text = (folder / "policies" / "calendar.yaml").read_text("utf-8")
        (folder / "policies" / "calendar.yaml").write_text(text.replace("Europe/Sofia", "Europe/Paris"), "utf-8")
        self.other = load(folder / "policies").digest, packed(folder / "policies")

    def settings(self, rules: str = "files") -> Settings:
        file = configured.write(self.folder, store=self.url, rules=rules, durability="single-node")
        return load_settings(file, {})

    def place(self, store: Store, rules: str = "files") -> Workplace:
        return Workplace(self.settings(rules), store, key_files.load(self.folder / "ledger.key"))


@pytest.fixture
def office(place: Place, tmp_path: Path) -> Office:
    return Office(tmp_path, place.url)


def activated(at: Workplace, wanted: Wanted) -> int:
    made: int = at.run(lambda ledger: done(ledger, lambda seen: by_command(seen, wanted))).value
    return made


def told(store: Store) -> list[entries.Acted]:
    with contextlib.closing(store.reader()) as reader:
        found = [
            entry.read_told()
            for head in read.heads(reader)
            for entry in read.read_entries(reader, head.id, 0, head.size)
        ]
    return [each for each in found if isinstance(each, entries.Acted)]


def test_each_activation_is_an_epoch_with_its_entry(place: Place, office: Office) -> None:
    store = place.open()
    at = office.place(store)
    assert by_files(at, *office.shipped) == 1
    assert by_files(at, *office.shipped, schema=lambda: pytest.fail("not asked for")) == 1, "it is active already"
    assert by_files(at, *office.other, schema=lambda: "told") == 2
    assert activated(at, Wanted(office.shipped[0], None, "rollback", "", ("A. Officer",), "5c")) == 3
    with store.engine.connect() as connection:
        rows = connection.execute(select(rulesets.activation).order_by(rulesets.activation.c.epoch)).all()
        assert connection.execute(select(fact_head.c.epoch)).scalar_one() == 3
        assert len(connection.execute(select(rulesets.rule_set)).all()) == 2
    said = told(store)
    one, two = office.shipped[0], office.other[0]
    assert [(each.what, each.base, each.rule_set, each.epoch, each.how) for each in said] == [
        ("rules-activated", "", one, 1, "files"),
        ("rules-activated", one, two, 2, "files"),
        ("rules-activated", two, one, 3, "rollback"),
    ]
    assert [each.schema for each in said] == ["", "told", "5c"]
    assert (said[2].proposal, said[2].approvers, said[2].schema) == ("", ("A. Officer",), "5c")
    assert [(row.epoch, row.digest, row.how, row.proposal) for row in rows] == [
        (1, one, "files", None), (2, two, "files", None), (3, one, "rollback", None),
    ]  # fmt: skip
    assert len({row.filed_in for row in rows}) == 3
    verify_store(store, verifiers(at.private, configured.ORIGIN, [ROOT, *COMMANDS]))


def test_gateways_that_start_at_the_same_moment_have_one_epoch(place: Place, office: Office) -> None:
    at = office.place(place.open())

    def another_starts() -> str:
        assert by_files(at, *office.shipped) == 1
        return ""

    assert by_files(at, *office.shipped, schema=another_starts) == 1


def test_what_is_active_cannot_be_activated_again(place: Place, office: Office) -> None:
    store = place.open()
    at = office.place(store)
    by_files(at, *office.shipped)
    with pytest.raises(Refusal, match="is active already"):
        activated(at, Wanted(*office.shipped, "proposal"))
    assert len(told(store)) == 1


def test_of_two_at_once_both_stand_one_after_the_other_or_one_is_refused(place: Place, office: Office) -> None:
    store = place.open()
    at = office.place(store)
    by_files(at, *office.shipped)

    async def both() -> list[object]:
        async with operator.operated(at) as ledger:
            wanted = [Wanted(*office.other, "proposal", f"p-{number}") for number in range(2)]
            makes = [done(ledger, lambda seen, each=each: by_command(seen, each)) for each in wanted]
            return await asyncio.gather(*makes, return_exceptions=True)

    outcomes = asyncio.run(both())
    assert sum(isinstance(each, Refusal | ActRefused) for each in outcomes) == 1
    with store.engine.connect() as connection:
        assert rulesets.active(connection) == rulesets.Active(2, office.other[0])
    assert len(told(store)) == 2


def test_after_people_a_start_with_files_is_refused(place: Place, office: Office) -> None:
    store = place.open()
    at = office.place(store)
    by_files(at, *office.shipped)
    activated(at, Wanted(*office.other, "bootstrap"))
    with pytest.raises(ConfigurationError, match="rules: must be `activated`: people activated"):
        by_files(at, *office.shipped)
    with pytest.raises(ConfigurationError, match="must be `activated`"):
        stored.of(office.settings())
    assert stored.of(office.settings("activated")).rules.digest == office.other[0]
    assert len(told(store)) == 2


def test_commands_go_by_the_active_set_and_not_by_the_folder(place: Place, office: Office) -> None:
    store = place.open()
    settings = office.settings()
    assert stored.in_force(settings, store.engine).epoch == 0
    assert stored.in_force(settings, store.engine).rules.digest == office.other[0], "the folder's, while nothing is"
    with pytest.raises(stored.NothingActive, match="rules bootstrap"):
        stored.in_force(office.settings("activated"), store.engine)
    by_files(office.place(store), *office.shipped)
    found = stored.in_force(office.settings(), store.engine)
    assert (found.epoch, found.rules.digest) == (1, office.shipped[0])
    assert stored.of(office.settings()).rules.digest == office.shipped[0]


def test_a_store_that_is_only_being_made_has_nothing_active_yet(tmp_path: Path) -> None:
    settings = Office(tmp_path, f"sqlite:///{tmp_path / 'new.db'}").settings("activated")
    assert stored.kept(settings) is None
    (tmp_path / "new.db").touch(0o600)
    assert stored.kept(settings) is None, "it has no tables yet"
    (tmp_path / "new.db").write_text("what is no store")
    with pytest.raises(ConfigurationError, match="cannot be read as a store"):
        stored.kept(settings)


def test_a_row_that_was_altered_is_refused(place: Place, office: Office) -> None:
    store = place.open()
    by_files(office.place(store), *office.shipped)
    with store.engine.begin() as connection:
        connection.execute(rulesets.rule_set.update().values(files=office.other[1]))
    with pytest.raises(ConfigurationError, match="they were altered"):
        stored.in_force(office.settings(), store.engine)
