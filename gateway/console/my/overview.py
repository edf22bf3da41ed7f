"""`/my/`: everything that departments could share about somebody, and what waits for them."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from gateway.console.said import own_look
from gateway.console.visiting import Visit

_OVERVIEW = """
query Overview {
  me {
    scheme value
    datasets {
      available
      dataset { id title department information nature disclosure restorable basis { law article } }
      records {
        record { id version dataset document effective displayUntil disputed mitigation }
        values { field title value } withheldFromOthers restorableFrom
      }
    }
    accessHistory(first: 100, newest: true) { items { at what department title outcome fields } next }
    consents { id until revoked requester { department } title }
    consentRequests { id state title requester { department } }
    matters { id kind state dataset record due overdue provisional filed }
    optOuts { dataset optedOut }
  }
}
"""

SHOWN = 3
"""The newest looks of others on the first page."""


async def overview(visit: Visit) -> Response:
    """The first page of a subject."""
    me = (await visit.ask(_OVERVIEW)).data["me"]
    departments: dict[str, list[Any]] = {}
    for each in me["datasets"]:
        departments.setdefault(each["dataset"]["department"], []).append(each)
    others = [each for each in me["accessHistory"]["items"] if not own_look(each)]
    waiting = [each for each in me["consentRequests"] if each["state"] == "OPEN"]
    open_matters = [each for each in me["matters"] if each["state"] in ("OPEN", "AWAITS_CONFIRMATION")]
    return await visit.page(
        "my/overview.html", "my.overview", me=me, departments=departments, waiting=waiting,
        looks=others[:SHOWN], today=visit.today.isoformat(),
        matters=sorted(open_matters, key=lambda each: each["due"]), waits=len(waiting), waits_at="/my/consents",
    )  # fmt: skip
