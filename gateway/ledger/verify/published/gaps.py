"""Gaps: whether what a shard lacks is explained, for whoever verifies.

A shard of which the store came back with less is sealed (`retire`). That is believed only where two others say the
same: the registry, which is never set back, has the size and root at which it was sealed, and an entry of the shard
that goes on names the gap. Both are in logs that everybody can follow. Whatever else is missing was cut off.

The entries that name gaps travel with the registry, each as a receipt in the published tree: they are about nobody.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import NamedTuple

from gateway.errors import VerificationFailed
from gateway.ledger.entry import entries
from gateway.ledger.entry.receipt import Proved, verify_receipt
from gateway.ledger.entry.registry import Registry
from gateway.ledger.proof.note import Checkpoint, log_key, open_note, parse_checkpoint
from gateway.ledger.verify.published.assurance import Claim, Forked, claim_of
from gateway.nouns import counted


class Explained(NamedTuple):
    """A sealed shard: its last size and root, when it was sealed, and the origin of the shard that continues it
    (`goes_on`). `missing` is the checkpoint that it should have had, and `by` who remembered that. `claim` is of the
    entry that records the seal."""

    origin: str
    size: int
    root: bytes
    missing: Checkpoint
    by: str
    at: datetime.datetime
    goes_on: str
    claim: Claim

    def __str__(self) -> str:
        missing = self.missing.size
        what = f"what is missing up to {missing}" if missing > self.size else f"another tree of {missing} that was seen"
        return f"{self.origin} at {self.size}; shard {_name(self.goes_on)} goes on, and names {what}"

    def covers(self, checkpoint: Checkpoint) -> bool:
        """Whether that is what the shard still has."""
        return (checkpoint.size, checkpoint.root) == (self.size, self.root)

    def check_admits(self, seen: Checkpoint, who: str) -> None:
        """Raises `VerificationFailed` where more was seen than the gap admits, or something else."""
        if seen.size > self.missing.size:
            raise VerificationFailed(
                f"it was sealed at {self.size}, and `{self.goes_on}` names what is missing up to {self.missing.size};"
                f" {who} saw {seen.size}: it was cut shorter than its entry records"
            )
        if seen.size == self.missing.size and seen.root != self.missing.root:
            raise Forked(f"it was forked: {who} saw another tree of {counted(seen.size, 'entry')} than the gap names")


def _name(origin: str) -> str:
    return origin.rpartition("/")[2]


def explain(registry: Registry, receipts: Sequence[str]) -> dict[str, Explained]:
    """The sealed shards that are explained, by origin; raises `VerificationFailed` where two accounts differ."""
    found: dict[str, Explained] = {}
    for text in receipts:
        proved = verify_receipt(text, (), registry)
        assert proved.verifier is not None, "it verified"
        registry.check_signed(Checkpoint(proved.origin, proved.size, proved.root), proved.verifier)
        if isinstance(proved.told, entries.Gap) and (made := _explained(registry, proved, proved.told)) is not None:
            found[made.origin] = made
    return found


def _explained(registry: Registry, proved: Proved, gap: entries.Gap) -> Explained | None:
    listed = registry.shards.get(gap.shard)
    if listed is None or listed.sealed is None:
        return None  # named already, and registered in a moment
    if (gap.size, gap.root) != (listed.sealed, listed.sealed_root):
        raise VerificationFailed(
            f"`{gap.shard}` is registered as sealed at {listed.sealed}, and `{proved.origin}` names a gap from"
            f" {gap.size} on: one of them was made up"
        )
    try:
        text, signers = open_note(gap.remembered, listed.every)
        missing = parse_checkpoint(text)
        if missing.origin != gap.shard or log_key(signers, gap.shard) is None:
            raise ValueError("it is another log's")
    except ValueError as error:
        raise VerificationFailed(
            f"the checkpoint that `{proved.origin}` names as missing of `{gap.shard}` does not verify: {error}"
        ) from error
    claim = claim_of(f"the entry that names the gap of `{gap.shard}`", proved)
    return Explained(gap.shard, gap.size, gap.root, missing, gap.by, gap.at, proved.origin, claim)
