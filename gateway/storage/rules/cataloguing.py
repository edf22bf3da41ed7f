"""How definitions of datasets came into the catalogue, as rows: what each contains, and the steps that acts took with
it.

A *supplement* is one definition on its way: consulted on, approved by two people, published. A row is a step, made in
the transaction of its entry, and is never changed: how far a supplement is, is what its steps come to
(`supplements`). A `definition` row is never changed either, and its digest is that of its
bytes; it is of a department's data in general, and of no subject.

A row has no free text: notices and reasons stand in the entries. `by` is a digest of the person.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from sqlalchemy import BigInteger, Column, Connection, ForeignKey, Index, Integer, LargeBinary, Table, Text, select

from gateway.storage.subjects.acts import act
from gateway.storage.tables import metadata

definition = Table(
    "definition",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("dataset", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
)

supplement_step = Table(
    "supplement_step",
    metadata,
    Column("filed_in", BigInteger, primary_key=True, autoincrement=False),  # the entry that says so
    Column("supplement", Text, nullable=False),  # its random id
    Column("dataset", Text, nullable=False),
    Column("department", Text, nullable=False),
    Column("definition", Text, ForeignKey("definition.digest"), nullable=False),
    Column("step", Text, nullable=False),  # consulted, approval-asked, approved, published, retired
    Column("at", BigInteger, nullable=False),
    Column("days", Integer, nullable=False, server_default="0"),  # of a consultation, its term in working days
    Column("until", Text),  # and its last day
    Column("by", LargeBinary),  # digest of who asked for the approval: another has to give it
    Index("supplement_step_of_dataset", "dataset"),
)


class Step(NamedTuple):
    """A `supplement_step` row, in the order of its columns."""

    filed_in: int
    supplement: str
    dataset: str
    department: str
    definition: str
    step: str
    at: int
    days: int
    until: str | None
    by: bytes | None


_ALL = select(supplement_step).join(act, act.c.entry == supplement_step.c.filed_in).order_by(act.c.number)


def steps(connection: Connection, dataset: str | None = None) -> list[Step]:
    """All steps, or those of a dataset, in the order in which they were taken."""
    query = _ALL if dataset is None else _ALL.where(supplement_step.c.dataset == dataset)
    return [Step._make(row) for row in connection.execute(query)]


def bodies(connection: Connection, digests: set[str]) -> dict[str, bytes]:
    """The contents of definitions, by their digest."""
    query = select(definition.c.digest, definition.c.body).where(definition.c.digest.in_(sorted(digests)))
    return {row.digest: row.body for row in connection.execute(query)}


class Supplement(NamedTuple):
    """A definition on its way into the catalogue, with its own steps.

    `state` is one of consultation, awaits-confirmation, approved, published, withdrawn, retired.
    """

    id: str
    dataset: str
    department: str
    definition: str
    state: str
    steps: tuple[Step, ...]

    @property
    def pending(self) -> bool:
        """Whether it may still be published."""
        return self.state in PENDING

    @property
    def consulted(self) -> Step | None:
        """The step that opened its consultation; None of one that the first rule set brought."""
        return self.steps[0] if self.steps[0].step == "consulted" else None


PENDING = ("consultation", "awaits-confirmation", "approved")
_BEFORE = {
    "approval-asked": ("consultation", "awaits-confirmation"),
    "approved": ("awaits-confirmation", "approved"),
    "published": ("approved", "published"),
}
"""The state that each step needs, and the one that it leads to."""


def supplements(taken: Iterable[Step]) -> list[Supplement]:
    """What steps come to, in their order; raises `ValueError` for one that cannot follow those before it.

    A dataset has one pending supplement: a new consultation takes the place of what was on its way. It is retired as a
    whole, with every definition that was published of it. What the first rule set has begins as published.
    """
    found: dict[str, Supplement] = {}
    for step in taken:
        of = [each for each in found.values() if each.dataset == step.dataset]
        own = found.get(step.supplement)
        if own is None:
            state = {"consulted": "consultation", "published": "published"}.get(step.step)
            if state is None or (state == "published" and any(each.state == state for each in of)):
                raise ValueError(f"supplement `{step.supplement}` begins by a step `{step.step}`")
            if state == "consultation":
                found |= {each.id: each._replace(state="withdrawn") for each in of if each.pending}
            found[step.supplement] = Supplement(*step[1:5], state, (step,))
            continue
        needed, state = _BEFORE.get(step.step, (None, "retired"))
        alive = own.pending or own.state == "published"
        if own[1:4] != step[2:5] or (own.state != needed if needed else step.step != "retired" or not alive):
            raise ValueError(f"supplement `{step.supplement}` cannot take the step `{step.step}`: it is {own.state}")
        if needed is None:
            for each in of:
                over = {"published": "retired"}.get(each.state, "withdrawn" if each.pending else each.state)
                found[each.id] = each._replace(state=over)
            own, state = found[own.id], found[own.id].state
        found[own.id] = own._replace(state=state, steps=(*own.steps, step))
    return list(found.values())
