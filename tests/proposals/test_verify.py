"""`ledger verify` holds the rows of rule sets to their entries: whatever is altered in the database is named."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from gateway.errors import VerificationFailed
from tests.proposals.room import NARROWED, Room
from tests.proposals.test_simulated import simulated


async def altered(room: Room, statement: str) -> str:
    """What is found once a statement was executed, which is taken back afterwards."""
    with room.store.engine.connect() as connection:
        tables = ("activation", "approval", "proposal", "fact_head")
        before = {name: connection.execute(text(f"SELECT * FROM {name}")).mappings().all() for name in tables}
    with room.store.engine.begin() as connection:
        connection.execute(text(statement))
    try:
        with pytest.raises(VerificationFailed) as found:
            room.verify()
        return str(found.value)
    finally:
        with room.store.engine.begin() as connection:
            for name in tables[:-1]:
                connection.execute(text(f"DELETE FROM {name}"))
            for name in ("activation", "proposal", "approval"):
                for row in before[name]:
                    values = ", ".join(f":{column}" for column in row)
                    connection.execute(text(f"INSERT INTO {name} ({', '.join(row)}) VALUES ({values})"), dict(row))
            connection.execute(text("UPDATE fact_head SET epoch = :epoch"), {"epoch": before["fact_head"][0]["epoch"]})


async def test_every_alteration_is_named(room: Room) -> None:
    id_ = await room.passed()
    await room.activate(id_)
    other = await room.propose(NARROWED)
    await room.approve(other, "costa")
    await simulated(room, other)
    room.verify()
    one = "(SELECT min(id) FROM approval)"
    for statement, says in (
        ("UPDATE activation SET how = 'rollback' WHERE epoch = 2", "activation of epoch `2`: its row is not what"),
        ("UPDATE activation SET digest = (SELECT digest FROM activation WHERE epoch = 1)", "activation of epoch `2`"),
        ("DELETE FROM activation WHERE epoch = 2", "its row was removed"),
        ("UPDATE fact_head SET epoch = 3", "the active epoch is given as 3"),
        (f"DELETE FROM approval WHERE id = {one}", "but its row was removed"),
        (f"UPDATE approval SET expires = expires + 1 WHERE id = {one}", "its row is not what its entries record"),
        (
            f"UPDATE approval SET proposal = '{other}' WHERE proposal = '{id_}'",
            "its row is not what its entries record",
        ),
        (f"UPDATE approval SET people = (SELECT author FROM proposal WHERE id = '{id_}')", "of another human"),
        (f"UPDATE proposal SET author = (SELECT people FROM approval WHERE id = {one})", "of another human"),
        (f"UPDATE proposal SET state = 'draft' WHERE id = '{other}'", "its row is not what its entries record"),
        (f"UPDATE proposal SET state = 'checked' WHERE id = '{id_}'", "its row is not what its entries record"),
        (f"UPDATE proposal SET state = 'checked' WHERE id = '{other}'", "its row is not what its entries record"),
        (f"UPDATE proposal SET simulated_in = NULL WHERE id = '{other}'", "its row is not what its entries record"),
        (f"UPDATE proposal SET widens = '[\"tax\"]' WHERE id = '{other}'", "its row is not what its entries record"),
        (
            "INSERT INTO approval SELECT 'made-up', proposal, role, 'ilves', people, at, expires, filed_in"
            f" FROM approval WHERE id = {one}",
            "`made-up`",
        ),
    ):
        assert says in await altered(room, statement), statement
    room.verify()
