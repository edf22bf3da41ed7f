"""graphql-http's own audit of the GraphQL-over-HTTP specification: every MUST and SHOULD passes."""

from __future__ import annotations

from tests.conformance.conftest import Client
from tests.conftest import World

MUST, SHOULD = 13, 21
"""How many audits of each level graphql-http 1.23.1 has: fewer would mean that it was not run whole."""


def test_server_audits(world: World, client: Client) -> None:
    results = client("audit", {"url": world.graphql, "token": world.token("market-regulator")})
    levels = [result["name"].split()[0] for result in results]
    assert levels.count("MUST") >= MUST
    assert levels.count("SHOULD") >= SHOULD
    failed = [
        f"{result['id']} {result['name']}: {result.get('reason')} (answer: {result.get('answer')})"
        for result, level in zip(results, levels, strict=True)
        if level != "MAY" and result["status"] != "ok"
    ]
    assert not failed, "\n".join(failed)
