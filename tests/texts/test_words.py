"""The texts of the pages: how they are read, and how they are filled in."""

from __future__ import annotations

import datetime
import json
import re
from pathlib import Path

import pytest

from gateway.errors import ConfigurationError
from gateway.texts import words
from gateway.texts.words import ENGLISH, Words


def test_what_is_filled_in_is_escaped() -> None:
    told = Words({"a": "<b>{x}</b>"})("a", x="<script>")
    assert told == "<b>&lt;script&gt;</b>"
    assert Words({}).get("none", "<i>") == "&lt;i&gt;"


def test_days_and_amounts_are_as_people_write_them() -> None:
    texts = Words(words.read(), lambda: datetime.timezone(datetime.timedelta(hours=2)))
    assert texts.day("2026-11-30") == "Monday 30 November 2026"
    assert texts.day("2026-11-30T23:12:00Z") == "Tuesday 1 December 2026"
    assert texts.moment("2026-11-30T23:12:00Z") == "Tuesday 1 December 2026, 01:12"
    assert texts.written("85632.76") == "85,632.76"
    for same in ("2024", "E 7861/2024", "-", "2026-13-01", "00123456"):
        assert texts.written(same) == same
    assert texts.several(["a", "<b>", "c"]) == "a, &lt;b&gt; and c"
    assert texts.several([]) == ""
    assert texts.month("2026-11") == "November 2026"
    assert texts.law("Trade <Act>", None) == "Trade &lt;Act&gt;"
    assert texts.law("Trade Act", "12") == "Trade Act, article 12"


def test_scripts_get_their_texts_as_they_stand() -> None:
    texts = Words({"scripts.editor.line": "<{line}>", "scripts.play.kind": "é", "scripts.editors.a": "", "frame": ""})
    assert json.loads(texts.scripts("editor", "play")) == {"editor.line": "<{line}>", "play.kind": "é"}


def test_a_reason_has_words_and_a_code_that_is_not_known_stays() -> None:
    texts = Words(words.read())
    assert texts.reason("NO_RULE") == "no rule permits it"
    assert texts.reason("INTERNAL") == "the gateway failed"
    assert texts.reason("<NEW>") == "&lt;NEW&gt;"


def test_another_language_is_read_where_it_has_every_text(tmp_path: Path) -> None:
    other = tmp_path / "other.toml"
    other.write_text(ENGLISH.read_text("utf-8").replace('"Sign out"', '"Abmelden"'), "utf-8")
    assert words.read(other)["frame.leave"] == "Abmelden"


@pytest.mark.parametrize(
    ("text", "instead", "told"),
    [
        ('leave = "Sign out"\n', "", "frame.leave: is missing; in English it is `Sign out`"),
        ("[frame]\n", "[frame]\nmore = 1\n", "frame.more: is no text of the pages; remove it"),
        ('"{day}, {time}"', '"{day}, {hour}"', "days.at: nothing fills in `{hour}`; in English it is `{day}, {time}`"),
        ('"{day}, {time}"', '"{day.__class__}"', "days.at: nothing fills in `{day.__class__}`"),
        ('"{day}, {time}"', '"{day"', "days.at: has braces that cannot be filled in"),
        ('language = "en-GB"', 'language = "English"', "language: must be the tag of a language"),
        ("[frame]", "[frame", "cannot be read as TOML"),
    ],
)
def test_what_is_wrong_with_a_language_is_told(tmp_path: Path, text: str, instead: str, told: str) -> None:
    written = ENGLISH.read_text("utf-8")
    assert text in written
    other = tmp_path / "other.toml"
    other.write_text(written.replace(text, instead, 1), "utf-8")
    with pytest.raises(ConfigurationError, match=re.escape(told)):
        words.read(other)


def test_a_language_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no-such"):
        words.read(tmp_path / "no-such.toml")
