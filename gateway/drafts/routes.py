"""`/rules/drafts...`: an officer's own drafts of a rule set, by JSON; nobody else's are there.

    GET    /rules/drafts                        one's own, the last used first
    POST   /rules/drafts                        {}: a new one, which says what the active rule set does
    GET    /rules/drafts/{id}                   one, with its files
    POST   /rules/drafts/{id}/discard           {}: let go of it
    GET    /rules/drafts/{id}/files/{name}      what a file says
    PUT    /rules/drafts/{id}/files/{name}      {"text", "seen"}: have it say something else
    DELETE /rules/drafts/{id}/files/{name}      {"seen"}: take it away
    POST   /rules/drafts/{id}/check             {"name"?, "text"?}: what is wrong, with a file as it might be
    POST   /rules/drafts/{id}/examination       {}: its tests, and what it changes of the active rule set
    POST   /rules/drafts/{id}/matrix            {"requester"?, "purpose"?, "dataset"?}
    POST   /rules/matrix                        the same, of the active rule set
    GET    /rules/files/{name}                  what a file of the active rule set says
    POST   /rules/drafts/{id}/simulation        {"since", "through", "reason"}: begin to try it on the inquiries of days
    GET    /rules/drafts/{id}/simulation        how far the last one is, or what came of it
    POST   /rules/drafts/{id}/simulation/stop   {}: end it
    POST   /rules/drafts/{id}/propose           {"reason"}: the act

A draft names no subject and decides nothing: only to propose it is entered, and to try it on past inquiries. `seen` is
what came with the text that the change is made to.
"""

from __future__ import annotations

import asyncio
import datetime
from typing import Any

import msgspec
from starlette.routing import Route

from gateway.activation.archive import MOST_FILE, unpacked
from gateway.acts.called import Acted
from gateway.acts.office import Office
from gateway.acts.plain import MAX_BODY, Asked, Plain
from gateway.config.store_key import StoreKey
from gateway.drafts.apart import Apart
from gateway.drafts.child import Wanted
from gateway.drafts.forms import FormRoutes
from gateway.drafts.keeping import LASTS, Drafts, Kept, seen_of, with_file
from gateway.drafts.trials import Trials
from gateway.ledger.acting.planned import invalid, not_found
from gateway.proposals.acts import Proposals
from gateway.proposals.desk import in_force
from gateway.proposals.examiner import Examiner
from gateway.proposals.scoped import opened
from gateway.storage.rules.drafts import Draft
from gateway.storage.tables import moment

MOST_TEXT = 2 * MOST_FILE + MAX_BODY
"""Bytes of a body with a file: as JSON has it, which writes some characters in two."""
_OFFICER = ("officer",)


class _Nothing(msgspec.Struct, forbid_unknown_fields=True):
    pass


class _Written(msgspec.Struct, forbid_unknown_fields=True):
    text: str
    seen: str = ""


class _Seen(msgspec.Struct, forbid_unknown_fields=True):
    seen: str


class _Checked(msgspec.Struct, forbid_unknown_fields=True):
    name: str = ""
    text: str = ""


class _Tried(msgspec.Struct, forbid_unknown_fields=True):
    since: datetime.date
    through: datetime.date
    reason: str


class _Proposed(msgspec.Struct, forbid_unknown_fields=True):
    reason: str


