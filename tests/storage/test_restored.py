"""An older backup restored, on both stores: whatever appends goes by the one way in, and nothing is signed twice."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from gateway.ledger.entry.receipt import unverified
from gateway.ledger.entry.registry import COMMANDS, ROOT
from gateway.ledger.log.head_file import HeadFile
from gateway.ledger.proof.note import note_body, parse_checkpoint
from tests.ledger.support import ORIGIN
from tests.storage.office import LEI, SAID, Office, office, server

__all__ = ["office", "server"]

HOLD = ("ledger", "hold", "place", "--subject", LEI, *SAID)
APPENDS = {
    "hold": HOLD,
    "export": ("ledger", "export", "--subject", LEI, *SAID, "--out", "evidence"),
    "erase": ("ledger", "erase", "request", "--subject", LEI, *SAID),
}


def remembered(folder: Path) -> dict[str, int]:
    heads = HeadFile(folder / "heads.json").all()
    return {
        parse_checkpoint(note_body(each.note)).origin.removeprefix(f"{ORIGIN}/"): each.checkpoint.size for each in heads
    }


def test_the_shard_of_commands_is_there_and_registered_from_the_first_start_on(office: Office) -> None:
    office.serve(1)
    assert office.sizes() == {"1": 1, COMMANDS[0]: 0, ROOT: 3}
    assert remembered(office.folder) == {"1": 1, COMMANDS[0]: 0, ROOT: 3}
    for name, command in APPENDS.items():
        assert f"{ORIGIN}/{COMMANDS[0]}" in office.ran(*command), name
        assert office.verify() == 0, office.err
    assert office.sizes() == {"1": 1, COMMANDS[0]: len(APPENDS), ROOT: 3}
    assert remembered(office.folder) == office.sizes()


@pytest.mark.parametrize(
    ("place", "command"),
    [*(("sqlite", each) for each in APPENDS), ("postgresql", next(iter(APPENDS)))],
    indirect=["place"],
)
def test_after_a_restore_a_command_goes_on_in_a_shard_that_names_the_gap(office: Office, command: str) -> None:
    """It signed another entry over those whose receipts are out."""
    office.serve(1)
    backup = office.place.copy()
    office.ran(*HOLD)
    office.ran("ledger", "export", "--subject", LEI, *SAID, "--out", "before")
    office.move(backup)
    assert f"{ORIGIN}/{COMMANDS[1]}" in office.ran(*APPENDS[command])
    assert office.sizes() == {"1": 1, COMMANDS[0]: 0, ROOT: 5, COMMANDS[1]: 2}
    assert office.verify() == 0, office.err
    assert f"sealed: {ORIGIN}/{COMMANDS[0]} at 0; shard {COMMANDS[1]} goes on" in office.out
    office.ran(*HOLD)
    assert office.sizes()[COMMANDS[1]] == 3
    office.serve(2)
    assert office.verify() == 0, office.err


def test_an_older_backup_can_be_used_although_a_command_came_after_it(office: Office) -> None:
    """It could not: the shard of the command was in no registry that the backup had."""
    office.serve(1, 2)
    backup = office.place.copy()
    id_ = office.ran("ledger", "erase", "request", "--subject", LEI, *SAID).split()[2].rstrip(",")
    office.ran("ledger", "erase", "approve", id_, "--by", "B. Judge")
    office.serve(3)
    office.move(backup)
    assert "no entry of an erasure" in office.refused("ledger", "erase", "again", id_, "--by", "B. Judge")
    again = office.ran("ledger", "erase", "again", "--receipt", f"erasure-{id_}.receipt", "--by", "B. Judge")
    assert f"erased: erasure {id_}, entry 1 of {ORIGIN}/{COMMANDS[1]}" in again
    (receipt,) = office.serve(4)
    assert unverified(receipt).shard == "2", "shard 1 had more entries when it was last published"
    assert office.verify() == 0, office.err
    assert {"1": 2, "2": 2}.items() <= office.sizes().items()


def test_a_command_waits_for_the_one_before_it(office: Office) -> None:
    office.serve(1)

    async def both() -> None:
        held = await office.place.open().hold(COMMANDS[0])
        assert held is not None
        placing = asyncio.create_task(asyncio.to_thread(office.ran, *HOLD))
        await asyncio.sleep(0.2)
        assert not placing.done()
        await held.release()
        await placing

    asyncio.run(both())
    assert office.sizes()[COMMANDS[0]] == 1
