"""What came of policy tests, as people read it in a terminal, and as JUnit XML, which CI systems read."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence
from pathlib import Path

from gateway.errors import Problem, printable
from gateway.nouns import counted
from gateway.rules.decide import words
from gateway.rules.ruleset import RuleSet
from gateway.rules.testing.judge import Coverage, Ran, Result, Unmet
from gateway.rules.testing.model import Expected, PolicyTest


def failures(result: Result, rule_set: RuleSet) -> Iterator[str]:
    """Every test that failed: where it stands, what was expected, what came of it, and why."""
    for ran in result.ran:
        if ran.unmet:
            yield f"{ran.test.file}:{ran.test.line}: FAILED: {printable(ran.test.name)}"
            for unmet in ran.unmet:
                yield from (f"  {line}" for line in told(ran.test, unmet, rule_set))
            yield ""


def told(test: PolicyTest, unmet: Unmet, rule_set: RuleSet) -> Iterator[str]:
    """One thing that came out otherwise than expected, with the rules behind it and what it would take."""
    cell = unmet.got
    where = f", asked for {unmet.inquiry}" if unmet.inquiry else ""
    yield f"{test.file}:{unmet.expected.line}: `{unmet.dataset}`: {', '.join(unmet.fields)}{where}"
    yield f"  expected: {_expected(unmet.expected)}"
    articles = f" (Art. {', '.join(cell.articles)})" if cell.articles else ""
    if cell.permitted:
        yield f"  got: permitted{articles}"
    else:
        by = f", by rule {cell.rule}" if cell.rule else ""
        yield f"  got: denied, {cell.reason}{by}{articles}"
        yield f"    {printable(cell.advice)}"
    for name in cell.rules:
        yield f"    rule {name} {printable(words.rule(rule_set.rules[name].policy))}"


def _expected(expected: Expected) -> str:
    if expected.permitted:
        return "permitted"
    said = [str(expected.reason)] if expected.reason is not None else []
    said += [f"by rule {expected.rule}"] if expected.rule is not None else []
    if expected.rules is not None:
        said.append(f"by exactly these rules: {', '.join(sorted(expected.rules)) or 'none'}")
    return ", ".join(["denied", *said])


def summary(result: Result) -> str:
    """One line: how much was tested, how fast, and how much of it failed."""
    tests, failed = len(result.ran), result.failed
    speed = round(result.expectations / result.seconds) if result.seconds else 0
    came = f"{failed} of them failed" if failed else "all as expected"
    return (
        f"{counted(tests, 'test')}, {counted(result.expectations, 'expectation', ',')} ({speed:,} per second): {came}"
    )


def coverage(found: Coverage) -> Iterator[str]:
    """What the tests prove of each rule and each reason, those first that they prove nothing of."""
    for what, counts in (("rules", found.rules), ("reasons of denials", {str(k): v for k, v in found.reasons.items()})):
        proved = sum(1 for count in counts.values() if count)
        yield f"{what}: {proved} of {len(counts)}"
        width = max(map(len, counts), default=0)
        for name, count in sorted(counts.items(), key=lambda each: (each[1] > 0, each[0])):
            yield f"  {name:<{width}}  {f'{count:>6,}' if count else 'NO TEST'}"


def junit(result: Result, rule_set: RuleSet) -> bytes:
    """The result as JUnit XML: a suite for each file, a case for each test."""
    whole = ET.Element("testsuites", name="dutybound rules test", tests=str(len(result.ran)))
    whole.set("failures", str(result.failed))
    whole.set("errors", "0")
    whole.set("time", f"{result.seconds:.3f}")
    suites: dict[str, list[Ran]] = {}
    for ran in result.ran:
        suites.setdefault(ran.test.file, []).append(ran)
    for file, several in suites.items():
        suite = ET.SubElement(whole, "testsuite", name=Path(file).stem, tests=str(len(several)), errors="0")
        suite.set("failures", str(sum(1 for ran in several if ran.unmet)))
        suite.set("time", f"{sum(ran.seconds for ran in several):.3f}")
        ET.SubElement(ET.SubElement(suite, "properties"), "property", name="rule set", value=result.digest)
        for ran in several:
            case = ET.SubElement(suite, "testcase", classname=Path(file).stem, name=printable(ran.test.name))
            case.set("file", file)
            case.set("line", str(ran.test.line))
            case.set("time", f"{ran.seconds:.6f}")
            if ran.unmet:
                fields = sum(len(unmet.fields) for unmet in ran.unmet)
                failure = ET.SubElement(case, "failure", type="expectation", message=f"{fields} not as expected")
                failure.text = "\n".join(line for unmet in ran.unmet for line in told(ran.test, unmet, rule_set))
    return _document(whole)


def junit_of_problems(problems: Sequence[Problem]) -> bytes:
    """Files that could not be read, as JUnit XML: an error for each problem, so that no earlier result stands."""
    count = str(len(problems))
    whole = ET.Element("testsuites", name="dutybound rules test", tests=count, failures="0", errors=count)
    suite = ET.SubElement(whole, "testsuite", name="policies", tests=count, failures="0", errors=count)
    for problem in problems:
        case = ET.SubElement(suite, "testcase", classname="policies", name=printable(f"{problem.file}:{problem.line}"))
        ET.SubElement(case, "error", type="problem", message=str(problem)).text = str(problem)
    return _document(whole)


def _document(root: ET.Element) -> bytes:
    ET.indent(root)
    written: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return written + b"\n"
