"""`/my/looked`: who looked at somebody's data, asked for it or changed it, a page at a time."""

from __future__ import annotations

from starlette.responses import Response

from gateway.console.visiting import Visit

LOOK = "id at what department purpose title basis { law article } forCase fields records outcome told"
_LOOKED = f"""
query Looked($after: String) {{
  me {{ accessHistory(after: $after, first: 20) {{ items {{ {LOOK} }} next note }} }}
}}
"""


async def looked(visit: Visit) -> Response:
    """A page of the history."""
    history = (await visit.ask(_LOOKED, after=visit.query("after") or None)).data["me"]["accessHistory"]
    return await visit.page("my/looked.html", "my.looked", history=history)
