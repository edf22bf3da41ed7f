"""A person who never saw the project adds a purpose with two datasets by `policies/README.md` alone."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from gateway import cli
from gateway.rules.explain.matrix import EVERYTHING
from gateway.rules.load import load
from gateway.rules.model import Flag
from tests.docs import walk
from tests.docs.commands import commands
from tests.docs.reading import ROOT, Fence

ENDS = {("rules", "diff"): 1}
"""Commands of the walk that end with another status than 0."""

FILES = [fence for fence in walk.steps() if fence.language != "sh walk"]


def test_each_command_of_the_walk_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    walk.start(tmp_path)
    ran = []
    for fence in walk.steps():
        for command in walk.take(fence, tmp_path):
            said = capsys.readouterr()
            assert command.status == ENDS.get(command.words[1:3], 0), (
                f"{fence}: `{' '.join(command.words)}`: {said.out}{said.err}"
            )
            ran.append(command.words)
    assert {words[1:3] for words in ran if words[0] == "dutybound"} <= commands().keys()
    _added(tmp_path / "candidate")
    assert "BUILDING_SAFETY" in (tmp_path / "difference.html").read_text("utf-8")


def _added(candidate: Path) -> None:
    """The purpose is there: what it lists is permitted within a case, to whom it was granted, and nothing else is."""
    made, before = load(candidate), load(ROOT / "policies")
    [name] = made.policies.purposes.keys() - before.policies.purposes.keys()
    datasets = made.policies.catalogue.published.keys() - before.policies.catalogue.published.keys()
    assert len(datasets) == 2
    grants = [grant for entry in made.policies.requesters.values() for grant in entry.grants]
    [grant] = [grant for grant in grants if grant.purpose == name]
    assert grant.datasets == datasets
    cells = made.cells(grant, "organisation", EVERYTHING)
    permitted = {(dataset, field) for (dataset, field), cell in cells.items() if cell.permitted}
    listed = made.policies.purposes[name].fields
    assert permitted == {(dataset, field) for dataset, of in listed.items() for field in of.names}
    assert not any(cell.permitted for cell in made.cells(grant, "organisation", EVERYTHING & ~Flag.CASE).values())
    own = made.policies.purposes["SUBJECT_ACCESS"].fields
    for dataset in datasets:
        assert own[dataset].names == made.policies.catalogue.datasets[dataset].fields.keys()


@pytest.mark.parametrize("left_out", FILES, ids=[fence.text.splitlines()[0].split("/")[-1] for fence in FILES])
def test_a_step_that_is_left_out_is_told(
    left_out: Fence, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """By `rules check` or `rules test`; but for the test of one's own, which nobody else can miss."""
    monkeypatch.chdir(tmp_path)
    walk.start(tmp_path)
    for fence in walk.steps():
        if fence != left_out and (fence.language != "sh walk" or fence.text.startswith("cp ")):
            list(walk.take(fence, tmp_path))
    ended = [cli.main(["rules", each, "--policies", "candidate"]) for each in ("check", "test")]
    assert any(ended) is ("tests/building-safety.yaml" not in left_out.text), capsys.readouterr()


def test_the_walk_holds_on_any_day() -> None:
    """What it writes ends far enough from today, so that nobody walks into a grant that has ended."""
    days = [line.split()[-1] for fence in FILES for line in fence.text.splitlines() if "until:" in line]
    assert days
    assert all(datetime.date.fromisoformat(day) > datetime.date(2027, 1, 1) for day in days)
