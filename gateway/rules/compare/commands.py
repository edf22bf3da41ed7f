"""`dutybound rules diff`: what opens and closes between two versions of the policies, before anybody approves it.

Exit codes are those of `diff`: 0 no difference, 1 some, 2 what could not be compared.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Callable
from pathlib import Path

from gateway.command import options
from gateway.errors import CommandRefused, ConfigurationError, StoreUnavailable, in_order
from gateway.files import new_file
from gateway.rules.compare import forms, named, page, written
from gateway.rules.compare.report import Side, compare
from gateway.rules.load import load

Stored = Callable[[str, Path], contextlib.AbstractContextManager[Path] | None]
"""Lays the files of a stored rule set out, by what the command line calls it and the configuration that it names; None
where the name is not meant of a store."""


def no_store(name: str, config: Path | None) -> None:
    """Where there is no store, everything is a folder."""


def add(diff: argparse.ArgumentParser, stored: Stored = no_store) -> None:
    """Give the command its arguments, and what runs it. `stored` gives rule sets of a store, a part above this one."""
    what = "a policies folder, `git:REVISION[:FOLDER]`, or of the store of --config `active` or a rule set's digest"
    diff.add_argument("before", metavar="A", help=f"the policies as they are: {what}")
    diff.add_argument("after", metavar="B", help="the policies as they would be")
    diff.add_argument(
        "--csv", action="store_true", help="a row for each cell that changes, and for each other difference"
    )
    diff.add_argument("--html", type=Path, metavar="FILE", help="write a page with a coloured matrix, to a new file")
    options.config(diff)
    diff.set_defaults(run=run, stored=stored)


def run(arguments: argparse.Namespace) -> int:
    """Compare, and print or write what differs."""
    try:
        names = (arguments.before, arguments.after)
        before, after = (_side(name, arguments.stored(name, arguments.config)) for name in names)
        found = compare(before, after)
        if arguments.html is not None:
            new_file(arguments.html, "".join(page.as_page(found)).encode())
            print(f"{forms.lead(found)} See {arguments.html}.")
        else:
            lines = forms.as_csv(found) if arguments.csv else (f"{line}\n" for line in forms.as_text(found))
            sys.stdout.writelines(lines)
    except ConfigurationError as error:
        for problem in in_order(error.problems):
            print(problem, file=sys.stderr)
        return 2
    except (CommandRefused, StoreUnavailable) as error:
        print(error, file=sys.stderr)
        return 2
    except OSError as error:
        named = arguments.html or error.filename
        if named is None:  # what is printed cannot be
            raise
        print(f"`{named}` cannot be {'written' if arguments.html else 'read'} ({error.strerror})", file=sys.stderr)
        return 2
    return 0 if found.equal else 1


def _side(name: str, stored: contextlib.AbstractContextManager[Path] | None) -> Side:
    if stored is not None:
        with stored as folder:
            return Side(name, load(folder), written.read(folder))
    with named.folder(name) as folder:
        return Side(name, load(folder), written.read(folder))
