"""What things are called where the API gives ids: titles of departments, kinds of record, fields, purposes, officers.

Only titles that everybody may read (`/open/catalogue`), but those of officers, for whoever sees who changed the rules.
What there is no title for is called by its id.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple, Protocol

from markupsafe import Markup

from gateway.catalogue.model import Catalogue, Dataset
from gateway.rules.ruleset import RuleSet
from gateway.texts.words import Words

_ID = re.compile(
    r"`(?P<dataset>[a-z][a-z0-9-]*)(?:\.(?P<field>[A-Za-z][A-Za-z0-9]*))?`"
    r"(?: \((?P<fields>\w+(?:, \w+)*)\)|: it lists (?P<lists>\w+(?:, \w+)*)(?= now\b| no more\b))?"
    r"|\b(?P<purpose>[A-Z][A-Z0-9_]{3,})\b"
)
"""How a sentence of what changes names a field, a kind of record with several of its fields, or a purpose."""
_ASKED_BY = re.compile(r"(?:`([^`]+)` of )`[^`]+`|^`[^`]+`")
"""Whoever asked, as the watch has it: an official of a client, or a client."""
_DAY = re.compile(r"(?:[A-Z][a-z]+day )?([0-9]{4}-[0-9]{2}-[0-9]{2})")


class Titled(Protocol):
    """Something with a title, as a purpose."""

    @property
    def title(self) -> str: ...


class Named(NamedTuple):
    """What is served now."""

    catalogue: Catalogue
    purposes: Mapping[str, Titled]
    departments: Mapping[str, str]
    officers: Mapping[str, str] = {}

    @classmethod
    def of(cls, rules: RuleSet) -> Named:
        """What a rule set names."""
        officers = {name: each.title for name, each in rules.officers.entries.items() if each.title}
        return cls(rules.policies.catalogue, rules.policies.purposes, rules.requesters.departments, officers)


class Names:
    """Titles, by id, of what is served at the moment."""

    def __init__(self, now: Callable[[], Named], words: Words) -> None:
        self._now, self._words = now, words

    def department(self, id_: str) -> str:
        """A department's title."""
        return self._now().departments.get(id_) or str(self._words.get(f"departments.{id_}", id_))

    def requester(self, client: Mapping[str, str]) -> str:
        """Who asks: the department's title, or the client's id where it is of none."""
        return self.department(client["department"]) if client["department"] else client["client"]

    def officer(self, id_: str) -> str:
        """Who changes rules: an officer's name as people write it, with the id where two have it; or a department."""
        officers = self._now().officers
        title = officers.get(id_)
        if title is None:
            return self.department(id_)
        return title if list(officers.values()).count(title) == 1 else f"{title} ({id_})"

    def dataset(self, id_: str) -> str:
        """The title of a kind of record."""
        known = self._dataset(id_)
        return known.title if known is not None else id_

    def provided(self, department: str) -> list[tuple[str, str]]:
        """Each kind of record that a department has, by its id and title, in the order of titles."""
        several = self._now().catalogue.provided_by(department).values()
        return sorted(((each.id, each.title) for each in several), key=lambda each: each[1])

    def field(self, dataset: str, field: str) -> str:
        """A field's title."""
        known = self._dataset(dataset)
        found = known.fields.get(field) if known is not None else None
        return found.title if found is not None else field

    def value(self, dataset: str, field: str, text: str) -> Markup:
        """A field's value as people write it."""
        known = self._dataset(dataset)
        found = known.fields.get(field) if known is not None else None
        if found is not None and found.type == "Boolean":
            return self._words.get(f"values.{text}", text)
        return self._words.written(text)

    def all(self, dataset: str, fields: list[str]) -> list[str]:
        """The titles of several fields."""
        return [self.field(dataset, each) for each in fields]

    def purpose(self, id_: str) -> str:
        """A purpose's title."""
        known = self._now().purposes.get(id_)
        return known.title if known is not None else id_

    def kinds(self, coordinates: list[str]) -> list[str]:
        """Of `tax-arrears.amount` and the like: the kinds of record."""
        return [title for title, _ in self.fields(coordinates)]

    def fields(self, coordinates: list[str]) -> list[tuple[str, list[str]]]:
        """Of `tax-arrears.amount` and the like: each kind of record, with its fields."""
        found: dict[str, list[str]] = {}
        for each in coordinates:
            dataset, _, field = each.partition(".")
            found.setdefault(dataset, []).append(self.field(dataset, field))
        return [(self.dataset(dataset), names) for dataset, names in found.items()]

    def spoken(self, text: str) -> str:
        """A sentence of what changes, with days in words, and titles where it has ids of fields and the like."""
        return _ID.sub(self._spoken, _DAY.sub(lambda found: str(self._words.day(found[1])), text))

    def found(self, text: str, department: str) -> str:
        """A sentence of the watch about whoever asked, of that department, with titles and days in words."""
        title = self.department(department)
        text = _ASKED_BY.sub(lambda found: f"{found[1]} of {title}" if found[1] else title, text)
        return self.spoken(text).replace("`", "")

    def _spoken(self, found: re.Match[str]) -> str:
        dataset, field, fields, purpose = found["dataset"], found["field"], found["fields"], found["purpose"]
        if purpose:
            known = self._now().purposes.get(purpose)
            return found[0] if known is None else f"“{known.title}”"
        if self._dataset(dataset) is None:
            return found[0]
        told = self.dataset(dataset) if field is None else f"{self.dataset(dataset)}: {self.field(dataset, field)}"
        listed = "" if fields is None else f" ({', '.join(self.all(dataset, fields.split(', ')))})"
        if found["lists"] is not None:
            listed = f": it lists {', '.join(f'“{each}”' for each in self.all(dataset, found['lists'].split(', ')))}"
        return f"“{told}”{listed}"

    def _dataset(self, id_: str) -> Dataset | None:
        return self._now().catalogue.datasets.get(id_)
