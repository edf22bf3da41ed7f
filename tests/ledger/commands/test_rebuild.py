"""`ledger rebuild`: whatever the projections hold, they are afterwards what a straight scan says; also interrupted."""

from __future__ import annotations

import asyncio
import datetime
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, insert, select, text, update

from connectors.base import Subject
from gateway import cli
from gateway.ledger.commands import rebuild as rebuild_command
from gateway.ledger.projections.projector import Projector
from gateway.ledger.projections.worker import HOLD, run
from gateway.storage.port import Store
from gateway.storage.projections import tables
from gateway.storage.projections.tables import NAMES
from gateway.storage.tables import subject_key
from gateway.telemetry.log import Log
from tests import configured
from tests.ledger.pair import erase
from tests.ledger.projecting import SHARD_BITS, SUBJECTS, Asked, check, enter, enter_all, reached, rows, whole
from tests.ledger.support import AT, opened, store_in
from tests.stores import store_at
from tests.waiting import PATIENCE, until, until_async

NUMBERS = st.lists(st.integers(0, 3), min_size=1, max_size=3, unique=True).map(tuple)
ASKED = st.builds(
    Asked,
    client=st.integers(0, 2),
    purpose=st.integers(0, 1),
    subjects=NUMBERS,
    datasets=st.sampled_from([(0,), (1,), (1, 0)]),
    records=st.lists(st.tuples(st.integers(0, 2), st.integers(1, 2)), max_size=3, unique=True).map(tuple),
    facts=st.integers(0, 5),
    refused=st.booleans(),
    official=st.integers(0, 2),
    own=st.booleans(),
)


@pytest.fixture
async def store(tmp_path: Path) -> Store:
    (tmp_path / "ledger.key").write_text("")
    configured.write(tmp_path)
    store = store_in(tmp_path)
    async with opened(store) as ledger:
        await enter_all(ledger, [Asked(n % 3, n % 2, (n % 4,), facts=n, official=n % 3) for n in range(300)])
    return store


def rebuild(folder: Path, *more: str) -> int:
    return cli.main(["ledger", "rebuild", "--config", str(folder / "gateway.yaml"), *more])


async def built(store: Store, names: tuple[str, ...] = NAMES) -> int:
    rebuild_command.begin(store, names)
    return await rebuild_command.build(store, names, lambda what, done, of: None)


@settings(max_examples=15)
@given(
    one=st.lists(ASKED, max_size=12),
    other=st.lists(ASKED, max_size=8),
    erased=st.sampled_from([None, 0, 1]),
    behind=st.integers(0, 4),
    only=st.sampled_from([NAMES, *((name,) for name in NAMES)]),
)
def test_rebuilt_it_is_what_a_scan_says_and_what_was_there(
    one: list[Asked], other: list[Asked], erased: int | None, behind: int, only: tuple[str, ...]
) -> None:
    async def scenario(store: Store) -> None:
        async with opened(store) as ledger:
            await enter_all(ledger, one)
            async with opened(store) as second:
                await enter_all(second, other)
            if erased is not None:
                await erase(store, ledger, Subject("organisation", *SUBJECTS[erased]))
        projector = Projector(store, 3)
        for _ in range(behind):
            projector.turn()
        await built(store, only)
        while projector.turn():
            pass
        before = rows(store)
        check(store)
        assert await built(store, only) == sum(at for (name, _), at in reached(store).items() if name == only[0])
        assert whole(store)
        assert rows(store) == before
        check(store)

    with tempfile.TemporaryDirectory() as folder:
        store = store_at(Path(folder) / "store.db")
        try:
            asyncio.run(scenario(store))
        finally:
            store.close()


