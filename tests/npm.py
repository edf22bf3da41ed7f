"""Packages from npm that a folder's `package-lock.json` names, installed once however many workers ask."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
from pathlib import Path

import pytest


def installed(folder: Path) -> Path:
    """The folder, with its packages there; fails the test, with what to install, where that cannot be had."""
    for tool in ("node", "npm"):
        if not shutil.which(tool):
            pytest.fail(f"{tool} is missing: install Node.js 20 or later with npm (Debian: apt-get install nodejs npm)")
    with (folder / "package.json").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _current(folder):
            done = subprocess.run(
                ["npm", "ci", "--no-audit", "--no-fund"], cwd=folder, capture_output=True, text=True, check=False
            )
            if done.returncode:
                pytest.fail(f"`npm ci` in {folder} failed; a package index must be in reach:\n{done.stderr}")
    return folder


def _current(folder: Path) -> bool:
    """Whether `npm ci` has run since the lock file last changed."""
    mark = folder / "node_modules" / ".package-lock.json"
    return mark.exists() and mark.stat().st_mtime >= (folder / "package-lock.json").stat().st_mtime
