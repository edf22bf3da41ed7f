"""A run ends with seconds by folder, summed over its workers."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.docs.reading import ROOT

SLOW = (
    "import time\nimport pytest\n@pytest.fixture\ndef slow():\n    time.sleep(0.04)\n    yield\n    time.sleep(0.02)\n"
)


def test_setting_up_and_tearing_down_count_and_workers_are_summed(tmp_path: Path) -> None:
    for folder, text in {
        "slow": f"{SLOW}@pytest.mark.parametrize('n', range(4))\ndef test_slow(slow, n): time.sleep(0.02)\n",
        "quick": "def test_quick(): pass\ndef test_wrong(): assert False\n",
    }.items():
        (tmp_path / "tests" / folder / "deeper").mkdir(parents=True)
        (tmp_path / "tests" / folder / "deeper" / f"test_{folder}.py").write_text(text)
    command = [sys.executable, "-m", "pytest", "-p", "tests.seconds", "-n", "2", "--rootdir", ".", "tests"]
    run = subprocess.run(
        command,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_ADDOPTS": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    told = re.findall(r"^ +([\d.]+)  (.*)$", run.stdout.partition("seconds by folder")[2], re.MULTILINE)
    seconds = {what: float(number) for number, what in told}
    assert seconds.keys() == {"tests/slow (4 tests)", "tests/quick (2 tests)", "in all"}, run.stdout
    assert seconds["in all"] >= seconds["tests/slow (4 tests)"] >= 0.3
