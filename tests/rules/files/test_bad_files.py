"""Files that are hardly an honest mistake: each is one problem, with file, line and reason, for bounded work."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway import documents
from gateway.errors import Problem
from tests.rules.policies import position, problems
from tests.rules.small import write

FILES = (
    "purposes.yaml",
    "requesters.yaml",
    "calendar.yaml",
    "identifiers.yaml",
    "catalogue/tax.yaml",
    "rules/plain.cedar",
)
YAML = tuple(name for name in FILES if name.endswith(".yaml"))
LARGE = 5_000_000


def copy(to: Path) -> Path:
    return write(to / "policies")


def with_rule(to: Path, text: str, name: str = "planted.cedar") -> Path:
    directory = copy(to)
    (directory / "rules" / name).write_text(text)
    return directory


def only(directory: Path, name: str) -> Problem:
    """The one problem that there is, which is this file's."""
    found = problems(directory)
    assert len(found) == 1, found
    assert found[0].file == str(directory / name)
    return found[0]


class Counted:
    """How many bytes and how many words of files are looked at."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.bytes = self.tokens = 0
        opened, scanning = Path.open, documents.YAML.scan

        def read(file: io.BufferedReader, size: int = -1) -> bytes:
            found = file.read(size)
            self.bytes += len(found)
            return found

        class Reading:
            def __init__(self, file: Any) -> None:
                self.file = file

            def __enter__(self) -> Reading:
                return self

            def __exit__(self, *_: object) -> None:
                self.file.close()

            def read(self, size: int = -1) -> bytes:
                return read(self.file, size)

        def open_(path: Path, mode: str = "r", *more: Any, **named: Any) -> Any:
            file = opened(path, mode, *more, **named)
            return Reading(file) if mode == "rb" else file

        def scan(yaml: Any, source: str) -> Iterator[Any]:
            for token in scanning(yaml, source):
                self.tokens += 1
                yield token

        monkeypatch.setattr(Path, "open", open_)
        monkeypatch.setattr(documents.YAML, "scan", scan)


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_five_megabytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    directory = copy(tmp_path)
    usual = sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())
    with (directory / name).open("ab") as file:
        file.write(b"# and so on\n" * (LARGE // 12))
    counted = Counted(monkeypatch)
    problem = only(directory, name)
    assert problem.line > 1
    assert "is larger than 1024 KiB, which end here" in problem.message
    assert counted.bytes <= usual + documents.MOST_BYTES + 1


BOMB = b"a: &a [x]\n" + b"".join(
    b"%c: &%c [%s]\n" % (98 + n, 98 + n, b",".join([b"*%c" % (97 + n)] * 9)) for n in range(20)
)


@pytest.mark.parametrize("name", YAML)
@pytest.mark.parametrize(
    "content",
    [BOMB, b"a: [" + b"*a," * 300_000 + b"x]\n", b"&a " * 100_000, b"a: &a [*a, *a]\n"],
    ids=["aliases of aliases", "many aliases", "many anchors", "an alias of itself"],
)
def test_a_yaml_bomb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, content: bytes) -> None:
    directory = copy(tmp_path)
    (directory / name).write_bytes(b"# first a comment\n" + content)
    counted = Counted(monkeypatch)
    told = [problem for problem in problems(directory) if problem.file == str(directory / name)]
    (problem,) = [problem for problem in told if "anchors, aliases and tags are not allowed" in problem.message]
    assert problem.line == 2
    mine = counted.tokens
    monkeypatch.undo()
    counted = Counted(monkeypatch)
    assert problems(copy(tmp_path / "usual")) == []
    assert mine <= counted.tokens + 20 * documents.MOST_MARKED


def test_a_file_that_says_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = copy(tmp_path)
    monkeypatch.setattr(documents, "MOST_TOKENS", 5_000)
    file = directory / "calendar.yaml"
    file.write_text(file.read_text() + "more: [" + "a," * 400_000 + "]\n")
    counted = Counted(monkeypatch)
    assert "has more than one file may" in only(directory, "calendar.yaml").message
    assert counted.tokens < 50_000


def test_no_more_is_told_than_anybody_reads(tmp_path: Path) -> None:
    directory = copy(tmp_path)
    (directory / "calendar.yaml").write_text("".join(f"k{n}: 1\n" for n in range(5_000)))
    assert len(problems(directory)) == 1_000


def _out(directory: Path, name: str) -> None:
    """The file moved out of the folder, and a link to it in its place."""
    elsewhere = directory.parent / "elsewhere"
    elsewhere.mkdir()
    file = directory / name
    file.rename(elsewhere / file.name)
    file.symlink_to(elsewhere / file.name)


@pytest.mark.parametrize("name", FILES)
def test_a_link_out_of_the_folder(tmp_path: Path, name: str) -> None:
    directory = copy(tmp_path)
    _out(directory, name)
    assert f"is a link that leads out of `{directory}`" in only(directory, name).message


@pytest.mark.parametrize("name", ["rules", "catalogue"])
def test_a_linked_folder_is_told_once(tmp_path: Path, name: str) -> None:
    directory = copy(tmp_path)
    _out(directory, name)
    (problem,) = [problem for problem in problems(directory) if "leads out of" in problem.message]
    assert problem.file == str(directory / name)


@pytest.mark.parametrize("name", FILES)
def test_a_link_within_the_folder_is_read(tmp_path: Path, name: str) -> None:
    """As a mounted ConfigMap has them."""
    directory = copy(tmp_path)
    data = directory / "..2026_06_15"
    data.mkdir()
    file = directory / name
    file.rename(data / file.name)
    file.symlink_to(data / file.name)
    assert problems(directory) == []


def test_the_folder_itself_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "linked").symlink_to(copy(tmp_path), target_is_directory=True)
    assert problems(tmp_path / "linked") == []


@pytest.mark.parametrize("name", FILES)
def test_a_pipe_is_not_waited_for(tmp_path: Path, name: str) -> None:
    directory = copy(tmp_path)
    (directory / name).unlink()
    os.mkfifo(directory / name)
    assert "is no file, but a pipe or a device" in only(directory, name).message


def test_a_link_to_itself(tmp_path: Path) -> None:
    directory = copy(tmp_path)
    (directory / "calendar.yaml").unlink()
    (directory / "calendar.yaml").symlink_to("calendar.yaml")
    assert "calendar.yaml" in only(directory, "calendar.yaml").file


CONTENTS: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "binary": (lambda content: bytes(range(128)) * 4, "has a character that no text has (U+0000)"),
    "NUL": (lambda content: content + b"x\0\n", "has a character that no text has (U+0000)"),
    "escape": (lambda content: content + b"# \x1b[2J\n", "has a character that no text has (U+001B)"),
    "end of a comment": (
        lambda content: content + "# no\u2028x\n".encode(),
        "has a character that no text has (U+2028)",
    ),
    "next line": (lambda content: content + "# no\x85x\n".encode(), "has a character that no text has (U+0085)"),
    "turned": (lambda content: content + "# no\u202ex\n".encode(), "has a character that no text has (U+202E)"),
    "isolated": (lambda content: content + "# no\u2066x\n".encode(), "has a character that no text has (U+2066)"),
    "Latin-1": (lambda content: content + "# Prüfung\n".encode("latin-1"), "is not UTF-8"),
    "UTF-16": (lambda content: content.decode().encode("utf-16"), "is not UTF-8 but UTF-16"),
}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("how", CONTENTS)
def test_what_is_no_text(tmp_path: Path, name: str, how: str) -> None:
    directory = copy(tmp_path)
    file = directory / name
    before = file.read_bytes()
    change, says = CONTENTS[how]
    file.write_bytes(change(before))
    problem = only(directory, name)
    assert says in problem.message
    assert problem.line == (1 if how in ("binary", "UTF-16") else before.count(b"\n") + 1)


@pytest.mark.parametrize("name", YAML)
def test_one_tab_is_one_problem(tmp_path: Path, name: str) -> None:
    directory = copy(tmp_path)
    file = directory / name
    lines = file.read_text().splitlines(keepends=True)
    at = next((n for n, line in enumerate(lines) if line.startswith("  ")), 0)
    lines[at] = "\t" + lines[at].removeprefix("  ")
    file.write_text("".join(lines))
    problem = only(directory, name)
    assert (problem.line, problem.column) == (at + 1, 1)
    assert problem.message == "a tab stands here; use spaces"


def test_a_key_that_stands_twice_is_told_once(tmp_path: Path) -> None:
    directory = copy(tmp_path)
    file = directory / "purposes.yaml"
    file.write_text(file.read_text().replace("  delete_after: P9D\n", "  delete_after: P9D\n" * 2, 1))
    problem = only(directory, "purposes.yaml")
    assert problem.message == "appears twice; keep one"
    assert problem.line == position(directory, "purposes.yaml", "delete_after: P9D")[0] + 1


RULE = """@id("planted")
@article("19")
@basis("Some Act")
@advice("Nothing to do.")
permit (principal, action == Action::"CHECK", resource)
when { resource.information == Information::"public" };
"""


def test_a_rule_whose_name_is_not_its_files(tmp_path: Path) -> None:
    directory = with_rule(tmp_path, RULE, "other.cedar")
    problem = only(directory, "rules/other.cedar")
    assert (problem.line, problem.column, problem.path) == (1, 5, "@id planted")
    assert "`planted` stands in `other.cedar`; name the file `planted.cedar`, or the rule `other`" in problem.message


def test_two_rules_with_one_name_are_one_problem_in_the_file_of_another_name(tmp_path: Path) -> None:
    directory = with_rule(tmp_path, RULE)
    (directory / "rules" / "a-copy.cedar").write_text(RULE)
    assert "is the id of the rule in `planted.cedar` too" in only(directory, "rules/a-copy.cedar").message


def test_two_rules_that_changed_names_are_told_as_that(tmp_path: Path) -> None:
    directory = copy(tmp_path)
    rules = directory / "rules"
    texts = [(rules / f"{name}.cedar").read_text() for name in ("plain", "case-missing")]
    for name, text in zip(("case-missing", "plain"), texts, strict=True):
        (rules / f"{name}.cedar").write_text(text)
    assert [problem.message.partition(";")[0] for problem in problems(directory)] == [
        "`plain` stands in `case-missing.cedar`",
        "`case-missing` stands in `plain.cedar`",
    ]


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        (
            RULE[RULE.index("action ==") :],
            "action, resource);\n",
            "permits everything to everybody, for every purpose",
        ),
        (
            '\nwhen { resource.information == Information::"public" }',
            "",
            "permits to every requester all that its grant covers",
        ),
        (
            'when { resource.information == Information::"public" }',
            "when { context.scope || true }",
            "permits to every requester all that its grant covers",
        ),
        (
            'action == Action::"CHECK"',
            "action",
            "permits for every purpose, also for those to come",
        ),
    ],
)
def test_a_permit_says_for_what_and_to_whom_or_of_what(tmp_path: Path, before: str, after: str, says: str) -> None:
    directory = with_rule(tmp_path, RULE.replace(before, after))
    problem = only(directory, "rules/planted.cedar")
    assert (problem.line, problem.path) == (5, "@id planted")
    assert says in problem.message


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('action == Action::"CHECK"', 'action in [Action::"CHECK"]'),
        ('resource.information == Information::"public"', 'principal.roles.contains(Role::"court")'),
        (
            ', resource)\nwhen { resource.information == Information::"public" }',
            ', resource in Dataset::"arrears")',
        ),
        ("(principal,", '(principal == Requester::"office",'),
    ],
)
def test_what_is_narrow_enough_is_taken(tmp_path: Path, before: str, after: str) -> None:
    assert before in RULE
    assert problems(with_rule(tmp_path, RULE.replace(before, after))) == []


def test_a_forbid_may_be_as_wide_as_it_likes(tmp_path: Path) -> None:
    text = RULE.replace('@basis("Some Act")', '@reason("NO_RULE")').replace("permit (", "forbid (")
    directory = with_rule(tmp_path, text.replace('action == Action::"CHECK"', "action"))
    assert problems(directory) == []
