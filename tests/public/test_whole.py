"""The open record of a whole gateway: a shard of its own, beside the one of authorities."""

from __future__ import annotations

from pathlib import Path

import httpx

from gateway.config import settings
from gateway.ledger.entry.registry import EVERY, ROOT
from gateway.ledger.proof import key_files
from gateway.ledger.stored import read
from gateway.ledger.verify.store import verify_store
from gateway.public import record_page
from gateway.storage.store import opened
from tests import configured
from tests.acts.serving import served

LEI = "529900T8BM49AURSDO55"


async def test_it_is_entered_in_a_shard_of_its_own(tmp_path: Path) -> None:
    async with served(tmp_path) as gateway:
        async with httpx.AsyncClient(base_url=gateway.url) as client:
            first = await client.get(f"{record_page.PATH}/LEI/{LEI}")
            await client.get(f"{record_page.PATH}/LEI/{LEI}", headers={"Accept": "text/html"})
            person = await client.get(f"{record_page.PATH}/PIN/9001011237")
            assert (await client.get("/ledger/registry")).json()
        assert (first.status_code, person.status_code) == (200, 404)
        assert not any(each["available"] for each in first.json()["datasets"])
    with opened(settings.load(tmp_path / "gateway.yaml", {})) as store:
        sizes = {head.name: head.size for head in read.heads(store.reader())}
        private = key_files.load(tmp_path / "ledger.key")
        verify_store(store, key_files.verifiers(private, configured.ORIGIN, [ROOT, *EVERY]))
    assert (sizes["open"], sizes["1"]) == (2, 1)  # the other one is what activated the rules
