"""`/my/copy`: all of it to take along, as JSON and as pages to print (Art. 42), free of charge."""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.responses import Response

from gateway.console.guarding import HEADERS
from gateway.console.my.looked import LOOK, runs
from gateway.console.visiting import Visit

MOST_PAGES = 100
"""Pages of the history in a copy; a copy with more says that it ends there."""
_RECORD = "id version dataset source document effective displayUntil disputed mitigation"
_ALL = f"""
query Copy {{
  me {{
    scheme value
    datasets {{
      available
      dataset {{ id title department information disclosure nature basis {{ law article }} }}
      records {{
        record {{ {_RECORD} }} values {{ field title value }} withheldFromOthers restorableFrom
        changes {{ id state event record version at reason }}
      }}
    }}
    consents {{ id title purpose until given revoked fields {{ dataset fields }} requester {{ client department }} }}
    consentRequests {{
      id state title purpose words until fields {{ dataset fields }} requester {{ client department }}
    }}
    matters {{
      id kind state dataset record version access filed filedBy due overdue reason
      papers {{ issuer number date }} outcome decided because remedy correctBy
      look {{ {LOOK} }}
    }}
    optOuts {{ dataset optedOut since }}
  }}
}}
"""
_HISTORY = f"""
query History($after: String) {{ me {{ accessHistory(after: $after, first: 100) {{ items {{ {LOOK} }} next note }} }} }}
"""


async def copy(visit: Visit) -> Response:
    """How to take a copy."""
    return await visit.page("my/copy.html", "my.copy")


async def as_json(visit: Visit) -> Response:
    """All of it, as a file for a computer."""
    told = msgspec.json.format(msgspec.json.encode(await _everything(visit)), indent=1)
    headers = {**HEADERS, "Content-Disposition": 'attachment; filename="held-about-you.json"'}
    return Response(told, headers=headers, media_type="application/json")


async def as_pages(visit: Visit) -> Response:
    """All of it, to print."""
    me = await _everything(visit)
    return await visit.page("my/print.html", "my.copy", me=me, looks=runs(me["accessHistory"]["items"]))


async def _everything(visit: Visit) -> dict[str, Any]:
    me: dict[str, Any] = (await visit.ask(_ALL)).data["me"]
    looks: list[Any] = []
    after, note, pages = None, "", 0
    while pages < MOST_PAGES:
        history = (await visit.ask(_HISTORY, after=after)).data["me"]["accessHistory"]
        looks += history["items"]
        note, after, pages = history["note"], history["next"], pages + 1
        if after is None:
            break
    return {**me, "accessHistory": {"items": looks, "note": note, "complete": after is None}}
