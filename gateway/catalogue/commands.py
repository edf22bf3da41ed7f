"""The `dutybound catalogue` commands: `check`, `diff` and `docs`.

Exit codes: 0 nothing to object to, 1 problems or breaking changes, 2 a folder for `diff` or `docs` that has problems.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gateway.catalogue import docs
from gateway.catalogue.diff import diff
from gateway.catalogue.load import load
from gateway.catalogue.model import Catalogue
from gateway.command import options
from gateway.errors import ConfigurationError, Problem
from gateway.nouns import counted


def register(subparsers: argparse._SubParsersAction[Any], also: Callable[[Any], None] = lambda commands: None) -> None:
    """Add `catalogue` with its commands; each sets `run`: from the parsed arguments to the exit code.

    `also` adds those of another part.
    """
    parser = subparsers.add_parser("catalogue", help="the catalogue of datasets: checked, compared, printed, acted on")
    commands = parser.add_subparsers()

    check = commands.add_parser("check", help="everything wrong with the catalogue, with file, line and fix")
    options.policies(check)
    check.set_defaults(run=_check)

    compare = commands.add_parser("diff", help="what changes between two policies folders, and what breaks clients")
    compare.add_argument("before", metavar="A", type=Path, help="policies folder as it was")
    compare.add_argument("after", metavar="B", type=Path, help="policies folder as it will be")
    compare.set_defaults(run=_diff)

    printed = commands.add_parser("docs", help="the published catalogue as Markdown")
    options.policies(printed)
    printed.add_argument("--html", action="store_true", help="as an HTML page instead")
    printed.set_defaults(run=_docs)
    also(commands)


def _load(folder: Path) -> Catalogue:
    options.see_policies(folder)
    problems: list[Problem] = []
    catalogue = load(folder, problems)
    if problems:
        raise ConfigurationError(problems)
    return catalogue


def _check(args: argparse.Namespace) -> int:
    try:
        catalogue = _load(args.policies)
    except ConfigurationError as error:
        print(error)
        print(f"{counted(len(error.problems), 'problem')}.", file=sys.stderr)
        return 1
    print(
        f"Nothing wrong: {counted(len(catalogue.departments), 'department')},"
        f" {counted(len(catalogue.datasets), 'dataset')} of which "
        f"{len(catalogue.published)} published, {counted(len(catalogue.schemes), 'identifier scheme')}."
    )
    print(f"Digest: {catalogue.digest}")
    return 0


def _diff(args: argparse.Namespace) -> int:
    try:
        changes = diff(_load(args.before), _load(args.after))
    except ConfigurationError as error:
        print(error, file=sys.stderr)
        return 2
    for change in changes:
        print(change)
    broken = sum(not change.safe for change in changes)
    print(f"{broken} breaking, {len(changes) - broken} safe." if changes else "No difference in the catalogue.")
    if others := _differing(args.before, args.after):
        print(f"Other policies differ too: {', '.join(others)}. The catalogue does not define who may see what;")
        print(f"`dutybound rules diff {args.before} {args.after}` does.")
    return 1 if broken else 0


def _differing(before: Path, after: Path) -> list[str]:
    """The policies beside the catalogue that differ, or are in one folder only, as paths below it."""
    found = {
        path.relative_to(folder).as_posix()
        for folder in (before, after)
        for kind in ("*.yaml", "rules/*.cedar")
        for path in folder.glob(kind)
        if path.name != "identifiers.yaml"
    }
    return [name for name in sorted(found) if _bytes(before / name) != _bytes(after / name)]


def _bytes(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def _docs(args: argparse.Namespace) -> int:
    try:
        catalogue = _load(args.policies)
    except ConfigurationError as error:
        print(error, file=sys.stderr)
        return 2
    print(docs.page(catalogue) if args.html else docs.markdown(catalogue), end="")
    return 0
