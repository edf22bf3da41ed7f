"""`dutybound rules test`: the tests of `policies/tests/`, run against the policies beside them.

Exit codes: 0 all came as expected, 1 something did not, or too little is covered, or a file is wrong; 2 a wrong call.
"""

from __future__ import annotations

import argparse
import fnmatch
import functools
import sys
from collections.abc import Sequence
from pathlib import Path

from gateway.errors import CommandRefused, ConfigurationError, Problem, in_order
from gateway.files import not_writable
from gateway.rules import load
from gateway.rules.testing import judge, read, report
from gateway.rules.testing.model import Inquire, PolicyTest
from gateway.values import suggest


def add(parser: argparse.ArgumentParser, inquire: Inquire) -> None:
    """Give the command its arguments; `inquire` is how an inquiry is decided."""
    parser.add_argument("name", nargs="*", metavar="NAME", help="files (`licence-renewal`) or tests, also as `*court*`")
    parser.add_argument("--junit", type=Path, metavar="FILE", help="write the result as JUnit XML too")
    parser.add_argument("--coverage", action="store_true", help="also list which rules and reasons no test proves")
    parser.add_argument(
        "--threshold", type=_percent, metavar="N", help="fail where less than N %% of rules, or of reasons, are proved"
    )
    parser.set_defaults(run=functools.partial(_test, inquire=inquire))


def _percent(text: str) -> int:
    if not text.isdecimal() or not 0 <= int(text) <= 100:
        raise argparse.ArgumentTypeError(f"`{text}` must be a whole number from 0 to 100")
    return int(text)


def _test(arguments: argparse.Namespace, inquire: Inquire) -> int:
    if arguments.junit is not None and (wrong := not_writable(arguments.junit)):
        raise CommandRefused(f"--junit: `{arguments.junit}` {wrong}")
    problems: list[Problem] = []
    try:
        rule_set = load.load(arguments.policies)
    except ConfigurationError as error:
        return _refused(error.problems, arguments.junit)
    tests = read.load(arguments.policies, rule_set, problems)
    if not tests and not problems:
        folder = arguments.policies / read.FOLDER
        problems.append(Problem(str(folder), 0, 0, "", "holds no test (`*.yaml`): nothing is proved; write one"))
    if problems:
        return _refused(in_order(problems), arguments.junit)
    chosen = _chosen(tests, arguments.name)
    result = judge.run(rule_set, chosen, inquire)
    for line in report.failures(result, rule_set):
        print(line)
    if arguments.coverage:
        print("\n".join(report.coverage(result.coverage)))
    print(report.summary(result))
    if arguments.junit is not None:
        arguments.junit.write_bytes(report.junit(result, rule_set))
    percent = result.coverage.percent
    if arguments.threshold is not None and percent < arguments.threshold:
        print(
            f"{percent} % is covered, less than {arguments.threshold} %; `--coverage` lists what is not",
            file=sys.stderr,
        )
        return 1
    return 1 if result.failed else 0


def _refused(problems: Sequence[Problem], junit: Path | None) -> int:
    print("\n".join(map(str, problems)), file=sys.stderr)
    print(f"{len(problems)} problem{'s' if len(problems) > 1 else ''}; nothing was tested", file=sys.stderr)
    if junit is not None:
        junit.write_bytes(report.junit_of_problems(problems))
    return 1


def _chosen(tests: Sequence[PolicyTest], names: Sequence[str]) -> list[PolicyTest]:
    """The tests of these names, files or patterns, in their order; all where none is named."""
    known = {word for test in tests for word in (Path(test.file).stem, test.name)}
    for name in names:
        if not fnmatch.filter(known, name):
            raise CommandRefused(f"no test and no file is called `{name}`{suggest(name, known)}")
    return [
        test
        for test in tests
        if not names or any(fnmatch.fnmatchcase(word, n) for n in names for word in (Path(test.file).stem, test.name))
    ]
