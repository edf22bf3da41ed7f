"""A store with an active rule set, and people who propose, approve, activate and roll back, as routes have them do.

`examined` is real, and in this process, where its result is kept. `serve` is what a process does when it has seen an
activation: it goes by the active set from then on.
"""

from __future__ import annotations

import contextlib
import datetime
import functools
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway.activation.activating import Wanted, by_command
from gateway.activation.archive import packed
from gateway.activation.loading import Reading, loaded
from gateway.acts.cataloguing import steps
from gateway.catalogue import definitions
from gateway.errors import Refusal
from gateway.inquiry.types import Requester
from gateway.ledger.acting.commanded import done
from gateway.ledger.acting.planned import Made, Seen
from gateway.ledger.acting.writer import Done
from gateway.ledger.verify.store import verify_store
from gateway.proposals.acts import Approving, Proposals
from gateway.proposals.enacting import Enacting
from gateway.proposals.examination import Asked
from gateway.proposals.examined import examined
from gateway.proposals.examiner import Examiner
from gateway.proposals.looking import Looking
from gateway.rules.ruleset import RuleSet
from gateway.storage.port import Store
from tests.acts.desk import Desk, desk_on
from tests.configured import ORIGIN
from tests.ledger.support import VERIFIERS
from tests.rules.policies import SHIPPED, fewer_tests

ISSUERS = {"login": "https://login.example"}
HOW = Reading(ISSUERS, None, None)
REASON = "The Building Act was amended."

Edit = Mapping[str, tuple[str, str]]
"""By file, a text and what takes its place. A folder goes as a whole."""

NOTHING: Edit = {}
CLOSED: Edit = {"calendar.yaml": ("objection: 7", "objection: 5")}
NARROWED: Edit = {"calendar.yaml": ("objection: 7", "objection: 6")}
OTHERS: Edit = {"officers.yaml": ("sub: p.ilves", "sub: p.fontaine")}

_examined = functools.lru_cache(256)(examined)


def examine(asked: Asked) -> Any:
    """What comes of an examination; once for the same files."""
    return _examined(msgspec.structs.replace(asked, issuers=_ISSUERS))


class _Issuers(dict[str, str]):
    def __hash__(self) -> int:  # type: ignore[override]
        return 1


_ISSUERS = _Issuers(ISSUERS)


@functools.lru_cache(64)
def _archive(edits: tuple[tuple[str, str, str], ...]) -> bytes:
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made) / "policies"
        shutil.copytree(SHIPPED, folder)
        fewer_tests(folder)
        for name, before, after in edits:
            if name.endswith("/"):
                shutil.rmtree(folder / name)
                continue
            text = (folder / name).read_text("utf-8")
            assert before in text, f"{name} no longer says `{before}`"
            (folder / name).write_text(text.replace(before, after, 1), "utf-8")
        return packed(folder)


def archive(edit: Edit = NOTHING) -> bytes:
    """The shipped policies with an edit and few of their tests, as their archive."""
    return _archive(tuple((name, *texts) for name, texts in edit.items()))


@functools.lru_cache(64)
def rules_of(files: bytes) -> RuleSet:
    """The rule set of an archive."""
    return loaded(files, None, HOW)


class Room:
    """The people, and what they act on. `now` is the desk's, and may be moved."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        examiner = Examiner(ISSUERS, None, examine)
        self.proposals = Proposals(desk.office, examiner, ORIGIN)
        self.enacting, self.looking = Enacting(desk.office, examiner), Looking(desk.office, ORIGIN)
        self.archives = {rules_of(archive()).digest: archive()}

    @property
    def store(self) -> Store:
        return self.desk.store

    @property
    def active(self) -> str:
        """The digest of the active set."""
        return self.looking.active().digest

    def serve(self) -> None:
        """Go by what is active."""
        self.desk.rules = rules_of(self.archives[self.active])

    def wait(self, **time: float) -> None:
        """Let time pass."""
        self.desk.now += datetime.timedelta(**time)

    def officer(self, name: str = "olsen", *, client: str = "policy-office", **members: Any) -> Requester:
        """An official of the policy office, who signed in just now."""
        given = {"official": f"p.{name}", "auth_time": self.desk.now.timestamp(), **members}
        return self.desk.who(client, "officer", **given)

    def steward(self, department: str, name: str, **members: Any) -> Requester:
        """A steward, who signed in just now."""
        given = {"official": name, "auth_time": self.desk.now.timestamp(), **members}
        return self.desk.who(f"{department}-stewards", "steward", **given)

    async def propose(self, edit: Edit = CLOSED, by: str = "olsen") -> str:
        """Propose the shipped policies with an edit; the proposal's id."""
        files = archive(edit)
        self.archives[rules_of(files).digest] = files
        id_, _ = await self.proposals.propose(self.officer(by), files, REASON)
        return id_

    def approving(self, id_: str, **other: Any) -> Approving:
        """An approval of a proposal as it stands."""
        row = self.looking.proposal(id_)
        week = self.desk.now.replace(microsecond=0) + datetime.timedelta(days=7)
        return Approving(row["digest"], row["base"], week, REASON)._replace(**other)

    async def approve(self, id_: str, by: str | Requester, **other: Any) -> Done:
        who = self.officer(by) if isinstance(by, str) else by
        return await self.proposals.approve(who, id_, self.approving(id_, **other))

    async def activate(self, id_: str, by: str = "olsen") -> Done:
        made = await self.enacting.activate(self.officer(by), id_)
        self.serve()
        return made

    async def roll_back(self, epoch: int, by: str = "olsen") -> Done:
        made = await self.enacting.roll_back(self.officer(by), epoch, REASON)
        self.serve()
        return made

    async def passed(self, edit: Edit = CLOSED) -> str:
        """A proposal that two approved."""
        id_ = await self.propose(edit)
        await self.approve(id_, "costa")
        await self.approve(id_, "ilves")
        return id_

    def state(self, id_: str) -> str:
        found: str = self.looking.proposal(id_)["state"]
        return found

    def verify(self) -> None:
        """Have the whole store verified, rows and entries."""
        verify_store(self.store, VERIFIERS)


async def refused(work: Any) -> Refusal:
    """How something is refused."""
    with pytest.raises(Refusal) as raised:
        await work
    return raised.value


def why(refusal: Refusal) -> str:
    """The code, or the reason where it has one."""
    return str(refusal.extensions.get("reason", refusal.code))


@contextlib.asynccontextmanager
async def room_on(
    store: Store, edit: Edit = NOTHING, how: str = "bootstrap", around: Callable[[Desk], None] | None = None
) -> AsyncIterator[Room]:
    """A room whose first set is active, as people or a start made it so."""
    files = archive(edit)
    rules = rules_of(files)
    async with desk_on(store, rules) as desk:
        wanted = Wanted(rules.digest, files, how)  # type: ignore[arg-type]
        bodies = [definitions.canonical(each) for each in rules.policies.catalogue.published.values()]

        def first(seen: Seen) -> Made:
            made = by_command(seen, wanted)
            if how == "files":
                return made
            return made._replace(more=steps.first(seen, made.told.requester, rules.digest, made.oversight, bodies))

        await done(desk.ledger, first)
        made = Room(desk)
        made.archives[rules.digest] = files
        yield made
