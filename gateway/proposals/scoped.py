"""Which tokens open a route of rule sets: an official's of a registered client, with one of its scopes."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.acts.called import Acted
from gateway.acts.plain import Asked, Do
from gateway.errors import Code, Refusal
from gateway.inquiry.types import Requester


def opened(scopes: Sequence[str], do: Do) -> Do:
    """A handler that is only reached by an official's token with one of these scopes, and by no subject's."""
    either = " or ".join(f"`{scope}`" for scope in scopes)

    async def checked(asked: Asked) -> Acted:
        who: Requester = asked.requester
        if who.is_subject or who.scopes.isdisjoint(scopes):
            told = f'{who.scheme} error="insufficient_scope", scope="{scopes[0]}"'
            message = f"this needs a token with {either}, and not a subject's own"
            raise Refusal(Code.FORBIDDEN, message, headers={"WWW-Authenticate": told})
        if who.official is None or not who.department:
            raise Refusal(Code.FORBIDDEN, "this needs an official of a registered client; the token names none")
        return await do(asked)

    return checked
