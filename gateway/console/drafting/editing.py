"""One file of a draft: a text that is saved and checked, also while somebody types where scripts run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

from starlette.responses import JSONResponse, Response

from gateway.console.calling import Answered, ApiRefused
from gateway.console.drafting.shared import ROOM, api, own, put
from gateway.console.guarding import HEADERS
from gateway.console.returning import Wrong
from gateway.console.visiting import Visit, away

AROUND = 1
"""Lines before and after one that is wrong, as it is shown."""


class Text(NamedTuple):
    """A file as the form has it."""

    name: str
    text: str
    seen: str


async def edit(visit: Visit) -> Response:
    """The form, with what the file has; empty for a new file."""
    if visit.has("text"):
        return await written(visit, [])
    file = await _current(visit, visit.query("name"))
    problems = await _problems(visit) if visit.query("checked") else None
    return await _page(visit, file, problems, [])


async def written(visit: Visit, wrong: Wrong) -> Response:
    """The form as it was sent, with what is wrong with it."""
    return await _page(visit, _given(visit), None, [("text", text) for _, text in wrong])


async def save(visit: Visit) -> Response:
    """Keep what was written, then check it."""
    file = _given(visit)
    if wrong := await put(visit, _path(visit, file.name), {"text": file.text, "seen": file.seen}, "text"):
        now = await _current(visit, file.name)
        # What is there now is shown beside it, so that to save again is to have seen it.
        return await _page(visit, file._replace(seen=now.seen), None, wrong, now.text if now.seen != file.seen else "")
    then = visit.field("then")
    if then in ("tests", "changes"):
        return away(visit.parts.pages.url(f"{own(visit)}/{then}"))
    query = urlencode({"name": file.name, "checked": "yes"})
    return away(visit.parts.pages.url(f"{own(visit)}/file?{query}"))


async def checked(visit: Visit) -> Response:
    """What is wrong with a text that is not kept yet, as JSON for the editor's script."""
    file = _given(visit)
    try:
        found = await visit.call("POST", f"{api(visit)}/check", {"name": file.name, "text": file.text})
    except ApiRefused as refused:
        return JSONResponse({"problems": []}, refused.status if refused.status >= 400 else 409, dict(HEADERS))
    mine, _ = _apart(found["problems"], file.name)
    problems = [
        {
            "line": max(1, each["line"]),
            "column": max(1, each["column"]),
            "message": said(each),
            "severity": each["severity"],
        }
        for each in mine
    ]
    return JSONResponse({"problems": problems}, headers=dict(HEADERS))


async def remove(visit: Visit) -> Response:
    """Take a file away."""
    name = visit.field("name")
    await visit.call("DELETE", _path(visit, name), {"seen": visit.field("seen")})
    return await visit.go(own(visit), "done.file_removed", Answered(None), name=name)


async def _current(visit: Visit, name: str) -> Text:
    """What a file says now; nothing where there is none."""
    draft = await visit.call("GET", api(visit))
    if not any(each["name"] == name and each["change"] != "removed" for each in draft["files"]):
        return Text(name, "", "")
    found = await visit.call("GET", _path(visit, name))
    return Text(found["name"], found["text"], found["seen"])


async def _problems(visit: Visit) -> list[Mapping[str, Any]]:
    found = await visit.call("POST", f"{api(visit)}/check", {})
    problems: list[Mapping[str, Any]] = found["problems"]
    return problems


async def _page(
    visit: Visit, file: Text, problems: list[Mapping[str, Any]] | None, wrong: list[tuple[str, Any]], now: str = ""
) -> Response:
    """The form. `problems` is what the check found, None where it was not asked; `now`, what the file says now."""
    mine, others = _apart(problems or [], file.name)
    errors = [each for each in mine if each["severity"] == "error"]
    wrong = wrong + [("text", visit.words("editing.at", line=each["line"], what=said(each))) for each in errors]
    return await visit.page(
        "drafting/file.html", ROOM, 422 if wrong and problems is None else 200,
        id=visit.request.path_params["id"], file=file, wrong=wrong, others=others, checked=problems is not None,
        warnings=[each for each in mine if each["severity"] != "error"], excerpt=excerpt(file.text, errors), now=now,
        language="cedar" if file.name.endswith(".cedar") else "yaml", lines=file.text.count("\n") + 2,
        unsaved=bool(wrong) and problems is None,
    )  # fmt: skip


def said(problem: Mapping[str, Any]) -> str:
    """What is wrong, with the part of the file that it is in."""
    return f"{problem['path']}: {problem['message']}" if problem["path"] else str(problem["message"])


def excerpt(text: str, errors: Sequence[Mapping[str, Any]]) -> str:
    """The lines around the first that is wrong, with a mark below its place."""
    first = next((each for each in errors if each["line"]), None)
    if first is None:
        return ""
    lines, number = text.split("\n"), first["line"]
    shown = []
    for at in range(max(1, number - AROUND), min(len(lines), number + AROUND) + 1):
        shown.append(f"{at:>4}  {lines[at - 1]}")
        if at == number:
            shown.append(" " * (5 + max(1, first["column"])) + "^")
    return "\n".join(shown)


def _apart(problems: Sequence[Mapping[str, Any]], name: str) -> tuple[list[Any], list[Any]]:
    """Those of a file, and the others."""
    return [each for each in problems if each["file"] == name], [each for each in problems if each["file"] != name]


def _given(visit: Visit) -> Text:
    [text] = visit.fields("text")[:1] or [""]
    return Text(visit.field("name"), text.replace("\r\n", "\n"), visit.field("seen"))


def _path(visit: Visit, name: str) -> str:
    return f"{api(visit)}/files/{quote(name)}"
