"""`dutybound rules diff`: what opens and closes between two versions of the policies, before anybody approves it.

Exit codes are those of `diff`: 0 no difference, 1 some, 2 what could not be compared.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from gateway.errors import CommandRefused, ConfigurationError, in_order
from gateway.files import new_file
from gateway.rules.compare import forms, named, page, written
from gateway.rules.compare.report import Side, compare
from gateway.rules.load import load


def add(diff: argparse.ArgumentParser) -> None:
    """Give the command its arguments, and what runs it."""
    what = "a policies folder, or `git:REVISION[:FOLDER]`"
    diff.add_argument("before", metavar="A", help=f"the policies as they are: {what}")
    diff.add_argument("after", metavar="B", help="the policies as they would be")
    diff.add_argument(
        "--csv", action="store_true", help="a row for each cell that changes, and for each other difference"
    )
    diff.add_argument("--html", type=Path, metavar="FILE", help="write a page with a coloured matrix, to a new file")
    diff.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Compare, and print or write what differs."""
    try:
        before, after = (_side(name) for name in (arguments.before, arguments.after))
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
    except CommandRefused as error:
        print(error, file=sys.stderr)
        return 2
    except OSError as error:
        print(f"`{arguments.html}` cannot be written ({error.strerror})", file=sys.stderr)
        return 2
    return 0 if found.equal else 1


def _side(name: str) -> Side:
    with named.folder(name) as folder:
        return Side(name, load(folder), written.read(folder))
