"""`/my/consents`: what was asked for and what was agreed to; agreeing, refusing and taking back are one step each."""

from __future__ import annotations

import datetime
from typing import Any

from starlette.responses import Response

from gateway.console.visiting import Visit

_ASKED = """
  id state title purpose words until fields { dataset fields } requester { issuer client department }
"""
_CONSENTS = f"""
query Consents {{
  me {{
    consents {{ id title until given revoked fields {{ dataset fields }} requester {{ department }} }}
    consentRequests {{ {_ASKED} }}
  }}
}}
"""
_REQUESTS = f"query Requests {{ me {{ consentRequests {{ {_ASKED} }} }} }}"
_GRANT = """
mutation Grant(
  $requester: RequesterInput!, $purpose: Purpose!, $fields: [ConsentFieldsInput!]!, $until: Date!, $request: ID
) { grantConsent(requester: $requester, purpose: $purpose, fields: $fields, until: $until, request: $request) { id } }
"""
_DECLINE = "mutation Decline($id: ID!) { declineConsentRequest(id: $id) { id } }"
_REVOKE = "mutation Revoke($id: ID!) { revokeConsent(id: $id) { id } }"


async def consents(visit: Visit) -> Response:
    """All of them."""
    me = (await visit.ask(_CONSENTS)).data["me"]
    waiting = [each for each in me["consentRequests"] if each["state"] == "OPEN"]
    return await visit.page(
        "my/consents.html", "my.consents", waiting=waiting, given=me["consents"], today=visit.today.isoformat(),
        waits=len(waiting), waits_at="/my/consents",
    )  # fmt: skip


async def request(visit: Visit) -> Response:
    """One request, to be answered item by item."""
    return await asked(visit, [])


async def asked(visit: Visit, wrong: list[tuple[str, Any]]) -> Response:
    """The form of a request, as it was sent, with what is wrong with it."""
    found = await _found(visit)
    if found is None:
        return await visit.missing("/my/consents", "refused.not_waiting")
    return await _asked(visit, found, wrong)


async def answer(visit: Visit) -> Response:
    """The answer to a request: agree to what is ticked, or refuse."""
    found = await _found(visit)
    if found is None:
        return await visit.missing("/my/consents", "refused.not_waiting")
    if visit.field("answer") == "decline":
        done = await visit.ask(_DECLINE, id=found["id"])
        return await visit.go("/my/consents", "done.declined", done)
    ticked = set(visit.fields("fields"))
    fields = [
        {"dataset": each["dataset"], "fields": names}
        for each in found["fields"]
        if (names := [name for name in each["fields"] if f"{each['dataset']}.{name}" in ticked])
    ]
    wrong: list[tuple[str, Any]] = []
    if not fields:
        wrong.append(("fields", visit.words("consents.none_ticked")))
    until = visit.field("until")
    if not until:
        wrong.append(("until", visit.words("consents.no_until")))
    elif not _within(until, found["until"]):
        wrong.append(("until", visit.words("consents.too_late", day=visit.words.day(found["until"]))))
    if wrong:
        return await _asked(visit, found, wrong)
    if not visit.fresh:
        return await visit.again(f"/my/consents/requests/{found['id']}")
    requester = {name: found["requester"][name] for name in ("issuer", "client")}
    done = await visit.ask(
        _GRANT, requester=requester, purpose=found["purpose"], fields=fields, until=until, request=found["id"]
    )
    return await visit.go("/my/consents", "done.granted", done)


async def revoke(visit: Visit) -> Response:
    """Take a consent back."""
    done = await visit.ask(_REVOKE, id=visit.request.path_params["id"])
    return await visit.go("/my/consents", "done.revoked", done)


async def _found(visit: Visit) -> Any:
    requests = (await visit.ask(_REQUESTS)).data["me"]["consentRequests"]
    wanted = visit.request.path_params["id"]
    return next((each for each in requests if each["id"] == wanted and each["state"] == "OPEN"), None)


async def _asked(visit: Visit, found: Any, wrong: list[tuple[str, Any]]) -> Response:
    until = visit.field("until") if visit.has("until") else found["until"]
    filled = {"ticked": set(visit.fields("fields")), "until": until}
    status = 422 if wrong else 200
    return await visit.page("my/request.html", "my.consents", status, asked=found, filled=filled, wrong=wrong)


def _within(until: str, latest: str) -> bool:
    """Whether it is a day, and not after the one that was asked for."""
    try:
        return datetime.date.fromisoformat(until).isoformat() <= latest
    except ValueError:
        return False
