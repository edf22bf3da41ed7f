"""`confirm` and `decline`: the second person, for whatever kind of matter waits for one.

What waits keeps its subject from being erased, so it can be turned down too. That releases and hides nothing: whoever
reported or decided may do it, by which they take it back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from gateway.acts import inputs
from gateway.acts.called import Acted, Called
from gateway.acts.matters.deciding import STEWARD, steward, touching
from gateway.acts.matters.listing import OVERSIGHT
from gateway.acts.office import Office
from gateway.inquiry.types import Requester
from gateway.ledger.acting.planned import Actor, Made, Seen, not_found
from gateway.storage.subjects import acts as rows
from gateway.storage.subjects.acts import Act, Matter


class Kind(NamedTuple):
    """How one kind of matter is confirmed or declined, and what a repeat of that is shown; values have `__typename`.

    `confirm` raises `Refusal` where it is not this person's to confirm, or nothing waits; so does `decline`, which
    takes the reason. `by_oversight`: it is no department's own, and two people of oversight do it.
    """

    confirm: Callable[[Seen, Actor, Matter], Made]
    decline: Callable[[Seen, Actor, Matter, str], Made]
    again: Callable[[Seen, Act], Any]
    by_oversight: bool = False


class Confirming:
    """The second person's act; `kinds` by the kind of their row."""

    def __init__(self, office: Office, kinds: Mapping[str, Kind]) -> None:
        self._office, self._kinds = office, kinds

    async def confirm(self, requester: Requester, called: Called) -> Acted:
        """`confirm`."""
        done, row = await self._done(requester, called, lambda kind, seen, actor, row: kind.confirm(seen, actor, row))
        if done.value["__typename"] == "Matter":
            self._office.tell_portals(row)
        return done

    async def decline(self, requester: Requester, called: Called) -> Acted:
        """`decline`."""
        reason = inputs.text(called.arguments["reason"], "reason")
        done, row = await self._done(
            requester, called, lambda kind, seen, actor, row: kind.decline(seen, actor, row, reason)
        )
        if done.value["__typename"] == "Matter":
            self._office.tell_department(requester.department, row)
        return done

    async def _done(
        self, requester: Requester, called: Called, how: Callable[[Kind, Seen, Actor, Matter], Made]
    ) -> tuple[Acted, str]:
        """What comes of it, and the id of the matter."""
        office, given = self._office, called.arguments
        oversees = OVERSIGHT in requester.scopes and requester.official is not None and not requester.is_subject
        stewards = STEWARD in requester.scopes
        actor = office.actor(requester) if oversees and not stewards else steward(office, requester)
        id_ = str(given["id"])

        def kind_of(connection: Any, named: str) -> tuple[Kind, Matter]:
            row = rows.one(connection, named)
            kind = self._kinds.get(row.kind) if row is not None else None
            if row is None or kind is None:
                raise not_found()
            of_department = stewards and row.value is not None and row.department == actor.department
            if not (oversees if kind.by_oversight else of_department):
                raise not_found()
            return kind, row

        def make(seen: Seen) -> Made:
            kind, row = kind_of(seen.connection, id_)
            return how(kind, seen, actor, row)

        def again(seen: Seen, past: Act) -> Any:
            return kind_of(seen.connection, past.matter or "")[0].again(seen, past)

        touched = await touching(office, id_)
        return await office.done(office.planned(called.field, actor, None, given, touched, make, again)), id_
