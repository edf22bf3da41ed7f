"""What stands in the column of subjects is read, or refused with a sentence, whatever it is."""

from __future__ import annotations

import contextlib
import struct

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from gateway.ledger.proof.leaf import Part, subject_digest
from gateway.ledger.stored.encryption import Segment, seal_subject, segments, unseal_subject

KEY = AESGCM(bytes(32))
TOLD, SEEN = Part(bytes(32), b"told"), Part(bytes(32), b"seen")
*DIGESTS, LAID = seal_subject((7, KEY), bytes(12), TOLD, SEEN, 5, 0)
(ONE,) = segments(LAID)


def laid_out(each: Segment) -> bytes:
    return struct.pack(">Q32s32sI", each.key, each.told, each.oversight, len(each.sealed)) + each.sealed


def test_a_segment_is_laid_as_the_format_says() -> None:
    assert laid_out(ONE) == LAID
    assert [ONE.key, ONE.told, ONE.oversight] == [7, *DIGESTS] == [7, subject_digest(*TOLD), subject_digest(*SEEN)]
    assert unseal_subject(KEY, ONE, 5, 0) == (TOLD, SEEN)


@given(st.binary(max_size=400), st.integers(0, 200), st.integers(0, 200))
def test_whatever_stands_there_is_read_or_refused(noise: bytes, at: int, cut: int) -> None:
    for content in (noise, LAID[:at] + noise + LAID[at + cut :]):
        with contextlib.suppress(ValueError):
            read = segments(content)
            assert b"".join(laid_out(each) for each in read) == content
            for place, each in enumerate(read):
                assert unseal_subject(KEY, each, 5, place) == (TOLD, SEEN)


@pytest.mark.parametrize(
    "laid",
    [
        laid_out(Segment(2**63, bytes(32), bytes(32), b"")),
        laid_out(Segment(1, bytes(32), bytes(32), b"")) * (2**16 + 1),
    ],
    ids=["no key has such an id", "no entry has so many"],
)
def test_what_the_store_or_a_cipher_could_not_take_is_refused_before(laid: bytes) -> None:
    with pytest.raises(ValueError, match="there is no such key or place"):
        segments(laid)
    assert len(segments(LAID * 20)) == 20


@pytest.mark.parametrize("moved", [(6, 0), (5, 1)], ids=["another entry", "another place"])
def test_what_was_moved_does_not_open(moved: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="does not open"):
        unseal_subject(KEY, ONE, *moved)
