"""`client.yaml`: what it may say, and that each fault is told with its line and what to write instead."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from gateway.recipient.config import load
from gateway.recipient.lines import NotRight
from tests import configured

KEY = Ed25519PrivateKey.generate()
WHOLE = """\
gateway: https://gateway.example/
register: register.db
poll: 10m
receipts: 2h
patience: 5s
command: [/usr/local/bin/apply, --quietly]
token:
  url: https://login.example/token
  client_id: market-regulator
  secret_file: client.secret
  scopes: {receipts: receipts inquire}
  parameters: {resource: https://gateway.example}
webhook:
  listen: "[::1]:8090"
  path: /hooks/recalls
  secret_file: webhook.secret
  public_key_file: webhook.pub
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    secrets = [f"whsec_{base64.b64encode(each * 24).decode()}" for each in (b"n", b"o")]
    configured.secret(tmp_path / "client.secret", "hidden\n")
    configured.secret(tmp_path / "webhook.secret", "\n".join(secrets))
    public = base64.b64encode(KEY.public_key().public_bytes_raw()).decode()
    (tmp_path / "webhook.pub").write_text(f"whpk_{public}\n")
    return tmp_path


def told(folder: Path, text: str) -> list[str]:
    file = folder / "client.yaml"
    file.write_text(text)
    try:
        load(file)
    except NotRight as error:
        return [each.removeprefix(f"{file}:") for each in error.problems]
    return []


def test_a_whole_file_is_read(folder: Path) -> None:
    assert told(folder, WHOLE) == []
    config = load(folder / "client.yaml")
    assert (config.gateway, config.register) == ("https://gateway.example", folder / "register.db")
    assert (config.poll, config.receipts, config.patience) == (600.0, 7200.0, 5.0)
    assert config.command == ("/usr/local/bin/apply", "--quietly")
    assert config.token.secret == "hidden"
    assert config.token.scopes == {"recalls": "recalls", "receipts": "receipts inquire", "inquiry": "inquire"}
    assert config.token.parameters == {"resource": "https://gateway.example"}
    assert config.webhook is not None
    assert (config.webhook.host, config.webhook.port, config.webhook.path) == ("::1", 8090, "/hooks/recalls")
    assert config.webhook.secrets == (b"n" * 24, b"o" * 24)
    assert [key.public_bytes_raw() for key in config.webhook.keys] == [KEY.public_key().public_bytes_raw()]


def test_the_least_is_enough(folder: Path) -> None:
    text = "\n".join(WHOLE.splitlines()[:2] + WHOLE.splitlines()[6:10])
    assert told(folder, text) == []
    config = load(folder / "client.yaml")
    assert (config.webhook, config.command, config.poll) == (None, (), 300.0)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "gateway: https",
            "gateway: http",
            "1: gateway: `http://gateway.example/` must be https (http is for loopback",
        ),
        ("gateway: https://gateway.example/", "gateway: ''", "1: gateway: must be text on one line"),
        (
            "https://gateway.example/\n",
            "https://a:b@gateway.example/\n",
            "1: gateway: must have no user or password before its host",
        ),
        (
            "gateway.example/\n",
            "gateway.example/?a=b\n",
            "1: gateway: `https://gateway.example/?a=b` has a query (`?`); leave it out",
        ),
        (
            "gateway.example/\n",
            "gateway.example/'#a'\n",
            "1: gateway: `https://gateway.example/'#a'` has a fragment (`#`)",
        ),
        (
            "https://gateway.example/\n",
            "https://gateway.example:x\n",
            "1: gateway: `https://gateway.example:x` must be",
        ),
        ("register: register.db", "register: nowhere/register.db", "2: register: there is no folder"),
        ("register: register.db", "register: .", "2: register: "),
        ("poll: 10m", "pol: 10m", "3: pol: unknown key; did you mean `poll`?"),
        ("poll: 10m", "zebra: 10m", "3: zebra: unknown key; known are gateway, "),
        ("poll: 10m", "poll: often", "3: poll: `often` must be a duration, such as `30s`"),
        ("poll: 10m", "poll: [10m]", "3: poll: must be text"),
        ("receipts: 2h", "poll: 2h", "4: poll: appears twice; keep one"),
        ("command: [/usr/local/bin/apply, --quietly]", "command: []", "6: command: must be a list"),
        ("command: [/usr/local/bin/apply, --quietly]", "command: apply", "6: command: must be a list"),
        ("  client_id: market-regulator\n", "", "7: `token.client_id` is missing"),
        ("secret_file: client.secret", "secret_file: none", "10: token.secret_file: the file `none` cannot be read"),
        ("secret_file: client.secret", "secret_file: webhook.secret", "10: token.secret_file: the file must hold one"),
        ("scopes: {receipts", "scopes: {receits", "11: token.scopes.receits: unknown key; did you mean `receipts`?"),
        ("parameters: {resource", "parameters: {scope", "12: token.parameters.scope: `scope` is set by the client"),
        ('"[::1]:8090"', "8090", "14: webhook.listen: `8090` must be an address and a port"),
        ('"[::1]:8090"', "x:99999", "14: webhook.listen: `x:99999` must be an address and a port"),
        ("path: /hooks/recalls", "path: recalls", "15: webhook.path: `recalls` must be a path"),
        ("secret_file: webhook.secret", "secret_file: client.secret", "16: webhook.secret_file: the file must hold"),
        (
            "public_key_file: webhook.pub",
            "public_key_file: client.secret",
            "17: webhook.public_key_file: the file must",
        ),
        ("  secret_file: webhook.secret\n  public_key_file: webhook.pub\n", "", "13: webhook: needs `secret_file`"),
        ("token:\n", "token: [\n", "is not YAML"),
    ],
)
def test_each_fault_is_told_with_its_line(folder: Path, old: str, new: str, said: str) -> None:
    assert old in WHOLE
    found = told(folder, WHOLE.replace(old, new, 1))
    assert len(found) == 1, found
    assert said in found[0]
    assert "hidden" not in found[0]


def test_all_that_is_wrong_is_told_at_once(folder: Path) -> None:
    wrong = WHOLE.replace("poll: 10m", "poll: x").replace("  path: /hooks/recalls", "  path: x")
    assert [each.partition(":")[0] for each in told(folder, wrong)] == ["3", "15"]


@pytest.mark.parametrize("name", ["client.secret", "webhook.secret"])
def test_a_secret_that_others_may_read_is_refused(folder: Path, name: str) -> None:
    (folder / name).chmod(0o640)
    [found] = told(folder, WHOLE)
    assert f"`chmod 600 {name}`" in found


def test_what_is_no_file_is_one_sentence(folder: Path) -> None:
    with pytest.raises(NotRight, match="cannot be read"):
        load(folder / "nothing.yaml")
    (folder / "bytes.yaml").write_bytes(b"\xff\xfe")
    with pytest.raises(NotRight, match="UTF-8"):
        load(folder / "bytes.yaml")
    assert told(folder, "") == ["1: must be a mapping (`key: value` lines)"]


@given(st.data())
def test_a_damaged_file_is_told_and_never_a_traceback(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    place = tmp_path_factory.mktemp("client")
    at, cut = data.draw(st.integers(0, len(WHOLE))), data.draw(st.integers(0, 30))
    text = WHOLE[:at] + data.draw(st.text(st.sampled_from("{}[]:,&*!|>'\"\n -a%@`\t"), max_size=4)) + WHOLE[at + cut :]
    found = told(place, text)  # its secrets are not there, so that something is always wrong
    assert found
    assert all(each for each in found)
