"""Grants and purposes of a draft, as forms have them: read by their members, changed at their place in their file.

POST /rules/drafts/{id}/grants       {}: the grants of `requesters.yaml`
PUT  /rules/drafts/{id}/grants       {"entry", "number", "since", "until", "agreed_by", "datasets", "seen"}
POST /rules/drafts/{id}/purposes     {}: the purposes of `purposes.yaml`
PUT  /rules/drafts/{id}/purposes     {"name", "title", "articles", "fields", "seen"}
"""

from __future__ import annotations

import asyncio
import datetime
import re

import msgspec
from starlette.routing import Route

from gateway.acts import inputs
from gateway.acts.called import Acted
from gateway.acts.office import Office
from gateway.acts.plain import Asked, Plain
from gateway.drafts.apart import Apart
from gateway.drafts.child import Edit, Found, Part, Purposed
from gateway.drafts.keeping import Drafts, Kept, seen_of
from gateway.ledger.acting.planned import invalid
from gateway.proposals.scoped import opened

MOST_SAID = 400
"""Characters of a title, and of what a grant was agreed by."""
REQUESTERS, PURPOSES = "requesters.yaml", "purposes.yaml"
_OFFICER = ("officer",)
_SLUG = re.compile(r"[a-z][a-z0-9-]{0,99}")
_FIELD = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,99}")
_ARTICLE = re.compile(r"[0-9A-Za-z.()]{1,20}")


class _Nothing(msgspec.Struct, forbid_unknown_fields=True):
    pass


class _Granted(msgspec.Struct, forbid_unknown_fields=True):
    entry: int
    number: int
    since: datetime.date
    until: datetime.date
    agreed_by: str
    datasets: tuple[str, ...]
    seen: str


class _Purposed(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    title: str
    articles: tuple[str, ...]
    fields: dict[str, tuple[str, ...]]
    seen: str


class FormRoutes:
    """These routes, of the drafts that an office keeps."""

    def __init__(self, office: Office, drafts: Drafts, apart: Apart) -> None:
        self._office, self._drafts, self._apart = office, drafts, apart

    def routes(self, plain: Plain) -> list[Route]:
        """The routes."""
        draft = "/rules/drafts/{id}"
        return [
            plain.route("POST", f"{draft}/grants", opened(_OFFICER, self._grants)),
            plain.route("PUT", f"{draft}/grants", opened(_OFFICER, self._grant)),
            plain.route("POST", f"{draft}/purposes", opened(_OFFICER, self._purposes)),
            plain.route("PUT", f"{draft}/purposes", opened(_OFFICER, self._purpose)),
        ]

    async def _grants(self, asked: Asked) -> Acted:
        asked.of(_Nothing)
        kept, found = await self._found(asked, "grants")
        seen = seen_of(kept.files[REQUESTERS])
        return Acted({"grants": found.grants, "datasets": found.datasets, "seen": seen})

    async def _grant(self, asked: Asked) -> Acted:
        given = asked.of(_Granted)
        if not given.datasets or not all(_SLUG.fullmatch(each) for each in given.datasets):
            raise inputs.wrong("`datasets` must name one or more, each by its id")
        agreed = _line(given.agreed_by, "agreed_by")
        edit = Edit(given.entry, given.number, given.since, given.until, agreed, given.datasets)
        return await self._put(asked, "grants", edit, REQUESTERS, given.seen)

    async def _purposes(self, asked: Asked) -> Acted:
        asked.of(_Nothing)
        kept, found = await self._found(asked, "purposes")
        told = {"datasets": found.datasets, "fields": found.fields, "seen": seen_of(kept.files[PURPOSES])}
        return Acted({"purposes": found.several, **told})

    async def _purpose(self, asked: Asked) -> Acted:
        given = asked.of(_Purposed)
        if not given.articles or not all(_ARTICLE.fullmatch(each) for each in given.articles):
            raise inputs.wrong("`articles` must name one or more, each as `22(1)`")
        for dataset, names in given.fields.items():
            if not names or not all(_FIELD.fullmatch(each) for each in names):
                raise inputs.wrong(f"`fields` must name one or more of `{dataset[:100]}`")
        edit = Purposed(given.name, _line(given.title, "title"), given.articles, given.fields)
        return await self._put(asked, "purposes", edit, PURPOSES, given.seen)

    async def _put(self, asked: Asked, part: Part, edit: Edit | Purposed, name: str, seen: str) -> Acted:
        kept, found = await self._found(asked, part, edit)
        made = await asyncio.to_thread(self._drafts.put, asked.requester, kept.row.id, name, found.text, seen)
        return Acted({"seen": made.seen})

    async def _found(self, asked: Asked, part: Part, edit: Edit | Purposed | None = None) -> tuple[Kept, Found]:
        kept = await asyncio.to_thread(self._drafts.one, asked.requester, asked.path["id"])
        found = await self._apart.look(self._apart.asked(part, kept.packed, self._office.today(), edit=edit))
        if found.unfit:
            raise invalid("STATE", found.unfit)
        return kept, found


def _line(given: str, name: str) -> str:
    return inputs.text(" ".join(given.split()), name, MOST_SAID)
