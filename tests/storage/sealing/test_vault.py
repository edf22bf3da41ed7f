"""What a store's own keys make of a value: found by its name, opened for its purpose alone, and by keys made later."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import StoreUnavailable
from gateway.storage.sealing.vault import MARK, DataKeys, Vault, new_keys

KEYS = new_keys()


@given(st.text(max_size=40), st.binary(max_size=40))
def test_what_is_sealed_opens(text: str, content: bytes) -> None:
    vault, other = Vault(KEYS), Vault(KEYS)
    assert other.name_opened("subject", vault.name("subject", text)) == text
    assert other.words_opened("reason", vault.words("reason", text)) == text
    assert other.secret_opened("key", vault.secret("key", content)) == content


def test_the_same_name_is_the_same_bytes_and_a_secret_is_not() -> None:
    vault = Vault(KEYS)
    assert vault.name("subject", "47110815") == vault.name("subject", "47110815")
    assert vault.name("subject", "47110815") != vault.name("record", "47110815")
    assert vault.name("subject", "47110815") != Vault(new_keys()).name("subject", "47110815")
    assert vault.words("reason", "47110815") != vault.words("reason", "47110815")
    assert "47110815" not in vault.name("subject", "47110815")


def test_a_name_of_nothing_stays_nothing() -> None:
    vault = Vault(KEYS)
    assert vault.name("subject", "") == vault.name_opened("subject", "") == ""


def test_nothing_opens_for_another_purpose_with_another_key_or_altered() -> None:
    vault = Vault(KEYS)
    name, words, secret = vault.name("a", "value"), vault.words("a", "value"), vault.secret("a", b"value")
    for other, purpose in ((Vault(new_keys()), "a"), (vault, "b")):
        with pytest.raises(StoreUnavailable, match="does not open"):
            other.name_opened(purpose, name)
        with pytest.raises(StoreUnavailable, match="does not open"):
            other.words_opened(purpose, words)
        with pytest.raises(StoreUnavailable, match="does not open"):
            other.secret_opened(purpose, secret)
    for place in range(len(secret)):
        with pytest.raises(StoreUnavailable):
            vault.secret_opened("a", secret[:place] + bytes([secret[place] ^ 1]) + secret[place + 1 :])
    for wrong in ("value", MARK, f"{MARK}A", f"{MARK}{'A' * 60}", f"{MARK}é{'A' * 60}", name[:-3]):
        with pytest.raises(StoreUnavailable):
            vault.name_opened("a", wrong)
    with pytest.raises(StoreUnavailable):
        vault.name_opened("a", 7)  # type: ignore[arg-type]


def test_a_newer_key_seals_and_an_older_one_opens() -> None:
    newer = KEYS.with_another()
    before, after = Vault(KEYS), Vault(newer)
    sealed = before.secret("a", b"value")
    assert after.secret_opened("a", sealed) == b"value"
    assert before.newest_secret(sealed)
    assert not after.newest_secret(sealed)
    assert after.newest_secret(after.secret("a", b"value"))
    assert after.newest_words(after.words("a", "value"))
    assert not after.newest_words(before.words("a", "value"))
    assert before.name("a", "value") == after.name("a", "value")
    with pytest.raises(StoreUnavailable):
        before.secret_opened("a", after.secret("a", b"value"))


def test_a_key_that_another_process_made_is_asked_for_once_and_then_seals() -> None:
    newer, asked = KEYS.with_another(), []

    def renew() -> DataKeys:
        asked.append(1)
        return newer

    vault, after = Vault(KEYS, renew), Vault(newer)
    for _ in range(2):
        assert vault.secret_opened("a", after.secret("a", b"value")) == b"value"
    assert asked == [1]
    assert after.newest_secret(vault.secret("a", b"value"))


def test_there_is_a_last_version() -> None:
    keys = DataKeys({1: bytes(64)}, {255: bytes(64)})
    with pytest.raises(OverflowError):
        keys.with_another()
