"""The first rule set that people approve: two officers' SSH signatures, made anywhere, on the store itself; once.

There is no set in force yet whose officers could judge it, so those of the set itself do, which whoever has the machine
can write: so the entry names them, and carries both signatures. From then on a set judges the next.
"""

from __future__ import annotations

import contextlib
import datetime
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from gateway.activation import archive
from gateway.activation.activating import Wanted, by_command
from gateway.activation.loading import loaded, reading
from gateway.activation.stored import approved, stored
from gateway.acts.cataloguing import steps
from gateway.config import settings
from gateway.errors import CommandRefused, VerificationFailed
from gateway.ledger.acting.commanded import done
from gateway.ledger.acting.planned import Made, Seen
from gateway.ledger.log import operator
from gateway.ledger.log.operator import ActRefused, Workplace
from gateway.proposals import looking
from gateway.proposals.examination import Asked, Examined
from gateway.proposals.examiner import Examine, examined
from gateway.proposals.references import broken
from gateway.proposals.statement import NONE, Statement
from gateway.rules import sshsig
from gateway.rules.files.officers import NEEDED
from gateway.rules.ruleset import RuleSet
from gateway.storage import store as stores
from gateway.storage.rules import rulesets

_ONCE = (
    "people activated a rule set of this store already, and the first is taken once; propose this one"
    " (`dutybound rules propose`)"
)


class First(NamedTuple):
    """A rule set that is to be the first. `base` is the digest of what a start made active, where one did."""

    place: Workplace
    rules: RuleSet
    files: bytes
    base: str

    @property
    def origin(self) -> str:
        return self.place.settings.ledger.origin

    @property
    def longest(self) -> datetime.timedelta:
        """How long an approval of it may count."""
        return datetime.timedelta(days=self.rules.officers.days)


@contextlib.contextmanager
def first(config: Path, policies: Path | None) -> Iterator[First]:
    """The contents of a folder's files, for a store that has no rule set of people yet; raises `CommandRefused` for
    others."""
    with operator.opened(config, make=True) as place:
        if approved(place.store.engine):
            raise CommandRefused(_ONCE)
        files = archive.packed(policies or place.settings.policies)
        rules, now = loaded(files, None, reading(place.settings)), stored(place.store.engine)
        yield First(place, rules, files, now.digest if now is not None else "")


def signed_by_nobody(it: First) -> str:
    """Why no statement of it could be signed, by as many as are needed; nothing where it can."""
    have = sum(bool(each.key) for each in it.rules.officers.entries.values())
    if have >= NEEDED:
        return ""
    return f"it takes the signatures of {NEEDED} officers, and {have} of `officers.yaml` have a `key`; give each one"


def activate(
    it: First, said: Statement, signatures: Sequence[str], examine: Examine = examined
) -> tuple[list[str], int]:
    """Make it active; gives who approved, and the epoch. Raises `CommandRefused`, `LedgerUnavailable`."""
    if (said.digest, said.base, said.origin) != (it.rules.digest, it.base or NONE, it.origin):
        raise CommandRefused(
            f"the signatures are not over these files, this store and this ledger. The statement would now name rule"
            " set"
            f" {it.rules.digest} over {it.base or NONE} at {it.origin}. Make a new statement, and have it signed"
        )
    names = _signed_by(it, said, signatures)
    found = _right(it, examine)

    def make(seen: Seen) -> Made:
        if said.until <= seen.now:
            raise ActRefused(f"the approvals counted until {said.until.isoformat()}; make a new statement")
        if said.until > seen.now + it.longest:
            raise ActRefused(
                f"the approvals would count until {said.until.isoformat()}, which is too long; make a new statement"
            )
        now = rulesets.active(seen.connection)
        if (now.digest if now is not None else "") != it.base:
            raise ActRefused("a start made another rule set active meanwhile; make a new statement")
        if seen.connection.execute(rulesets.by_people()).first() is not None:
            raise ActRefused(_ONCE)
        today = seen.now.astimezone(it.rules.calendar.zone).date()
        if gone := broken(seen.connection, found.purposes, found.published, today):
            raise ActRefused("; ".join(gone))
        wanted = Wanted(it.rules.digest, it.files, "bootstrap", "", tuple(names), found.schema)
        made = by_command(seen, wanted)
        told = msgspec.structs.replace(
            made.told, digest=it.rules.digest, reason=said.reason, term=said.until,
            signature="\n".join(each.strip() for each in signatures), widens=found.widens,
        )  # fmt: skip
        brought = steps.first(seen, told.requester, it.rules.digest, made.oversight, found.definitions)
        return made._replace(told=told, more=brought)

    epoch: int = it.place.run(lambda ledger: done(ledger, make)).value
    return names, epoch


def _signed_by(it: First, said: Statement, signatures: Sequence[str]) -> list[str]:
    """Whose signatures these are: as many officers as are needed, each once."""
    names: list[str] = []
    for number, each in enumerate(signatures, 1):
        try:
            officer = it.rules.officers.by_key(sshsig.read(each).key)
            if officer is None:
                raise VerificationFailed("it is by a key that no officer in `officers.yaml` of these files has")
            sshsig.verify(each, said.text.encode(), officer.key)
        except VerificationFailed as error:
            raise CommandRefused(f"signature {number}: {error}") from None
        if officer.name in names:
            raise CommandRefused(f"signature {number} is by `{officer.name}` again; another officer has to sign")
        names.append(officer.name)
    if len(names) != NEEDED:
        raise CommandRefused(f"signatures: {len(names)}; give exactly {NEEDED}, of different officers")
    return sorted(names)


def _right(it: First, examine: Examine) -> Examined:
    """What comes of its examination, as of a proposal's."""
    how = reading(it.place.settings)
    registries = None if how.registries is None else tuple(how.registries)
    found = examine(Asked(it.files, None, how.issuers or {}, registries))
    if wrong := [*found.problems, *found.failures]:
        raise CommandRefused("\n".join([*wrong, "nothing was activated"]))
    return found


def status(config: Path) -> dict[str, Any]:
    """What the store of a configuration has of its rule sets."""
    found = settings.load(config, os.environ)
    with stores.opened(found) as store, store.engine.connect() as connection:
        told = looking.status(connection, datetime.datetime.now(datetime.UTC))
    plain: dict[str, Any] = msgspec.to_builtins(told)
    return plain
