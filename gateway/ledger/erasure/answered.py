"""What was given of a subject after its erasure was requested: whoever has that deletes it too, before the approval.

The request has those told who received what is about the subject (`recall_job`, cause `erased`), as far as the ledger
was when their answers were looked up. Until the approval the subject can be asked about, and an answer may have been
under way; after it nobody could tell who received that. So whoever approves looks for such answers, and where there are
any, the job waits again (`again`) and the approval is refused. What is entered between that look and the transaction is
a `Conflict` of it (`Look.after`), and looked for once more.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import ColumnElement, Select, and_, or_, select, update

from gateway.ledger.projections.extract import given
from gateway.ledger.stored import read
from gateway.storage.destruction import names_any
from gateway.storage.port import Store
from gateway.storage.recall.recalls import recall_job
from gateway.storage.tables import SHARD_BITS, entry

_INDEX = (1 << SHARD_BITS) - 1
_sizes: msgspec.json.Decoder[dict[int, int]] = msgspec.json.Decoder(dict[int, int], strict=False)


class Look(NamedTuple):
    """The job that has to wait again, if any; how large each shard was; queries for what may not have come since."""

    job: str | None
    sizes: Mapping[int, int]
    after: Sequence[Select[tuple[Any]]]


def look(store: Store, own: str, subject: tuple[str, str], keys: Sequence[int]) -> Look:
    """Look for answers that the request's job does not know of; `own` is the shard of whoever erases.

    While the job waits nothing is looked for: it finds them itself, and keeps the subject until then. Raises
    `VerificationFailed` where an entry does not open.
    """
    mine = (recall_job.c.cause == "erased", recall_job.c.scheme == subject[0], recall_job.c.value == subject[1])
    newest = select(recall_job.c.id, recall_job.c.state, recall_job.c.sizes).where(*mine)
    with contextlib.closing(store.reader()) as reader:
        heads = read.heads(reader)
        sizes = {head.id: head.size for head in heads}
        with store.engine.connect() as connection:
            job = connection.execute(newest.order_by(recall_job.c.at.desc()).limit(1)).one_or_none()
            if job is None or job.state != "selected":
                return Look(None, sizes, ())
            known = {} if job.sizes is None else _sizes.decode(job.sizes)
            places = [row[0] for row in connection.execute(_naming(keys, known))]
        entered = read.read_at(reader, places)
    told = [each.read_told() for each in entered.values() if each.told is not None]
    missed = any((one.scheme, one.value) == subject for each in told for one in given(each))
    others = {head.id: _INDEX if head.name == own else head.size for head in heads}
    return Look(job.id if missed else None, sizes, [_naming(keys, others)])


def again(store: Store, seen: Look) -> None:
    """Have the job look up its answers once more, as far as the shards were."""
    sizes = msgspec.json.encode({str(shard): size for shard, size in seen.sizes.items()}).decode()
    mine = (recall_job.c.id == seen.job, recall_job.c.state == "selected")
    with store.engine.begin() as connection:
        connection.execute(update(recall_job).where(*mine).values(state="waits", sizes=sizes, selected=None))


def _naming(keys: Sequence[int], sizes: Mapping[int, int]) -> Select[tuple[Any]]:
    """The entries under these keys that came after shards were so large; in a shard that was not there yet, all."""
    later: list[ColumnElement[bool]] = [entry.c.id >= (max(sizes, default=-1) + 1) << SHARD_BITS]
    for shard, size in sizes.items():
        first = shard << SHARD_BITS
        later.append(and_(entry.c.id >= first + size, entry.c.id <= first + _INDEX))
    return select(entry.c.id).where(or_(*later), names_any(keys))
