"""Whatever stands in the files, loading gives a value or problems with their places; never a traceback."""

from __future__ import annotations

import functools
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.errors import Problem
from gateway.rules.check import references
from gateway.rules.decide import vocabulary
from gateway.rules.files import calendar, purposes, requesters, rule
from gateway.rules.files.rule import Rule
from gateway.rules.ruleset import RuleSet
from tests.drawn import examples
from tests.rules.policies import ALL, SHIPPED, copy, problems, shipped

PIECES = [
    *("", " ", "\n", "\t", "  ", ":", "- ", "[", "]", "{", "}", '"', "'", ",", "#", "|", ">", "&a", "*a", "!x", "---"),
    *("~", "null", "true", "all", "*", "P1D", "2026-13-01", "99999999999999999999", "\0", "\u2028", "é", "case:"),
    *("permit", "forbid", "when", "unless", ";", "(", ")", "::", "==", "&&", "||", "!", "?principal", "context."),
    *('Action::"X"', 'Dataset::"tax-arrears"', "9223372036854775808", "@id", '@id("x")', "//", "\\", "has", "like"),
]


@st.composite
def broken(draw: st.DrawFn, text: str) -> str:
    """A text with a few places cut out, written over or written into."""
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(text)))
        length = draw(st.sampled_from([0, 0, 1, 2, 5, 20, 200]))
        text = text[:start] + draw(st.sampled_from(PIECES) | st.text(max_size=3)) + text[start + length :]
    return text


def told(found: list[Problem], text: str) -> None:
    """Each problem stands in the text, or is about the whole file, and says something."""
    lines = text.count("\n") + text.count("\r") + text.count("\u2028") + text.count("\u2029") + text.count("\x85") + 2
    for problem in found:
        assert 0 <= problem.line <= lines, problem
        assert problem.column >= 0
        assert problem.message


def write(path: Path, text: str) -> None:
    path.write_bytes(text.encode("utf-8", "surrogatepass"))


@functools.cache
def words() -> vocabulary.Vocabulary:
    policies = shipped().policies
    found: list[Problem] = []
    who = requesters.load(SHIPPED, policies.catalogue, policies.purposes, None, found)
    assert not found
    return vocabulary.of(policies.catalogue, policies.purposes, who)


RULES = [held.text for held in shipped().rules.values()]


@given(st.sampled_from(RULES).flatmap(broken))
@settings(max_examples=examples(30, 120), deadline=None)
def test_a_broken_rule(text: str) -> None:
    found: list[Problem] = []
    read: Rule | None = rule.parse(text, "planted.cedar", found)
    assert (read is None) is bool(found)
    if read is not None:
        references.check([read], words(), found)
    told(found, text)


@given(st.text(max_size=40))
@settings(max_examples=50, deadline=None)
def test_any_text_as_a_rule(text: str) -> None:
    found: list[Problem] = []
    assert rule.parse(text, "planted.cedar", found) is None
    assert found
    told(found, text)


@pytest.mark.parametrize("times", [30, 60, 500, 3000, 30_000])
@pytest.mark.parametrize(
    ("before", "again", "after"),
    [
        ("", "(", "context.case"),
        ("", "[", "1"),
        ("true", " && context.case", ""),
        ("1 == 1", " + 1", ""),
        ("context", ".case", ""),
        ("", "if context.case then true else ", "false"),
        ("true } unless { false", " } unless { false", ""),
    ],
)
def test_a_rule_of_any_depth_or_length(before: str, again: str, after: str, times: int) -> None:
    """Cedar itself ends the process on deep brackets, and cannot read back what it wrote of a long condition."""
    closing = {"(": ")", "[": "]"}.get(again, "") * times
    annotations = '@id("planted")@article("1")@advice("x")@basis("x")'
    text = f"{annotations}\npermit (principal, action, resource) when {{ {before}{again * times}{after}{closing} }};"
    found: list[Problem] = []
    read = rule.parse(text, "planted.cedar", found)
    assert (read is None) is bool(found)
    assert read is None or times < 1000 or "unless" in again
    if read is not None:
        references.check([read], words(), found)
    told(found, text)


@pytest.mark.parametrize("file", [purposes.FILE, requesters.FILE, "calendar.yaml"])
def test_a_broken_yaml_file(tmp_path: Path, file: str) -> None:
    policies = shipped().policies
    original = (SHIPPED / file).read_text(encoding="utf-8")

    @given(broken(original))
    @settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    def holds(text: str) -> None:
        write(tmp_path / file, text)
        found: list[Problem] = []
        if file == purposes.FILE:
            purposes.load(tmp_path, policies.catalogue, found)
        elif file == requesters.FILE:
            requesters.load(tmp_path, policies.catalogue, policies.purposes, None, found)
        else:
            calendar.load(tmp_path, found)
        told(found, text)

    holds()


def test_a_broken_folder(tmp_path: Path) -> None:
    directory = copy(tmp_path)
    files = sorted(path for path in directory.rglob("*") if path.suffix in (".yaml", ".cedar"))
    texts = {path: path.read_text(encoding="utf-8") for path in files}

    @given(st.sampled_from(files), st.data())
    @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    def holds(path: Path, data: st.DataObject) -> None:
        write(path, data.draw(broken(texts[path])))
        found = problems(directory)
        assert found == sorted(found)
        write(path, texts[path])

    holds()


def test_what_loads_can_be_decided(tmp_path: Path) -> None:
    """A rule that the loader takes never makes Cedar refuse the question: its table can be made."""
    policies = shipped().policies
    entry = next(iter(policies.requesters.values()))
    who = requesters.load(SHIPPED, policies.catalogue, policies.purposes, None, [])

    @given(st.sampled_from(RULES).flatmap(broken))
    @settings(max_examples=75, deadline=None)
    def holds(text: str) -> None:
        found: list[Problem] = []
        read = rule.parse(text, "planted.cedar", found)
        if read is not None:
            references.check([read], words(), found)
        if read is not None and not found:
            rule_set = RuleSet(policies.catalogue, policies.purposes, who, [read], calendar.Calendar())
            assert rule_set.cells(entry.grants[0], "organisation", ALL)

    holds()
