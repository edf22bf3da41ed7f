"""`make docs`: builds the site into `var/site`. A link that leads nowhere, or a page in no menu, ends it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from deploy.docs.stage import ROOT, NowhereError, Stage

CONFIGURATION = Path(__file__).with_name("mkdocs.yml")


def build(folder: Path, configuration: Path = CONFIGURATION) -> tuple[int, str]:
    """Collect the pages in `docs` of a folder and build the site in its `site`; gives a status and what was printed."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(folder / "site", ignore_errors=True)
    try:
        Stage(folder / "docs").put()
    except NowhereError as nowhere:
        return 1, str(nowhere)
    shutil.copy(configuration, folder / "mkdocs.yml")
    # `--quiet` would keep warnings from `--strict` too.
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict"],
        cwd=folder, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return built.returncode, built.stdout + built.stderr


def main() -> int:
    """Build it; gives the exit status."""
    status, said = build(ROOT / "var")
    if status:
        print(said, file=sys.stderr)
        return status
    print("the site is in var/site; to look at it, open http://127.0.0.1:8099/ after:")
    print(".venv/bin/python -m http.server --bind 127.0.0.1 --directory var/site 8099")
    return 0


if __name__ == "__main__":
    sys.exit(main())
