"""The tasks of the site's pages, done beside a running demo, or alone, from each page alone."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import World
from tests.docs.reading import ROOT, fences
from tests.docs.site import clicks, tasks
from tests.docs.site.tasks import SITE, Terminal
from tests.ports import free_port

pytestmark = pytest.mark.timeout(1200)  # each step is a command of its own, on however busy a machine


@pytest.fixture
def terminal(world: World, tmp_path: Path) -> Iterator[Terminal]:
    """Beside the running demo, in the project's folder."""
    (tmp_path / "var").symlink_to(world.region.place.var, target_is_directory=True)
    (tmp_path / "tests").symlink_to(ROOT / "tests", target_is_directory=True)
    with tasks.terminal(tmp_path, world.region.place.ports) as opened:
        yield opened


def test_a_first_question_is_asked(terminal: Terminal, tmp_path: Path) -> None:
    tasks.do(SITE / "ask.md", terminal)
    assert json.loads((tmp_path / "answer.json").read_text())["data"]["organisation"]["taxArrears"]


def test_the_clients_of_each_language_get_one_answer(terminal: Terminal, tmp_path: Path) -> None:
    tasks.do(SITE / "clients.md", terminal)
    names = ["curl", "python", "node", *(["java"] if shutil.which("javac") else [])]
    told = [json.loads((tmp_path / f"{name}.json").read_text()) for name in names]
    assert all(each["data"] == told[0]["data"] and each["data"]["organisation"]["name"] for each in told)
    assert len({each["extensions"]["inquiry"]["id"] for each in told}) == len(names)


def test_a_header_does_for_a_directive_and_receipts_for_what_a_router_drops(terminal: Terminal) -> None:
    *_, receipts = tasks.do(SITE / "routers.md", terminal)
    [found] = json.loads(receipts)["data"]["receipts"]
    assert found["receipt"].startswith("c2sp.org/tlog-proof@v1")


def test_the_readme_s_question_is_answered(terminal: Terminal) -> None:
    assert len(tasks.do(ROOT / "README.md", terminal)) == 1


def test_a_receipt_is_verified_without_us_and_an_altered_answer_is_not(terminal: Terminal) -> None:
    _, whole, altered, _ = tasks.do(SITE / "verify-receipt.md", terminal)
    assert [json.loads(each)[0]["ok"] for each in (whole, altered)] == [True, False]


@pytest.mark.parametrize("name", tasks.BY_BROWSER)
def test_a_page_s_clicks_come_to_what_it_says(name: str, terminal: Terminal, world: World, tmp_path: Path) -> None:
    tasks.do(SITE / "ask.md", terminal)  # as the demo's scenes did, of which this region played none
    tasks.do(SITE / name, terminal)
    with clicks.reader(tmp_path, world.region.place.ports) as reader:
        assert reader.take((SITE / name).read_text("utf-8")) > 7


def test_a_store_is_lost_and_restored(tmp_path: Path) -> None:
    own = {f"127.0.0.1:{usual}": f"127.0.0.1:{free_port()}" for usual in (8180, 8181)}
    with tasks.terminal(tmp_path) as terminal:
        *_, restored, _ = tasks.do(SITE / "restore-backup.md", terminal, own)
    assert re.search("gap: .* has 1 entry, and 2 were published", restored)


@pytest.mark.long_cases("change-one-thing.md")
@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("change-one-thing.md", "inquiry/test_restrain.py::test_an_adverse_record_without_its_source_document"),
        ("promises.md", "telemetry/test_log.py::test_an_exception_is_logged_by_its_type_and_places_only"),
    ],
)
def test_what_is_broken_is_found_and_mended(name: str, found: str, tmp_path: Path) -> None:
    """On a copy of the project."""
    for each in ("gateway", "connectors", "policies", "deploy", "tests"):
        shutil.copytree(ROOT / each, tmp_path / each, ignore=shutil.ignore_patterns("node_modules"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    with tasks.terminal(tmp_path) as terminal:
        *before, broken, after = tasks.do(SITE / name, terminal)
    assert f"FAILED tests/{found}" in broken
    assert "FAILED" not in "".join([*before, after])


# What is checked here is not checked in vain.


def test_a_command_that_fails_and_another_answer_are_found(tmp_path: Path) -> None:
    [first, *_] = [each for each in fences(SITE / "ask.md") if each.language == "sh task"]
    with tasks.terminal(tmp_path) as terminal, pytest.raises(AssertionError, match="a command failed"):
        terminal.take(first._replace(text="false\ntrue\n"))
    for wrong in ({"data": {"a": [1]}}, {"data": {"a": []}}, {"data": {"a": [{"b": 1}]}}, {}):
        with pytest.raises(AssertionError):
            tasks.compare({"data": {"a": [{"b": "x"}]}}, wrong, "here")


def test_every_page_that_has_a_task_is_done() -> None:
    pages = [page.name for page in SITE.glob("*.md") if any(each.language == "sh task" for each in fences(page))]
    clicked = [page.name for page in SITE.glob("*.md") if re.search(r"^1\. ", page.read_text("utf-8"), re.MULTILINE)]
    assert sorted({*pages, *clicked}) == sorted(tasks.DONE)
