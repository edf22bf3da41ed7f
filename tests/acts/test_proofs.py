"""How a counter's official says who came: one line, of a kind that the policies take, or a refusal that says which."""

from __future__ import annotations

import pytest

from gateway.acts.proofs import Proof, proof
from gateway.errors import Refusal

KINDS = {"identity card": "[A-Z0-9]{4,12}", "card": "[0-9]{6}", "power of attorney": ".{4,24}"}


def refused(kinds: dict[str, str], said: str) -> str:
    with pytest.raises(Refusal) as caught:
        proof(kinds, said)
    assert caught.value.extensions["reason"] == "ARGUMENT"
    return caught.value.message


@pytest.mark.parametrize(
    "said",
    ["x", "identity card", "identity card x", "identity card 471", "passport 4711", "4711", "card 4711",
     "identitycard 4711"],
)  # fmt: skip
def test_what_proves_nothing_is_refused_with_what_is_taken(said: str) -> None:
    message = refused(KINDS, said)
    assert "write what was seen, `identity card`, `card` or `power of attorney`, and then its number" in message
    assert "471" not in message, "nothing of a person's papers is repeated"


@pytest.mark.parametrize("kinds", [KINDS, {}])
@pytest.mark.parametrize(
    ("said", "why"),
    [("", "is empty"), (" \t ", "is empty"), ("identity card 4711\nseen", "a line end"),
     ("identity card\x1b 4711", "an escape"), ("identity card 47\u202e11", "right-to-left override")],
)  # fmt: skip
def test_no_lines_and_nothing_unseen(kinds: dict[str, str], said: str, why: str) -> None:
    message = refused(kinds, said)
    assert why in message
    assert "write what was seen" in message


def test_a_proof_of_a_kind() -> None:
    assert proof(KINDS, " identity  card 4711 ") == Proof("identity card 4711", "identity card")
    assert proof(KINDS, "card 471147") == Proof("card 471147", "card")
    assert proof(KINDS, "power of attorney 7 of 3 May") == Proof("power of attorney 7 of 3 May", "power of attorney")


def test_it_is_never_shorter_than_that_whatever_a_pattern_takes() -> None:
    refused({"identity card": ".*"}, "identity card 471")
    assert "200" in refused(KINDS, "identity card " + "4" * 200)


def test_where_the_policies_name_no_kinds_it_is_what_was_seen() -> None:
    for said in ("identity card 4711", "passport seen", "card"):
        assert proof({}, said) == Proof(said)
    for said in ("x", "id", "xxx", " x  "):
        assert "write what was seen, as `identity card 640123456`" in refused({}, said)
