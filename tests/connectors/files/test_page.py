"""What the page on connectors says of files: its commands make a delivery that is taken in."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from connectors.delivered.report import Outcome
from tests.connectors.files.delivering import DATASETS, ROW, Department, csv
from tests.docs.reading import ROOT, fences

[MANIFEST] = [fence for fence in fences(ROOT / "connectors" / "README.md") if fence.language == "sh manifest"]


def test_the_page_s_manifest_is_taken(tmp_path: Path) -> None:
    registry = Department(tmp_path, datasets={"arrears": DATASETS["arrears"]})
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "labour.key"], cwd=registry.out, check=True)
    shutil.copy(registry.out / "labour.key.pub", tmp_path / "signers")
    registry.connector = registry.connected()
    (registry.out / "arrears.csv").write_bytes(csv([ROW, {**ROW, "no": "N-2"}]))
    for _ in range(2):
        text = MANIFEST.text.replace("wage-arrears", "arrears")
        subprocess.run(["bash", "-e", "-c", text], cwd=registry.out, check=True, capture_output=True)
    found = registry.take()
    assert (found.outcome, found.datasets["arrears"].records) == (Outcome.TAKEN, 2)
