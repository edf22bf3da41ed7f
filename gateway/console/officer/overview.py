"""What the first page shows of rules: what is active, what waits for whoever looks, and what is their own."""

from __future__ import annotations

from typing import Any

from gateway.console.visiting import Visit

ROLES = ("officer", "steward", "oversight")
MOST, SHOWN = 100, 20
"""Proposals that are looked through, and of these shown: first those that wait for whoever looks."""


async def overview(visit: Visit) -> dict[str, Any] | None:
    """All of it, for those whom rules concern; None for others."""
    if not any(role in visit.session.roles for role in ROLES):
        return None
    waiting = (await visit.call("GET", f"/rules/proposals?waiting=yes&first={MOST}"))["items"]
    mine = [each for each in waiting if each["you"]["needed"] or each["you"]["mayActivate"]]
    others = [each for each in waiting if each not in mine]
    told: dict[str, Any] = {"waiting": [*mine, *others][:SHOWN], "waits": len(mine)}
    if "officer" in visit.session.roles:
        status = await visit.call("GET", "/rules/status")
        (told["active"], *_) = (await visit.call("GET", "/rules/activations?first=1"))["items"] or [None]
        told["replicas"] = status["replicas"]
    elif "oversight" not in visit.session.roles:
        told["waiting"] = mine[:SHOWN]
    return told
