"""`/rules/...`: how officers, stewards and oversight propose, look, approve, activate and roll back, by JSON.

    GET  /rules/status                      what is active, and which process serves it
    GET  /rules/activations                 the last activations: who, when, approved by whom, and why
    GET  /rules/activations/{epoch}         what going back to it would change, and whether that can be
    GET  /rules/proposals                   the newest proposals
    POST /rules/proposals                   {"files": base64 of an archive, "reason"}
    GET  /rules/proposals/{id}              one, with its approvals and what it changes
    GET  /rules/proposals/{id}/files        its archive, and that of its base
    GET  /rules/proposals/{id}/changes      all that it changes, as CSV
    POST /rules/proposals/{id}/statement    {"until", "reason"}: the words of an approval, which can be signed
    POST /rules/proposals/{id}/approve      {"digest", "base", "until", "reason", "signature"?}
    POST /rules/proposals/{id}/refuse       {"reason"}
    POST /rules/proposals/{id}/activate     {}
    POST /rules/rollback                    {"epoch", "reason"}

Each answer to an act has it as `act`: its id, when it was, and its receipt. There is nothing to search for; a list goes
on with `?after=` its `next`, `first` at a time.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import datetime
import functools
from collections.abc import Mapping
from typing import Any

import msgspec
from starlette.routing import Route

from gateway.activation.archive import MOST_PACKED
from gateway.activation.stored import FILES
from gateway.acts import inputs
from gateway.acts.called import Acted
from gateway.acts.office import Office
from gateway.acts.plain import MAX_BODY, Asked, Plain
from gateway.config.settings import Settings
from gateway.ledger.acting.planned import not_found
from gateway.ledger.acting.writer import Done
from gateway.proposals import shown
from gateway.proposals.acts import Approving, Proposals
from gateway.proposals.enacting import Enacting, Fits
from gateway.proposals.examination import Examined
from gateway.proposals.examiner import Examiner
from gateway.proposals.looking import LISTED, Looking
from gateway.proposals.scoped import opened
from gateway.proposals.statement import moment

ARCHIVE = MOST_PACKED * 4 // 3 + MAX_BODY
"""Bytes of a proposal's body."""
_LONGEST_EPOCH, _LONGEST_FIRST = 18, 3
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


class _Said(msgspec.Struct, forbid_unknown_fields=True):
    until: str
    reason: str


class _Refused(msgspec.Struct, forbid_unknown_fields=True):
    reason: str


class _Activated(msgspec.Struct, forbid_unknown_fields=True):
    pass


class _RolledBack(msgspec.Struct, forbid_unknown_fields=True):
    epoch: int
    reason: str


def routes(plain: Plain, office: Office, settings: Settings, examiner: Examiner, fits: Fits) -> list[Route]:
    """All of them, with the ledger's origin from a configuration."""
    return RuleRoutes(office, examiner, settings.ledger.origin, settings.rules == FILES, fits).routes(plain)


