"""The page for whoever writes a recipient: its examples are what this one sends, reads and verifies."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from graphql import build_schema, parse, strip_ignored_characters, validate

from gateway.recipient import config, doing, inbox, receipts, webhook
from tests import configured
from tests.docs.reading import ROOT, code, fences, inline, section, table
from tests.recipient.standin import SDL

PAGE = ROOT / "gateway" / "recipient" / "README.md"
EXAMPLES = [json.loads(fence.text) for fence in fences(PAGE) if fence.language == "json"]
KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)


def test_the_operations_are_those_that_the_client_sends_and_the_contract_takes() -> None:
    asked = [each["query"] for each in EXAMPLES if "query" in each]
    selected = f"taxArrears {{ period amount record {{ {inbox.META} }} }}"
    correction = inbox.CORRECTION % ("TENDER_QUALIFICATION", "organisation", selected)
    sent = [inbox.RECEIPTS, inbox.RECALLS, correction, inbox.SEVERAL, inbox.ONE, inbox.ATTEST]
    assert [strip_ignored_characters(each) for each in asked] == [strip_ignored_characters(each) for each in sent]
    for each in asked:
        assert validate(build_schema(SDL), parse(each)) == []


def test_the_variables_are_those_of_the_operations() -> None:
    for each in EXAMPLES:
        if "query" in each:
            assert set(each["variables"]) == set(re.findall(r"\$(\w+):", each["query"]))


def test_the_signatures_of_the_example_verify() -> None:
    [body] = [fence.text.strip().encode() for fence in fences(PAGE) if "recall.available" in fence.text]
    said = inline(PAGE)
    given = {name: text for each in said for name, colon, text in [each.partition(": ")] if name.startswith("webhook-")}
    [secret] = [each for each in said if re.fullmatch("whsec_.{10,}", each)]
    [public] = [each for each in said if re.fullmatch("whpk_.{10,}", each)]
    signatures = [each for each in said if re.fullmatch(r"v1a?,\S+", each)]
    assert [each.partition(",")[0] for each in signatures] == ["v1", "v1a"]
    taken = config.Webhook(
        "x",
        1,
        "/",
        (base64.b64decode(secret[6:]),),
        (Ed25519PublicKey.from_public_bytes(base64.b64decode(public[5:])),),
    )
    now = float(given["webhook-timestamp"])
    for signature in signatures:
        assert webhook.verify(taken, {**given, "webhook-signature": signature}, body, now) == given["webhook-id"]
    assert json.loads(body)["data"]["recall"] == given["webhook-id"]
    assert f"more than {webhook.TOLERANCE} seconds off" in PAGE.read_text("utf-8")


def test_the_part_of_a_receipt_is_read_as_the_page_says() -> None:
    [part] = [each for each in EXAMPLES if "datasets" in each]
    general = {"kind": "inquiry", "id": "I-1", "at": "2026-11-24T12:00:00Z", "declaration": {"purpose": "P"}}
    general["obligations"] = [{"type": "delete-by", "properties": {"date": "2026-12-24"}}]  # type: ignore[assignment]
    laid = b"\x02" + bytes(32)
    for each in (general, part):
        body = json.dumps(each).encode()
        laid += b"\x01" + bytes(32) + len(body).to_bytes(4, "big") + body
    laid += b"\x00" + bytes(32)
    received = receipts.opened(f"c2sp.org/tlog-proof@v1\nextra {base64.b64encode(laid).decode()}\nindex 0\n\n")
    assert received is not None
    assert (received.purpose, str(received.delete_by)) == ("P", "2026-12-24")
    assert [(each.dataset, each.record, each.version, each.fields) for each in received.records] == [
        ("tax-arrears", "N-1", "1", ("period", "amount"))
    ]


def test_the_task_is_what_a_command_gets() -> None:
    [task] = [each for each in EXAMPLES if "passed_on" in each]
    assert msgspec.json.decode(msgspec.json.encode(msgspec.convert(task, doing.Task))) == task


def test_the_configuration_loads(tmp_path: Path) -> None:
    [text] = [fence.text for fence in fences(PAGE) if fence.text.startswith("# client.yaml\n")]
    configured.secret(tmp_path / "client.secret", "secret")
    configured.secret(tmp_path / "webhook.secret", f"whsec_{base64.b64encode(b's' * 24).decode()}")
    (tmp_path / "webhook.pub").write_text(f"whpk_{base64.b64encode(KEY.public_key().public_bytes_raw()).decode()}")
    (tmp_path / "client.yaml").write_text(text)
    loaded = config.load(tmp_path / "client.yaml")
    assert (loaded.poll, loaded.receipts, loaded.patience) == (300.0, 3600.0, 60.0)
    assert loaded.webhook is not None


def test_actions_and_codes_are_those_of_the_code() -> None:
    actions = [name for row in table(PAGE.read_text("utf-8").partition("### 5")[2]) for name in code(row[0])]
    assert actions == list(doing.WORDS)
    assert {each for each in inline(PAGE) if each in inbox._PASSING} == inbox._PASSING


def test_every_file_is_on_the_page() -> None:
    told = [name for row in table(section(PAGE, "The files")) for name in code(row[0])]
    assert sorted(told) == sorted(f.name for f in PAGE.parent.glob("*.py") if f.name != "__init__.py")
