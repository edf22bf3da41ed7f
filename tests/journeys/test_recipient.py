"""The reference recipient at a running gateway: its tokens, past receipts, the inbox, a correction, and its answers."""

from __future__ import annotations

import contextlib
import secrets
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from graphql import build_client_schema, build_schema, get_introspection_query, parse, validate

from gateway.ledger.proof import tlog_proof
from gateway.recipient import inbox
from gateway.recipient.client import Client
from gateway.recipient.config import load
from gateway.recipient.receipts import Received, opened
from gateway.recipient.register import Register
from gateway.storage.recall.recalls import Recalled
from gateway.storage.tables import SHARD_BITS
from tests import configured
from tests.journeys.asking import OFFICIALS, inquire
from tests.recipient.kit import Doer
from tests.recipient.standin import SDL

if TYPE_CHECKING:
    from tests.conftest import World

WHO = "market-regulator"
DAY = 86_400_000_000


class Recipient:
    """A client of the region's issuer, with a register of its own."""

    def __init__(self, world: World, folder: Path) -> None:
        told = world.told
        configured.secret(folder / "client.secret", told["clients"][WHO]["secret"])
        file = folder / "client.yaml"
        file.write_text(
            f"gateway: {told['gateway']}\nregister: register.db\ntoken:\n  url: {told['token_url']}\n"
            f"  client_id: {WHO}\n  secret_file: client.secret\n  scopes: {{receipts: inquire}}\n"
            f"  parameters: {{official: {OFFICIALS[WHO]}}}\n"
        )
        self.config, self.doer, self.said = load(file), Doer(), list[str]()
        self.register = Register(self.config.register)
        self.client = Client(self.config, self.register, self.doer, self.said.append)


@pytest.fixture
def recipient(world: World, tmp_path: Path) -> Iterator[Recipient]:
    made = Recipient(world, tmp_path)
    yield made
    made.client.close()
    made.register.close()


def received(world: World) -> tuple[Received, str]:
    """What an inquiry about arrears gave, and its receipt."""
    subject = world.subject("ordinary")
    reply = inquire(world, WHO, "TENDER_QUALIFICATION", "{ name taxArrears { period amount } }", subject)
    found = opened(reply.inquiry["receipt"])
    assert found is not None
    assert any(each.dataset == "tax-arrears" for each in found.records)
    return found, reply.inquiry["receipt"]


def recalled(world: World, of: Received, receipt: str, action: str, sequence: int) -> str:
    """A recall of the arrears that an answer gave, as selection makes its row."""
    proof = tlog_proof.parse(receipt)
    given = [each for each in of.records if each.dataset == "tax-arrears"]
    records = [Recalled(each.record, each.version, each.fields) for each in given]
    now, id_ = time.time_ns() // 1000, secrets.token_hex(16)
    row: dict[str, Any] = {
        "id": id_, "sequence": sequence, "job": secrets.token_hex(16), "issuer": world.told["issuer"], "client": WHO,
        "inquiry": of.inquiry, "purpose": of.purpose, "scheme": given[0].scheme,
        "value": given[0].value, "dataset": "tax-arrears", "records": msgspec.json.encode(records).decode(),
        "action": action,
        "at": now, "due": now + DAY, "state": "open", "filed_in": 1,
    }  # fmt: skip
    with contextlib.closing(sqlite3.connect(world.told["store"].partition("///")[2], timeout=60)) as store, store:
        origin = proof.checkpoint.partition("\n")[0]
        (shard,) = store.execute("SELECT id FROM shard WHERE origin = ?", (origin,)).fetchone()
        row["place"] = shard << SHARD_BITS | proof.index
        names = ", ".join(row)
        store.execute(f"INSERT INTO recall ({names}) VALUES ({', '.join('?' * len(row))})", list(row.values()))
    return id_


def test_it_fetches_what_was_corrected_and_deletes_what_was_withdrawn(world: World, recipient: Recipient) -> None:
    # What other tests of this region had recalled is answered first.
    assert any(not recipient.client.turn().answered for _ in range(5))
    recipient.doer.asked.clear()
    recipient.said.clear()
    of, receipt = received(world)
    first = recalled(world, of, receipt, "update", 1)
    assert recipient.client.turn() == (1, 0, 0), recipient.said
    [updated] = recipient.doer.asked
    assert (updated.recall, updated.action, updated.purpose, updated.unknown) == (first, "UPDATE", of.purpose, ())
    assert updated.correction is not None
    named = {each.record for each in of.records if each.dataset == "tax-arrears"}
    given = updated.correction.records["tax-arrears"]
    assert {each["record"]["id"] for each in given} == named
    assert all(each["amount"] for each in given)
    fetched = opened(updated.correction.receipt)
    assert fetched is not None
    assert recipient.register.knows(fetched.inquiry)
    second = recalled(world, of, receipt, "delete", 2)
    assert recipient.client.turn() == (1, 0, 0), recipient.said
    assert [each.recall for each in recipient.doer.asked] == [first, second]
    assert recipient.client.turn() == (0, 0, 0)
    assert recipient.said == []


def test_the_stand_in_has_the_schema_of_the_gateway(world: World) -> None:
    reply = world.ask(WHO, get_introspection_query(directive_is_repeatable=True))
    real, ours = build_client_schema(reply.data), build_schema(SDL)  # type: ignore[arg-type]
    selected = f"taxArrears {{ period record {{ {inbox.META} }} }}"
    correction = inbox.CORRECTION % ("TENDER_QUALIFICATION", "organisation", selected)
    for asked in (inbox.RECALLS, inbox.RECEIPTS, inbox.SEVERAL, inbox.ONE, inbox.ATTEST, correction):
        assert validate(real, parse(asked)) == []
        assert validate(ours, parse(asked)) == []
