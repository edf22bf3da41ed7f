"""The keys `webhooks` and `alerts` of gateway.yaml, and what `check` says of them."""

from __future__ import annotations

import base64
import ipaddress
import re
import shutil
from pathlib import Path

import pytest

from gateway import cli
from gateway.config import settings
from gateway.config.outgoing import AlertSettings, WebhookSettings
from gateway.config.settings import Settings
from gateway.errors import Problem
from gateway.ledger.log.build import webhook_keys
from gateway.ledger.proof import key_files
from gateway.recall.delivering import outgoing
from gateway.recall.worker import rules_of
from gateway.web.messages.addresses import Addresses
from tests import configured
from tests.watch.looks import POLICIES

WHSEC = f"whsec_{base64.b64encode(b'n' * 32).decode()}"


def read(folder: Path, problems: list[Problem], **keys: object) -> Settings | None:
    return settings.read(configured.write(folder, **keys), {}, problems)


def good(folder: Path, **keys: object) -> Settings:
    problems: list[Problem] = []
    found = read(folder, problems, **keys)
    assert problems == []
    assert found is not None
    return found


def told(folder: Path, **keys: object) -> list[str]:
    problems: list[Problem] = []
    read(folder, problems, **keys)
    return [f"{each.path}: {each.message}" for each in problems]


def test_without_them_nothing_signs_and_every_private_network_is_closed(tmp_path: Path) -> None:
    found = good(tmp_path)
    assert (found.webhooks, found.alerts) == (WebhookSettings(), None)
    assert not Addresses(found.webhooks.networks).may("10.0.0.1")


def test_what_they_say(tmp_path: Path) -> None:
    configured.secret(tmp_path / "alerts.secret", WHSEC)
    (tmp_path / "ca.pem").write_text("")
    keys = {
        "key_file": "new.key",
        "older_key_file": "old.key",
        "ca_file": "ca.pem",
        "networks": ["10.20.0.0/16", "::1/128"],
    }
    alerts = {"url": "https://operations.example/alerts", "secret_file": "alerts.secret"}
    found = good(tmp_path, webhooks=keys, alerts=alerts)
    networks = tuple(map(ipaddress.ip_network, keys["networks"]))
    files = (tmp_path / "new.key", tmp_path / "old.key")
    assert found.webhooks == WebhookSettings(files, networks, tmp_path / "ca.pem")
    assert found.alerts == AlertSettings("https://operations.example/alerts", (b"n" * 32,))


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        (
            {"webhooks": {"networks": ["10.20.0.1/16"]}},
            "webhooks.networks.0: `10.20.0.1/16` must be an address or network",
        ),
        ({"webhooks": {"networks": ["intranet"]}}, "webhooks.networks.0: `intranet` must be an address or network"),
        ({"webhooks": {"networks": "10.0.0.0/8"}}, "webhooks.networks: must be a list"),
        ({"webhooks": {"older_key_file": "old.key"}}, "webhooks.older_key_file: is beside a newer one"),
        ({"webhooks": {"network": []}}, "webhooks.network: unknown key `network`"),
        ({"alerts": {"url": "https://operations.example/"}}, "alerts: `secret_file` is missing"),
        (
            {"alerts": {"url": "http://operations.example/", "secret_file": "x"}},
            "alerts.url: `http://operations.example/`",
        ),
    ],
)
def test_what_is_wrong_with_them(tmp_path: Path, keys: dict[str, object], said: str) -> None:
    assert any(each.startswith(said) for each in told(tmp_path, **keys)), told(tmp_path, **keys)


def test_a_key_for_messages_is_made_once_and_its_public_key_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "webhooks.key"
    assert cli.main(["keys", "webhooks", "--out", str(file)]) == 0
    said = capsys.readouterr().out
    (key,) = webhook_keys(good(tmp_path, webhooks={"key_file": "webhooks.key"}))
    assert f"whpk_{base64.b64encode(key.public_key().public_bytes_raw()).decode()}" in said
    before = file.read_bytes()
    assert cli.main(["keys", "webhooks", "--out", str(file)]) == 1
    assert "never overwritten" in capsys.readouterr().err
    assert cli.main(["keys", "webhooks", "--show", str(file)]) == 0
    assert capsys.readouterr().out.splitlines() == said.splitlines()[1:]
    assert file.read_bytes() == before
    assert [each.name for each in tmp_path.glob("*.key")] == ["webhooks.key"]
    assert cli.main(["keys", "webhooks", "--show", str(tmp_path / "none.key")]) == 1
    assert "make one with `dutybound keys webhooks`" in capsys.readouterr().err


def test_the_ledgers_key_and_a_file_that_is_none_are_refused(tmp_path: Path) -> None:
    private = key_files.generate(tmp_path / "ledger.key")
    problems: list[Problem] = []
    found = read(tmp_path, problems, webhooks={"key_file": "ledger.key", "older_key_file": "nothing.key"})
    assert found is not None
    keys = webhook_keys(found)
    outgoing.check_keys(found, keys, private)
    assert len(keys) == 1
    assert [each.path for each in problems] == ["webhooks.older_key_file", "webhooks"]
    assert problems[0].message.endswith("or make one with `dutybound keys webhooks`")
    assert "the ledger's key signs the ledger alone" in problems[1].message


def test_the_example_of_the_page_loads(tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "deploy" / "README.md").read_text("utf-8")
    example = page.partition("# gateway.yaml, its key for messages to others\n")[2].partition("```")[0]
    (tmp_path / "internal-ca.pem").write_text("")
    whole = re.sub(r"# (\w+: \S+) ", r"\1 ", example)
    for text, files in ((example, ["webhooks.key"]), (whole, ["webhooks.key", "webhooks.old.key"])):
        file = configured.write(tmp_path)
        file.write_text(file.read_text() + text)
        problems: list[Problem] = []
        found = settings.read(file, {}, problems)
        assert problems == []
        assert found is not None
        assert [each.name for each in found.webhooks.key_files] == files
    assert found.webhooks.networks == (ipaddress.ip_network("10.20.0.0/16"),)


def test_a_start_says_who_will_not_be_told_and_by_what_it_is_not_signed(tmp_path: Path) -> None:
    shutil.copytree(POLICIES, tmp_path / "policies")
    configured.secret(tmp_path / "policies" / "recalls.secret", WHSEC)
    file = tmp_path / "policies" / "requesters.yaml"
    client = "    client: market-regulator\n"
    told = '    recalls: {url: "http://127.0.0.1:9/recalls", secret_file: recalls.secret}\n'
    assert client in file.read_text()
    file.write_text(file.read_text().replace(client, client + told))
    alone = good(tmp_path)
    rules = rules_of(alone)
    unsigned, unreached = outgoing.warnings(alone, rules)
    assert "signed by their shared secrets alone" in unsigned
    assert unreached.startswith("recalls of `market-regulator`: `127.0.0.1` is not public")
    key_files.generate(tmp_path / "webhooks.key")
    whole = good(tmp_path, webhooks={"key_file": "webhooks.key", "networks": ["127.0.0.0/8"]})
    assert outgoing.warnings(whole, rules) == []
