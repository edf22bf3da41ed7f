"""Work: a row is one process's at a time, whoever is killed, and nobody finishes another's attempt. On both stores."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Sequence

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings
from sqlalchemy import Engine, insert, select, update

from gateway.storage.port import Store
from gateway.storage.recall import work as queue
from gateway.storage.recall.recalls import Work, work
from tests.storage.conftest import Place

LANES = [queue.lane_of("https://login.example", client) for client in ("a", "b", "c")]
LEASE = 60


def put(engine: Engine, lane: str, due: int = 0) -> str:
    """A row of work; its id."""
    issuer, client = queue.recipient_of(lane)
    row = queue.to_deliver(secrets.token_hex(16), issuer, client, due)
    with engine.begin() as connection:
        connection.execute(insert(work).values(**row))
    return str(row["id"])


def rows(engine: Engine) -> list[Work]:
    with engine.connect() as connection:
        return [Work._make(row) for row in connection.execute(select(work).order_by(work.c.id))]


def test_it_is_taken_once_until_its_lease_runs_out(store: Store) -> None:
    id_ = put(store.engine, LANES[0], due=5)
    assert queue.take(store.engine, LANES[0], 4, 64, 10) == []
    (first,) = queue.take(store.engine, LANES[0], 5, 65, 10)
    assert (first.id, first.attempt, first.fence) == (id_, 1, 1)
    assert queue.take(store.engine, LANES[0], 64, 124, 10) == []
    (second,) = queue.take(store.engine, LANES[0], 65, 125, 10)
    assert (second.attempt, second.fence) == (2, 2)
    assert not queue.finish(store.engine, first), "its lease ran out, and another has it"
    assert not queue.put_off(store.engine, first, 0)
    assert queue.put_off(store.engine, second, 200)
    assert rows(store.engine)[0].due == 200
    (third,) = queue.take(store.engine, LANES[0], 200, 260, 10)
    assert queue.finish(store.engine, third)
    assert not queue.finish(store.engine, third)
    assert rows(store.engine) == []


def test_lanes_are_told_with_what_is_due_first_in_each(store: Store) -> None:
    assert queue.lanes(store.engine) == []
    assert queue.waiting(store.engine) == (0, None)
    for lane, due in ((LANES[1], 9), (LANES[0], 7), (LANES[0], 3), (LANES[2], 5)):
        put(store.engine, lane, due)
    assert queue.lanes(store.engine) == [(LANES[0], 3), (LANES[1], 9), (LANES[2], 5)]
    assert queue.waiting(store.engine) == (4, 3)
    assert [each.due for each in queue.take(store.engine, LANES[0], 3, 63, 10)] == [63]
    assert queue.lanes(store.engine)[0] == (LANES[0], 7)


def test_what_was_put_off_is_hurried_and_what_somebody_has_is_not(store: Store) -> None:
    for _ in range(3):
        put(store.engine, LANES[0])
    other = put(store.engine, LANES[1], 900)
    taken = queue.take(store.engine, LANES[0], 0, LEASE, 2)
    assert queue.put_off(store.engine, taken[0], 500)
    queue.hurry(store.engine, LANES[0], 10)
    due = {each.id: each.due for each in rows(store.engine)}
    assert (due[taken[0].id], due[taken[1].id], due[other]) == (10, LEASE, 900)


def test_what_nobody_is_to_be_told_of_is_dropped_in_slices(store: Store) -> None:
    for lane in LANES[:2]:
        for _ in range(5):
            put(store.engine, lane)
    assert [queue.drop(store.engine, LANES[0], 3) for _ in range(3)] == [3, 2, 0]
    assert {each.lane for each in rows(store.engine)} == {LANES[1]}


def test_an_acknowledgement_takes_it_from_whoever_has_it(store: Store) -> None:
    id_ = put(store.engine, LANES[0])
    (taken,) = queue.take(store.engine, LANES[0], 0, LEASE, 1)
    with store.engine.begin() as connection:
        assert connection.execute(queue.not_to_deliver(id_)).rowcount == 1
    assert not queue.finish(store.engine, taken)


def race(place: Place) -> list[tuple[str, int]]:
    """Two processes' worth of takers at once, on openings of their own; every attempt that was finished."""
    finished: list[tuple[str, int]] = []
    stores = [place.open() for _ in range(2)]
    for _ in range(60):
        put(stores[0].engine, LANES[0])
    ready = threading.Barrier(4)

    def work_off(store: Store) -> None:
        ready.wait()
        while taken := queue.take(store.engine, LANES[0], 0, LEASE, 3):
            for each in taken:
                if queue.finish(store.engine, each):
                    finished.append((each.id, each.fence))

    threads = [threading.Thread(target=work_off, args=(stores[number % 2],)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return finished


def test_of_several_that_take_at_once_each_row_has_one(place: Place) -> None:
    finished = race(place)
    assert len(finished) == 60
    assert {fence for _, fence in finished} == {1}, "nobody took what another had"
    assert rows(place.open().engine) == []


class Model:
    """What each row is, by the rules: until when somebody has it, and its fence."""

    def __init__(self) -> None:
        self.due: dict[str, int] = {}
        self.fence: dict[str, int] = {}


MOVES = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.integers(0, 2), st.integers(0, 40)),
        st.tuples(st.just("take"), st.integers(0, 2), st.integers(1, 4)),
        st.tuples(st.just("finish"), st.integers(0, 9), st.just(0)),
        st.tuples(st.just("put_off"), st.integers(0, 9), st.integers(0, 60)),
        st.tuples(st.just("pass"), st.integers(0, 50), st.just(0)),
    ),
    max_size=30,
)


