"""The short form of `tests.faults.matrix`, and of `tests.faults.soak`; the whole of both is `make trials`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults import beside, matrix, soak
from tests.faults.kinds import ALL, DATASETS, KINDS, Kinds, expected
from tests.faults.table import FAULTS, codes

SHORT = {
    "rest-httpx": ("10 MB", "0.9 MB in 2-byte chunks", "a second gzip member", "endless trailers", "slow"),
    "rest-post": ("10 MB", "another among them", "a late copy", "slow"),
    "rest-xml": ("a thousand laughs", "many elements", "another among them", "the one before"),
    "xroad": ("another question's id", "an error of X-Road with a 404", "two ids of X-Road", "the one before"),
    "rest-paged": ("links spelled oddly", "a record on two pages", "an endless token", "the one before"),
    "entities": ("turned round", "an error of nobody", "endless", "garbage"),
    "sqlite": ("no table", "not UTF-8", "30 MB", "two contents"),
    "postgresql": ("infinity", "a division by zero", "30 MB", "silent"),
    "mariadb": ("no day", "an overflow", "30 MB", "silent"),
}
"""Of each kind few, that the tests of connectors do not run through a gateway; `test_department` has all of REST's.

The kinds that are marked share a gateway in `make test`."""
BESIDE = {
    "labour": ("rest-paged", "an endless token"),
    "market": ("rest-post", "another among them"),
    "tax": ("rest-xml", "another among them"),
    "environment": ("sqlite", "not UTF-8"),
    "courts": ("mariadb", "an overflow"),
}
"""By department, its kind where they share one, and the fault that it then has."""
FEW = range(20_001, 20_101)
"""Subjects, more than are asked about."""
PATIENCE = 60.0
"""Seconds past a deadline on a machine that does other things beside; `make trials` allows what it says."""


@pytest.mark.long_cases("rest-post", "rest-xml", "rest-paged", "sqlite", "mariadb")
@pytest.mark.parametrize("kind", SHORT)
def test_a_fault_costs_its_own_department_and_nothing_else(kind: str) -> None:
    assert set(SHORT[kind]) <= set(FAULTS[kind])
    rows = list(matrix.run([kind], SHORT[kind], slack=PATIENCE, turns=True, subjects=FEW))
    assert len(rows) == matrix.counted([kind], SHORT[kind], turns=True)
    assert {row.departments for row in rows} == {0, 1, 4}
    assert [str(row) for row in rows if row.wrong or row.late] == []


def test_a_fault_costs_no_department_of_another_kind(tmp_path: Path) -> None:
    kinds = {department: kind for department, (kind, _) in BESIDE.items()}
    rows = []
    with matrix.scene_of(tmp_path / "kinds", kinds, subjects=FEW) as scene:
        opened = matrix.descriptors(scene)
        for department, (kind, fault) in BESIDE.items():
            assert fault in SHORT[kind]
            rows.append(matrix.measured(scene, fault, (DATASETS[department],), PATIENCE))
        value, reply, _ = matrix.ask(scene, ALL)
        assert list(reply["data"]["organisation"].values()) == [expected(dataset, value) for dataset in ALL]
        assert matrix.given_back(scene, opened)
    assert [row.kind for row in rows] == [kind for kind, _ in BESIDE.values()]
    assert all(row.codes for row in rows)
    assert [str(row) for row in rows if row.wrong or row.late] == []


@pytest.mark.parametrize("wrong", ["a code", "healthy data", "a value"])
def test_what_does_not_hold_is_found(wrong: str) -> None:
    """A fault, planted in what is expected: the matrix has to say which cell is wrong."""
    good = expected("wage-arrears", "X")
    found = {dataset: expected(dataset, "X") for dataset in ALL}
    assert list(matrix._wrong("rest", "well zipped", matrix.ALONE, "X", found)) == []
    if wrong == "a code":
        assert list(matrix._wrong("rest", "garbage", matrix.ALONE, "X", found)) == ["WRONG: wage-arrears"]
    elif wrong == "healthy data":
        told = matrix._wrong("rest", "garbage", matrix.ALONE, "X", {**found, "wage-arrears": None, ALL[4]: None})
        assert list(told) == [matrix.NOT_WHOLE]
    else:
        of_another = [{**good[0], "record": {"document": "D-Y"}}]
        told = matrix._wrong("rest", "a late copy", matrix.ALONE, "X", {**found, "wage-arrears": of_another})
        assert list(told) == ["WRONG: wage-arrears"]


def test_every_kind_has_faults_and_every_one_is_of_few_bytes_or_many() -> None:
    for kind in KINDS:
        grouped = [fault for group in beside.groups(kind, FAULTS[kind]) for fault in group]
        assert sorted(grouped) == sorted(FAULTS[kind])
        assert any(codes(kind, fault) for fault in FAULTS[kind])
    assert beside.size("rest", "slow") < beside.size("rest", "10 MB") == beside.size("rest", "endless")


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kinds]:
    with matrix.scene_of(tmp_path_factory.mktemp("scene") / "rest", "rest") as running:
        yield running


def test_others_are_timed_beside_a_fault(scene: Kinds) -> None:
    (found,) = beside.cells(scene, ["garbage"], 10)
    assert found.holds == (found.found <= 2 * found.control)
    assert not beside.Cell("rest", "garbage", 2.1, 1.0).holds


def test_a_soak_checks_every_answer(scene: Kinds) -> None:
    found = soak.Soak(scene).run(1.5, 0.5)
    assert found.answers > 20
    assert (found.wrong, found.without_entry) == (0, 0)
    assert len(found.memory) >= 3
    assert soak.Found([1, 1, 1], 5).sound
    for unsound in (
        soak.Found([1, 1], 0),
        soak.Found([1], 5, 1),
        soak.Found([1], 5, 0, 1),
        soak.Found([1, 2, 2, 3], 5),
    ):
        assert not unsound.sound
