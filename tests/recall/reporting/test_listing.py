"""What is not done with, on either store: the same recalls, also where nobody has a webhook or nobody is registered."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from gateway.recall.reporting import listing
from gateway.recall.reporting.listing import STATES, Asked
from gateway.rules.model import Recalls, RequesterEntry
from tests.recall.test_commands import ISSUER, ROWS, SUBJECTS, rows
from tests.storage.conftest import Place

Requesters = Mapping[tuple[str, str], RequesterEntry]


def registered(*told: str) -> Requesters:
    """The clients of the rows but one that is gone; those `told` have a webhook."""
    clients = {str(row["client"]) for row in ROWS} - {"long-gone"}
    url = {client: Recalls("https://recipient.example/recalls") for client in told}
    return {
        (ISSUER, client): RequesterEntry(
            ISSUER, client, client, "market", frozenset(), (), recalls=url.get(client, Recalls())
        )
        for client in clients
    }


@pytest.mark.parametrize(
    ("requesters", "undeliverable"),
    [
        (registered(), [6]),
        (registered("market-regulator", "labour-office"), [1, 4, 6]),
        ({}, [1, 3, 4, 5, 6, 7]),
    ],
)
def test_both_stores_list_the_same(place: Place, requesters: Requesters, undeliverable: list[int]) -> None:
    store = place.open()
    rows(store)

    def listed(state: str | None, client: str | None = None, first: int = 100) -> list[int]:
        found: list[int] = []
        after: str | None = None
        while True:
            page = listing.recalls(store.engine, requesters, Asked(state, client, first, after))
            assert not any(SUBJECTS[0] in line for line in page.lines)
            assert len(page.lines) <= 2 * first
            found += [int(line.split()[0], 16) for line in page.lines[::2]]
            if (after := page.after) is None:
                return found

    expected = {"open": [2, 0, 3, 4, 5, 6, 7], "overdue": [1], "refused": [2], "undeliverable": undeliverable}
    assert {state: listed(state) for state in STATES} == expected
    for first in (1, 3, 8):
        assert listed(None, first=first) == [1, 2, 0, 3, 4, 5, 6, 7]
    assert listed("open", "labour-office") == [2, 4]
    assert len(listing.suspensions(store.engine, None)) == 1
    assert listing.suspensions(store.engine, "labour-office") == []