class DraftRoutes:
    """These routes. `examiner` is the one by which proposals are examined; `origin` is the ledger's.

    `url` is that of the store, `key` the key that its rows are sealed by, where they are.
    """

    def __init__(self, office: Office, examiner: Examiner, origin: str, url: str, key: StoreKey | None = None) -> None:
        self._office, self._examiner = office, examiner
        self._drafts = Drafts(office)
        self._apart = Apart(examiner.issuers, examiner.registries)
        self._acts = Proposals(office, examiner, origin)
        self._trials = Trials(office, url, key, examiner.issuers)

    def routes(self, plain: Plain) -> list[Route]:
        """The routes."""
        all_, draft, file = "/rules/drafts", "/rules/drafts/{id}", "/rules/drafts/{id}/files/{name:path}"
        return [
            plain.route("GET", all_, opened(_OFFICER, self._list)),
            plain.route("POST", all_, opened(_OFFICER, self._begin)),
            plain.route("GET", draft, opened(_OFFICER, self._show)),
            plain.route("POST", f"{draft}/discard", opened(_OFFICER, self._discard)),
            plain.route("GET", file, opened(_OFFICER, self._read)),
            plain.route("PUT", file, opened(_OFFICER, self._put), MOST_TEXT),
            plain.route("DELETE", file, opened(_OFFICER, self._drop)),
            plain.route("POST", f"{draft}/check", opened(_OFFICER, self._check), MOST_TEXT),
            plain.route("POST", f"{draft}/examination", opened(_OFFICER, self._examine)),
            plain.route("POST", f"{draft}/matrix", opened(_OFFICER, self._matrix)),
            plain.route("POST", "/rules/matrix", opened(_OFFICER, self._active_matrix)),
            plain.route("GET", "/rules/files/{name:path}", opened(_OFFICER, self._active_file)),
            *FormRoutes(self._office, self._drafts, self._apart).routes(plain),
            plain.route("POST", f"{draft}/simulation", opened(_OFFICER, self._try)),
            plain.route("GET", f"{draft}/simulation", opened(_OFFICER, self._tried)),
            plain.route("POST", f"{draft}/simulation/stop", opened(_OFFICER, self._stop)),
            plain.route("POST", f"{draft}/propose", opened(_OFFICER, self._propose)),
        ]

    async def _list(self, asked: Asked) -> Acted:
        found = await asyncio.to_thread(self._drafts.of, asked.requester)
        return Acted({"items": [self._shown(each) for each in found]})

    async def _begin(self, asked: Asked) -> Acted:
        asked.of(_Nothing)
        return Acted(self._shown(await asyncio.to_thread(self._drafts.begin, asked.requester)))

    async def _show(self, asked: Asked) -> Acted:
        kept = await self._kept(asked)
        base = await asyncio.to_thread(self._active_files)
        return Acted({**self._shown(kept.row), "files": _files(kept, base)})

    async def _discard(self, asked: Asked) -> Acted:
        asked.of(_Nothing)
        await asyncio.to_thread(self._drafts.remove, asked.requester, asked.path["id"])
        return Acted({})

    async def _read(self, asked: Asked) -> Acted:
        path = asked.path
        found = await asyncio.to_thread(self._drafts.file, asked.requester, path["id"], path["name"])
        return Acted(found._asdict())

    async def _put(self, asked: Asked) -> Acted:
        given, path = asked.of(_Written), asked.path
        made = await asyncio.to_thread(
            self._drafts.put, asked.requester, path["id"], path["name"], given.text, given.seen
        )
        return Acted(made._asdict())

    async def _drop(self, asked: Asked) -> Acted:
        given, path = asked.of(_Seen), asked.path
        await asyncio.to_thread(self._drafts.drop, asked.requester, path["id"], path["name"], given.seen)
        return Acted({})

    async def _check(self, asked: Asked) -> Acted:
        given, kept = asked.of(_Checked), await self._kept(asked)
        files = kept.packed
        if given.name:
            files = await asyncio.to_thread(with_file, kept, given.name, given.text)
        found = await self._apart.look(self._apart.asked("check", files, self._office.today()))
        return Acted({"problems": found.places, "counts": found.counts, "digest": found.digest})

    async def _examine(self, asked: Asked) -> Acted:
        asked.of(_Nothing)
        kept = await self._kept(asked)
        base = await asyncio.to_thread(in_force, self._office)
        found = await self._examiner.of(kept.packed, base.files)
        return Acted(
            {
                "digest": found.digest,
                "active": base.digest,
                "problems": found.problems,
                "tests": found.tests,
                "failures": found.failures,
                "differences": found.differences,
                "leftOut": found.left_out,
                "breaksClients": found.breaks,
                "widensFor": found.widens,
            }
        )

    async def _matrix(self, asked: Asked) -> Acted:
        wanted, kept = asked.of(Wanted), await self._kept(asked)
        return await self._of(kept.packed, wanted)

    async def _active_matrix(self, asked: Asked) -> Acted:
        wanted, active = asked.of(Wanted), await asyncio.to_thread(in_force, self._office)
        return await self._of(active.files, wanted)

    async def _active_file(self, asked: Asked) -> Acted:
        name, files = asked.path["name"], await asyncio.to_thread(self._active_files)
        if name not in files:
            raise not_found()
        return Acted({"name": name, "text": files[name].decode("utf-8", "replace")})

    async def _of(self, files: bytes, wanted: Wanted) -> Acted:
        found = await self._apart.look(self._apart.asked("matrix", files, self._office.today(), wanted))
        return Acted(
            {
                "problems": found.places,
                "rows": found.rows,
                "leftOut": found.left_out,
                "requesters": found.requesters,
                "purposes": found.purposes,
                "datasets": found.datasets,
            }
        )

    async def _try(self, asked: Asked) -> Acted:
        given, kept = asked.of(_Tried), await self._kept(asked)
        found = await self._apart.look(self._apart.asked("check", kept.packed, self._office.today()))
        if not found.digest:
            raise invalid("STATE", "the draft has problems; mend them first")
        days = given.since, given.through
        return Acted(await self._trials.begin(asked.requester, kept, found.digest, days, given.reason))

    async def _tried(self, asked: Asked) -> Acted:
        return Acted(await self._trials.show((await self._kept(asked)).row.id))

    async def _stop(self, asked: Asked) -> Acted:
        asked.of(_Nothing)
        return Acted(await self._trials.stop((await self._kept(asked)).row.id))

    async def _propose(self, asked: Asked) -> Acted:
        given, kept = asked.of(_Proposed), await self._kept(asked)
        id_, done = await self._acts.propose(asked.requester, kept.packed, given.reason)
        return Acted({"proposal": id_}, await self._office.extension(done, own=False))

    async def _kept(self, asked: Asked) -> Kept:
        return await asyncio.to_thread(self._drafts.one, asked.requester, asked.path["id"])

    def _active_files(self) -> dict[str, bytes]:
        return unpacked(in_force(self._office).files)

    def _shown(self, row: Draft) -> dict[str, Any]:
        """A draft; `current` while the rule set that it began as is the active one."""
        used: datetime.datetime = moment(row.used)
        return {
            "id": row.id,
            "base": row.base,
            "current": row.base == self._office.rules.digest,
            "began": moment(row.began),
            "used": used,
            "lapses": used + LASTS,
            "changes": row.version - 1,
        }


def _files(kept: Kept, base: dict[str, bytes]) -> list[dict[str, Any]]:
    """All files of a draft and of the active rule set, and how they differ: `added`, `changed`, `removed` or not."""
    told = []
    for name in sorted({*kept.files, *base}):
        mine, theirs = kept.files.get(name), base.get(name)
        change = "" if mine == theirs else "added" if theirs is None else "removed" if mine is None else "changed"
        content = mine if mine is not None else b""
        told.append({"name": name, "bytes": len(content), "change": change, "seen": seen_of(content)})
    return told
