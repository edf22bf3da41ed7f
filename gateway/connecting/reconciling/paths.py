"""Whom a path of a department's log asks about, by the paths that `sources.yaml` maps."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from gateway.documents import Node

_HOLE = re.compile(r"\{(scheme|values?)\}")
_BETWEEN = re.compile(r"[/?&=,;:|]+")


class Asked(NamedTuple):
    """A dataset and (scheme, value) of each subject; what is not in the path, or in no mapping of it, is empty."""

    dataset: str
    subjects: tuple[tuple[str, str], ...]


class _Template(NamedTuple):
    dataset: str
    found: re.Pattern[str]
    holes: Sequence[str]
    separator: str


class Paths:
    """The look-ups of one department; none where its kind has no paths.

    `scheme_of` gives the scheme of which a text is an identifier, or nothing: a path that is not mapped may still ask
    about somebody. `canonical` writes an identifier, with its scheme or without, as the ledger does.
    """

    def __init__(self, department: Node, scheme_of: Callable[[str], str], canonical: Callable[[str, str], str]) -> None:
        self._scheme_of, self.canonical = scheme_of, canonical
        keys = department.mapping(any_key=True)
        base = urlsplit(str(keys["base_url"].plain() or "")).path.rstrip("/") if "base_url" in keys else ""
        self._exact: list[_Template] = []
        self._ending: list[_Template] = []
        for dataset, node in keys["datasets"].mapping(any_key=True).items():
            parts = node.mapping(any_key=True) if node.is_mapping else {}
            if "path" in parts:
                self._add(dataset, base, str(parts["path"].plain()), "")
            batch = parts["batch"].mapping(any_key=True) if "batch" in parts else {}
            if "path" in batch:
                separator = str(batch["separator"].plain()) if "separator" in batch else ","
                self._add(dataset, base, str(batch["path"].plain()), separator)

    def _add(self, dataset: str, base: str, path: str, separator: str) -> None:
        pieces = _HOLE.split(path)
        literals, holes = pieces[0::2], pieces[1::2]
        body = re.escape(literals[0])
        for hole, literal in zip(holes, literals[1:], strict=True):
            # A batch that repeats its parameter (`&id=`) has the separator within the hole.
            more = rf"(?:{re.escape(separator or ',')}[^/?&#]*)*" if hole == "values" else ""
            body += rf"([^/?&#]*{more})" + re.escape(literal)
        more = r"(?:[?&].*)?" if "?" not in path else r"(?:&.*)?"
        for place, before in ((self._exact, re.escape(base)), (self._ending, r".*?")):
            place.append(_Template(dataset, re.compile(before + body + more, re.S), holes, separator))

    def find(self, path: str) -> Asked | None:
        """What a path asks about; None where it is no look-up. A server behind a proxy may see the end of it alone."""
        if "://" in path:
            parts = urlsplit(path)
            path = parts.path + (f"?{parts.query}" if parts.query else "")
        for template in (*self._exact, *self._ending):
            if (match := template.found.fullmatch(path)) is None:
                continue
            held = dict(zip(template.holes, match.groups(), strict=True))
            scheme = unquote(held.get("scheme", ""))
            if "value" in held:
                values = [unquote(held["value"])]
            else:
                values = _split(held.get("values", ""), template.separator or ",")
            return Asked(template.dataset, tuple((scheme, self.canonical(scheme, value)) for value in values if value))
        parts_of = dict.fromkeys(part.strip() for part in _BETWEEN.split(unquote(path)))
        named = tuple((scheme, self.canonical(scheme, part)) for part in parts_of if (scheme := self._scheme_of(part)))
        return Asked("", named) if named else None


def _split(values: str, separator: str) -> list[str]:
    """The values of a batch, of which a server may have logged the separator as it is, or encoded."""
    if separator in values:
        return [unquote(value) for value in values.split(separator)]
    return unquote(values).split(unquote(separator))
