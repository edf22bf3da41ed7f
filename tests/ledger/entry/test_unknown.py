"""A kind that is not known: what is read of it, what of it is shown, and what is no kind but damage."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given

from gateway.errors import VerificationFailed
from gateway.ledger.entry import describe, entries, parts
from gateway.ledger.entry.receipt import check_data, check_extension
from gateway.ledger.entry.receipt import unverified as read_unverified
from gateway.ledger.entry.registry import shard_changes
from gateway.ledger.entry.unknown import MOST, MOST_KINDS, Tally, Unknown
from gateway.ledger.projections import extract
from gateway.ledger.proof import tlog_proof
from gateway.ledger.proof.leaf import Part, Side, open_extra, write_extra
from gateway.ledger.proof.merkle import Tree, leaf_hash
from gateway.ledger.proof.note import Signer
from gateway.watch.project import Names, Projection
from tests.ledger.entry.test_words import shown
from tests.ledger.later import Later, later
from tests.ledger.support import AT, KEY, ORIGIN

SALT = bytes(32)
HEAD: dict[str, Any] = {"v": 2, "id": "e", "at": AT, "requester": {"issuer": "i", "client": "c"}}
HOLD = HEAD | {"hold": "h", "by": "A", "reason": "why"}


def side(made: Later) -> Side:
    return Side(Part(SALT, made.told), tuple(Part(SALT, each.told) for each in made.subjects))


def general(**said: object) -> bytes:
    return msgspec.json.encode(said)


@given(later())
def test_it_is_read_as_what_it_surely_is(made: Later) -> None:
    told = parts.read_told(side(made))
    assert isinstance(told, Unknown)
    raw = msgspec.json.decode(made.told)
    assert (told.id, told.at, told.v) == (raw["id"], made.at, raw["v"])
    assert set(told.subjects) - {None} == made.named
    assert extract.subjects_of(told) - {None} == made.named
    assert extract.looked_at(told, (7, 3), (3,)) == [7]
    assert (extract.given(told), extract.purpose(told), extract.not_released(told, "1")) == ([], None, None)
    assert extract.count(told, entries.NOTHING) is extract.official(told, entries.NOTHING) is None
    assert Projection(Names(SALT, {}), ()).look(1, told, entries.NOTHING) is None


@given(later())
def test_every_format_says_that_it_is_unknown_and_nothing_else_of_its_kind(made: Later) -> None:
    told = parts.read_told(side(made))
    assert isinstance(told, Unknown)
    assert len(told.kind) <= MOST + 3
    assert len(told.word) <= MOST + 3
    assert not set(told.kind + told.word) & set("\n\r<>\"'`,=&\\ ")
    said = f"an entry of a kind that this version does not know (`{told.name}`)"
    assert describe.kind(told) == said
    for name, text in shown(told).items():
        assert said in text, name


@pytest.mark.parametrize(
    "part",
    [
        general(**HEAD | {"kind": "later", "v": 3}),
        general(**HEAD | {"kind": "inquiry"}),
        general(**HOLD | {"kind": "hold", "event": 7}),
        general(**HOLD | {"kind": "hold", "event": "placed", "by": 1}),
        general(**HEAD),
        general(**HEAD | {"kind": 4}),
        general(**HEAD | {"kind": "later", "at": "2026-11-24T09:30:00"}),
        general(**HEAD | {"kind": "later", "requester": "c"}),
        general(kind="later", v=2, at=AT, requester=HEAD["requester"]),
        b'{"kind":"later"',
        b"[" * 100_000,
    ],
)
def test_a_later_version_and_damage_are_refused(part: bytes) -> None:
    with pytest.raises(ValueError, match=r"that this version does not know|is of version 3"):
        entries.read_told(part)


def test_a_word_that_is_not_known_makes_a_known_kind_unknown() -> None:
    told = entries.read_told(general(**HOLD | {"kind": "hold", "event": "paused"}))
    assert isinstance(told, Unknown)
    assert (told.kind, told.word, told.name) == ("hold", "paused", "hold: paused")
    assert isinstance(entries.read_told(general(**HOLD | {"kind": "hold", "event": "placed"})), entries.Hold)


def test_a_registry_that_has_one_is_refused() -> None:
    opened = {"event": "opened", "shard": "x", "key": "k", "size": 0, "root": "", "kind": "shard"}
    change, unknown = (entries.read_told(general(**HEAD | each)) for each in (opened, opened | {"event": "moved"}))
    assert list(shard_changes([change])) == [change]
    with pytest.raises(
        VerificationFailed, match=r"entry 1 is of a kind that this version does not know \(`shard: moved"
    ):
        list(shard_changes([change, unknown]))


def test_no_answer_is_compared_with_one() -> None:
    extra = write_extra(SALT, Part(SALT, general(**HEAD | {"kind": "later"})), ())
    tree = Tree().grow([leaf_hash(open_extra(extra).leaf)]).tree
    note = Signer(f"{ORIGIN}/1", KEY).checkpoint(1, tree.root)
    proved = read_unverified(tlog_proof.write(extra, 0, b"", note.encode()).decode())
    assert isinstance(proved.told, Unknown)
    with pytest.raises(VerificationFailed, match="no answer can be compared"):
        check_data(proved, b"{}")
    with pytest.raises(VerificationFailed, match="no answer can be compared"):
        check_extension(proved, {"id": "e"})


def test_a_tally_is_bounded() -> None:
    tally = Tally()
    assert not tally
    for number in range(1, MOST_KINDS + 6):
        for _ in range(2):
            tally.note(entries.read_told(general(**HEAD | {"kind": f"later-{number:02}"})))
    tally.note(entries.ERASED)
    assert len(tally) == 2 * (MOST_KINDS + 5)
    assert str(tally).startswith("50 entries of kinds that this version does not know (`later-01` 2, `later-02` 2,")
    assert "`later-20` 2, others 10): proven as all others" in str(tally)
