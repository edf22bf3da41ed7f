"""The proof of who came to a counter (`onBehalf.proof`): one line, of a kind that the policies take."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from gateway.acts import inputs
from gateway.rules.files.proofs import LEAST
from gateway.writing import unseen

MOST = 200


class Proof(NamedTuple):
    """What was seen, whole; and its kind, empty where the policies name none."""

    text: str
    kind: str = ""


def proof(kinds: Mapping[str, str], given: object) -> Proof:
    """The proof, read by the patterns of kinds; raises `Refusal` (`ARGUMENT`) with what is expected."""
    said = str(given).strip()
    if has := unseen(said):
        raise inputs.wrong(f"`onBehalf.proof` must be one line of plain text, and has {has}; {_expected(kinds)}")
    if not said:
        raise inputs.wrong(f"`onBehalf.proof` is empty; {_expected(kinds)}")
    said = " ".join(inputs.text(said, "onBehalf.proof", MOST).split())
    if not kinds:
        if len(said) < LEAST:
            raise inputs.wrong(f"`onBehalf.proof` has fewer than {LEAST} characters; {_expected(kinds)}")
        return Proof(said)
    for kind, pattern in kinds.items():
        seen = said.removeprefix(f"{kind} ")
        if len(seen) in range(LEAST, len(said)) and re.fullmatch(pattern, seen):
            return Proof(said, kind)
    raise inputs.wrong(f"`onBehalf.proof` is of no kind that is taken, or its number is not one; {_expected(kinds)}")


def _expected(kinds: Mapping[str, str]) -> str:
    if not kinds:
        return "write what was seen, as `identity card 640123456`"
    *others, last = [f"`{kind}`" for kind in kinds]
    listed = f"{', '.join(others)} or {last}" if others else last
    return f"write what was seen, {listed}, and then its number"
