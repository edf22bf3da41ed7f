"""The rooms around a proposal of other rules: what is proposed and changes, who agrees, what is active, and was.

They are for officers, for stewards whose data a proposal opens, and for oversight, which is told of it. What each of
them can do the API says. How often inquiries are refused, and why, is a room of officers alone.
"""

from __future__ import annotations

from starlette.routing import Route

from gateway.console.officer import acting, approving, history, proposals, refusals
from gateway.console.returning import returned
from gateway.console.visiting import Parts, Room, entered

_ALL, _APPROVING, _OFFICER = ("officer", "steward", "oversight"), ("officer", "steward"), ("officer",)


def routes(parts: Parts) -> list[Route]:
    """The routes of these rooms."""
    one, epoch = "/console/proposals/{id}", "/console/history/{epoch}/rollback"
    every: list[tuple[str, str, tuple[str, ...], Room]] = [
        ("GET", "/console/proposals", _ALL, proposals.several),
        ("GET", one, _ALL, proposals.one),
        ("GET", f"{one}/changes", _ALL, proposals.changes),
        ("GET", f"{one}/changes.csv", _ALL, proposals.table),
        ("GET", f"{one}/approve", _APPROVING, approving.form),
        ("POST", f"{one}/approve", _APPROVING, returned(approving.approve, approving.approval, own_words=True)),
        ("GET", f"{one}/refuse", _ALL, acting.refusing),
        ("POST", f"{one}/refuse", _ALL, returned(acting.refuse, acting.refusal, own_words=True)),
        ("GET", f"{one}/activate", _OFFICER, acting.activating),
        ("POST", f"{one}/activate", _OFFICER, returned(acting.activate, acting.activation, own_words=True)),
        ("GET", "/console/refusals", _OFFICER, refusals.refusals),
        ("GET", "/console/history", _ALL, history.history),
        ("GET", epoch, _OFFICER, history.going_back),
        ("POST", epoch, _OFFICER, returned(history.roll_back, history.form, own_words=True)),
    ]
    return [Route(path, entered(parts, roles, room), methods=[method]) for method, path, roles, room in every]
