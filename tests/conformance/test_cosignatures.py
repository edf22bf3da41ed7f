"""A client not written here verifies witnesses' cosignatures (c2sp.org/tlog-cosignature), and finds a wrong one."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from tlog_scales.signing import Vkey
from tlog_scales.tlog import Checkpoint

from gateway.ledger.proof.key_files import read_verifiers

FOLDER = Path(__file__).resolve().parent.parent / "vectors" / "proof-v1" / "witness"


@pytest.mark.parametrize("name", ["0-7", "7-8", "8-40"])
def test_cosignatures_verify(name: str) -> None:
    (witness,), (log,) = read_verifiers(FOLDER / "witness.pub"), read_verifiers(FOLDER / "log.pub")
    note = (FOLDER / f"{name}.request").read_text().partition("\n\n")[2]
    cosigned = note + (FOLDER / f"{name}.response").read_text()
    for key in (witness, log):
        Checkpoint.from_text(cosigned).verify(Vkey.from_string(str(key)))
    with pytest.raises(RuntimeError, match="no signature matched"):
        Checkpoint.from_text(note).verify(Vkey.from_string(str(witness)))
    altered = cosigned.replace(f"\n{name.partition('-')[2]}\n", "\n9\n")
    with pytest.raises(InvalidSignature):
        Checkpoint.from_text(altered).verify(Vkey.from_string(str(witness)))
