"""What a draft would do: its problems, its tests, what it opens and closes, and who may see what."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import quote

from starlette.responses import Response

from gateway.console.drafting.later import Work, later
from gateway.console.drafting.shared import api, own
from gateway.console.visiting import Visit

KINDS = {"opens": ("widens",), "closes": ("narrows",), "others": ("differs", "surprises")}
"""What differs, by what it does; what opens stands first."""
FEW = 20
"""Rows of a matrix that are told in words too."""


async def check(visit: Visit) -> Response:
    """All that is wrong with its files."""

    async def made() -> Mapping[str, Any]:
        found = await visit.call("POST", f"{api(visit)}/check", {})
        return {"problems": found["problems"], "counts": found["counts"]}

    return await _of_draft(visit, "check", made)


async def tests(visit: Visit) -> Response:
    """Whether its tests pass."""

    async def made() -> Mapping[str, Any]:
        return {"found": await visit.call("POST", f"{api(visit)}/examination", {})}

    return await _of_draft(visit, "tests", made)


async def changes(visit: Visit) -> Response:
    """What it opens and closes, compared with the active rule set."""

    async def made() -> Mapping[str, Any]:
        found = await visit.call("POST", f"{api(visit)}/examination", {})
        kinds = {
            effect: [each for each in found["differences"] if each["effect"] in effects]
            for effect, effects in KINDS.items()
        }
        return {"found": found, "kinds": kinds}

    return await _of_draft(visit, "changes", made)


async def _of_draft(visit: Visit, name: str, work: Work) -> Response:
    await visit.call("GET", api(visit))  # a draft that is not there has no such page
    return await later(visit, name, work, id_=visit.request.path_params["id"])


class Cell(NamedTuple):
    """How much of a dataset a column may see; `tone` is the same as a colour."""

    shown: str
    tone: str
    consent: bool


async def matrix(visit: Visit) -> Response:
    """Who may see what, as far as one asks."""

    async def made() -> Mapping[str, Any]:
        return await _matrix(visit, f"{own(visit)}/matrix", f"{api(visit)}/matrix")

    return await _of_draft(visit, "matrix", made)


async def active_matrix(visit: Visit) -> Response:
    """The same of the rules that are active."""

    async def made() -> Mapping[str, Any]:
        return await _matrix(visit, "/console/matrix", "/rules/matrix")

    await visit.call("GET", "/rules/drafts")  # who is not let in any more signs in first
    return await later(visit, "matrix", made, id_="", room="console.matrix")


async def active_file(visit: Visit) -> Response:
    """The contents of a file of the active rules."""
    found = await visit.call("GET", f"/rules/files/{quote(visit.request.path_params['name'])}")
    return await visit.page("drafting/active.html", "console.matrix", found=found)


async def _matrix(visit: Visit, base: str, path: str) -> dict[str, Any]:
    asked = {name: visit.query(name) for name in ("requester", "purpose", "dataset")}
    found = await visit.call("POST", path, asked)
    rows = found["rows"]
    for each in rows:
        each["reason_said"] = visit.words.get(f"reasons.{each['reason']}", each["reason"])
        each["takes_said"] = [visit.words(f"drafting.take.{name}") for name in each["takes"]]
    columns = list(dict.fromkeys((each["grant"], each["subject"]) for each in rows))
    heads = {(each["grant"], each["subject"]): each for each in rows}
    cells = {(each["dataset"], each["grant"], each["subject"]): cell(each) for each in rows}
    datasets: dict[str, dict[str, str]] = {}
    for each in rows:
        datasets.setdefault(each["department"], {})[each["dataset"]] = each["dataset_title"]
    return {
        "base": base, "found": found, "asked": asked, "columns": columns, "heads": heads, "cells": cells,
        "departments": sorted(datasets.items()), "few": rows if len(rows) <= FEW else [],
    }  # fmt: skip


def cell(row: Mapping[str, Any]) -> Cell:
    """A row of the API as it stands in the table."""
    some, all_ = len(row["permitted"]), len(row["fields"])
    if not some or row["standing"] != "holds":
        return Cell("–", "t0", False)
    return Cell(
        f"{some}/{all_}", "t3" if some == all_ else "t2" if some * 2 > all_ else "t1", "consent" in row["takes"]
    )
