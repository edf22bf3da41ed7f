"""What somebody wrote into a sealed store without its key is made right again, where entries say what it was."""

from __future__ import annotations

import pytest
from sqlalchemy import select, text

from gateway.storage.tables import SHARD_BITS
from gateway.storage.watch.findings import Glass, finding, open_again
from tests.ledger.support import disclosed, opened
from tests.storage.conftest import Place

ENTRY = 1 << SHARD_BITS
USE = Glass("inquiry-7", 1, "https://login.example", "market-regulator", None, "m.ivanova", "LICENCE")


@pytest.mark.parametrize("altered", ["'another'", "NULL"])
async def test_a_review_whose_official_was_altered_is_brought_back(sealed: Place, altered: str) -> None:
    store = sealed.open()
    async with opened(store) as ledger:
        await disclosed(ledger)
    assert open_again(store.engine, USE, ENTRY, "somebody broke the glass")
    assert not open_again(store.engine, USE, ENTRY, "somebody broke the glass")
    with store.engine.begin() as connection:
        connection.execute(text(f"UPDATE finding SET official = {altered}"))
    assert open_again(store.engine, USE, ENTRY, "somebody broke the glass")
    with store.engine.connect() as connection:
        assert connection.execute(select(finding.c.official)).scalars().all() == [USE.official]
