"""`confirm`: the second person, for whatever kind of matter waits for one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from gateway.acts.graphql import Acted, Called
from gateway.acts.matters.deciding import steward, touching
from gateway.acts.office import Office
from gateway.inquiry.types import Requester
from gateway.ledger.acting.planned import Actor, Made, Seen, not_found
from gateway.storage import acts as rows
from gateway.storage.acts import Act, Matter


class Kind(NamedTuple):
    """How one kind of matter is confirmed, and what a repeat of that is shown; values have their `__typename`.

    `make` raises `Refusal` where it is not this person's to confirm, or nothing waits.
    """

    make: Callable[[Seen, Actor, Matter], Made]
    again: Callable[[Seen, Act], Any]


class Confirming:
    """The second person's act; `kinds` by the kind of their row. Every kind is a department's own."""

    def __init__(self, office: Office, kinds: Mapping[str, Kind]) -> None:
        self._office, self._kinds = office, kinds

    async def confirm(self, requester: Requester, called: Called) -> Acted:
        """`confirm`."""
        office, given = self._office, called.arguments
        actor = steward(office, requester)
        id_ = str(given["id"])

        def kind_of(connection: Any, named: str) -> tuple[Kind, Matter]:
            row = rows.one(connection, named)
            kind = self._kinds.get(row.kind) if row is not None else None
            if row is None or kind is None or row.value is None or row.department != actor.department:
                raise not_found()
            return kind, row

        def make(seen: Seen) -> Made:
            kind, row = kind_of(seen.connection, id_)
            return kind.make(seen, actor, row)

        def again(seen: Seen, past: Act) -> Any:
            return kind_of(seen.connection, past.matter or "")[0].again(seen, past)

        touched = await touching(office, id_)
        done = await office.done(office.planned(called.field, actor, None, given, touched, make, again))
        if done.value["__typename"] == "Matter":
            office.tell_portals(id_)
        return done
