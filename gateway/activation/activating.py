"""The one act that makes a rule set active: its entry, its rows, and the next epoch, in one transaction.

Whoever may have that done comes with a `Wanted`: people, by a proposal, a rollback or the first set (`bootstrap`), or a
start with `rules: files`. Invariants: of two at once one stands; the entry names the digest that it makes active, and
the one before; a start never takes back what people activated.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

from sqlalchemy import Engine, LargeBinary, exists, insert, literal, select

from gateway.activation.stored import refuse_files, stored
from gateway.config.settings import Settings
from gateway.errors import Refusal
from gateway.ledger.acting.commanded import done, said
from gateway.ledger.acting.planned import Changes, Made, Row, Seen, invalid
from gateway.ledger.entry import entries
from gateway.ledger.log.ledger import Ledger
from gateway.ledger.log.operator import CLIENT, Workplace, account
from gateway.rules.ruleset import RuleSet
from gateway.storage.rules import rulesets
from gateway.storage.tables import micros

WHAT = "rules-activated"

How = Literal["files", "bootstrap", "proposal", "rollback"]


class Wanted(NamedTuple):
    """A rule set that is to be active. `files` is its archive, None where the store has it already.

    `proposal` is the matter that it came by, and `approvers` are the names of those who agreed, as officers have them.
    `schema` is the digest of the GraphQL schema that it has clients see.
    """

    digest: str
    files: bytes | None
    how: How
    proposal: str = ""
    approvers: tuple[str, ...] = ()
    schema: str = ""


def kept(digest: str, files: bytes, at: int) -> Changes:
    """The change that keeps a rule set's archive under its digest, where the store does not have it."""
    values = (literal(digest), literal(files, LargeBinary), literal(at, rulesets.rule_set.c.at.type))
    new = select(*values).where(~exists().where(rulesets.rule_set.c.digest == digest))
    return insert(rulesets.rule_set).from_select(["digest", "files", "at"], new)


def changes(seen: Seen, wanted: Wanted) -> list[Changes]:
    """All that an activation changes beside its entry; raises `Refusal` (`STATE`) where it is active already.

    They hold only where the epoch still is what the act saw: it has to be `Planned.guarded`.
    """
    before = rulesets.active(seen.connection)
    if before is not None and before.digest == wanted.digest:
        raise invalid("STATE", f"rule set `{wanted.digest}` is active already, since epoch {before.epoch}")
    at, epoch = micros(seen.now), seen.epoch + 1
    files = [] if wanted.files is None else [kept(wanted.digest, wanted.files, at)]
    values = {"epoch": epoch, "digest": wanted.digest, "how": wanted.how, "proposal": wanted.proposal or None, "at": at}
    return [rulesets.raised(seen.epoch), *files, Row(rulesets.activation, values, ("filed_in",))]


def members(seen: Seen, wanted: Wanted) -> dict[str, Any]:
    """The part of an activation's entry that other acts do not have."""
    before = rulesets.active(seen.connection)
    return {
        "rule_set": wanted.digest,
        "base": "" if before is None else before.digest,
        "epoch": seen.epoch + 1,
        "how": wanted.how,
        "proposal": wanted.proposal,
        "approvers": wanted.approvers,
        "schema": wanted.schema,
    }


def by_command(seen: Seen, wanted: Wanted, more: Sequence[Changes] = ()) -> Made:
    """The act, done by a person on the machine, or by a start; its value is the new epoch."""
    told = entries.Acted(entries.VERSION, seen.id, seen.now, CLIENT, WHAT, **members(seen, wanted))
    return said(told, account(), [*changes(seen, wanted), *more], wanted.digest, seen.epoch + 1)


async def by_process(settings: Settings, ledger: Ledger, rules: RuleSet, files: bytes) -> None:
    """As `by_files`, by a process that has its ledger open."""
    engine = ledger.store.engine
    await asyncio.to_thread(refuse_files, settings, engine)
    found = await asyncio.to_thread(stored, engine)
    if found is None or found.digest != rules.digest:
        from gateway.rules.compare.clients import schema_digest  # commands that activate need no schema of their own

        wanted = Wanted(rules.digest, files, "files", schema=await asyncio.to_thread(schema_digest, rules))
        try:
            await done(ledger, lambda seen: by_command(seen, wanted))
        except Refusal:
            if await asyncio.to_thread(_epoch_of, engine, rules.digest) is None:
                raise


def by_files(place: Workplace, digest: str, files: bytes, schema: Callable[[], str] = str) -> int:
    """Make active what a start read of its folder, where that is another set than the active one; its epoch.

    `schema` gives the digest of the GraphQL schema that it has clients see; it is asked for where it is told.
    Raises `ConfigurationError` as `refuse_files`, and what `commanded.done` raises. Blocks.
    """
    refuse_files(place.settings, place.store.engine)
    if (epoch := _epoch_of(place.store.engine, digest)) is not None:
        return epoch
    wanted = Wanted(digest, files, "files", schema=schema())
    try:
        made: int = place.run(lambda ledger: done(ledger, lambda seen: by_command(seen, wanted))).value
    except Refusal:
        if (epoch := _epoch_of(place.store.engine, digest)) is None:
            raise
        return epoch
    return made


def _epoch_of(engine: Engine, digest: str) -> int | None:
    """The epoch of the active set, where it is this one: another gateway may have started at the same moment."""
    found = stored(engine)
    return found.epoch if found is not None and found.digest == digest else None
