"""Commands on a store whose key a service unwraps: all of them work, and where it is away nothing is lost."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gateway.config import store_key
from gateway.config.store_key import KeyCommand
from tests.backup.conftest import lose
from tests.storage.office import Office
from tests.storage.sealing.kms import Kms
from tests.storage.sealing.test_outside import by_kms, kms

__all__ = ["kms"]


@pytest.fixture
def unwrapped(office: Office, kms: Kms, monkeypatch: pytest.MonkeyPatch) -> KeyCommand:
    """The command, as the configuration has it; each command of the office is a process of its own."""
    monkeypatch.setattr(store_key, "_held", {})
    assert office.bare("store", "key", "--out", "store.key") == 0
    kms.wrap(office.folder / "store.key")
    command = by_kms(office.folder, kms)
    with office.config.open("a") as file:
        file.write(f"store_key_command: {json.dumps(command.words)}\n")
    bare = office.bare

    def anew(*arguments: object) -> int:
        store_key._held.clear()
        return bare(*arguments)

    monkeypatch.setattr(office, "bare", anew)
    return command


def test_a_backup_is_restored_once_the_service_is_back(office: Office, unwrapped: KeyCommand, kms: Kms) -> None:
    office.place.key = unwrapped
    office.serve(1)
    assert "key: store_key_command, SHA-256" in office.ran("backup", "--out", "copy")
    office.serve(2)
    lose(office.place)
    kms.away = True
    assert "the key of the store is missing. Nothing was changed" in office.refused("restore", "copy")
    if office.place.kind == "sqlite":
        assert not Path(office.place.url.removeprefix("sqlite:///")).exists()
    kms.away = False
    assert "has 1 entry, and 2 were published" in office.ran("restore", "copy")
    office.serve(3)
    assert office.verify() == 0, office.err
    kms.away = True
    assert "the key of the store is missing" in office.refused("ledger", "verify")
    office.ran("backup", "--out", "without")
    assert "the key `store_key_command` is missing" in office.err
    kms.away = False
    assert office.verify() == 0, office.err


def test_another_key_than_the_backup_s_is_refused_before_anything_is_written(
    office: Office, unwrapped: KeyCommand, kms: Kms
) -> None:
    office.place.key = unwrapped
    office.serve(1)
    office.ran("backup", "--out", "copy")
    lose(office.place)
    assert office.bare("store", "key", "--out", "store.key") == 0
    right = (office.folder / "store.key.wrapped").read_bytes()
    kms.wrap(office.folder / "store.key")
    assert "the backup needs another key than `store_key_command` prints" in office.refused("restore", "copy")
    (office.folder / "store.key.wrapped").write_bytes(right)
    office.ran("restore", "copy")
    assert office.verify() == 0, office.err


def test_a_plain_store_is_sealed_by_it_and_its_secrets_are_changed(
    office: Office, unwrapped: KeyCommand, kms: Kms
) -> None:
    office.serve(1)
    office.place.close()
    kms.away = True
    assert "the key of the store is missing. Nothing was changed" in office.refused("store", "migrate", "--finish")
    kms.away = False
    assert "its rows are sealed now" in office.ran("store", "migrate", "--finish")
    assert "sealed by key 2 of the store's own" in office.ran("store", "rotate", "--secrets")
    assert "which the store has already" in office.refused("store", "rotate")
    asked = kms.asked
    assert office.verify() == 0, office.err
    assert kms.asked == asked + 1
    assert office.bare("store", "key", "--out", "next.key") == 0
    both = office.folder / "store.key"
    store_key._held.clear()
    both.write_bytes((office.folder / "next.key").read_bytes() + unwrapped.printed())
    kms.wrap(both)
    assert "`curl` need not print the one before any more" in office.ran("store", "rotate")
    (office.folder / "store.key").write_bytes((office.folder / "next.key").read_bytes())
    kms.wrap(office.folder / "store.key")
    assert office.verify() == 0, office.err
