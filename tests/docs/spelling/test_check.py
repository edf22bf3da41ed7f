"""The spelling check finds what is spelled wrong, where it stands, and nothing that is no word."""

from __future__ import annotations

import pytest

from tests.docs.reading import ROOT
from tests.docs.spelling import check

PAGE = ROOT / "README.md"


def wrong(text: str) -> list[str]:
    return check.unknown([(PAGE, line, word) for line, word in check.words(text)], frozenset({"valkey"}))


@pytest.mark.parametrize("word", ["recieve", "Goverment", "occured", "ledgr's", "seperately"])
def test_a_word_that_is_spelled_wrong_is_found_with_its_line(word: str) -> None:
    [found] = wrong(f"One line.\nAnd {word} in another.")
    plain = word.lower().removesuffix("'s")
    assert found == f"README.md:2: {plain}"


@pytest.mark.parametrize(
    "text",
    [
        "Valkey counts.", "`recieve` is code", "```sh\nrecieve\n```", "[a link](recieve.md)", "see recieve.py",
        "an XQZRT and a camelCase", "https://gateway.example/recieve", "{recieve} is filled in", "a name_of_recieve",
    ],
)  # fmt: skip
def test_what_is_no_word_is_passed_over(text: str) -> None:
    assert wrong(text) == []


def test_pages_docstrings_and_texts_are_read() -> None:
    files = ("README.md", "gateway/inquiry/answer.py", "connectors/base.py", "gateway/texts/en.toml")
    assert {ROOT / each for each in files} <= set(check.files())
    assert all([text for _, text in check.texts(ROOT / each)] for each in files)


def test_the_list_has_no_word_twice_and_stands_in_order() -> None:
    listed = check.OWN.read_text("utf-8").split()
    assert listed == sorted(set(listed))
    assert all(word.isalpha() and word.islower() for word in listed)
