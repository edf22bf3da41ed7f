"""Calls about several subjects, and each to the one entry that names them all."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from gateway.connecting.reconciling.entered import Expected
from gateway.connecting.reconciling.lines import Call
from gateway.connecting.reconciling.matching import Counted, Matching, Window
from gateway.connecting.reconciling.paths import Paths
from tests.connecting.reconciling.logged import AT, lei
from tests.connectors.asking import written

ONE, TWO, THREE = (("LEI", lei(number)) for number in range(3))


@pytest.mark.parametrize(("between", "separator"), [(",", ","), ("%2C", ","), ("%2c", ","), ("&id=", "&id=")])
def test_the_values_of_a_batch_are_found_however_they_are_logged(between: str, separator: str, tmp_path: Path) -> None:
    batch = {"path": "/sanctions?scheme={scheme}&id={values}", "separator": separator}
    department = {"base_url": "https://e.example/v2", "datasets": {"sanctions": {"path": "/s/{value}", "batch": batch}}}
    node = written({"departments": {"environment": department}}, tmp_path).at(["departments", "environment"])
    found = Paths(node, lambda _: "", lambda _, value: value).find(
        f"/v2/sanctions?scheme=LEI&id={ONE[1]}{between}{TWO[1]}"
    )
    assert found == ("sanctions", (ONE, TWO))


@pytest.mark.parametrize(
    ("subjects", "why"),
    [
        ((ONE, TWO), ""),
        ((TWO, ONE), ""),
        ((ONE, THREE), "no entry of that time is about all of its subjects"),
        ((ONE, TWO, THREE), "no entry of that time is about all of its subjects"),
    ],
)
def test_one_call_is_of_one_entry_that_names_all_its_subjects(subjects: tuple[tuple[str, str], ...], why: str) -> None:
    minute = datetime.timedelta(minutes=1)
    both = Expected("1/0", "a" * 32, AT, {(ONE, "sanctions"): True, (TWO, "sanctions"): True}, False)
    other = Expected("1/1", "b" * 32, AT, {(THREE, "sanctions"): False}, False)
    counted = Counted()
    matching = Matching(Window(minute, minute), {"sanctions": 1}, 1, lambda value: value, counted, ids=False)
    call = Call(1, AT, (), subjects, "sanctions")
    found = [*matching.run([call], [both, other], AT - 5 * minute, AT + 5 * minute)]
    calls = [each.why for each in found if each.kind == "call"]
    assert calls == ([why] if why else [])
    assert [each.where for each in found if each.kind == "entry"] == (["1/0"] if why else [])
