"""Makes a release of a checkout: `python -m deploy.release X.Y.Z [--dry-run]`, or `make release VERSION=X.Y.Z`.

The section "Unreleased" of the changelog becomes the version's, the version is written into `pyproject.toml` and
`uv.lock`, both are committed, and the commit is tagged `vX.Y.Z`. `dist/` then has the wheel, an archive of the vectors
that other implementations check themselves by, and `SHA256SUMS`. Nothing is pushed. Where a step fails, the checkout
and `dist/` are as they were.
"""

from __future__ import annotations

import argparse
import datetime
import hashlib
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DIST = ROOT / "dist"
CHANGED = ("CHANGELOG.md", "pyproject.toml", "uv.lock")
_GIT = shutil.which("git") or "git"
_NUMBER = "(0|[1-9][0-9]*)"
_VERSION = re.compile(rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}")
_UNRELEASED = re.compile(r"^## Unreleased\n(.*?)(?=^## |\Z)", re.M | re.S)


class Refused(Exception):
    """No release is made; the message has the reason, and what to do."""


def _git(*arguments: str) -> str:
    done = subprocess.run([_GIT, *arguments], cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        why = (done.stderr or done.stdout).strip() or f"it ended with {done.returncode}, as a hook may have it end"
        raise Refused(f"`git {arguments[0]}` failed: {why}")
    return done.stdout.strip()


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(each) for each in version.split("."))


def last() -> str | None:
    """The highest version that was released up to this commit."""
    tags = [tag.removeprefix("v") for tag in _git("tag", "--merged", "HEAD", "--list", "v*").split()]
    return max((each for each in tags if _VERSION.fullmatch(each)), key=_numbers, default=None)


def check(version: str) -> None:
    """Raises `Refused` where this checkout is none to release as `version`."""
    if not _VERSION.fullmatch(version):
        raise Refused(f"`{version}` is no version; write three numbers, as `1.2.0`")
    if _git("rev-parse", "--abbrev-ref", "HEAD") == "HEAD":
        raise Refused(
            "no branch is checked out, so that nothing would keep the commit; check out the branch to release"
        )
    if changed := _git("status", "--porcelain"):
        raise Refused(f"the checkout has changes that are not committed; commit or drop them:\n{changed}")
    before = last()
    if before is not None and _numbers(version) <= _numbers(before):
        raise Refused(f"`{version}` is not above the last version, {before}; take a higher one")
    section = _UNRELEASED.search((ROOT / "CHANGELOG.md").read_text("utf-8"))
    if section is None or not section[1].strip():
        raise Refused('CHANGELOG.md has nothing under "## Unreleased"; write there what is different for users')


def write(version: str, day: datetime.date) -> None:
    """Write the version into the files that have it."""
    _replace("CHANGELOG.md", r"^## Unreleased\n", f"## Unreleased\n\n## {version}, {day.isoformat()}\n")
    _replace("pyproject.toml", r'^version = "[^"]*"', f'version = "{version}"')
    _replace("uv.lock", r'^name = "dutybound"\nversion = "[^"]*"', f'name = "dutybound"\nversion = "{version}"')


def _replace(name: str, pattern: str, text: str) -> None:
    path = ROOT / name
    changed, count = re.subn(pattern, text, path.read_text("utf-8"), count=1, flags=re.M)
    if not count:
        raise Refused(f"{name} has no place for the version (`{pattern}`)")
    path.write_text(changed, "utf-8")


def build(version: str, out: Path) -> None:
    """Put the wheel into a folder."""
    command = [sys.executable, "-m", "uv", "build", "--wheel", "--quiet", "--out-dir", str(out), str(ROOT)]
    if subprocess.run(command).returncode or not (out / f"dutybound-{version}-py3-none-any.whl").is_file():
        raise Refused("the wheel cannot be built; the lines above have the reason")
    (out / ".gitignore").unlink(missing_ok=True)  # uv's


def archive(version: str, out: Path) -> None:
    """Put the tagged vectors and the digests of both files into a folder."""
    name = f"dutybound-vectors-{version}"
    packed = out / f"{name}.tar.gz"
    _git("archive", "--format=tar.gz", f"--prefix={name}/", f"--output={packed}", f"v{version}:tests/vectors")
    sums = [f"{hashlib.sha256(each.read_bytes()).hexdigest()}  {each.name}\n" for each in sorted(out.iterdir())]
    (out / "SHA256SUMS").write_text("".join(sums), "utf-8")


def release(version: str, day: datetime.date) -> None:
    """Make the release. Raises `Refused`; the checkout is as it was then."""
    check(version)
    before, tags = _git("rev-parse", "HEAD"), _git("tag", "--list")
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder)
        try:
            write(version, day)
            build(version, made)
            _git("commit", "--message", f"Release {version}", "--", *CHANGED)
            _git("tag", "--annotate", f"v{version}", "--message", f"Dutybound {version}")
            archive(version, made)
        except BaseException:
            if _git("tag", "--list") != tags:
                _git("tag", "--delete", f"v{version}")
            _git("reset", "--quiet", "--hard", before)  # nothing but what was written here: it was clean
            raise
        shutil.rmtree(DIST, ignore_errors=True)
        shutil.copytree(made, DIST)


def main(arguments: list[str] | None = None) -> int:
    """Exit codes: 0 done, 1 refused, in words on standard error."""
    parser = argparse.ArgumentParser(prog="python -m deploy.release", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("version", metavar="X.Y.Z")
    parser.add_argument("--dry-run", action="store_true", help="only see whether it could be made")
    asked = parser.parse_args(arguments)
    try:
        if asked.dry_run:
            check(asked.version)
            print(f"{asked.version} could be released, after {last() or 'none'}; nothing was changed")
            return 0
        release(asked.version, datetime.datetime.now(datetime.UTC).date())
    except Refused as error:
        print(f"no release, and nothing was changed: {error}", file=sys.stderr)
        return 1
    print(f"released {asked.version}: in dist/ are {', '.join(sorted(each.name for each in DIST.iterdir()))}")
    print(f"next, push the commit and its tag, and publish what is in dist/:\n  git push origin HEAD v{asked.version}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
