"""`catalogue check`, `diff` and `docs`, as the command line runs them."""

from __future__ import annotations

import argparse
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from gateway.catalogue.commands import register
from gateway.catalogue.diff import diff
from gateway.catalogue.docs import markdown, page
from tests.catalogue.policies import IDENTIFIERS, adverse, catalogue_of, dataset, write

ROOT = Path(__file__).parents[2]


def run(*words: str | Path) -> int:
    parser = argparse.ArgumentParser()
    register(parser.add_subparsers(required=True))
    args = parser.parse_args(["catalogue", *map(str, words)])
    code: int = args.run(args)
    return code


def test_check_of_the_shipped_catalogue(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("check", "--policies", ROOT / "policies") == 0
    assert "5 departments, 16 datasets of which 15 published, 2 identifier schemes" in capsys.readouterr().out


def test_check_tells_file_line_path_and_fix(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, {"notices": dataset(nature="advers"), "health": dataset()})
    assert run("check", "--policies", tmp_path) == 1
    lines = capsys.readouterr().out.splitlines()
    file = tmp_path / "catalogue" / "tax.yaml"
    number = next(n for n, text in enumerate(file.read_text().splitlines(), 1) if '"advers"' in text)
    assert f"{file}:{number}:14: datasets.notices.nature: unknown `advers` (did you mean `adverse`?)" in lines[0]
    assert "`health` speaks of health data" in lines[1]


BOTH = ["organisation", "person"]
BEFORE: dict[str, Any] = {
    "notices": dataset({"number": "String", "amount": "Decimal"}, subjects=BOTH),
    "plans": dataset({"text": "String"}, status="draft"),
}
SAFE: dict[str, dict[str, Any]] = {
    "nothing": {},
    "field added": {"notices": dataset({"number": "String", "amount": "Decimal", "on": "Date"}, subjects=BOTH)},
    "dataset added": {"letters": dataset()},
    "draft changed": {"plans": dataset({"other": "Int"}, status="draft")},
    "draft removed": {"plans": None},
    "draft published": {"plans": dataset({"text": "String"})},
    "opened": {"notices": BEFORE["notices"] | {"disclosure": "open"}},
    "title": {"notices": BEFORE["notices"] | {"title": "Other notices"}},
    "nature": {"notices": adverse({"number": "String", "amount": "Decimal"}, subjects=BOTH)},
    "basis": {"notices": BEFORE["notices"] | {"basis": [{"law": "New Act"}]}},
}  # fmt: skip
BREAKING: dict[str, tuple[dict[str, Any], str]] = {
    "dataset removed": ({"notices": None}, "notices: removed"),
    "dataset retired": ({"notices": BEFORE["notices"] | {"status": "retired"}}, "no longer published, now retired"),
    "field removed": ({"notices": dataset({"number": "String"}, subjects=BOTH)}, "notices.amount: removed"),
    "field type": (
        {"notices": dataset({"number": "Int", "amount": "Decimal"}, subjects=BOTH)},
        "notices.number: type String became Int",
    ),
    "subject kind": ({"notices": BEFORE["notices"] | {"subjects": ["organisation"]}}, "no longer about persons"),
    "shape": ({"notices": BEFORE["notices"] | {"shape": "subject"}}, "shape list became subject"),
    "disclosure": ({"notices": BEFORE["notices"] | {"disclosure": "authorised"}}, "shared became authorised"),
    "information": ({"notices": BEFORE["notices"] | {"information": "non_public"}}, "public became non_public"),
}  # fmt: skip


def changed(changes: dict[str, Any]) -> dict[str, Any]:
    return {name: entry for name, entry in (BEFORE | changes).items() if entry is not None}


@pytest.mark.parametrize("case", SAFE)
def test_what_does_not_break_clients(tmp_path: Path, capsys: pytest.CaptureFixture[str], case: str) -> None:
    before, after = write(tmp_path / "a", BEFORE), write(tmp_path / "b", changed(SAFE[case]))
    assert run("diff", before, after) == 0
    out = capsys.readouterr().out
    assert "BREAKING" not in out
    assert ("No difference in the catalogue." in out) == (case == "nothing")
    assert "Other policies" not in out


def test_other_policies_that_differ_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before, after = write(tmp_path / "a", BEFORE), write(tmp_path / "b", BEFORE)
    for folder, text in ((before, "a: 1"), (after, "a: 2")):
        (Path(folder) / "purposes.yaml").write_text(text)
        (Path(folder) / "calendar.yaml").write_text("same: true")
    (Path(after) / "rules").mkdir()
    (Path(after) / "rules" / "new.cedar").write_text("permit (principal, action, resource);")
    assert run("diff", before, after) == 0
    out = capsys.readouterr().out
    assert "No difference in the catalogue.\nOther policies differ too: purposes.yaml, rules/new.cedar." in out
    assert f"`dutybound rules diff {before} {after}` does." in out


@pytest.mark.parametrize("case", BREAKING)
def test_what_breaks_clients(tmp_path: Path, capsys: pytest.CaptureFixture[str], case: str) -> None:
    changes, message = BREAKING[case]
    before, after = write(tmp_path / "a", BEFORE), write(tmp_path / "b", changed(changes))
    assert run("diff", before, after) == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if line.startswith("BREAKING") and message in line], lines
    assert lines[-1].startswith("1 breaking")


