"""`/rules/...`: how officers, stewards and oversight propose, look, approve, activate and roll back, by JSON.

    GET  /rules/status                      what is active, and which process serves it
    GET  /rules/proposals                   the newest proposals
    POST /rules/proposals                   {"files": base64 of an archive, "reason"}
    GET  /rules/proposals/{id}              one, with its approvals and what it changes
    GET  /rules/proposals/{id}/files        its archive, and that of its base
    POST /rules/proposals/{id}/approve      {"digest", "base", "until", "reason", "signature"?}
    POST /rules/proposals/{id}/refuse       {"reason"}
    POST /rules/proposals/{id}/activate     {}
    POST /rules/rollback                    {"epoch", "reason"}

Each answer to an act has it as `act`: its id, when it was, and its receipt. There is nothing to search for.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
from typing import Any

import msgspec
from starlette.routing import Route

from gateway.activation.archive import MOST_PACKED
from gateway.activation.stored import BY_FOLDER, FILES
from gateway.acts import inputs
from gateway.acts.graphql import Acted
from gateway.acts.office import Office
from gateway.acts.plain import MAX_BODY, Asked, Plain
from gateway.ledger.acting.writer import Done
from gateway.proposals.acts import Approving, Proposals
from gateway.proposals.enacting import Enacting
from gateway.proposals.examiner import Examiner
from gateway.proposals.looking import Looking
from gateway.proposals.scoped import opened
from gateway.proposals.shown import WAITS
from gateway.proposals.statement import moment
from gateway.settings import Settings

ARCHIVE = MOST_PACKED * 4 // 3 + MAX_BODY
"""Bytes of a proposal's body."""
_OFFICER, _APPROVING, _ALL = ("officer",), ("officer", "steward"), ("officer", "steward", "oversight")


class _Proposed(msgspec.Struct, forbid_unknown_fields=True):
    files: str
    reason: str


class _Approved(msgspec.Struct, forbid_unknown_fields=True):
    digest: str
    base: str
    until: str
    reason: str
    signature: str = ""


class _Refused(msgspec.Struct, forbid_unknown_fields=True):
    reason: str


class _Activated(msgspec.Struct, forbid_unknown_fields=True):
    pass


class _RolledBack(msgspec.Struct, forbid_unknown_fields=True):
    epoch: int
    reason: str


def routes(plain: Plain, office: Office, settings: Settings, examiner: Examiner) -> list[Route]:
    """All of them, with the ledger's origin from a configuration."""
    return RuleRoutes(office, examiner, settings.ledger.origin, settings.rules == FILES).routes(plain)


class RuleRoutes:
    """These routes. `examiner` is what the rule sets of proposals are examined by; `origin` is the ledger's.

    `by_folder`: the gateway goes by its folder (`rules: files`), so that nothing can be activated, and each proposal
    lacks that.
    """

    def __init__(self, office: Office, examiner: Examiner, origin: str, by_folder: bool) -> None:
        self._office, self._examiner, self._by_folder = office, examiner, by_folder
        self._acts = Proposals(office, self._examiner, origin)
        self._enacting = Enacting(office, self._examiner, by_folder=by_folder)
        self._looking = Looking(office, origin)

    def routes(self, plain: Plain) -> list[Route]:
        """The routes."""
        all_, proposals = "/rules/proposals", "/rules/proposals/{id}"
        return [
            plain.route("GET", "/rules/status", opened(_ALL, self._status)),
            plain.route("GET", all_, opened(_ALL, self._list)),
            plain.route("POST", all_, opened(_OFFICER, self._propose), ARCHIVE),
            plain.route("GET", proposals, opened(_ALL, self._show)),
            plain.route("GET", f"{proposals}/files", opened(_ALL, self._files)),
            plain.route("POST", f"{proposals}/approve", opened(_APPROVING, self._approve)),
            plain.route("POST", f"{proposals}/refuse", opened(_ALL, self._refuse)),
            plain.route("POST", f"{proposals}/activate", opened(_OFFICER, self._activate)),
            plain.route("POST", "/rules/rollback", opened(_OFFICER, self._roll_back)),
        ]

    async def _status(self, asked: Asked) -> Acted:
        return Acted(await asyncio.to_thread(self._looking.status))

    async def _list(self, asked: Asked) -> Acted:
        return Acted({"items": await asyncio.to_thread(self._looking.proposals)})

    async def _show(self, asked: Asked) -> Acted:
        return Acted(await self._shown(asked.path["id"]))

    async def _shown(self, id_: str) -> dict[str, Any]:
        """A proposal, and what came of its examination."""
        told = await asyncio.to_thread(self._looking.proposal, id_)
        found = await self._examiner.of(*await asyncio.to_thread(self._looking.archives, id_))
        if self._by_folder and told["state"] in WAITS:
            told["lacks"] = [*told["lacks"], BY_FOLDER]
        return {
            **told,
            "tests": found.tests,
            "failures": found.failures,
            "changes": found.changes,
            "breaksClients": found.breaks,
            "leftOut": found.left_out,
            "schema": found.schema,
        }

    async def _files(self, asked: Asked) -> Acted:
        files, base = await asyncio.to_thread(self._looking.archives, asked.path["id"])
        return Acted({"files": base64.b64encode(files).decode(), "base": base64.b64encode(base).decode()})

    async def _propose(self, asked: Asked) -> Acted:
        given = asked.of(_Proposed)
        try:
            files = base64.b64decode(given.files, validate=True)
        except (ValueError, binascii.Error):
            raise inputs.wrong("`files` must be base64") from None
        id_, done = await self._acts.propose(asked.requester, files, given.reason)
        return await self._done(done, id_)

    async def _approve(self, asked: Asked) -> Acted:
        given, id_ = asked.of(_Approved), asked.path["id"]
        try:
            until = moment(given.until)
        except ValueError as error:
            raise inputs.wrong(f"`until` {error}") from None
        wanted = Approving(given.digest, given.base, until, given.reason, given.signature)
        return await self._done(await self._acts.approve(asked.requester, id_, wanted), id_)

    async def _refuse(self, asked: Asked) -> Acted:
        id_ = asked.path["id"]
        return await self._done(await self._acts.refuse(asked.requester, id_, asked.of(_Refused).reason), id_)

    async def _activate(self, asked: Asked) -> Acted:
        asked.of(_Activated)
        id_ = asked.path["id"]
        return await self._done(await self._enacting.activate(asked.requester, id_), id_)

    async def _roll_back(self, asked: Asked) -> Acted:
        given = asked.of(_RolledBack)
        done = await self._enacting.roll_back(asked.requester, given.epoch, given.reason)
        status = await asyncio.to_thread(self._looking.status)
        return Acted({"active": status["active"]}, await self._office.extension(done, own=False))

    async def _done(self, done: Done, id_: str) -> Acted:
        told = await self._shown(id_)
        return Acted({"proposal": told}, await self._office.extension(done, own=False))
