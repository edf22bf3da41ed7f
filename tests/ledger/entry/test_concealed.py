"""A receipt with its subjects' parts closed: it proves the day and the act, and tells of nobody."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.errors import VerificationFailed
from gateway.ledger.entry import entries
from gateway.ledger.entry.parts import OF_SUBJECT, split
from gateway.ledger.entry.receipt import concealed, verify_receipt
from gateway.ledger.log.ledger import Ledger
from gateway.ledger.proof import key_files, tlog_proof
from gateway.ledger.proof.leaf import Part, open_extra, write_extra
from gateway.ledger.proof.note import b64
from gateway.ledger.proof.tlog_proof import Receipt
from tests.ledger import values
from tests.ledger.conftest import Run
from tests.ledger.support import AT, BY, KEY, ORIGIN, VERIFIERS, opened, store_in
from tests.ledger.values import KINDS, leaves

NAMING = [kind for kind in KINDS if OF_SUBJECT[kind]]
VECTORS = Path(__file__).parents[2] / "vectors"


async def entered(folder: Path, several: list[Any]) -> list[Receipt]:
    async def enter(ledger: Ledger, told: Any) -> Receipt:
        parts = split(told, entries.Oversight(entries.VERSION, "m.ivanova"))
        return await ledger.append(parts.told, parts.oversight, AT, BY, (), parts.subjects)

    store = store_in(folder)
    async with opened(store) as ledger:
        made = await asyncio.gather(*(enter(ledger, told) for told in several))
    store.close()
    return list(made)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_it_verifies_and_says_nothing_of_the_subject(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    kinds = data.draw(st.lists(st.sampled_from(NAMING), min_size=1, max_size=4))
    several = [data.draw(values.told(kind, named=True)) for kind in kinds]
    for told, receipt in zip(several, asyncio.run(entered(tmp_path_factory.mktemp("s"), several)), strict=True):
        closed = concealed(receipt)
        whole, proved = verify_receipt(receipt.text, VERIFIERS), verify_receipt(closed.text, VERIFIERS)
        assert (closed.shard, closed.index) == (receipt.shard, receipt.index)
        assert (proved.leaf, proved.told.id, proved.told.at) == (whole.leaf, told.id, told.at)
        assert all(isinstance(part, bytes) for part in proved.opened.subjects or ())
        opened_bytes = tlog_proof.parse(closed.text).extra
        said = [leaf for member in OF_SUBJECT[type(told)] for leaf in leaves(values.at(told, member))]
        assert said
        assert [leaf for leaf in said if leaf in opened_bytes] == []
        assert concealed(closed) == closed


def test_a_closed_part_that_was_altered_is_found(tmp_path: Path) -> None:
    act = entries.Acted(entries.VERSION, "a", AT, entries.Who(*BY), "opt-out-set", scheme="LEI", value="X")
    [receipt] = asyncio.run(entered(tmp_path, [act]))
    closed = concealed(receipt)
    opening = open_extra(tlog_proof.parse(closed.text).extra)
    for general, other in (
        (opening.told.general, bytes(32)),
        (Part(bytes(32), b"{}"), (opening.told.subjects or ())[0]),
    ):
        extra = write_extra(opening.oversight, general, [other])
        with pytest.raises(VerificationFailed, match="are not entry 0 of the tree that was signed"):
            verify_receipt(closed.text.replace(b64(tlog_proof.parse(closed.text).extra), b64(extra)), VERIFIERS)


def test_the_command_verifies_one(tmp_path: Path, run: Run) -> None:
    act = entries.Acted(entries.VERSION, "a", AT, entries.Who(*BY), "consent-revoked", scheme="LEI", value="X")
    [receipt] = asyncio.run(entered(tmp_path, [act]))
    (tmp_path / "receipt").write_text(concealed(receipt).text)
    key_files.write_verifiers(tmp_path / "ledger.pub", KEY, ORIGIN, ["1"])
    assert run("ledger", "verify-receipt", tmp_path / "receipt", "--key", tmp_path / "ledger.pub") == 0
    assert "act a: market-regulator revoked the consent of a subject that was erased or left out" in run.out
    assert run("ledger", "show", tmp_path / "receipt", "--key", tmp_path / "ledger.pub") == 0
    assert "erased since, or left out by whoever presents it" in " ".join(run.out.split())


def test_an_entry_of_version_1_has_nothing_to_close() -> None:
    text = (VECTORS / "v1" / "receipts" / "first.txt").read_text()
    with pytest.raises(ValueError, match="version 1"):
        concealed(Receipt("1", 0, text.encode()))
    with pytest.raises(ValueError, match="no receipt"):
        concealed(msgspec.structs.replace(Receipt("1", 0, text.encode()), note=b"x"))
