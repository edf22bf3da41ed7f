"""The command that prints the key of the store: once, in its bounds, and nothing of it is shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config import settings, store_key
from gateway.config.store_key import KeyAway, KeyCommand
from gateway.errors import ConfigurationError
from tests import configured


@pytest.fixture(autouse=True)
def _nothing_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_key, "_held", {})


def shell(folder: Path, script: str) -> KeyCommand:
    return KeyCommand(("sh", "-c", script), folder)


def test_it_runs_in_the_configuration_s_folder_once_and_again_where_that_is_asked(tmp_path: Path) -> None:
    found = shell(tmp_path, "echo asked >>asked; wc -l <asked")
    assert [found.printed(), found.printed(), found.printed(again=True), found.printed()] == [
        b"1\n", b"1\n", b"2\n", b"2\n",
    ]  # fmt: skip


def test_a_process_that_is_handed_what_it_printed_asks_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert store_key.handed() == b""
    found = shell(tmp_path, "echo asked >>asked; printf 'a key\\377'")
    assert found.printed() == b"a key\xff"
    handed = store_key.handed()
    monkeypatch.setattr(store_key, "_held", {})
    store_key.take(handed)
    assert found.printed() == b"a key\xff"
    assert (tmp_path / "asked").read_text() == "asked\n"


def test_what_does_not_print_a_key_is_said_and_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    wrong = shell(tmp_path, "echo SECRET >&2; echo SECRET; exit 7")
    for _ in range(2):
        with pytest.raises(KeyAway, match=r"^ended with status 7$"):
            wrong.printed()
    with pytest.raises(KeyAway, match=r"^printed more than 65536 bytes$"):
        shell(tmp_path, "yes").printed()
    with pytest.raises(KeyAway, match=r"^cannot be started \(No such file or directory\)$"):
        KeyCommand(("./nowhere",), tmp_path).printed()
    monkeypatch.setattr(store_key, "PATIENCE", 0.05)
    with pytest.raises(KeyAway, match=r"^took more than 0\.05 s$"):
        shell(tmp_path, "sleep 600 & sleep 600").printed()
    assert store_key.handed() == b""
    assert capfd.readouterr() == ("", "")


def test_the_keys_of_gateway_yaml_are_read_and_both_at_once_refused(tmp_path: Path) -> None:
    config = configured.write(tmp_path, store_key_command=["unwrap", "--in", "key.enc"])
    assert settings.load(config, {}).store_key == KeyCommand(("unwrap", "--in", "key.enc"), tmp_path)
    given = {"DUTYBOUND_STORE_KEY_COMMAND__2": "other.enc"}
    assert settings.load(config, given).store_key == KeyCommand(("unwrap", "--in", "other.enc"), tmp_path)
    for changes, why in (
        ({"store_key_command": ["a"], "store_key_file": "store.key"}, "stands beside `store_key_file`; keep the one"),
        ({"store_key_command": []}, "must be a program with its arguments"),
        ({"store_key_command": "openssl"}, "must be a list"),
    ):
        with pytest.raises(ConfigurationError, match=why):
            settings.load(configured.write(tmp_path, **changes), {})
