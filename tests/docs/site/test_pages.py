"""The README fits two screens before its commands; promises are the invariants; pictures are of pages."""

from __future__ import annotations

import re

from tests.console.shots import OF_SITE, SITE
from tests.docs.reading import ROOT, section, table
from tests.docs.site import tasks

README = (ROOT / "README.md").read_text("utf-8")
MOST_LINES, MOST_BYTES = 95, 100_000


def test_the_readme_fits_two_screens_before_its_commands() -> None:
    before, commands, _ = README.partition("\n## Commands\n")
    assert commands
    assert len(before.splitlines()) <= MOST_LINES
    first = [
        before.index(each) for each in ("make demo", "make test", "journey.svg", "| a router with a policy engine |")
    ]
    assert first == sorted(first)
    assert "erase" not in before


def test_each_invariant_is_a_promise_with_its_test() -> None:
    rows = table((tasks.SITE / "promises.md").read_text("utf-8"))
    invariants = table(section(ROOT / "gateway" / "README.md", "Invariants"))
    promised = [row[0].partition(".")[0] for row in rows]
    assert {row[0].partition(".")[0] for row in invariants} == set(promised)
    assert len(promised) == len(set(promised))
    for said, test in rows:
        assert re.search(r"\]\(\.\./\.\./\.\./tests/[\w/]+/test_\w+\.py\)$", test), said


def test_each_picture_is_small_and_shown_once() -> None:
    pages = "".join(page.read_text("utf-8") for page in tasks.SITE.glob("*.md"))
    taken = {file.name for file in SITE.iterdir()}
    assert taken == {f"{name}.png" for name in OF_SITE}
    assert all(pages.count(f"(pictures/{name})") == 1 for name in taken)
    assert all(file.stat().st_size < MOST_BYTES for file in SITE.iterdir())


def test_each_task_begins_with_for_whom_it_is_and_ends_with_what_is_next() -> None:
    for name in tasks.DONE:
        if name not in ("clients.md", "routers.md", "promises.md"):
            _, first, *rest = (tasks.SITE / name).read_text("utf-8").split("\n\n")
            assert first.startswith("For "), name
            assert "five minutes" in first, name
            assert any(each.startswith("## Next") for each in rest), name


def test_what_a_reader_waits_for_is_what_the_demo_prints() -> None:
    waited = {
        found
        for page in tasks.SITE.glob("*.md")
        for found in re.findall(r"ait until it prints `([^`]+)`", page.read_text("utf-8"))
    }
    assert len(waited) == 1
    demo = "".join(file.read_text("utf-8") for file in (ROOT / "deploy" / "demo").glob("*.py"))
    assert waited.pop() in demo
