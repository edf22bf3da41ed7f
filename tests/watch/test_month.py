"""Each detector finds what is planted for it in a month of 50,000 inquiries, and next to nothing else."""

from __future__ import annotations

import json
import subprocess
import sys

from gateway.rules.files.thresholds import SECTIONS
from tests.watch import month


def test_every_planted_pattern_is_found_and_hardly_anything_else() -> None:
    made = month.month(7)
    assert len(made.asked) == 50_000
    assert len({asked.official for asked in made.asked if asked.official}) == 200
    findings = month.found(made)
    counts = month.judged(made, findings)
    assert list(counts) == list(SECTIONS)
    for name, count in counts.items():
        assert count["planted"] >= 5, name
        assert count["found"] == count["planted"], name
    false = sum(count["false"] for count in counts.values())
    assert false * 1000 <= made.official_days
    identifiers = {asked.subject.value for asked in made.asked}
    for finding in findings.values():
        assert not identifiers & set(finding.words.replace("`", " ").split())


def test_the_command_prints_one_line_of_json() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from tests.watch import month; month.INQUIRIES = 2_000; print(month.line(3))"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.count("\n") == 1
    told = json.loads(done.stdout)
    assert told["inquiries"] == 2_000
    assert list(told["detectors"]) == list(SECTIONS)
    assert all(set(count) == {"planted", "found", "false"} for count in told["detectors"].values())
