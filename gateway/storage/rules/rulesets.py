"""Rule sets as they are stored: the files of each under its digest, which one was activated when, and who serves which.

Invariants: a `rule_set` row is never changed, and its digest is that of what its files say. Epochs rise by one, and
`fact_head.epoch` is the last one's: whoever reads facts learns in the same statement which rule set is active (0: none
ever was). So an activation raises it where it still is what the act saw (`raised`), in the act's own transaction.

`replica` is what each process says of itself, now and then: nothing is decided by it.
"""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import BigInteger, Column, Connection, ForeignKey, LargeBinary, Select, Table, Text, select, update

from gateway.storage.port import Guarded
from gateway.storage.subjects.facts import fact_head
from gateway.storage.tables import metadata

rule_set = Table(
    "rule_set",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("files", LargeBinary, nullable=False),
    Column("at", BigInteger, nullable=False),
)

activation = Table(
    "activation",
    metadata,
    Column("epoch", BigInteger, primary_key=True, autoincrement=False),
    Column("digest", Text, ForeignKey("rule_set.digest"), nullable=False),
    Column("how", Text, nullable=False),  # files, bootstrap, proposal or rollback
    Column("proposal", Text),
    Column("at", BigInteger, nullable=False),
    Column("filed_in", BigInteger, nullable=False),  # the entry that says so
)

replica = Table(
    "replica",
    metadata,
    Column("shard", Text, primary_key=True),  # the name of the process's own shard
    Column("epoch", BigInteger, nullable=False),
    Column("digest", Text, nullable=False),
    Column("since", BigInteger, nullable=False),
    Column("seen", BigInteger, nullable=False),
    Column("hindrance", Text),  # why it cannot serve the active one
    Column("sources", Text),  # the digest of the `sources.yaml` that it goes by
)


class Active(NamedTuple):
    """The rule set that is active, since which epoch."""

    epoch: int
    digest: str


def active(connection: Connection) -> Active | None:
    """What is active now; None where nothing ever was."""
    query = select(activation.c.epoch, activation.c.digest).order_by(activation.c.epoch.desc()).limit(1)
    row = connection.execute(query).first()
    return None if row is None else Active(row.epoch, row.digest)


def since(connection: Connection, epoch: int) -> int:
    """When an epoch began (microseconds)."""
    at: int = connection.execute(select(activation.c.at).where(activation.c.epoch == epoch)).scalar_one()
    return at


def raised(before: int) -> Guarded:
    """The change that makes the next epoch count; it holds only where `before` still is the last one."""
    return Guarded(update(fact_head).where(fact_head.c.epoch == before).values(epoch=before + 1))


def by_people() -> Select[tuple[int]]:
    """The activations by people, and not by a start that read a folder."""
    return select(activation.c.epoch).where(activation.c.how != "files")
