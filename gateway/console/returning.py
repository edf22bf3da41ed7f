"""A form that the API refuses comes back with everything that was typed, and shows at which field the fault is.

Every room that takes something written is wired through `returned`. What no form can mend (a matter that is not there,
a session that is over) stays the page or the way on that it is everywhere.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.responses import Response

from gateway.console.calling import ApiRefused
from gateway.console.visiting import Room, Visit, status, why

Wrong = list[tuple[str, Any]]
Form = Callable[[Visit, Wrong], Awaitable[Response]]
"""Shows a form as it was sent, with what is wrong: a field's name, or none for the whole form, and the text."""

_AWAY = frozenset(["UNAUTHENTICATED", "MATTER_NOT_FOUND"])
_HIDDEN = frozenset(["id", "seen", "digest", "base", "access", "finding"])
_ARGUMENT = re.compile(r"`(?P<name>[A-Za-z.]+)` (?P<why>.+)", re.DOTALL)


def returned(room: Room, form: Form, *, own_words: bool = False) -> Room:
    """The room, which shows its `form` again where the API refuses.

    With `own_words` what cannot be done is told as the API tells it: there it knows more than our texts.
    """

    async def route(visit: Visit) -> Response:
        try:
            return await room(visit)
        except ApiRefused as refused:
            if refused.code in _AWAY or refused.reason == "SIGN_IN":
                raise
            try:
                field, text = about(visit, refused)
                if own_words and not field and refused.code == "MATTER_INVALID":
                    text = sentence(refused)
                shown = await form(visit, [(field, text)])
            except ApiRefused:  # the form cannot be shown either
                raise refused from None
            if shown.status_code == 404:  # what it was about is not there any more
                raise
            if not field and status(refused) != 400:
                shown.status_code = status(refused)
            return shown

    return route


def sentence(refused: ApiRefused) -> str:
    """The API's own words as a sentence."""
    return f"{refused.message[:1].upper()}{refused.message[1:]}."


async def turned_down(visit: Visit, template: str, room: str, wrong: Wrong, **values: Any) -> Response:
    """A list of what a second person confirms or turns down, with the reason for turning one down.

    The fault is at that item's field. Raises `ApiRefused` where the item is not on the list, so that the reason is
    shown in another way.
    """
    id_ = str(visit.request.path_params.get("id") or visit.typed("id"))
    if wrong and all(each["id"] != id_ for each in values["page"]["items"]):
        raise ApiRefused(404, "MATTER_NOT_FOUND", "it is not on this list", {})
    at = [(f"why-{id_}" if field == "reason" else "", text) for field, text in wrong]
    return await visit.page(
        template, room, 422 if wrong else 200, wrong=at, turning_down=(id_, visit.typed("reason")), **values
    )


def about(visit: Visit, refused: ApiRefused) -> tuple[str, Any]:
    """What is wrong, at the form's own field where the refusal is about one."""
    if refused.reason == "ARGUMENT" and (argument := _ARGUMENT.fullmatch(refused.message)) is not None:
        last = argument["name"].rpartition(".")[2]
        field = re.sub(r"(?=[A-Z])", "_", last).lower()
        if visit.has(field) and field not in _HIDDEN:
            return field, visit.words("errors.this", why=argument["why"])
        return "", visit.words("errors.of", what=last, why=argument["why"])
    if refused.code == "IDENTIFIER_INVALID" and visit.has("value"):
        return "value", visit.words("reporting.bad_value")
    if refused.code == "GRAPHQL_VARIABLES_INVALID":
        return "", visit.words("errors.values")
    return "", why(visit, refused)
