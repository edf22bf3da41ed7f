"""The gateway as its users have it: installed from a wheel in an environment of its own, without the checkout.

What it needs is not installed again: the environment sees the packages of the one that tests run in, and nothing that
leads to the checkout.
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]


class Installed(NamedTuple):
    """The wheel, the environment's Python, and the command that was installed."""

    wheel: Path
    python: Path
    command: Path


def install(folder: Path) -> Installed:
    """Build the wheel and install it, both in `folder`."""
    _run(sys.executable, "-m", "uv", "build", "--wheel", "--quiet", "--out-dir", str(folder / "dist"), str(ROOT))
    [wheel] = (folder / "dist").glob("*.whl")
    place = folder / "env"
    venv.create(place, with_pip=False, symlinks=True)
    python = place / "bin" / "python"
    _run(sys.executable, "-m", "uv", "pip", "install", "--quiet", "--no-deps", "--python", str(python), str(wheel))
    [packages] = place.glob("lib/python*/site-packages")
    (packages / "others.pth").write_text(f"{sysconfig.get_path('purelib')}\n")  # the `.pth` files there are not read
    return Installed(wheel, python, python.with_name("dutybound"))


def environment() -> dict[str, str]:
    """What its commands see of the environment: nothing of ours that leads elsewhere."""
    left = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "DUTYBOUND_"))}
    return {**left, "PYTHONPYCACHEPREFIX": str(ROOT / "var" / "tests" / "bytecode")}


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stdout}{done.stderr}"
