"""Purposes of a draft as forms: what they are called, on which articles they rest, and which fields they may see."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from starlette.responses import Response

from gateway.console.calling import ApiRefused
from gateway.console.drafting import shared
from gateway.console.drafting.shared import api, page
from gateway.console.returning import Wrong
from gateway.console.visiting import Visit

FILE = "purposes.yaml"


async def listed(visit: Visit) -> Response:
    """All purposes; where the file is none that they are found in, why."""
    return await page(visit, "purposes", found=await shared.found(visit, "purposes"), file=FILE)


async def edit(visit: Visit) -> Response:
    """The form of one."""
    return await form(visit, [])


async def form(visit: Visit, wrong: Wrong) -> Response:
    """The form as it was sent, or else as the purpose is; with what is wrong with it."""
    found, purpose = await _found(visit)
    if visit.has("seen"):
        return await _page(visit, found, _given(visit, purpose), visit.field("articles"), visit.field("seen"), wrong)
    return await _page(visit, found, purpose, ", ".join(purpose["articles"]), found["seen"], wrong)


async def save(visit: Visit) -> Response:
    """Change one, then check the draft."""
    found, purpose = await _found(visit)
    seen, articles = visit.field("seen"), visit.field("articles")
    given = _given(visit, purpose)
    wrong = list(_wrong(visit, given))
    if not wrong and (wrong := await shared.put(visit, f"{api(visit)}/purposes", given | {"seen": seen}, "title")):
        seen = found["seen"]
    if wrong:
        return await _page(visit, found, given, articles, seen, wrong)
    return await shared.go(visit, "check", "done.purpose_changed")


async def _found(visit: Visit) -> tuple[Any, Mapping[str, Any]]:
    """What the API tells of the purposes, and the one that the address names; raises `ApiRefused`."""
    found = await visit.call("POST", f"{api(visit)}/purposes", {})
    for each in found["purposes"]:
        if each["name"] == visit.request.path_params["name"]:
            return found, each
    raise ApiRefused(404, "MATTER_NOT_FOUND", "there is no such purpose", {})


def _given(visit: Visit, purpose: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": purpose["name"],
        "title": visit.field("title"),
        "articles": [each for each in (part.strip() for part in visit.field("articles").split(",")) if each],
        "fields": {dataset: visit.fields(f"fields-{dataset}") for dataset in purpose["fields"]},
    }


def _wrong(visit: Visit, given: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    if not given["title"]:
        yield "title", visit.words("purposing.no_title")
    if not given["articles"]:
        yield "articles", visit.words("purposing.no_article")
    for dataset, names in given["fields"].items():
        if not names:
            yield f"fields-{dataset}", visit.words("purposing.no_field")


async def _page(
    visit: Visit, found: Any, purpose: Mapping[str, Any], articles: str, seen: str, wrong: list[tuple[str, Any]]
) -> Response:
    # What the catalogue does not know any more can still be taken out of the purpose.
    known = {
        dataset: list(dict.fromkeys([*found["fields"].get(dataset, ()), *names]))
        for dataset, names in purpose["fields"].items()
    }
    return await page(
        visit, "purpose", wrong, purpose=purpose, articles=articles, seen=seen, known=known, titles=found["datasets"],
        file=FILE,
    )  # fmt: skip
