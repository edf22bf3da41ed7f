"""A release, made whole in a clone: what is refused, the commit and its tag, the wheel, and vectors that verify."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from tests.docs.reading import ROOT
from tests.vectors.test_vectors import check

CHANGE = "- Something is different.\n"


class Clone:
    """A clone of the checkout's last commit, with the script of this one, and one change in its changelog."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "clone"
        subprocess.run(["git", "clone", "--quiet", "--no-tags", ROOT, self.root], check=True)
        (self.root / "deploy" / "release.py").write_bytes((ROOT / "deploy" / "release.py").read_bytes())
        (self.root / ".gitignore").write_bytes((ROOT / ".gitignore").read_bytes())
        self.git("checkout", "--quiet", "-B", "released")
        self.changelog(CHANGE)
        self.commit()

    def changelog(self, unreleased: str) -> None:
        (self.root / "CHANGELOG.md").write_text(f"# Changelog\n\n## Unreleased\n\n{unreleased}")

    def git(self, *arguments: str) -> str:
        run = subprocess.run(["git", *arguments], cwd=self.root, capture_output=True, text=True, check=True, env=ENV)
        return run.stdout.strip()

    def commit(self) -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "A change")

    def release(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "deploy.release", *arguments]
        return subprocess.run(command, cwd=self.root, capture_output=True, text=True, env=ENV)

    def refused(self, *arguments: str) -> str:
        before = self.git("rev-parse", "HEAD"), self.git("status", "--porcelain")
        run = self.release(*arguments)
        assert run.returncode == 1, run.stdout
        assert (self.git("rev-parse", "HEAD"), self.git("status", "--porcelain")) == before
        return run.stderr


ENV = {
    **os.environ,
    **{f"GIT_{who}_{what}": "a@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
}


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    return Clone(tmp_path)


def test_a_release_is_a_tag_a_wheel_and_vectors_that_verify(clone: Clone, tmp_path: Path) -> None:
    assert clone.release("0.2.0", "--dry-run").returncode == 0
    assert clone.git("tag") == ""
    run = clone.release("0.2.0")
    assert run.returncode == 0, run.stderr
    assert "git push origin HEAD v0.2.0" in run.stdout
    assert clone.git("rev-parse", "v0.2.0^{commit}") == clone.git("rev-parse", "HEAD")
    assert clone.git("status", "--porcelain") == "", "dist/ is ignored"
    changes = (clone.root / "CHANGELOG.md").read_text()
    assert changes.startswith("# Changelog\n\n## Unreleased\n\n## 0.2.0, 20")
    assert changes.endswith(CHANGE)
    dist = clone.root / "dist"
    names = ["SHA256SUMS", "dutybound-0.2.0-py3-none-any.whl", "dutybound-vectors-0.2.0.tar.gz"]
    assert sorted(each.name for each in dist.iterdir()) == names
    sums = dict(reversed(line.split("  ")) for line in (dist / "SHA256SUMS").read_text().splitlines())
    assert sums == {name: hashlib.sha256((dist / name).read_bytes()).hexdigest() for name in names[1:]}
    with tarfile.open(dist / names[2]) as packed:
        packed.extractall(tmp_path, filter="data")
    for version in ("v1", "v2"):
        check(tmp_path / "dutybound-vectors-0.2.0" / version)
    assert "CHANGELOG.md has nothing" in clone.refused("0.3.0")
    locked = [sys.executable, "-m", "uv", "lock", "--check", "--offline", "--quiet"]
    assert subprocess.run(locked, cwd=clone.root).returncode == 0, "uv.lock has the version too"


def test_what_is_no_release_is_refused_with_what_to_do(clone: Clone) -> None:
    for version in ("v1", "00.02.0", "\u0660.\u0662.\u0660"):
        assert "write three numbers" in clone.refused(version)
    clone.git("tag", "v0.10.0")
    assert "is not above the last version, 0.10.0" in clone.refused("0.9.0")
    assert "is not above the last version, 0.10.0" in clone.refused("0.10.0")
    (clone.root / "README.md").write_text("changed")
    assert "changes that are not committed" in clone.refused("0.11.0")
    clone.changelog("")
    clone.commit()
    assert 'nothing under "## Unreleased"' in clone.refused("0.11.0")
    clone.git("checkout", "--quiet", "--detach")
    assert "check out the branch" in clone.refused("0.11.0")


def test_a_commit_that_a_hook_refuses_leaves_everything_as_it_was(clone: Clone) -> None:
    (clone.root / "dist").mkdir()
    (clone.root / "dist" / "before").write_text("of the release before")
    hook = clone.root / ".git" / "hooks" / "pre-commit"
    hook.write_text("#!/bin/sh\necho not today >&2\nexit 1\n")
    hook.chmod(0o755)
    assert "`git commit` failed: not today" in clone.refused("0.2.0")
    assert [each.name for each in (clone.root / "dist").iterdir()] == ["before"]
    hook.rename(hook.with_name("pre-commit.off"))
    assert clone.release("0.2.0").returncode == 0