class RuleRoutes:
    """These routes. `examiner` is what the rule sets of proposals are examined by; `origin` is the ledger's.

    `by_folder`: the gateway goes by its folder (`rules: files`), so that nothing can be activated, and each proposal
    lacks that. `fits` is `Enacting`'s.
    """

    def __init__(self, office: Office, examiner: Examiner, origin: str, by_folder: bool, fits: Fits) -> None:
        self._office, self._examiner = office, examiner
        self._acts = Proposals(office, self._examiner, origin)
        self._enacting = Enacting(office, self._examiner, fits, by_folder=by_folder)
        self._looking = Looking(office, origin, by_folder=by_folder)

    def routes(self, plain: Plain) -> list[Route]:
        """The routes."""
        all_, proposals = "/rules/proposals", "/rules/proposals/{id}"
        return [
            plain.route("GET", "/rules/status", opened(_ALL, self._status)),
            plain.route("GET", "/rules/activations", opened(_ALL, self._activations)),
            plain.route("GET", "/rules/activations/{epoch}", opened(_ALL, self._back)),
            plain.route("GET", all_, opened(_ALL, self._list)),
            plain.route("POST", all_, opened(_OFFICER, self._propose), ARCHIVE),
            plain.route("GET", proposals, opened(_ALL, self._show)),
            plain.route("GET", f"{proposals}/files", opened(_ALL, self._files)),
            plain.route("GET", f"{proposals}/changes", opened(_ALL, self._changes)),
            plain.route("POST", f"{proposals}/statement", opened(_APPROVING, self._statement)),
            plain.route("POST", f"{proposals}/approve", opened(_APPROVING, self._approve)),
            plain.route("POST", f"{proposals}/refuse", opened(_ALL, self._refuse)),
            plain.route("POST", f"{proposals}/activate", opened(_OFFICER, self._activate)),
            plain.route("POST", "/rules/rollback", opened(_OFFICER, self._roll_back)),
        ]

    async def _status(self, asked: Asked) -> Acted:
        return Acted(await asyncio.to_thread(self._looking.status))

    async def _list(self, asked: Asked) -> Acted:
        given, waiting = asked.query, asked.query.get("waiting") == "yes"
        page = functools.partial(self._looking.proposals, asked.requester, after=given.get("after", ""))
        return Acted((await asyncio.to_thread(page, first=_first(given), waiting=waiting))._asdict())

    async def _activations(self, asked: Asked) -> Acted:
        after = _epoch(asked.query["after"]) if asked.query.get("after") else 0
        page = functools.partial(self._looking.activations, after=after, first=_first(asked.query))
        return Acted((await asyncio.to_thread(page))._asdict())

    async def _back(self, asked: Asked) -> Acted:
        target, found, hindrance = await self._enacting.back(_epoch(asked.path["epoch"]))
        told = _changed(found) | {"widensFor": found.widens, "reopens": found.reopened}
        why = None if hindrance is None else hindrance.message
        return Acted({**shown.activation(target), **told, "hindered": why})

    async def _show(self, asked: Asked) -> Acted:
        return Acted(await self._shown(asked))

    async def _shown(self, asked: Asked, id_: str = "") -> dict[str, Any]:
        """A proposal, and what came of its examination."""
        id_ = id_ or asked.path["id"]
        told = await asyncio.to_thread(self._looking.proposal, id_, asked.requester)
        found = await self._examiner.of(*await asyncio.to_thread(self._looking.archives, id_))
        return {**told, "tests": found.tests, "failures": found.failures, **_changed(found), "schema": found.schema}

    async def _changes(self, asked: Asked) -> Acted:
        archives = await asyncio.to_thread(self._looking.archives, asked.path["id"])
        return Acted({"csv": await self._examiner.table(*archives)})

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
        return await self._done(asked, done, id_)

    async def _approve(self, asked: Asked) -> Acted:
        given, id_ = asked.of(_Approved), asked.path["id"]
        wanted = Approving(given.digest, given.base, _until(given.until), given.reason, given.signature)
        return await self._done(asked, await self._acts.approve(asked.requester, id_, wanted))

    async def _statement(self, asked: Asked) -> Acted:
        given = asked.of(_Said)
        words = functools.partial(self._acts.statement, asked.requester, asked.path["id"])
        return Acted({"statement": await asyncio.to_thread(words, _until(given.until), given.reason)})

    async def _refuse(self, asked: Asked) -> Acted:
        id_ = asked.path["id"]
        return await self._done(asked, await self._acts.refuse(asked.requester, id_, asked.of(_Refused).reason))

    async def _activate(self, asked: Asked) -> Acted:
        asked.of(_Activated)
        id_ = asked.path["id"]
        return await self._done(asked, await self._enacting.activate(asked.requester, id_))

    async def _roll_back(self, asked: Asked) -> Acted:
        given = asked.of(_RolledBack)
        done = await self._enacting.roll_back(asked.requester, given.epoch, given.reason)
        status = await asyncio.to_thread(self._looking.status)
        return Acted({"active": status["active"]}, await self._office.extension(done, own=False))

    async def _done(self, asked: Asked, done: Done, id_: str = "") -> Acted:
        told = await self._shown(asked, id_)
        return Acted({"proposal": told}, await self._office.extension(done, own=False))


def _changed(found: Examined) -> dict[str, Any]:
    """What a set changes, as an examination found it."""
    return {
        "changes": found.changes,
        "differences": found.differences,
        "breaksClients": found.breaks,
        "leftOut": found.left_out,
        "cells": found.cells,
    }


def _first(query: Mapping[str, str]) -> int:
    """How many of a list are asked for; raises `Refusal`."""
    given = query.get("first", str(LISTED))
    if not given.isascii() or not given.isdecimal() or len(given) > _LONGEST_FIRST or not 1 <= int(given) <= LISTED:
        raise inputs.wrong(f"`first` must be a whole number from 1 to {LISTED}")
    return int(given)


def _epoch(given: str) -> int:
    """An epoch of an address; raises `Refusal`."""
    if not given.isascii() or not given.isdecimal() or len(given) > _LONGEST_EPOCH:
        raise not_found()
    return int(given)


def _until(given: str) -> datetime.datetime:
    try:
        return moment(given)
    except ValueError as error:
        raise inputs.wrong(f"`until` {error}") from None
