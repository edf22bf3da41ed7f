"""Identifier schemes: canonical forms of the shipped schemes, and what `identifiers.yaml` may not say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from stdnum import lei
from stdnum.exceptions import ValidationError
from stdnum.iso7064 import mod_11_10, mod_97_10

from gateway.catalogue.identifiers import _plain_lei, load_schemes, validator
from gateway.catalogue.model import IdentifierScheme
from gateway.errors import Problem

ROOT = Path(__file__).parents[2]


def shipped(name: str) -> IdentifierScheme:
    problems: list[Problem] = []
    schemes = load_schemes(ROOT / "policies" / "identifiers.yaml", problems)
    assert problems == []
    return schemes[name]


LEI, PIN = shipped("LEI"), shipped("PIN")
GOOD_LEI = "213800KUD8LAJWSQ9D15"
GOOD_PIN = "123456789" + mod_11_10.calc_check_digit("123456789")


def test_a_valid_value_is_its_own_canonical_form() -> None:
    assert LEI.canonical(GOOD_LEI) == GOOD_LEI
    assert LEI.canonical(GOOD_LEI.lower()) == GOOD_LEI
    assert PIN.canonical(GOOD_PIN) == GOOD_PIN


@pytest.mark.parametrize(
    "value",
    [
        "",
        "213800KUD8LAJWSQ9D16",
        "213800KUD8LXJWSQ9D15",
        "213800KUD8LAJWSQ9D1",
        f"0{GOOD_LEI}",
        f" {GOOD_LEI}",
        f"{GOOD_LEI}\n",
        "213800 KUD8LAJWSQ9D15",
        "213800KUD8LAJWSQ9D\u0661\u0665",
        "２１３８００KUD8LAJWSQ9D15",
        "213800KUD8LAJWSQ9D15'--",
        "x" * 10_000,
        "\x00" * 20,
    ],
)
def test_a_wrong_organisation_number_is_refused_without_repeating_it(value: str) -> None:
    with pytest.raises(ValueError, match="is not a valid LEI") as caught:
        LEI.canonical(value)
    assert not value or value not in str(caught.value)


def test_check_digits_alone_do_not_make_a_number_of_the_wrong_length_valid() -> None:
    short = "A1" + mod_97_10.calc_check_digits("A1")
    with pytest.raises(ValueError, match="is not a valid LEI"):
        LEI.canonical(short)
    short = "123" + mod_11_10.calc_check_digit("123")
    with pytest.raises(ValueError, match="is not a valid PIN"):
        PIN.canonical(short)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "123456789a",
        "1234567890123",
        "123-456-7891",
        " " + GOOD_PIN,
        GOOD_PIN + "\u200b",
        GOOD_PIN.translate({48 + digit: 0x660 + digit for digit in range(10)}),
        GOOD_PIN[:-1] + str((int(GOOD_PIN[-1]) + 1) % 10),
    ],
)
def test_a_wrong_personal_number_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="is not a valid PIN"):
        PIN.canonical(value)


@given(st.text(max_size=30))
def test_any_text_is_canonical_or_a_value_error(value: str) -> None:
    for scheme in (LEI, PIN):
        try:
            form = scheme.canonical(value)
        except ValueError:
            continue
        assert scheme.canonical(form) == form
        assert form.isascii()


likely = st.text("0123456789ABYZabyz -.", min_size=16, max_size=20)


@given(likely.map(lambda text: text[:18] + mod_97_10.calc_check_digits(re.sub("[^0-9A-Za-z]", "", text))) | likely)
@example(GOOD_LEI)
@example(GOOD_LEI + "\n")
@example("2138-00KUD8LAJWSQ9D15")
@example("\u0661" * 20)
def test_a_plain_lei_is_what_the_library_gives_back_as_it_is(value: str) -> None:
    try:
        same = lei.validate(value) == value
    except ValidationError:
        same = False
    assert _plain_lei(value) == (same and re.fullmatch("[0-9A-Z]{18}[0-9]{2}", value) is not None)


@pytest.mark.parametrize(
    ("module", "message"),
    [
        ("os", "not a module of python-stdnum"),
        ("stdnum", "not a module of python-stdnum"),
        ("stdnum.lei; import os", "not a module of python-stdnum"),
        ("stdnum..os", "not a module of python-stdnum"),
        ("stdnum.leii", "has no module"),
        ("stdnum.util", "has no check"),
    ],
)
def test_only_checking_modules_of_python_stdnum_are_imported(module: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        validator(module)


@pytest.mark.parametrize(
    ("text", "message", "line"),
    [
        ("LEI: {title: L, subjects: [organisation]}", "needs `module` (of python-stdnum) or `pattern`", 1),
        ("LEI: {title: L, subjects: [organisation], module: stdnum.lej}", "has no module `stdnum.lej`", 1),
        ("LEI:\n  title: L\n  subjects: [organization]\n  pattern: x", "did you mean `organisation`?", 3),
        ("LEI:\n  title: L\n  subjects: []\n  pattern: x", "names no kind of subject", 3),
        ("LEI:\n  title: L\n  subjects: [person, person]\n  pattern: x", "appears twice", 3),
        ("LEI:\n  title: L\n  subjects: [person]\n  pattern: '['", "not a regular expression", 4),
        ("LEI:\n  title: L\n  subjects: [person]\n  patern: x", "unknown key `patern` (did you mean `pattern`?)", 4),
        ("lei: {title: L, subjects: [person], pattern: x}", "in capitals", 1),
        ("NAME: {title: N, subjects: [person], pattern: '.*'}", "takes `IVAN.PETROV`, so that people could be", 1),
        ("NAME: {title: N, subjects: [person], pattern: '[a-z.-]+'}", "takes `ivan-petrov`", 1),
        ("MAIL: {title: M, subjects: [person], pattern: '[a-z.]+@[a-z.]+'}", "takes `i.petrov@post.example`", 1),
        ("CALL: {title: C, subjects: [person], pattern: '[+0-9]+'}", "takes `+359888123456`", 1),
        (
            "LEI: {title: L, subjects: [organisation], pattern: x}\nEIK: {title: E, subjects: [organisation]}",
            "`organisation` has the scheme `LEI` already",
            2,
        ),
        (
            "LEI: {title: L, subjects: [organisation, person], pattern: x}\nPIN: {title: P, subjects: [person]}",
            "`person` has the scheme `LEI` already",
            2,
        ),
        ("LEI: 3", "must be a mapping", 1),
        ("[]", "must be a mapping", 1),
        ("{}", "names no identifier scheme", 1),
    ],
)
def test_what_is_wrong_with_identifiers_is_told_with_its_line(
    tmp_path: Path, text: str, message: str, line: int
) -> None:
    file = tmp_path / "identifiers.yaml"
    file.write_text(text, encoding="utf-8")
    problems: list[Problem] = []
    load_schemes(file, problems)
    assert any(message in problem.message and problem.line == line for problem in problems), problems