PEOPLE = {"PIN": IDENTIFIERS["PIN"]}
"""Without organisations: a kind of subject has one scheme."""


@pytest.mark.parametrize(
    ("before", "schemes", "code", "message"),
    [
        (IDENTIFIERS, {"LEI": None}, 1, "LEI: identifier scheme removed"),
        (
            IDENTIFIERS,
            {"PIN": IDENTIFIERS["PIN"] | {"pattern": "[0-9]{9}"}},
            1,
            "values that were valid may be refused",
        ),
        (PEOPLE, {"PIN": IDENTIFIERS["PIN"] | {"subjects": BOTH}}, 0, "now names organisations too"),
        (PEOPLE, {"VAT": IDENTIFIERS["LEI"] | {"module": "stdnum.eu.vat"}}, 0, "VAT: new identifier scheme"),
        (IDENTIFIERS, {"PIN": IDENTIFIERS["PIN"] | {"title": "Number"}}, 0, "title became `Number`"),
    ],
)
def test_identifier_schemes_break_clients_too(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    before: dict[str, Any],
    schemes: dict[str, Any],
    code: int,
    message: str,
) -> None:
    people = {"notices": dataset(subjects=["person"])}
    after = {name: entry for name, entry in (before | schemes).items() if entry}
    assert run("diff", write(tmp_path / "a", people, before), write(tmp_path / "b", people, after)) == code
    assert message in capsys.readouterr().out


def test_a_diff_and_its_opposite_see_the_same_places(tmp_path: Path) -> None:
    before = catalogue_of(tmp_path / "a", BEFORE)
    after = catalogue_of(tmp_path / "b", {"notices": adverse({"number": "Int"}), "letters": dataset()})
    assert {change.path for change in diff(before, after)} == {change.path for change in diff(after, before)}
    assert diff(before, before) == []


def test_diff_and_docs_do_not_read_a_broken_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write(tmp_path, {"notices": dataset(nature="bad")})
    assert run("diff", ROOT / "policies", folder) == 2
    assert run("docs", "--policies", folder) == 2
    assert capsys.readouterr().err.count("unknown `bad`") == 2


def test_docs_print_what_is_published_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("docs", "--policies", ROOT / "policies") == 0
    text = capsys.readouterr().out
    assert "### Notices of tax arrears" in text
    assert "- Legal basis: Tax Collection Act, Art. 45" in text
    assert "| amount | Decimal | Amount due |" in text
    assert "at least 3 months and at most 3 years" in text
    assert "inspection" not in text.lower()


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        self.addresses += [str(value) for name, value in attrs if name in ("src", "href", "action")]
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_well_formed_and_loads_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("docs", "--html", "--policies", ROOT / "policies") == 0
    text = capsys.readouterr().out
    tags = _Tags()
    tags.feed(text)
    assert tags.open == []
    assert tags.addresses == []
    assert "script" not in tags.seen
    assert "Notices of tax arrears" in text
    assert "inspection" not in text.lower()


def test_what_policies_say_is_never_markup(tmp_path: Path) -> None:
    nasty = "<script>alert(1)</script> | a *b* [c](d)\n# e"
    made = catalogue_of(tmp_path, {"notices": dataset(title=nasty, basis=[{"law": nasty}])})
    tags = _Tags()
    tags.feed(page(made))
    assert "script" not in tags.seen
    text = markdown(made)
    assert "\\<script\\>" in text
    assert "\\| a \\*b\\* \\[c\\](d) \\# e" in text
    assert not any(line.startswith("# e") for line in text.splitlines())
