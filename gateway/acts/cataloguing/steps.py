"""Steps of supplements as acts: their rows, what acts published so far, and what the first rule set brings along.

Whoever activates a rule set asks `uncovered` in that transaction, and refuses what it gives (`refused`); the first one
that people activate is not asked, and brings what it has along (`first`).
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from gateway.catalogue import definitions
from gateway.catalogue.model import Dataset
from gateway.errors import Refusal
from gateway.ledger.acting.planned import Changes, Made, Row, Seen, invalid
from gateway.ledger.entry import entries
from gateway.storage.rules import cataloguing as rows
from gateway.storage.rules.cataloguing import Step, Supplement
from gateway.storage.tables import micros
from gateway.web.open.opened import FIRST_SET

MOST_FIRST = 250
"""Datasets of the first rule set: its activation and all of them are entered together."""


def made(
    told: Any, seen: Seen, oversight: Any, own: Supplement, step: str, row: Mapping[str, Any], body: bytes | None = None
) -> Made:
    """The act of a step: its entry, its row, and its definition where the store has it not yet."""
    changes: list[Changes] = []
    if body is not None and not rows.bodies(seen.connection, {own.definition}):
        values = {"digest": own.definition, "dataset": own.dataset, "body": body}
        changes.append(rows.definition.insert().values(values))  # a statement goes before rows, which name it
    row_values: dict[str, Any] = {
        "supplement": own.id, "dataset": own.dataset, "department": own.department, "definition": own.definition,
        "step": step, "at": micros(told.at), "days": 0, "until": None, "by": None, **row,
    }  # fmt: skip
    changes.append(Row(rows.supplement_step, row_values, ("filed_in",)))
    taken = [*rows.steps(seen.connection, own.dataset), Step(**row_values, filed_in=0)]
    now = next(each for each in rows.supplements(taken) if each.id == own.id)
    return Made(told, oversight, changes, own.id, shown(now))


def shown(own: Supplement) -> dict[str, Any]:
    """A supplement as JSON values, without what people wrote."""
    consulted = own.consulted
    return {
        "id": own.id,
        "dataset": own.dataset,
        "department": own.department,
        "definition": own.definition,
        "state": own.state,
        "until": consulted.until if consulted else None,
    }


def published(connection: Connection) -> dict[str, list[Dataset]]:
    """The definitions that acts published and did not retire, by dataset, the newest last: what sets may publish."""
    found = [each for each in rows.supplements(rows.steps(connection)) if each.state == "published"]
    found.sort(key=lambda each: next(step.at for step in each.steps if step.step == "published"))
    bodies = rows.bodies(connection, {each.definition for each in found})
    several: dict[str, list[Dataset]] = {}
    for each in found:
        several.setdefault(each.dataset, []).append(definitions.read(bodies[each.definition]))
    return several


def uncovered(connection: Connection, bodies: Iterable[bytes]) -> list[definitions.Unapproved]:
    """What a rule set would publish beyond what acts did; `bodies` are the definitions that it publishes."""
    return definitions.unapproved(map(definitions.read, bodies), published(connection))


def refused(found: Sequence[definitions.Unapproved]) -> Refusal:
    """Why a rule set cannot be activated: it publishes what no act did."""
    several = "; ".join(map(str, found))
    told = [str(each) for each in found]
    return invalid("STATE", f"the rule set publishes what its departments did not ({several})", unapproved=told)


def first(
    seen: Seen, who: entries.Who, rule_set: str, oversight: entries.Oversight, bodies: Iterable[bytes]
) -> list[Made]:
    """What the first rule set that people activate publishes, as acts beside its activation: nobody was consulted.

    `bodies` are the definitions that it publishes, `rule_set` is its digest; `who` and `oversight` are those of the
    activation's entry. Raises `Refusal` (`LIMIT`) where it has more than one act can enter.
    """
    there = {each.dataset for each in rows.supplements(rows.steps(seen.connection)) if each.state == "published"}
    several = []
    for body in bodies:
        dataset = definitions.read(body)
        if dataset.id in there:
            continue
        own = Supplement(secrets.token_hex(16), dataset.id, dataset.department, definitions.digest_of(body), "", ())
        told = entries.Acted(
            entries.VERSION, secrets.token_hex(16), seen.now, who, "catalogue-published", dataset=own.dataset,
            digest=own.definition, matter=own.id, outcome=FIRST_SET, department=own.department, rule_set=rule_set,
        )  # fmt: skip
        several.append(made(told, seen, oversight, own, "published", {}, body))
    if len(several) > MOST_FIRST:
        raise invalid("LIMIT", f"the first rule set publishes {len(several)} datasets; begin with {MOST_FIRST} of them")
    return several
