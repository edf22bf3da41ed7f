"""Each alert fires on what it waits for and on nothing else, and the runbook says what to do on it."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.files import DEPLOY, load

RULES, TESTS = DEPLOY / "prometheus" / "alerts.yml", DEPLOY / "prometheus" / "alerts_test.yml"
ALERTS: dict[str, Any] = {rule["alert"]: rule for group in load(RULES)["groups"] for rule in group["rules"]}


def promtool(*arguments: str) -> str:
    done = subprocess.run(
        ["promtool", *arguments], cwd=RULES.parent, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_rules_and_the_configuration_are_prometheus_own() -> None:
    assert f"{len(ALERTS)} rules found" in promtool("check", "rules", RULES.name)
    assert "SUCCESS" in promtool("check", "config", "--syntax-only", "prometheus.yml")


def test_each_alert_fires_and_rests_as_its_test_has_it() -> None:
    promtool("test", "rules", TESTS.name)
    fires, rests = set(), set()
    for each in (case for test in load(TESTS)["tests"] for case in test["alert_rule_test"]):
        (fires if each["exp_alerts"] else rests).add(each["alertname"])
    assert fires == rests == set(ALERTS)


BROKEN = {'outcome="INTERNAL"': 'outcome="OK"', "> 300": "> 30", "for: 15m": "for: 0m"}


@pytest.mark.long_cases("INTERNAL", "15m")
@pytest.mark.parametrize("right", BROKEN)
def test_a_rule_that_waits_for_something_else_is_found(right: str, tmp_path: Path) -> None:
    text = RULES.read_text("utf-8")
    assert right in text
    (tmp_path / RULES.name).write_text(text.replace(right, BROKEN[right]), "utf-8")
    (tmp_path / TESTS.name).write_bytes(TESTS.read_bytes())
    command = ["promtool", "test", "rules", TESTS.name]
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=60, check=False).returncode == 1


def test_the_runbook_has_each_alert_and_no_other() -> None:
    parts = re.split(r"^## (.*)$", (DEPLOY / "RUNBOOK.md").read_text("utf-8"), flags=re.M)
    told = dict(zip(parts[1::2], parts[2::2], strict=True))
    assert list(told) == list(ALERTS)
    for name, text in told.items():
        assert f"**{ALERTS[name]['labels']['severity']}**" in text, name
        assert re.search(r"^1\. ", text, re.M), f"{name}: nothing to do"
