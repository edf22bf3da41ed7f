"""Whether a store was set back, for `ledger verify`: what it was sealed at, and what is remembered outside it.

The shards that are sealed must stand where the registry says, each named by the entry of the shard that goes on; of the
others the store must have everything that somebody outside it remembers. Other than at a gateway's start, nothing is
sealed here.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Sequence

from gateway.errors import VerificationFailed
from gateway.ledger.entry.registry import ROOT, Registry, read_document
from gateway.ledger.log import registrar
from gateway.ledger.log.head_file import SeenOutside
from gateway.ledger.log.retire import Missing, behind, gap_receipts, registry_set_back
from gateway.ledger.proof.note import Verifier
from gateway.ledger.stored.read import Head, heads
from gateway.ledger.verify.published import gaps
from gateway.nouns import counted
from gateway.storage.port import Store


def check(store: Store, verifiers: Sequence[Verifier], remembered: Iterable[SeenOutside]) -> list[gaps.Explained]:
    """The sealed shards of a store that is whole otherwise; raises `VerificationFailed` where more is missing.

    `remembered` are checkpoints of its shards that are known outside it, of other logs too.
    """
    with contextlib.closing(store.reader()) as reader:
        there = {head.origin: head for head in heads(reader)}
        content = registrar.stored_document(reader)
        found: dict[str, gaps.Explained] = {}
        if content is not None:
            registry = read_document(content, verifiers)
            found = gaps.explain(registry, gap_receipts(reader, public=False))
            _check_sealed(registry, there, found)
    ledgers = {origin.rpartition("/")[0] for origin in there}
    for each in sorted(remembered, key=lambda each: not each.checkpoint.origin.endswith(f"/{ROOT}")):
        ledger, _, name = each.checkpoint.origin.rpartition("/")
        if ledger in ledgers and (gap := behind(store, name, [each])) is not None:
            _check_gap(gap, found.get(each.checkpoint.origin))
    return list(found.values())


def _check_sealed(registry: Registry, there: Mapping[str, Head], found: Mapping[str, gaps.Explained]) -> None:
    for origin, listed in registry.shards.items():
        if listed.sealed is None:
            continue
        size = there[origin].size if origin in there else 0
        if size < listed.sealed:
            raise VerificationFailed(
                f"`{origin}` is registered as sealed at {listed.sealed}, and the store has"
                f" {counted(size, 'entry')} of it: it was"
                " cut short after that"
            )
        if origin not in found:
            raise VerificationFailed(
                f"`{origin}` is registered as sealed at {listed.sealed}, and no entry names the gap: it was removed, or"
                " the shard cut short"
            )


def _check_gap(gap: Missing, explained: gaps.Explained | None) -> None:
    seen = gap.remembered.checkpoint
    if explained is not None and seen.size > explained.size:
        return explained.check_admits(seen, gap.remembered.by)
    if gap.name == ROOT:
        raise VerificationFailed(registry_set_back(gap))
    raise VerificationFailed(
        f"shard `{gap.name}`: the store has {counted(gap.size, 'entry')}, and {gap.remembered.by} remembers {seen.size}"
        f" of `{seen.origin}`. It was cut short or replaced, or is an older copy. A gateway that starts on it seals it"
    )
