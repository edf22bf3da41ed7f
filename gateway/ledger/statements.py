"""The ledger's SQL: compiled once from SQLAlchemy Core, run on raw connections (Core's own execute costs more than
the statement). Each is given the names of its `?` marks in order, which is how callers fill them.
"""

from __future__ import annotations

from sqlalchemy import bindparam as p
from sqlalchemy import func, insert, select, update
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from gateway.storage.store import compiled
from gateway.storage.tables import entry, entry_requester, period_key, requester, shard, subtree

SHARDS = compiled(select(shard).order_by(shard.c.id))

LEAVES = compiled(
    select(entry.c.id, entry.c.leaf).where(entry.c.id >= p("first"), entry.c.id < p("last")).order_by(entry.c.id),
    *("first", "last"),
)

SUBTREES = compiled(
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

ENTRIES = compiled(
    select(entry, period_key.c.period, period_key.c.secret)
    .outerjoin(period_key, period_key.c.id == entry.c.period)
    .where(entry.c.id >= p("first"), entry.c.id < p("last"))
    .order_by(entry.c.id),
    *("first", "last"),
)

OWN = compiled(
    select(entry_requester.c.at, entry_requester.c.entry)
    .join(requester, requester.c.id == entry_requester.c.requester)
    .where(
        requester.c.issuer == p("issuer"),
        requester.c.client == p("client"),
        (entry_requester.c.at > p("after"))
        | ((entry_requester.c.at == p("same")) & (entry_requester.c.entry > p("entry"))),
    )
    .order_by(entry_requester.c.at, entry_requester.c.entry)
    .limit(p("count"))
    .offset(p("skip")),
    *("issuer", "client", "after", "same", "entry", "count", "skip"),
)

AT = compiled(select(entry.c.at).where(entry.c.id == p("entry")), "entry")

INSERT_ENTRY = compiled(insert(entry), *entry.c.keys())
INSERT_SUBTREE = compiled(insert(subtree), *subtree.c.keys())
INSERT_REQUESTER_ENTRY = compiled(insert(entry_requester), *entry_requester.c.keys())
INSERT_SHARD = compiled(insert(shard), *shard.c.keys())

SWAP = compiled(
    update(shard)
    .where(
        shard.c.id == p("old_id"),
        shard.c.epoch == p("old_epoch"),
        shard.c.size == p("old_size"),
        shard.c.root == p("old_root"),
    )
    .values(size=p("new_size"), root=p("new_root"), floor=p("new_floor"), checkpoint=p("new_checkpoint")),
    *("new_size", "new_root", "new_floor", "new_checkpoint", "old_id", "old_epoch", "old_size", "old_root"),
)

CLAIM = compiled(
    update(shard)
    .where(shard.c.id == p("old_id"), shard.c.epoch == p("old_epoch"))
    .values(verifier=p("new_verifier"), epoch=p("new_epoch"), checkpoint=p("new_checkpoint")),
    *("new_verifier", "new_epoch", "new_checkpoint", "old_id", "old_epoch"),
)

NEW_REQUESTER = compiled(
    sqlite_insert(requester).values(issuer=p("issuer"), client=p("client")).on_conflict_do_nothing(),
    *("issuer", "client"),
)

REQUESTER = compiled(
    select(requester.c.id).where(requester.c.issuer == p("issuer"), requester.c.client == p("client")),
    *("issuer", "client"),
)

NEW_KEY = compiled(
    sqlite_insert(period_key).values(shard=p("shard"), period=p("period"), secret=p("secret")).on_conflict_do_nothing(),
    *("shard", "period", "secret"),
)

KEY = compiled(
    select(period_key.c.id, period_key.c.secret).where(
        period_key.c.shard == p("shard"), period_key.c.period == p("period")
    ),
    *("shard", "period"),
)

INDEXED = compiled(
    select(entry_requester.c.entry)
    .join(requester, requester.c.id == entry_requester.c.requester)
    .where(
        requester.c.issuer == p("issuer"),
        requester.c.client == p("client"),
        entry_requester.c.at == p("at"),
        entry_requester.c.entry == p("entry"),
    ),
    *("issuer", "client", "at", "entry"),
)

ENTRY_COUNT = compiled(
    select(func.count(), func.max(entry.c.id)).where(entry.c.id >= p("first"), entry.c.id < p("last")),
    *("first", "last"),
)

INDEX_COUNT = compiled(
    select(func.count()).where(entry_requester.c.entry >= p("first"), entry_requester.c.entry < p("last")),
    *("first", "last"),
)

SUBTREE_COUNT = compiled(
    select(subtree.c.level, func.count()).where(subtree.c.shard == p("shard")).group_by(subtree.c.level),
    "shard",
)
