"""What the ledger's readers ask a store. Each is given the names of its parameters in the order callers fill them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select, Table, func, select, tuple_
from sqlalchemy import bindparam as p

from gateway.storage.statement import Statement
from gateway.storage.tables import (
    archived,
    entry,
    entry_requester,
    period_key,
    published,
    requester,
    sealed,
    shard,
    subject_key,
    subtree,
)

SHARDS = Statement(select(shard).order_by(shard.c.id))

PUBLISHED = Statement(
    select(published.c.at, published.c.size, published.c.checkpoint)
    .join(shard, shard.c.id == published.c.shard)
    .where(shard.c.name == p("name")),
    "name",
)

SEALED = Statement(select(sealed).order_by(sealed.c.at, sealed.c.name))

LEAVES = Statement(
    select(entry.c.id, entry.c.leaf).where(entry.c.id >= p("first"), entry.c.id < p("last")).order_by(entry.c.id),
    *("first", "last"),
)

SUBTREES = Statement(
    select(subtree.c.position, subtree.c.hash)
    .where(
        subtree.c.shard == p("shard"),
        subtree.c.level == p("level"),
        subtree.c.position >= p("first"),
        subtree.c.position < p("last"),
    )
    .order_by(subtree.c.position),
    *("shard", "level", "first", "last"),
)

ENTRIES = Statement(
    select(entry, period_key.c.period, period_key.c.secret, period_key.c.shard)
    .outerjoin(period_key, period_key.c.id == entry.c.period)
    .where(entry.c.id >= p("first"), entry.c.id < p("last"))
    .order_by(entry.c.id)
    .limit(p("count"))
    .offset(p("skip")),
    *("first", "last", "count", "skip"),
)

ARCHIVED = Statement(
    select(shard.c.name, archived.c.removed, archived.c.manifest, archived.c.place, archived.c.size)
    .join(shard, shard.c.id == archived.c.shard)
    .where(archived.c.shard == p("shard")),
    "shard",
)

PERIOD_KEYS = Statement(
    select(period_key.c.id, period_key.c.period, period_key.c.secret, period_key.c.shard).where(
        period_key.c.id.in_([p(f"key{number}") for number in range(8)])
    ),
    *(f"key{number}" for number in range(8)),
)

PERIODS_BEFORE = Statement(
    select(period_key.c.period)
    .join(shard, shard.c.id == period_key.c.shard)
    .where(shard.c.name == p("name"), period_key.c.secret.is_not(None), period_key.c.period < p("before")),
    *("name", "before"),
)

AT_ONCE = 64

ENTRIES_AT = Statement(
    select(entry, period_key.c.period, period_key.c.secret, period_key.c.shard)
    .outerjoin(period_key, period_key.c.id == entry.c.period)
    .where(entry.c.id.in_([p(f"entry{number}") for number in range(AT_ONCE)])),
    *(f"entry{number}" for number in range(AT_ONCE)),
)

KEYS_AT_ONCE = 64

SUBJECT_KEYS = Statement(
    select(
        subject_key.c.id, subject_key.c.secret, subject_key.c.shard, subject_key.c.scheme, subject_key.c.value
    ).where(subject_key.c.id.in_([p(f"key{number}") for number in range(KEYS_AT_ONCE)])),
    *(f"key{number}" for number in range(KEYS_AT_ONCE)),
)

PAGE = ("after", "entry", "count", "skip")
"""The parameters of `page`, in order."""


def page(places: Select[Any], of: Table) -> Select[Any]:
    """Of places (`at`, `entry`) that a query finds in a table, those after one, oldest first, so many at once.

    After it as a row value: with OR, SQLite reads all there is before to find the place.
    """
    later = places.where(tuple_(of.c.at, of.c.entry) > tuple_(p("after"), p("entry")))
    return later.order_by(of.c.at, of.c.entry).limit(p("count")).offset(p("skip"))


OWN = Statement(
    page(
        select(entry_requester.c.at, entry_requester.c.entry)
        .join(requester, requester.c.id == entry_requester.c.requester)
        .where(requester.c.issuer == p("issuer"), requester.c.client == p("client")),
        entry_requester,
    ),
    *("issuer", "client", *PAGE),
)

AT = Statement(select(entry.c.at).where(entry.c.id == p("entry")), "entry")

INDEXED = Statement(
    select(entry_requester.c.at, entry_requester.c.entry)
    .join(requester, requester.c.id == entry_requester.c.requester)
    .where(
        requester.c.issuer == p("issuer"),
        requester.c.client == p("client"),
        entry_requester.c.at.between(p("from_"), p("to_")),
        entry_requester.c.entry >= p("first"),
        entry_requester.c.entry < p("last"),
    ),
    *("issuer", "client", "from_", "to_", "first", "last"),
)

ENTRY_COUNT = Statement(
    select(func.count(), func.max(entry.c.id)).where(entry.c.id >= p("first"), entry.c.id < p("last")),
    *("first", "last"),
)

ENTRY_ENDS = Statement(
    select(select(func.min(entry.c.id)).scalar_subquery(), select(func.max(entry.c.id)).scalar_subquery())
)

INDEX_COUNT = Statement(
    select(func.count()).where(entry_requester.c.entry >= p("first"), entry_requester.c.entry < p("last")),
    *("first", "last"),
)

SUBTREE_COUNT = Statement(
    select(subtree.c.level, func.count()).where(subtree.c.shard == p("shard")).group_by(subtree.c.level),
    "shard",
)
