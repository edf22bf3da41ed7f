"""The rules' loader: a misspelt word, a wrong type, a missing annotation: file, rule, line and column."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.rules.files import tokens
from tests.rules.policies import copy, edited, position, problems, shipped, with_rule

RULE = """// A comment that says tax-arears, Tendr and scop before the rule does.
@id("planted")
@article("19")
@basis("Some Act")
@advice("Nothing to do.")
permit (principal, action == Action::"TENDER_QUALIFICATION", resource in Dataset::"tax-arrears")
when {
  principal.roles.contains(Role::"department") &&
  principal.department == Department::"market" &&
  resource.information == Information::"public" &&
  context.scope
};
"""


def test_the_rule_that_the_mistakes_are_planted_in_is_right(tmp_path: Path) -> None:
    assert problems(with_rule(tmp_path, RULE)) == []


@pytest.mark.parametrize(
    ("before", "after", "word", "says"),
    [
        ('"TENDER_QUALIFICATION"', '"TENDER_QUALIFCATION"', '"TENDER_QUALIFCATION"', "did you mean `TENDER_QUAL"),
        ('::"tax-arrears"', '::"tax-arears"', '"tax-arears"', "did you mean `tax-arrears`"),
        ('in Dataset::"tax-arrears"', '== Field::"tax-arrears.amont"', '"tax-arrears.amont"', "`tax-arrears.amount`"),
        ("resource.information", "resource.informaton", "informaton", "did you mean `information`"),
        ("context.scope", "context.scop", "scop\n", "did you mean `scope`"),
        ("principal.department", "principal.dept", "dept", "there are department, roles"),
        ('Role::"department"', 'Role::"departement"', '"departement"', "did you mean `department`"),
        ('Department::"market"', 'Department::"markt"', '"markt"', "did you mean `market`"),
        ('Information::"public"', 'Information::"publik"', '"publik"', "did you mean `public`"),
        ('Information::"public"', 'Informaton::"public"', "Informaton", "did you mean `Information`"),
        ("resource.information ==", "resource has informaton &&", "informaton", "did you mean `information`"),
        ("context.scope", 'principal == Requester::"civil-cort"', '"civil-cort"', "did you mean `civil-court`"),
        ("context.scope", "action.scope", "scope\n", "`action` has no `scope`"),
    ],
)
def test_a_misspelt_word_is_told_where_it_stands(tmp_path: Path, before: str, after: str, word: str, says: str) -> None:
    directory = with_rule(tmp_path, RULE.replace(before, after))
    found = [problem for problem in problems(directory) if says in problem.message]
    assert found, problems(directory)
    problem = found[0]
    assert problem.file.endswith("rules/planted.cedar")
    assert problem.path == "@id planted"
    text = (directory / "rules/planted.cedar").read_text()
    offset = text.index(word, text.index("@id")) + word.startswith('"')  # past the comment, and the quote
    assert (problem.line, problem.column) == (
        text.count("\n", 0, offset) + 1,
        offset - (text.rfind("\n", 0, offset) + 1) + 1,
    )


@pytest.mark.parametrize(
    ("after", "word"),
    [
        ('context.scope == "yes"', "scope"),
        ("context.subject", "subject"),
        ('resource.information == "public"', "information"),
        ("context.scope > 3", "scope"),
        ("principal.roles", "roles"),
        ("7", "7"),
    ],
)
def test_a_wrong_type_is_told_at_the_condition_that_has_it(tmp_path: Path, after: str, word: str) -> None:
    directory = with_rule(tmp_path, RULE.replace("context.scope", after))
    (problem,) = problems(directory)
    assert problem.path == "@id planted"
    last = tokens.find(RULE.replace("context.scope", after), word)
    assert last is not None
    line = 11 if word not in ("information", "roles") else problem.line
    assert problem.line == line
    assert problem.column > 1


@pytest.mark.parametrize(
    ("before", "after", "word", "says"),
    [
        ("when {", "wen {", "wen {", "is not Cedar"),
        (".contains", ".contians", "contians", "is not a valid method"),
        ("permit (principal,", "permit (principle,", "principle", "is not Cedar"),
        ("};", "}", None, "unexpected end of input"),
        ('@article("19")', '@article("19"', "@basis", "is not Cedar"),
        ('@article("19")', '@article("19") @article("20")', "", "duplicate annotation"),
        ('@article("19")', "@article('19')", "'19'", "is not Cedar"),
        ("information ==", "information =", "= Information", "'=' is not a valid operator"),
        ('@id("planted")', "@id(“planted”)", "“planted", 'invalid token `“` (U+201C); write `"`'),
        (
            "permit (",
            "permit\u00a0－(",
            "－(",
            "invalid token `－` (U+FF0D); it can only stand in a string or a comment",
        ),
    ],
)
def test_a_syntax_error_is_told_where_it_stands(
    tmp_path: Path, before: str, after: str, word: str | None, says: str
) -> None:
    directory = with_rule(tmp_path, RULE.replace(before, after))
    (problem,) = problems(directory)
    assert says in problem.message
    if word is None:
        assert problem.line >= 11
    elif word:
        assert (problem.line, problem.column) == position(directory, "rules/planted.cedar", word)


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        ('@id("planted")\n', "", "`@id` is missing"),
        ('@article("19")\n', "", "`@article` is missing"),
        ('@advice("Nothing to do.")\n', "", "`@advice` is missing"),
        ('@advice("Nothing to do.")\n', '@advice("")\n', "`@advice` is missing"),
        ('@basis("Some Act")\n', "", "`@basis` is missing"),
        ('@basis("Some Act")\n', '@basis("Some Act")@artcle("1")\n', "did you mean `article`"),
        ('@id("planted")', '@id("Planted Rule")', "small letters"),
        ('@id("planted")', '@id("open-record")', "is the id of the rule in `open-record.cedar` too"),
        ('@advice("Nothing to do.")', '@advice("Ask {departmnt}.")', "did you mean `department`"),
        ("permit (", "forbid (", "`@reason` is missing"),
        ("permit (", '@reason("CONSENT_REQIRED") forbid (', "did you mean `CONSENT_REQUIRED`"),
        ("permit (", '@reason("GRANT_INACTIVE") forbid (', "unknown reason `GRANT_INACTIVE`"),
        ("permit (principal,", "permit (principal == ?principal,", "a template"),
        ("};", "};\npermit (principal, action, resource);", "2 rules in one file"),
    ],
)
def test_what_a_rule_must_say_of_itself(tmp_path: Path, before: str, after: str, says: str) -> None:
    found = problems(with_rule(tmp_path, RULE.replace(before, after)))
    assert any(says in problem.message and problem.file.endswith("planted.cedar") for problem in found), found


@pytest.mark.parametrize("text", ["", "// nothing\n", "\0", "\ufeff" + RULE])
def test_a_file_without_a_rule_is_refused(tmp_path: Path, text: str) -> None:
    found = problems(with_rule(tmp_path, text))
    assert found
    assert all(problem.file.endswith("planted.cedar") for problem in found)


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    directory = copy(tmp_path)
    (directory / "rules/planted.cedar").write_bytes(b"\xff\xfe")
    (problem,) = problems(directory)
    assert "not UTF-8" in problem.message


def test_no_rules_at_all_are_refused(tmp_path: Path) -> None:
    directory = copy(tmp_path)
    for file in (directory / "rules").iterdir():
        file.unlink()
    (problem,) = problems(directory)
    assert "holds no rule" in problem.message


@pytest.mark.parametrize("name", ["purposes.yaml", "requesters.yaml", "catalogue/tax.yaml"])
def test_a_file_that_cannot_be_read_does_not_repeat_itself_in_every_other(tmp_path: Path, name: str) -> None:
    directory = edited(tmp_path, name, ":\n", ": [\n")
    (found,) = problems(directory)
    assert found.file.endswith(name)


def test_a_mistake_elsewhere_hides_no_unknown_word(tmp_path: Path) -> None:
    directory = edited(tmp_path, "purposes.yaml", "OPEN_RECORD:", "OPEN_RECRD:")
    (directory / "calendar.yaml").write_text("time_zone: nowhere\n")
    (directory / "rules" / "court-enforcement.cedar").write_text("permit\n")
    found = problems(directory)
    assert any(problem.file.endswith("calendar.yaml") for problem in found)
    assert any('Action::"OPEN_RECORD"` (did you mean' in problem.message for problem in found)


def test_every_shipped_rule_says_what_it_must_and_stands_in_a_file_of_its_name() -> None:
    for rule in shipped().rules.values():
        assert Path(rule.file).stem == rule.id
        assert rule.articles
        assert rule.advice
        assert rule.basis if rule.effect == "permit" else rule.needs
