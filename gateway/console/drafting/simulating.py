"""A draft tried on past inquiries: begun, watched while it runs, ended, and its result."""

from __future__ import annotations

import datetime
from typing import Any

from starlette.responses import Response

from gateway.console.calling import ApiRefused
from gateway.console.clock import is_day
from gateway.console.drafting.shared import api, go, page
from gateway.console.returning import Wrong, about
from gateway.console.visiting import Visit

USUAL = datetime.timedelta(days=30)
"""The period that the form begins with."""


async def simulation(visit: Visit) -> Response:
    """How the last one goes, and the form for another."""
    if visit.has("since"):
        return await form(visit, [])
    today = visit.today
    filled = {"since": (today - USUAL).isoformat(), "through": today.isoformat(), "reason": ""}
    return await _page(visit, filled, [])


async def form(visit: Visit, wrong: Wrong) -> Response:
    """The form as it was sent, with what is wrong with it."""
    return await _page(visit, _given(visit), wrong)


async def begin(visit: Visit) -> Response:
    """Begin one."""
    filled = _given(visit)
    wrong = [(name, visit.words("simulating.no_day")) for name in ("since", "through") if not is_day(filled[name])]
    if not filled["reason"]:
        wrong.append(("reason", visit.words("simulating.no_reason")))
    if not wrong:
        try:
            await visit.call("POST", f"{api(visit)}/simulation", filled)
        except ApiRefused as refused:
            if refused.code != "MATTER_INVALID" or about(visit, refused)[0]:
                raise
            wrong = [("since", visit.words("simulating.refused", why=refused.message))]
    return await _page(visit, filled, wrong) if wrong else await go(visit, "simulation", "done.simulation_begun")


async def stop(visit: Visit) -> Response:
    """End the one that is on."""
    await visit.call("POST", f"{api(visit)}/simulation/stop", {})
    return await go(visit, "simulation", "done.simulation_ended")


def _given(visit: Visit) -> dict[str, str]:
    return {name: visit.field(name) for name in ("since", "through", "reason")}


async def _page(visit: Visit, filled: dict[str, str], wrong: list[tuple[str, Any]]) -> Response:
    await visit.call("GET", api(visit))  # a draft that is not there is no draft without a simulation
    try:
        found = await visit.call("GET", f"{api(visit)}/simulation")
    except ApiRefused as refused:
        if refused.code != "MATTER_NOT_FOUND":
            raise
        found = None
    return await page(visit, "simulation", wrong, found=found, filled=filled)
