"""The key outside a store, with a command: asked once at a start, away, and another; as the handbook shows it."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from gateway.config import store_key
from gateway.config.store_key import KeyCommand
from gateway.errors import CommandRefused, ConfigurationError
from gateway.storage.keys import finishing
from gateway.storage.sealing import key_file
from gateway.storage.sealing.key_file import KeyFile
from tests.storage.conftest import Place
from tests.storage.sealing.kms import TOKEN, Kms
from tests.storage.sealing.test_columns import planted, read
from tests.storage.sealing.test_finishing import NOW, quiet

HANDBOOK = (Path(__file__).parents[3] / "deploy/README.md").read_text("utf-8")
EXAMPLES = [
    YAML(typ="safe").load(each) for each in re.findall(r"^store_key_command: (\[.*\])$", HANDBOOK, re.M)
]  # fmt: skip


@pytest.fixture(autouse=True)
def _nothing_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_key, "_held", {})


@pytest.fixture
def kms() -> Iterator[Kms]:
    made = Kms()
    yield made
    made.close()


def started_anew() -> None:
    """As a process that was asked nothing yet."""
    store_key._held.clear()


def by_kms(folder: Path, kms: Kms) -> KeyCommand:
    """The handbook's command that asks a service, and what it needs in a folder."""
    (folder / "kms.header").write_text(f"Authorization: Bearer {TOKEN}\n")
    words = next(each for each in EXAMPLES if each[0] == "curl")
    return KeyCommand((*words[:-1], kms.url), folder)


def test_the_handbook_s_command_of_an_encrypted_file(place: Place, key: Path, tmp_path: Path) -> None:
    (tmp_path / "passphrase").write_text("a long one\n")
    written = re.search(r"`(openssl enc [^`]+)`", HANDBOOK)
    assert written is not None
    subprocess.run(shlex.split(written[1]), cwd=tmp_path, check=True)
    key.unlink()
    place.key = KeyCommand(tuple(next(each for each in EXAMPLES if each[0] == "openssl")), tmp_path)
    rows = planted(place.open())
    place.close()
    started_anew()
    assert read(place.open()) == rows


def test_a_service_is_asked_once_by_a_process_and_not_while_it_is_away(
    place: Place, key: Path, tmp_path: Path, kms: Kms
) -> None:
    kms.wrap(key)
    place.key = by_kms(tmp_path, kms)
    store = place.open()
    rows = planted(store)
    place.open()
    assert kms.asked == 1
    kms.away = True
    finishing.rotate_secrets(place.open().engine, place.key, NOW, quiet)
    assert read(store) == rows  # by a key that came while it was away
    assert kms.asked == 1
    place.close()
    started_anew()
    with pytest.raises(ConfigurationError) as refused:
        place.open()
    (problem,) = refused.value.problems
    assert problem.path == "store_key_command"
    assert problem.message == (
        "`curl` ended with status 22: the key of the store is missing. Nothing was changed; run the command yourself,"
        " as the gateway's account, to see why, and try again"
    )
    kms.away = False
    assert read(place.open()) == rows


def test_another_key_is_given_by_a_line_before_the_first(place: Place, key: Path, tmp_path: Path, kms: Kms) -> None:
    old, command = key_file.load(key), KeyCommand(("cat", "printed"), tmp_path)
    printed = tmp_path / "printed"
    printed.write_bytes(old.encode())
    place.key = command
    store = place.open()
    rows = planted(store)
    with pytest.raises(CommandRefused, match=f"prints the key `{old.name}` first, which the store has already"):
        finishing.rotate_outside(store.engine, command, NOW)
    both = old.followed_by_its_next()
    printed.write_bytes(both.encode())
    assert finishing.rotate_outside(store.engine, command, NOW).name == both.name
    printed.write_bytes(both.first_alone().encode())
    started_anew()
    assert read(place.open()) == rows
    printed.write_bytes(old.encode())
    started_anew()
    with pytest.raises(
        ConfigurationError, match=rf"`cat` prints the key `{old.name}`; have the command print the right"
    ):
        place.open()
    printed.write_bytes(b"what a service says where it refuses\n")
    with pytest.raises(ConfigurationError, match=r"what `cat` printed holds no key of a store"):
        place.open()


async def test_a_process_that_was_handed_the_key_before_asks_for_the_next_one_once(
    place: Place, key: Path, tmp_path: Path
) -> None:
    old, printed = key_file.load(key), tmp_path / "printed"
    printed.write_bytes(old.encode())
    place.key = command = KeyCommand(("cat", "printed"), tmp_path)
    store = place.open()
    rows = planted(store)
    before = store_key.handed()
    printed.write_bytes(old.followed_by_its_next().encode())
    finishing.rotate_outside(store.engine, command, NOW)
    finishing.rotate_secrets(store.engine, command, NOW, quiet)
    store_key.take(before)
    assert read(place.open()) == rows
    assert KeyFile(key_file.decoded(command.printed()).keys).several
