"""The file of policy tests that `policies/README.md` writes: it loads, passes, and notices what opens."""

from __future__ import annotations

from pathlib import Path

from gateway.inquiry.tested import inquire
from gateway.rules.load import load
from gateway.rules.testing import judge, read
from tests.docs.reading import ROOT, code, fences, section, table
from tests.rules.policies import edited, shipped
from tests.rules.testing.files import loaded, place

PAGE = ROOT / "policies" / "README.md"
[FENCE] = [fence for fence in fences(PAGE) if fence.text.startswith("# tests/arrears.yaml\n")]


def test_the_file_to_start_from_passes(tmp_path: Path) -> None:
    tests, problems = loaded(place(tmp_path, FENCE.text, "arrears.yaml"))
    assert problems == []
    assert judge.run(shipped(), tests, inquire).failed == 0
    wider = load(
        edited(tmp_path / "wider", "purposes.yaml", "[decisionNumber, conduct, decidedOn]", "[decisionNumber]")
    )
    assert judge.run(wider, tests, inquire).failed == 1


def test_every_key_is_told_on_the_page() -> None:
    rows = table(section(PAGE, "Tests"))
    told = {name for row in rows for name in (*code(row[0]), *code(row[2]))} | set(FENCE.text.replace(":", " ").split())
    keys = {key for part in (*read._FILE, *read._TEST) for key in part}
    assert {key for key in keys if not any(key in each for each in told)} == set()
