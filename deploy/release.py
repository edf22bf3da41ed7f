"""Makes a release of a checkout: `python -m deploy.release X.Y.Z [--dry-run]`, or `make release VERSION=X.Y.Z`.

The section "Unreleased" of the changelog becomes the version's, the version is written into `pyproject.toml` and
`uv.lock`, both are committed, and the commit is tagged `vX.Y.Z`. `dist/` then has the wheel, an archive of the vectors
that other implementations check themselves by, and `SHA256SUMS`. Nothing is pushed. The wheel is built before anything
is committed: where that fails, the checkout is as it was.
"""

from __future__ import annotations

import argparse
import datetime
import hashlib
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DIST = ROOT / "dist"
CHANGED = ("CHANGELOG.md", "pyproject.toml", "uv.lock")
_GIT = shutil.which("git") or "git"
_VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)")
_UNRELEASED = re.compile(r"^## Unreleased\n(.*?)(?=^## |\Z)", re.M | re.S)


class Refused(Exception):
    """No release is made; the message has the reason, and what to do."""


def _git(*arguments: str) -> str:
    return subprocess.run([_GIT, *arguments], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


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


def build(version: str) -> None:
    """Put the wheel into `dist/`."""
    shutil.rmtree(DIST, ignore_errors=True)
    command = [sys.executable, "-m", "uv", "build", "--wheel", "--quiet", "--out-dir", str(DIST), str(ROOT)]
    if subprocess.run(command).returncode or not (DIST / f"dutybound-{version}-py3-none-any.whl").is_file():
        raise Refused("the wheel cannot be built; the lines above have the reason")


def archive(version: str) -> None:
    """Put the tagged vectors and the digests of both files into `dist/`."""
    name = f"dutybound-vectors-{version}"
    out = DIST / f"{name}.tar.gz"
    _git("archive", "--format=tar.gz", f"--prefix={name}/", f"--output={out}", f"v{version}:tests/vectors")
    (DIST / ".gitignore").unlink(missing_ok=True)  # uv's
    sums = [f"{hashlib.sha256(each.read_bytes()).hexdigest()}  {each.name}\n" for each in sorted(DIST.iterdir())]
    (DIST / "SHA256SUMS").write_text("".join(sums), "utf-8")


def release(version: str, day: datetime.date) -> None:
    """Make the release. Raises `Refused`; the checkout is as it was then."""
    check(version)
    try:
        write(version, day)
        build(version)
    except BaseException:
        _git("checkout", "--", *CHANGED)
        raise
    _git("commit", "--message", f"Release {version}", "--", *CHANGED)
    _git("tag", "--annotate", f"v{version}", "--message", f"Dutybound {version}")
    archive(version)


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
    except (Refused, subprocess.CalledProcessError) as error:
        print(f"no release: {getattr(error, 'stderr', None) or error}", file=sys.stderr)
        return 1
    print(f"released {asked.version}: in dist/ are {', '.join(sorted(each.name for each in DIST.iterdir()))}")
    print(f"next, push the commit and its tag, and publish what is in dist/:\n  git push origin HEAD v{asked.version}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
