"""Grants in the text of `requesters.yaml`: found, and one of them changed where it stands."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gateway.drafts.child import Edit, GrantTold
from gateway.drafts.splice import Unfit, composed, exchanged, items, listed, parts, scalar, text_of, values

_NEEDED = {"purpose", "datasets", "from", "until", "agreed_by"}


def grants(text: str) -> tuple[GrantTold, ...]:
    """All grants, in the file's order; raises `Unfit`."""
    found = []
    for entry, number, requester, grant in _all(text):
        words = (text_of(grant[name]) for name in ("from", "until", "agreed_by"))
        client, purpose = text_of(requester.get("client")), text_of(grant["purpose"])
        title = text_of(requester["title"]) if "title" in requester else client
        found.append(GrantTold(entry, number, client, title, purpose, values(grant["datasets"]), *words))
    return tuple(found)


def edited(text: str, edit: Edit) -> str:
    """The text with one grant changed; raises `Unfit`."""
    for entry, number, _, grant in _all(text):
        if (entry, number) == (edit.entry, edit.number):
            return exchanged(
                text,
                [
                    scalar(grant["from"], edit.since),
                    scalar(grant["until"], edit.until),
                    scalar(grant["agreed_by"], edit.agreed_by),
                    listed(text, grant["datasets"], edit.datasets),
                ],
            )
    raise Unfit("there is no such grant in `requesters.yaml`")


def _all(text: str) -> Iterator[tuple[int, int, dict[str, Any], dict[str, Any]]]:
    """Each grant with its place: the requester's number in the file, and its own there."""
    for entry, requester in enumerate(items(parts(composed(text)).get("requesters"))):
        of = parts(requester)
        for number, each in enumerate(items(of["grants"]) if "grants" in of else []):
            grant = parts(each)
            if not grant.keys() >= _NEEDED:
                raise Unfit("a grant in `requesters.yaml` lacks something; mend the file itself")
            yield entry, number, of, grant
