"""How the ledger stands, as oversight reads it: by what the store has, without a key, and for nobody else."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import insert, update

from gateway.acts.oversight.health import Health
from gateway.config.ledger import LedgerSettings, WitnessSettings
from gateway.errors import Refusal
from gateway.ledger.proof.note import Cosigner, note_body
from gateway.storage import tables
from gateway.storage.tables import micros
from tests.acts.desk import Desk
from tests.acts.serving import served
from tests.ledger.support import ORIGIN, disclosed

COSIGNING = Cosigner("archives.example", Ed25519PrivateKey.from_private_bytes(bytes(32)))
SETTINGS = LedgerSettings(
    ORIGIN, Path("none"), Path("none"), (WitnessSettings("archives", "https://none.example", str(COSIGNING.verifier)),)
)


async def test_what_was_entered_is_signed_and_published(desk: Desk) -> None:
    await disclosed(desk.ledger)
    found = Health(desk.office, SETTINGS).now()
    assert (found["taking"], found["origin"], found["sealed"]) == (True, ORIGIN, [])
    (shard,) = [each for each in found["shards"] if each["name"] == desk.ledger.shard]
    assert (shard["entries"], shard["signed"], shard["cosigned"], shard["sealed"]) == (1, True, [], False)
    # Nothing is projected in this process: everything waits, since the moment of the entry.
    (looked,) = [each for each in found["projections"] if each["name"] == "looked"]
    assert looked["behind"] >= 1
    assert looked["since"] is not None


async def test_a_witness_counts_by_its_own_signature_and_an_altered_checkpoint_not_at_all(desk: Desk) -> None:
    await disclosed(desk.ledger)
    with desk.store.engine.begin() as connection:
        row = connection.execute(tables.shard.select().where(tables.shard.c.name == desk.ledger.shard)).one()
        kept = tables.published
        connection.execute(kept.delete().where(kept.c.shard == row.id))
        note = row.checkpoint + COSIGNING.line(note_body(row.checkpoint), 1)
        given = {"shard": row.id, "at": micros(desk.now), "size": row.size}
        connection.execute(insert(kept).values(**given, checkpoint=note))
    health = Health(desk.office, SETTINGS)

    def shard() -> dict[str, object]:
        (found,) = [each for each in health.now()["shards"] if each["name"] == desk.ledger.shard]
        return dict(found)

    assert (shard()["published"], shard()["publishedAt"]) == (1, desk.now)
    assert (shard()["signed"], shard()["cosigned"]) == (True, ["archives"])
    with desk.store.engine.begin() as connection:
        connection.execute(update(kept).values(checkpoint=note.replace("\n1\n", "\n2\n")))
    assert (shard()["signed"], shard()["cosigned"]) == (False, [])


async def test_a_shard_whose_store_was_set_back_is_told(desk: Desk) -> None:
    await disclosed(desk.ledger)
    gone = {"name": desk.ledger.shard, "at": micros(desk.now), "size": 1, "root": b"\0" * 32}
    with desk.store.engine.begin() as connection:
        connection.execute(insert(tables.sealed).values(**gone, remembered="", by="the head file"))
    found = Health(desk.office, SETTINGS).now()
    assert found["sealed"] == [{"name": desk.ledger.shard, "at": desk.now, "namedIn": None}]
    assert [each["name"] for each in found["shards"] if each["sealed"]] == [desk.ledger.shard]


async def test_a_store_that_does_not_answer_is_told_as_that(desk: Desk) -> None:
    await disclosed(desk.ledger)
    with desk.store.engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE published")
    with pytest.raises(Refusal, match="cannot be read now"):
        Health(desk.office, SETTINGS).now()


async def test_it_is_for_oversight_alone(tmp_path: Path) -> None:
    async with served(tmp_path) as gateway, httpx.AsyncClient(timeout=20) as http:

        async def asked(**claims: str) -> httpx.Response:
            token = gateway.issuer.token(aud=gateway.url, **claims).decode()
            return await http.get(f"{gateway.url}/ledger/health", headers={"authorization": token})

        told = await asked(client_id="oversight", sub="o.keller", scope="oversight")
        assert told.status_code == 200
        assert told.json()["taking"]
        assert (await http.get(f"{gateway.url}/ledger/health")).status_code == 401
        for claims in (
            {"client_id": "tax-stewards", "sub": "t.weber", "scope": "steward"},
            {"client_id": "policy-office", "sub": "p.olsen", "scope": "officer"},
            {"client_id": "oversight", "sub": "oversight", "scope": "oversight"},
        ):
            assert (await asked(**claims)).status_code == 403, claims
