"""Grants of a draft as forms: from when until when, by which agreement, and of which datasets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from gateway.console.calling import ApiRefused
from gateway.console.clock import is_day
from gateway.console.drafting import shared
from gateway.console.drafting.shared import api, page
from gateway.console.returning import Wrong
from gateway.console.visiting import Visit

FILE = "requesters.yaml"
_CHANGED = ("entry", "number", "since", "until", "agreed_by", "datasets")


async def listed(visit: Visit) -> Response:
    """All grants; where the file is none that they are found in, why."""
    found = await shared.found(visit, "grants")
    for each in found["grants"]:
        each["days"] = [visit.words.day(day) if is_day(day) else day for day in (each["since"], each["until"])]
    return await page(visit, "grants", found=found, file=FILE)


async def edit(visit: Visit) -> Response:
    """The form of one."""
    return await form(visit, [])


async def form(visit: Visit, wrong: Wrong) -> Response:
    """The form as it was sent, or else as the grant is; with what is wrong with it."""
    found, grant = await _found(visit)
    if visit.has("seen"):
        return await _page(visit, found, _given(visit, grant), visit.field("seen"), wrong)
    return await _page(visit, found, grant, found["seen"], wrong)


async def save(visit: Visit) -> Response:
    """Change one, then check the draft."""
    found, grant = await _found(visit)
    seen = visit.field("seen")
    given = _given(visit, grant)
    wrong = list(_wrong(visit, given))
    change = {name: given[name] for name in _CHANGED} | {"seen": seen}
    if not wrong and (wrong := await shared.put(visit, f"{api(visit)}/grants", change, "since")):
        seen = found["seen"]
    if wrong:
        return await _page(visit, found, given, seen, wrong)
    return await shared.go(visit, "check", "done.grant_changed")


async def _found(visit: Visit) -> tuple[Any, Mapping[str, Any]]:
    """What the API tells of the grants, and the one that the address names; raises `ApiRefused`."""
    found = await visit.call("POST", f"{api(visit)}/grants", {})
    place = visit.request.path_params["entry"], visit.request.path_params["number"]
    for each in found["grants"]:
        if (str(each["entry"]), str(each["number"])) == place:
            return found, each
    raise ApiRefused(404, "MATTER_NOT_FOUND", "there is no such grant", {})


def _given(visit: Visit, grant: Mapping[str, Any]) -> dict[str, Any]:
    typed = {name: visit.field(name) for name in ("since", "until", "agreed_by")}
    return {**grant, **typed, "datasets": visit.fields("datasets")}


def _wrong(visit: Visit, given: Mapping[str, Any]) -> Any:
    for name in ("since", "until"):
        if not is_day(given[name]):
            yield name, visit.words("granting.no_day")
    if not given["agreed_by"]:
        yield "agreed_by", visit.words("granting.no_agreement")
    if not given["datasets"]:
        yield "datasets", visit.words("granting.no_dataset")


async def _page(
    visit: Visit, found: Any, grant: Mapping[str, Any], seen: str, wrong: list[tuple[str, Any]]
) -> Response:
    # What the catalogue does not know any more can still be taken out of the grant.
    datasets = found["datasets"] | {name: found["datasets"].get(name, name) for name in grant["datasets"]}
    return await page(visit, "grant", wrong, grant=grant, seen=seen, datasets=datasets)
