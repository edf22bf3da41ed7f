"""A sealed log that is followed: what it still has is what was seen of it, and receipts of the rest are lost."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest
from msgspec import structs

from gateway.errors import VerificationFailed
from gateway.ledger.proof.note import note_body, parse_checkpoint
from gateway.ledger.verify.published.assurance import Claim, Forked
from gateway.ledger.verify.published.follow import follow
from gateway.ledger.verify.published.follower_state import Memory
from gateway.ledger.verify.published.gaps import Explained
from tests.ledger.served import Files, leaves_of, log_of, made_of
from tests.ledger.support import ORIGIN, VERIFIERS
from tests.ledger.verify.published.test_follow import NOW, SIZE, claims, files, grown

__all__ = ["claims", "files", "grown"]


def sealed_at(cut: Files, full: Files) -> Explained:
    """What explains that a log has no more than `cut` of `full`."""
    now, before = (parse_checkpoint(note_body(each["checkpoint"].decode())) for each in (cut, full))
    claim = Claim("the entry that names the gap", f"{ORIGIN}/2", 0, 1, bytes(32), bytes(32), NOW)
    return Explained(now.origin, now.size, now.root, before, "the head file", NOW, f"{ORIGIN}/2", claim)


@pytest.mark.parametrize("only_new", [False, True])
def test_what_is_left_of_a_sealed_log_is_what_was_seen_of_it(files: Files, tmp_path: Path, only_new: bool) -> None:
    """Whole tiles that were seen are remembered by their hash, so one that was altered shows, whatever is missing."""
    leaves = leaves_of(files)
    for size, altered, said in ((300, 5, "entries 0 to 255 are not"), (514, 513, "entries 513 to 513 are not")):
        memory = Memory(tmp_path / str(size))
        follow(log_of(files), VERIFIERS, memory, [], NOW)
        forged = made_of([*leaves[:altered], bytes(32), *leaves[altered + 1 : size]])
        cut = made_of(leaves[:size])
        explained = {f"{ORIGIN}/1": sealed_at(cut, files)}
        interrupted = cut | {"tile/entries/001" if size > 511 else "tile/entries/001.p/44": b""}
        with pytest.raises(VerificationFailed, match="has 0 bytes"):
            follow(log_of(interrupted), VERIFIERS, memory, [], NOW, gaps=explained, only_new=only_new)
        with pytest.raises(Forked, match=said):
            follow(log_of(forged), VERIFIERS, memory, [], NOW, gaps={f"{ORIGIN}/1": sealed_at(forged, files)})
        with pytest.raises(VerificationFailed, match="it was cut short"):
            follow(log_of(cut), VERIFIERS, memory, [], NOW, only_new=only_new)
        found = follow(log_of(cut), VERIFIERS, memory, [], NOW, gaps=explained, only_new=only_new)
        assert (found.size, found.seen, found.sealed) == (size, SIZE, explained[f"{ORIGIN}/1"])
        again = follow(log_of(cut), VERIFIERS, memory, [], NOW, gaps=explained, only_new=True)
        assert (again.size, again.seen) == (size, size)


def test_receipts_of_what_a_sealed_log_lost_are_lost_and_no_others(files: Files, claims: list[Claim]) -> None:
    leaves = leaves_of(files)
    cut = made_of(leaves[:2])
    explained = {f"{ORIGIN}/1": sealed_at(cut, files)}
    found = follow(log_of(cut), VERIFIERS, None, claims, NOW, gaps=explained)
    assert (found.published, found.pending, found.lost) == (claims[:2], [], claims[2:])
    forged = made_of([bytes(32), leaves[1]])
    moved = structs.replace(claims[2], index=1)
    with pytest.raises(Forked, match="entry 1 that it publishes is not that of receipt"):
        follow(log_of(cut), VERIFIERS, None, [moved], NOW, gaps=explained)
    after = structs.replace(claims[2], at=NOW + datetime.timedelta(hours=1))
    with pytest.raises(VerificationFailed, match=r"and the log was sealed at .*: it was signed over"):
        follow(log_of(cut), VERIFIERS, None, [after], NOW, gaps=explained)
    with pytest.raises(VerificationFailed):
        follow(log_of(forged), VERIFIERS, None, claims, NOW, gaps=explained)
