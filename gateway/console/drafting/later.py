"""Pages whose content takes seconds: they begin at once and report that it is being made; it follows in the answer.

With the content comes a style sheet that hides the notice (`made.css`): no selector sees in every browser that
something stands below it while the page goes on. So there is no script and no reload, and nothing is kept meanwhile.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

from starlette.responses import Response, StreamingResponse

from gateway.console.calling import ApiRefused
from gateway.console.drafting.shared import ROOM
from gateway.console.guarding import HEADERS
from gateway.console.visiting import Visit, why

MARK = b"<!--later-->"
"""Where `drafting/later.html` has what follows."""
_AT_ONCE = {**HEADERS, "X-Accel-Buffering": "no"}
"""A proxy before the gateway sends on what it has, too."""

Work = Callable[[], Awaitable[Mapping[str, Any]]]

_going: set[asyncio.Task[str]] = set()


async def later(visit: Visit, name: str, work: Work, *, id_: str, room: str = ROOM) -> Response:
    """The page `name` of the draft `id_`, or of the active rule set where that is empty.

    `work` gives the values for the template `drafting/<name>.html`. It goes on when the reader leaves, so that the
    bound on how much is made at once holds for those who reload too.
    """
    page = await visit.page("drafting/later.html", room, id=id_, place=name)
    begin, _, end = bytes(page.body).partition(MARK)
    task = asyncio.create_task(_made(visit, name, work, id_))
    _going.add(task)
    task.add_done_callback(_going.discard)

    async def parts() -> AsyncIterator[bytes]:
        yield begin
        made = await asyncio.shield(task)
        yield f'<link rel="stylesheet" href="{visit.parts.pages.asset("made.css")}">\n{made}'.encode()
        yield end

    return StreamingResponse(parts(), headers=_AT_ONCE, media_type="text/html")


async def _made(visit: Visit, name: str, work: Work, id_: str) -> str:
    """What follows. The answer has begun, so that a refusal is a notice on the page."""
    pages = visit.parts.pages
    try:
        return pages.part(f"drafting/{name}.html", {"id": id_, **await work()})
    except ApiRefused as refused:
        text, quoted = why(visit, refused), str(refused.more.get("id", ""))
    except Exception as error:
        text, quoted = visit.words("refused.INTERNAL"), secrets.token_hex(8)
        visit.parts.defect(quoted, error)
    return pages.part("drafting/not_made.html", {"text": text, "quoted": quoted})