def test_the_command_mends_what_was_altered_and_says_from_how_much(
    store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert rebuild(tmp_path) == 0
    assert capsys.readouterr().out == "rebuilt: looked, received, asked, acted, counted, displayed, from 300 entries\n"
    right = rows(store)
    with store.engine.begin() as connection:
        connection.execute(delete(tables.looked).where(tables.looked.c.entry == (1 << SHARD_BITS) + 7))
        connection.execute(insert(tables.looked).values(subject=5, at=1, entry=1))
        connection.execute(update(tables.received).values(shares=b"[]"))
    assert rebuild(tmp_path, "--only", "looked") == 0
    assert capsys.readouterr().out == "rebuilt: looked, from 300 entries\n"
    assert rows(store)["looked"] == right["looked"]
    assert rows(store)["received"] != right["received"]
    assert rebuild(tmp_path) == 0
    assert rows(store) == right
    check(store)


def test_one_that_is_killed_is_gone_on_with(store: Store, tmp_path: Path) -> None:
    asyncio.run(built(store))
    right = rows(store)
    # An entry at a time, and slowly, so that there is time to end it; a child in the background ignores interrupts.
    small = (
        "import signal, sys, time; signal.signal(signal.SIGINT, signal.default_int_handler);"
        " from gateway.ledger.projections.projector import Projector;"
        " Projector.__init__.__defaults__ = (1,); turn = Projector.turn;"
        " Projector.turn = lambda self: (time.sleep(0.01), turn(self))[1]"
    )
    words = ["ledger", "rebuild", "--config", str(tmp_path / "gateway.yaml")]
    command = [sys.executable, "-c", f"{small}; from gateway.cli import main; sys.exit(main())", *words]

    def ended_early(by: signal.Signals) -> bool:
        before = min(reached(store).values()) % 300
        with subprocess.Popen(command) as process:
            until(
                "it to be on its way", lambda: process.poll() is not None or before < min(reached(store).values()) < 300
            )
            process.send_signal(by)
        return min(reached(store).values()) < 300

    for number in (signal.SIGKILL, signal.SIGINT):
        until("it to be ended before it was done", lambda number=number: ended_early(number))  # type: ignore[misc]
        check(store)
    at_once = [sys.executable, "-m", "gateway.cli", *words]
    said = subprocess.run(at_once, capture_output=True, text=True, check=True)
    assert said.stderr.startswith("an earlier rebuild was interrupted; continuing it\n")
    assert said.stdout == "rebuilt: looked, received, asked, acted, counted, displayed, from 300 entries\n"
    assert rows(store) == right


async def test_beside_a_gateways_projector_that_does_it(store: Store) -> None:
    stopping = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(run(store, Log(), stopping, rest=0.1))
        await until_async("all to be projected", lambda: whole(store))
        right = rows(store)
        assert await built(store) == 300
        assert rows(store) == right
        stopping.set()
    check(store)


async def test_beside_a_gateway_it_ends_where_nothing_of_a_shard_counts_any_more(store: Store) -> None:
    """As in the registry a while after the last start: nothing is to be taken there, and no gateway says so."""
    async with opened(store) as ledger:
        assert ledger.shard == "1"
        async with opened(store) as other:
            await enter(other, Asked(), 300, AT + datetime.timedelta(days=400))
    stopping = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(run(store, Log(), stopping, rest=0.1))
        await until_async("all to be projected", lambda: whole(store))
        async with asyncio.timeout(PATIENCE):
            assert await built(store) == 301
        stopping.set()
    check(store)


def test_an_entry_that_cannot_be_read_is_named(
    store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with store.engine.begin() as connection:
        damaged = {"id": (1 << SHARD_BITS) + 5, "told": bytes(90)}
        connection.execute(text("UPDATE entry SET told = :told WHERE id = :id"), damaged)
    assert rebuild(tmp_path) == 1
    assert capsys.readouterr().err.splitlines()[-1].startswith("shard `1`: entry 5: ")


async def test_one_that_an_earlier_version_left_waiting_for_good_ends(store: Store) -> None:
    assert await built(store) == 300
    with store.engine.begin() as connection:
        connection.execute(update(tables.projected).values(rebuilding=tables.projected.c.next))
    held = await store.hold(HOLD)
    assert held is not None, "as a gateway has it"
    async with asyncio.timeout(PATIENCE):
        assert await rebuild_command.build(store, NAMES, lambda what, done, of: None) == 300
    await held.release()


async def test_a_store_that_came_back_with_less_ends_it(store: Store, tmp_path: Path) -> None:
    assert await built(store) == 300
    with store.engine.begin() as connection:
        connection.execute(update(tables.projected).values(rebuilding=400))
    assert await built(store) == 300
    with store.engine.connect() as connection:
        assert set(connection.execute(select(tables.projected.c.rebuilding)).scalars()) == {None}
        assert len(connection.execute(select(subject_key)).all()) == 4
