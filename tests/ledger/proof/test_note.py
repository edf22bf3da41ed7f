"""Signed notes and verifier keys against the C2SP specification's own examples, and what is not one."""

from __future__ import annotations

import pytest

from gateway.ledger.proof.note import (
    Checkpoint,
    Signer,
    number,
    open_note,
    parse_checkpoint,
    parse_verifier,
    unb64,
)
from tests.ledger.support import KEY

VKEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
NOTE = """This is an example message.

— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=
"""


def test_the_specifications_example_verifies() -> None:
    verifier = parse_verifier(VKEY)
    assert str(verifier) == VKEY
    assert open_note(NOTE, [verifier]) == ("This is an example message.\n", [verifier])


def test_the_specifications_checkpoint_is_read() -> None:
    text = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    root = unb64("CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=")
    assert parse_checkpoint(text) == Checkpoint("example.com/behind-the-sofa", 20852163, root)
    assert parse_checkpoint(text + "an extension line\n").size == 20852163


def test_what_is_signed_here_verifies_here() -> None:
    signer = Signer("log.example/1", KEY)
    note = signer.checkpoint(7, bytes(32))
    text, signers = open_note(note, [parse_verifier(VKEY), signer.verifier])
    assert parse_checkpoint(text) == Checkpoint("log.example/1", 7, bytes(32))
    assert signers == [signer.verifier]


def test_unknown_signatures_are_ignored_and_known_ones_must_be_right() -> None:
    signer, witness = Signer("log.example/1", KEY), "— witness.example/1 aGVsbG8gd29ybGQ=\n"
    note = signer.sign("text\n")
    assert open_note(note + witness, [signer.verifier])[0] == "text\n"
    wrong = note.replace("text\n", "fake\n")
    with pytest.raises(ValueError, match="is wrong"):
        open_note(wrong, [signer.verifier])
    with pytest.raises(ValueError, match="no key that you trust"):
        open_note(note, [parse_verifier(VKEY)])


@pytest.mark.parametrize(
    "note",
    [
        "",
        "\n\n",
        NOTE[:-1],
        NOTE + "\n",
        NOTE + "more\n",
        NOTE.replace("\n\n", "\n"),
        NOTE.replace("aQM=", "aQN="),
        NOTE.replace("— ", "- "),
        NOTE.replace("foo Uw2", "foo  Uw2"),
        NOTE.replace("example message", "example\tmessage"),
        NOTE.replace("\n", "\r\n"),
        NOTE + "— example.com/foo AAAA\n",
        NOTE + "— a+b AAAAAAAA\n",
        NOTE + "— a AAAAAAAA\n" * 64,
    ],
)
def test_a_malformed_note_is_refused(note: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        open_note(note, [parse_verifier(VKEY)])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "example.com/foo",
        VKEY.replace("530d", "530e"),
        VKEY.replace("foo", "bar"),
        VKEY[:-2],
        VKEY.replace("+AekyeR", "+AukyeR"),
        "+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
        "a b" + VKEY,
    ],
)
def test_an_altered_verifier_key_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        parse_verifier(text)


def test_what_was_taken_for_a_verifier_key_is_not_repeated_whole() -> None:
    answer = '{"data":{"amount":"640.00"}}' + " " * 600
    with pytest.raises(ValueError, match=r"what comes before its `\+`, 628 characters, cannot name a key") as refused:
        parse_verifier(f"{answer}+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k")
    assert "640" not in str(refused.value)


@pytest.mark.parametrize(
    "text", ["a\n1\n", "\n1\nAA==\n", "a\n01\n" + "A" * 43 + "=\n", "a\n1\nAAAA\n", "a\n-1\nAAAA\n"]
)
def test_a_malformed_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        parse_checkpoint(text)


@pytest.mark.parametrize("text", ["", "00", "+1", "1 ", "١", "9" * 21])
def test_only_plain_decimals_are_numbers(text: str) -> None:
    with pytest.raises(ValueError, match="plain decimal"):
        number(text)
