"""A draft tried on past inquiries: begun, looked at while it goes on, ended, and what came of it."""

from __future__ import annotations

import datetime
from typing import Any

from starlette.responses import Response

from gateway.console.calling import Answered, ApiRefused
from gateway.console.drafting.drafts import ROOM, api
from gateway.console.visiting import Visit

USUAL = datetime.timedelta(days=30)
"""The period that the form begins with."""


async def simulation(visit: Visit) -> Response:
    """How the last one goes, and the form for another."""
    today = datetime.datetime.fromtimestamp(visit.parts.now(), datetime.UTC).date()
    filled = {"since": (today - USUAL).isoformat(), "through": today.isoformat(), "reason": ""}
    return await _page(visit, filled, [])


async def begin(visit: Visit) -> Response:
    """Begin one."""
    filled = {name: visit.field(name) for name in ("since", "through", "reason")}
    wrong = [(name, visit.words("simulating.no_day")) for name in ("since", "through") if not _is_day(filled[name])]
    if not filled["reason"]:
        wrong.append(("reason", visit.words("simulating.no_reason")))
    if not wrong:
        try:
            await visit.call("POST", f"{api(visit)}/simulation", filled)
        except ApiRefused as refused:
            if refused.code != "MATTER_INVALID":
                raise
            wrong = [("since", visit.words("simulating.refused", why=refused.message))]
    return await _page(visit, filled, wrong) if wrong else await _go(visit, "done.simulation_begun")


async def stop(visit: Visit) -> Response:
    """End the one that is on."""
    await visit.call("POST", f"{api(visit)}/simulation/stop", {})
    return await _go(visit, "done.simulation_ended")


async def _go(visit: Visit, said: str) -> Response:
    return await visit.go(f"/console/drafts/{visit.request.path_params['id']}/simulation", said, Answered(None))


async def _page(visit: Visit, filled: dict[str, str], wrong: list[tuple[str, Any]]) -> Response:
    draft = await visit.call("GET", api(visit))
    try:
        found = await visit.call("GET", f"{api(visit)}/simulation")
    except ApiRefused as refused:
        if refused.code != "MATTER_NOT_FOUND":
            raise
        found = None
    return await visit.page(
        "drafting/simulation.html", ROOM, 422 if wrong else 200,
        id=draft["id"], place="simulation", found=found, filled=filled, wrong=wrong,
    )  # fmt: skip


def _is_day(text: str) -> bool:
    try:
        datetime.date.fromisoformat(text)
    except ValueError:
        return False
    return True
