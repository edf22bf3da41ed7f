"""The API's words about one's history, in the words of the pages: `answered`, `refused: QUOTA_EXCEEDED`.

The API has a sentence for each that there is, with ids in it; here each has a text, and ids have titles. A sentence
that is not known stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from gateway.console.names import Names
from gateway.texts.words import Words

SENTENCES: Mapping[str, str] = {
    "answered": "answered",
    "answered in part: a department was out of reach": "in_part",
    "not released: nobody received the answer": "not_released",
    "looked at what the ledger has about you": "viewed",
    "refused: {code}": "refused",
    "it may be used for {purpose} only": "purpose_only",
    "it may not be passed on": "no_onward",
    "it is to be deleted by {day}": "delete_by",
    "at its counter: gave a consent for you": "gave_consent",
    "at its counter: took a consent back for you": "took_consent",
    "at its counter: declined a consent for you": "declined_consent",
    "at its counter: filed an objection for you": "filed_objection",
    "at its counter: filed an application for restoration for you": "filed_restoration",
    "at its counter: took back for you what was filed": "took_back",
    "at its counter: had {dataset} kept back for you": "kept_back",
    "at its counter: ended for you that {dataset} is kept back": "not_kept_back",
    "its id is {id}": "number",
    "whoever came showed: {kind}": "showed",
    "recalled: {task}": "recalled",
    "answered: done": "done",
    "answered: done, and it had been passed on": "done_passed_on",
    "answered: refused; oversight is notified": "recall_refused",
    "{who} is to {task}": "is_to",
    "reported: {event}": "reported",
    "confirmed: {event}": "confirmed",
    "declined: {event}": "declined",
    "its time of display is over": "display_ended",
    "it does not name the document that it rests on": "no_source",
    "its department has withdrawn it": "withdrawn",
    "you have made good, and it was restored": "restored",
    "you keep this favourable information back": "opted_out",
    "your objection to it was not decided in time": "objection_late",
}
"""Each sentence of the API, with the name of its text."""
AT_COUNTER, REFUSED, UNRELEASED = "at its counter: ", "refused: ", "not released: "
"""How it begins what a department did for somebody, what was refused, and what nobody received."""
TASKS: Mapping[str, str] = {
    "delete it, and use it no more": "delete",
    "use what it was corrected to": "update",
    "mark it as disputed": "mark",
    "take that mark away": "clear",
}
"""What a recall asks, as the API says it."""
_RECORD = re.compile(r"(?P<dataset>[a-z][a-z0-9-]*)/(?P<id>[^@]+)(?:@(?P<version>.+))?")


def own_look(look: Mapping[str, Any]) -> bool:
    """Whether somebody looked at what is held about themselves: not what a department's counter did in their name."""
    return look["what"] == "OWN" and not look["outcome"].startswith((AT_COUNTER, REFUSED))


def unreleased(look: Mapping[str, Any]) -> bool:
    """Whether nobody received the answer to an inquiry."""
    return look["what"] == "INQUIRY" and bool(look["outcome"].startswith(UNRELEASED))


def _pattern(sentence: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>.+)", re.escape(sentence)))


_PATTERNS = [(_pattern(sentence), name) for sentence, name in SENTENCES.items()]


class Said:
    """Puts it in the words of the pages, with titles."""

    def __init__(self, words: Words, names: Names) -> None:
        self._words, self._names = words, names

    def __call__(self, text: str) -> Markup:
        """A sentence of the API."""
        for pattern, name in _PATTERNS:
            if found := pattern.fullmatch(text):
                filled = {key: self._filled(key, value) for key, value in found.groupdict().items()}
                return self._words(f"said.{name}", **filled)
        return Markup.escape(text)

    def first(self, text: str) -> Markup:
        """The same, as it stands at a beginning."""
        said = self(text)
        return said[:1].upper() + said[1:]

    def _filled(self, key: str, value: str) -> Markup | str:
        match key:
            case "code":
                return self._words.reason(value)
            case "purpose":
                return self._names.purpose(value)
            case "dataset":
                return self._names.dataset(value)
            case "who":
                return self._names.department(value)
            case "day":
                return self._words.written(value)
            case "task":
                return self._words.get(f"said.tasks.{TASKS.get(value)}", value)
            case "event":
                return self._words.get(f"said.events.{value}", value)
            case _:
                return value

    def record(self, text: str) -> Markup:
        """`tax-arrears/TA-1@3` by the title of its kind."""
        found = _RECORD.fullmatch(text)
        if found is None:
            return Markup.escape(text)
        name = "said.record" if found["version"] is None else "said.version"
        dataset = self._names.dataset(found["dataset"])
        return self._words(name, dataset=dataset, id=found["id"], version=found["version"])
