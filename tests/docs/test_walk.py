"""A person who never saw the project adds a purpose with two datasets by `policies/README.md` alone, and back again."""

from __future__ import annotations

import datetime
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.demo import founding
from deploy.demo.configuration import FREE, today
from deploy.demo.supervisor import Region
from gateway import cli
from gateway.catalogue.load import load as load_catalogue
from gateway.catalogue.load import one
from gateway.rules.explain.matrix import EVERYTHING
from gateway.rules.load import load
from gateway.rules.model import Flag
from tests.conftest import records
from tests.docs import walk
from tests.docs.commands import commands
from tests.docs.reading import ROOT, Fence
from tests.docs.site import tasks
from tests.docs.walk import Ran, Walker
from tests.waiting import until

ENDS = {("rules", "diff"): 1}
"""Commands of the walk that end with another status than 0."""
OWN = ("rules", "approve", "--token-file", "olsen.token")
"""The one that is refused: an approval of one's own proposal."""

FILES = [
    fence for fence in walk.steps() if fence.language != "sh walk" and "candidate/" in fence.text.splitlines()[0]
]  # fmt: skip


@pytest.fixture
def demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Region]:
    """A demo of its own in the working folder, since another rule set becomes active in it."""
    var = tmp_path / "var"
    (var / "demo").mkdir(parents=True)
    (var / "demo" / "data").symlink_to(records("today", today()), target_is_directory=True)
    monkeypatch.chdir(tmp_path)
    mask = os.umask(0o022)
    try:
        with Region(var, lambda line: None, FREE) as region:
            region.tell()
            yield region
    finally:
        os.umask(mask)


@pytest.mark.timeout(1200)  # a demo of its own, and rule sets examined again and again
def test_each_command_of_the_walk_runs_and_its_purpose_comes_and_goes(
    demo: Region, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    walker, ran = Walker(tmp_path, demo.place.ports), list[Ran]()
    for fence in walk.steps():
        for command in walker.take(fence):
            ran.append(command)
            said = f"{fence}: `{' '.join(command.words)}`: {command.printed}{capsys.readouterr().err}"
            if command.words[1:3] == ("rules", "status"):
                until("everybody to serve it", lambda: _serves(walker, "proposal"))
                continue
            refused = OWN[:2] == command.words[1:3] and OWN[2:] == command.words[5:7]
            assert command.status == (refused or ENDS.get(command.words[1:3], 0)), said
    assert {words[1:3] for words, *_ in ran if words[0] == "dutybound"} <= commands().keys()
    _added(tmp_path / "candidate", demo.place.policies)
    assert "BUILDING_SAFETY" in (tmp_path / "difference.html").read_text("utf-8")

    [asked] = [each for each in ran if each.words[0] == "curl"]
    answer = json.loads(asked.printed)
    if any(error["extensions"].get("retryable") for error in answer.get("errors", ())):
        answer = until("the inquiry to be answered", lambda: _answered(walker))
    assert answer.get("data"), asked.printed
    found, [error] = answer["data"]["organisation"], answer["errors"]
    [permit], [order] = found["buildingPermits"], found["buildingOrders"]
    assert all([permit["number"], permit["issuedOn"], order["orderNumber"], order["duty"]])
    assert (permit["area"], error["path"][-1]) == (None, "area")
    assert error["extensions"]["code"] == "UNAUTHORIZED_FIELD_OR_TYPE"

    until("everybody to serve the set of before", lambda: _serves(walker, "rollback"))
    [again] = list(walker.take(_fence_of("curl ")))[-1:]
    assert not json.loads(again.printed).get("data"), again.printed

    with tasks.terminal(tmp_path, demo.place.ports) as terminal:  # the site's short change, in the same demo
        *_, obligations = tasks.do(tasks.SITE / "change-policy.md", terminal)
    assert any(f"{today() + datetime.timedelta(days)}" in obligations for days in (60, 59)), obligations


def _answered(walker: Walker) -> Any:
    """The answer to the walk's inquiry, asked again, where a busy machine does not have it refused."""
    [*_, ran] = walker.take(_fence_of("curl "))
    told = json.loads(ran.printed)
    return None if any(error["extensions"].get("retryable") for error in told.get("errors", ())) else told


def _fence_of(start: str) -> Fence:
    """The block with a command that begins so, and nothing else of it."""
    [fence] = [each for each in walk.steps() if f"\n{start}" in each.text]
    return fence._replace(text=start + fence.text.partition(f"\n{start}")[2])


def _serves(walker: Walker, how: str) -> bool:
    """Whether all processes serve what is active, which came about so."""
    [ran] = list(walker.take(_fence_of("dutybound rules status ")))
    told: dict[str, Any] = json.loads(ran.printed)
    return ran.status == 0 and told["active"]["how"] == how


def _added(candidate: Path, active: Path) -> None:
    """The purpose is there: what it lists is permitted within a case, to whom it was granted, and nothing else is."""
    made, before = load(candidate), load(active)
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


def test_the_archives_published_what_the_page_has_word_for_word() -> None:
    """Else the walk ends at the activation: a definition is only published as it was consulted on."""
    [block] = [fence for fence in FILES if "catalogue/archives.yaml" in fence.text]
    among = load_catalogue(ROOT / "policies", [])
    for name in ("building-permits", "building-orders"):
        texts = (block.text, founding.ARCHIVES.read_text("utf-8"))
        mine, published = (one(text, "archives.yaml", name, among, []) for text in texts)
        assert mine == published is not None


@pytest.mark.long_cases("subject-access.yaml")
@pytest.mark.parametrize("left_out", FILES, ids=[fence.text.splitlines()[0].split("/")[-1] for fence in FILES])
def test_a_step_that_is_left_out_is_told(
    left_out: Fence, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """By `rules check` or `rules test`; but for the test of one's own, which nobody else can miss."""
    monkeypatch.chdir(tmp_path)
    walk.start(tmp_path)
    walker = Walker(tmp_path)
    for fence in walk.steps():
        if (fence in FILES and fence != left_out) or fence.text.startswith("cp "):
            list(walker.take(fence))
    ended = any(cli.main(["rules", each, "--policies", "candidate"]) for each in ("check", "test"))
    assert ended is ("tests/building-safety.yaml" not in left_out.text), capsys.readouterr()


def test_the_walk_holds_on_any_day() -> None:
    """What it writes ends far enough from today, so that nobody walks into a grant that has ended."""
    days = [line.split()[-1] for fence in FILES for line in fence.text.splitlines() if "until:" in line]
    assert days
    assert all(datetime.date.fromisoformat(day) > datetime.date(2027, 1, 1) for day in days)