def played(engine: Engine, moves: Sequence[tuple[str, int, int]], finish: Callable[[Engine, Work], bool]) -> None:
    """Play moves of two takers whose leases may run out; every answer is the model's."""
    with engine.begin() as connection:
        connection.execute(work.delete())
    model, now, taken = Model(), 0, list[Work]()
    lanes: dict[str, str] = {}
    for what, one, two in moves:
        if what == "put":
            id_ = put(engine, LANES[one], now + two)
            lanes[id_], model.due[id_], model.fence[id_] = LANES[one], now + two, 0
        elif what == "pass":
            now += one
        elif what == "take":
            found = queue.take(engine, LANES[one], now, now + 20, two)
            due = sorted((model.due[id_], id_) for id_ in model.due if lanes[id_] == LANES[one])
            assert {each.id for each in found} == {id_ for at, id_ in due[:two] if at <= now}
            for each in found:
                model.due[each.id], model.fence[each.id] = now + 20, model.fence[each.id] + 1
                assert each.fence == model.fence[each.id]
            taken += found
        elif taken:
            each = taken[one % len(taken)]
            holds = model.fence.get(each.id) == each.fence
            if what == "finish":
                assert finish(engine, each) is holds
                if holds:
                    del model.due[each.id], model.fence[each.id]
            else:
                assert queue.put_off(engine, each, now + two) is holds
                if holds:
                    model.due[each.id] = now + two
    assert {each.id: (each.due, each.fence) for each in rows(engine)} == {
        id_: (model.due[id_], model.fence[id_]) for id_ in model.due
    }


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(MOVES)
def test_takers_never_finish_one_anothers_attempt(store: Store, moves: list[tuple[str, int, int]]) -> None:
    played(store.engine, moves, queue.finish)


def test_a_finish_that_forgets_its_fence_breaks_the_property(store: Store) -> None:
    def unfenced(engine: Engine, taken: Work) -> bool:
        return bool(queue._moved(engine, queue.not_to_deliver(taken.id)))

    late: list[tuple[str, int, int]] = [
        ("put", 0, 0),
        ("take", 0, 1),
        ("pass", 20, 0),
        ("take", 0, 1),
        ("finish", 0, 0),
    ]
    played(store.engine, late, queue.finish)
    with pytest.raises(AssertionError):
        played(store.engine, late, unfenced)


def test_a_taker_that_looks_before_it_moves_takes_what_another_has(store: Store) -> None:
    def looked() -> list[str]:
        with store.engine.connect() as connection:
            return list(connection.execute(select(work.c.id).where(work.c.due <= 0)).scalars())

    def moved(ids: Sequence[str]) -> int:
        leased = update(work).where(work.c.id.in_(ids)).values(due=LEASE, lease=LEASE, fence=work.c.fence + 1)
        with store.engine.begin() as connection:
            return connection.execute(leased).rowcount

    put(store.engine, LANES[0])
    first, second = looked(), looked()
    assert (moved(first), moved(second)) == (1, 1), "both would have it"
    put(store.engine, LANES[1])
    assert [len(queue.take(store.engine, LANES[1], 0, LEASE, 1)) for _ in range(2)] == [1, 0]
