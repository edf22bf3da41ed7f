"""`/my/looked`: who looked at somebody's data, asked for it or changed it, a page at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from starlette.responses import Response

from gateway.console.said import own_look
from gateway.console.visiting import Visit

LOOK = "id at what department purpose title basis { law article } forCase fields records outcome told"
_LOOKED = f"""
query Looked($after: String) {{
  me {{ accessHistory(after: $after, first: 50, newest: true) {{ items {{ {LOOK} }} next note }} }}
}}
"""


async def looked(visit: Visit) -> Response:
    """A page of the history, the newest first."""
    history = (await visit.ask(_LOOKED, after=visit.query("after") or None)).data["me"]["accessHistory"]
    return await visit.page("my/looked.html", "my.looked", history=history, looks=runs(history["items"][::-1])[::-1])


def runs(items: Sequence[Any]) -> list[tuple[Any, int, Any]]:
    """Each look, how many it stands for, and the last of them: own ones that follow each other are one.

    Each page of somebody's rooms is a look of their own, and those of others would be lost among them.
    """
    found: list[tuple[Any, int, Any]] = []
    for each in items:
        if found and own_look(each) and own_look(found[-1][0]):
            found[-1] = (found[-1][0], found[-1][1] + 1, each)
        else:
            found.append((each, 1, each))
    return found
