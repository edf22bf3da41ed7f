"""Proposals of other rule sets, and who approved them, as rows.

A proposal is of one stored rule set (`rule_set`), over the one that was active when it was made: its `base`, by digest
and epoch. What it came to is a state; that it is stale (another set is active meanwhile), lapsed, approved or retired
follows from its rows and those of `activation`, and is no state. Rows have no free text: reasons, signatures and what
checks and simulations came to stand in the entries that `filed_in`, `checked_in`, `noted_in`, `moved_in` and
`simulated_in` name. Humans are keyed digests, as in a matter; an officer is also named as the base's `officers.yaml`
does.

All times are microseconds since the epoch.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    ForeignKey,
    Index,
    LargeBinary,
    Table,
    Text,
    and_,
    desc,
    or_,
    select,
    text,
)

from gateway.storage.rules.rulesets import activation
from gateway.storage.tables import OFFICIAL, metadata

DRAFT, CHECKED, SIMULATED, REFUSED, ACTIVE = "draft", "checked", "simulated", "refused", "active"
READY = (CHECKED, SIMULATED)
"""The states in which it can be approved, and activated."""
WAITING = (DRAFT, *READY)
WAITS = text("state IN ('draft', 'checked', 'simulated')")
"""The condition for them, word for word as the index has it: else SQLite reads all of the table."""

proposal = Table(
    "proposal",
    metadata,
    Column("id", Text, primary_key=True),
    Column("digest", Text, ForeignKey("rule_set.digest"), nullable=False),
    Column("base", Text, nullable=False),
    Column("base_epoch", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("author", LargeBinary, nullable=False),  # digest of the human: nobody approves what they proposed
    Column("officer", OFFICIAL, nullable=False),  # their name among the base's officers; nothing where they are none
    Column("widens", Text),  # JSON: departments whose data of people, or not public, it opens; once it is checked
    Column("at", BigInteger, nullable=False),
    Column("lapses", BigInteger, nullable=False),
    Column("noted", BigInteger),  # when oversight was told of what it opens
    Column("epoch", BigInteger),  # the one by which it became active
    Column("filed_in", BigInteger, nullable=False),
    Column("checked_in", BigInteger),
    Column("noted_in", BigInteger),
    Column("moved_in", BigInteger),  # the entry of what it came to
    Column("simulated_in", BigInteger),  # the entry of its last simulation
    Index("proposal_waits", "at", sqlite_where=WAITS, postgresql_where=WAITS),
)

approval = Table(
    "approval",
    metadata,
    Column("id", Text, primary_key=True),  # of the act
    Column("proposal", Text, ForeignKey("proposal.id"), nullable=False),
    Column("role", Text, nullable=False),  # officer or steward
    Column("name", OFFICIAL, nullable=False),  # the officer among the base's, or the steward's department
    Column("people", LargeBinary, nullable=False),  # digest of the human
    Column("at", BigInteger, nullable=False),
    Column("expires", BigInteger, nullable=False),
    Column("filed_in", BigInteger, nullable=False),
    Index("approval_of", "proposal"),
)


class Proposal(NamedTuple):
    """A `proposal` row, in the order of its columns."""

    id: str
    digest: str
    base: str
    base_epoch: int
    state: str
    author: bytes
    officer: str
    widens: str | None
    at: int
    lapses: int
    noted: int | None
    epoch: int | None
    filed_in: int
    checked_in: int | None
    noted_in: int | None
    moved_in: int | None
    simulated_in: int | None

    @property
    def departments(self) -> tuple[str, ...]:
        """The departments whose stewards have to approve it too."""
        return msgspec.json.decode(self.widens, type=tuple[str, ...]) if self.widens else ()


class Approval(NamedTuple):
    """An `approval` row, in the order of its columns."""

    id: str
    proposal: str
    role: str
    name: str
    people: bytes
    at: int
    expires: int
    filed_in: int


class Activation(NamedTuple):
    """An `activation` row, in the order of its columns."""

    epoch: int
    digest: str
    how: str
    proposal: str | None
    at: int
    filed_in: int


def new(values: Mapping[str, Any]) -> Proposal:
    """The proposal of a row that is about to be inserted."""
    return Proposal._make([values.get(name) for name in Proposal._fields])


def one(connection: Connection, id_: str) -> Proposal | None:
    """The proposal of that id."""
    row = connection.execute(select(proposal).where(proposal.c.id == id_)).first()
    return None if row is None else Proposal._make(row)


def several(connection: Connection, *conditions: Any, first: int) -> list[Proposal]:
    """The proposals that fit, the newest first."""
    query = select(proposal).where(*conditions).order_by(desc(proposal.c.at), desc(proposal.c.id)).limit(first)
    return [Proposal._make(row) for row in connection.execute(query)]


def before(row: Proposal) -> Any:
    """The condition for those that come after one where the newest are first."""
    older = and_(proposal.c.at == row.at, proposal.c.id < row.id)
    return or_(proposal.c.at < row.at, older)


def approvals(connection: Connection, id_: str) -> list[Approval]:
    """Who approved a proposal, in order; some of them may not count any more."""
    query = select(approval).where(approval.c.proposal == id_).order_by(approval.c.at, approval.c.filed_in)
    return [Approval._make(row) for row in connection.execute(query)]


def activations(connection: Connection, *conditions: Any, first: int) -> list[Activation]:
    """The activations that fit, the newest first."""
    query = select(activation).where(*conditions).order_by(desc(activation.c.epoch)).limit(first)
    return [Activation._make(row) for row in connection.execute(query)]
