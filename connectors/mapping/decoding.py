"""From a source's bytes to typed records, by code made once per dataset and field list.

`read_mapping` reads the `records`, `record` and `fields` keys of a dataset in `sources.yaml`. A `Decoder` is made from
that mapping and the requested fields: generated msgspec structs decode, check types, rename and drop everything that
was not asked for in one pass over the bytes, and a generated loop checks what a type cannot say and flattens dotted
paths in the same structs. What does not decode so is read again, record by record (`faulty`).

Invariants: only requested fields become Python objects that leave this module; every record names the subject that was
asked for, or the whole dataset is invalid; keys that appear twice, numbers that are not finite, text that is not UTF-8,
and any other shape than the mapped one are a reason in words, never an exception and never a value of the source.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import msgspec

from connectors.base import Config, DatasetShape, FieldType, Record, Subject
from connectors.mapping import duplicate_keys, faulty
from connectors.mapping.generated import (
    Leaf,
    Path,
    build_tree,
    count_keys,
    envelope,
    envelope_keys,
    finisher,
    next_getter,
    records_getter,
    row_type,
)


class Const(NamedTuple):
    """A value that every record of a dataset has, set by the configuration instead of the record."""

    value: str


class SubjectMapping(NamedTuple):
    """Where each record names its subject."""

    scheme: Path | Const
    value: Path


class Mapped(msgspec.Struct, frozen=True):
    """How one dataset stands in its source. `subject` is `None` where the source does not name it (`not_returned`).

    With `one_record` one record or null stands at `records`, not a list.
    """

    dataset: str
    records: Path
    id: Path
    version: Path
    document: Path | None
    effective: Path | None
    mitigation: Path | None
    subject: SubjectMapping | None
    fields: Mapping[str, Path]
    types: Mapping[str, FieldType]
    one_record: bool = False

    def leaves(self, fields: tuple[str, ...]) -> list[Leaf]:
        """Everything to read of one record when `fields` are asked for."""
        leaves = [Leaf("m_id", self.id, "id", True), Leaf("m_version", self.version, "id", True)]
        if self.document is not None:
            leaves.append(Leaf("m_document", self.document, "document"))
        if self.effective is not None:
            leaves.append(Leaf("m_effective", self.effective, FieldType.DATE))
        if self.mitigation is not None:
            leaves.append(Leaf("m_mitigation", self.mitigation, "note"))
        if self.subject is not None:
            if not isinstance(self.subject.scheme, Const):
                leaves.append(Leaf("s_scheme", self.subject.scheme, "subject", True))
            leaves.append(Leaf("s_value", self.subject.value, "subject", True))
        leaves += [Leaf("f_" + name, self.fields[name], self.types[name]) for name in fields]
        return leaves


DATASET_KEYS = ("records", "one_record", "record", "fields")


def read_path(config: Config) -> Path:
    """A dotted path, such as `amt.total`; an empty one where it is wrong."""
    what = "a path of names with dots between, such as `amt.total`, without brackets"
    text = config.text(pattern=r"[^\s.[\]]+(\.[^\s.[\]]+)*", what=what)
    return tuple(text.split(".")) if text else ()


def read_mapping(keys: Mapping[str, Config], shape: DatasetShape, read: Callable[[Config], Path] = read_path) -> Mapped:
    """The mapping of one dataset: all the catalogue's fields and no other. `read` reads a path as its source has it."""
    record = keys["record"].mapping(("id", "version", "subject"), ("document", "effective", "mitigation"))
    fields = keys["fields"].mapping(shape.fields)
    mapped = Mapped(
        dataset=shape.id,
        records=read(keys["records"]) if "records" in keys else (),
        id=read(record["id"]),
        version=read(record["version"]),
        document=read(record["document"]) if "document" in record else None,
        effective=read(record["effective"]) if "effective" in record else None,
        mitigation=read(record["mitigation"]) if "mitigation" in record else None,
        subject=_read_subject(record["subject"], read),
        fields={name: read(fields[name]) for name in shape.fields},
        types=dict(shape.fields),
        one_record=keys["one_record"].boolean(False) if "one_record" in keys else False,
    )
    if mapped.id and mapped.id == mapped.version:
        record["version"].problem("is the record's id; map what changes whenever the record does")
    leaves = mapped.leaves(tuple(shape.fields))
    try:
        build_tree([leaf for leaf in leaves if leaf.path])
    except ValueError as error:
        keys["fields"].problem(str(error))
    return mapped


def _read_subject(config: Config, read: Callable[[Config], Path]) -> SubjectMapping | None:
    keys = config.mapping((), ("scheme", "value", "not_returned"))
    if "not_returned" in keys:
        config.mapping(("not_returned",))["not_returned"].text()
        return None
    return SubjectMapping(read_scheme(keys["scheme"], read), read(keys["value"]))


def read_scheme(config: Config, read: Callable[[Config], Path]) -> Path | Const:
    """Where a subject's scheme stands, or `{const: ...}`: what it always is."""
    return Const(config.mapping(("const",))["const"].text()) if config.is_mapping else read(config)


class Page(NamedTuple):
    """One answer's records, and the token or link of the next page where there is one."""

    records: list[Record]
    next: str | None


class _Way(NamedTuple):
    """One way to read an answer: its decoder, and the loops that finish its rows (`generated.finisher`)."""

    decode: Callable[[bytes], Any]
    one: Callable[..., Any]
    many: Callable[..., Any]


MOST_FAULTY = 1000
"""Faulty records of one answer: each is read again by itself, and whoever sends more of them has no answer there."""
_STRICT_TRIES = 8
"""How often a source may leave out a mapped key before the decoder stops hoping for all of them."""


class Decoder:
    """Decodes answers that hold one dataset's records with exactly `fields`. Made once, used for every answer."""

    def __init__(self, mapped: Mapped, fields: tuple[str, ...], next_path: Path | None = None) -> None:
        self._mapped = mapped
        leaves = mapped.leaves(fields)
        tree = build_tree(leaves)
        self._next_path = next_path
        place = records_getter(mapped.records)
        self._listed = _listed if mapped.one_record else _same
        self._records = (lambda page: _listed(place(page))) if mapped.one_record else place
        self._next = next_getter(mapped.records, next_path) if next_path is not None else None
        scheme = mapped.subject.scheme if mapped.subject is not None else None
        self._constant = scheme.value if isinstance(scheme, Const) else None
        lenient = row_type(leaves, tree, strict=False)
        self._one, self._many = finisher(leaves, tree, self._constant)
        self._lenient = _Way(self._decoding(lenient, strict=False), self._one, self._many)
        strict = row_type(leaves, tree, strict=True, texts=True)
        self._strict = _Way(self._decoding(strict, strict=True), *finisher(leaves, tree, self._constant, texts=True))
        self._other = self._strict
        if any(leaf.kind == FieldType.DECIMAL for leaf in leaves):
            numbers = row_type(leaves, tree, strict=True)
            self._other = _Way(self._decoding(numbers, strict=True), self._one, self._many)
        self._rows = msgspec.json.Decoder(self._held(lenient)).decode
        self._row = msgspec.json.Decoder(lenient).decode
        self._apart = self._decoding(msgspec.Raw, strict=False)
        self._raws = msgspec.json.Decoder(self._held(msgspec.Raw)).decode
        self._leaves = leaves
        self._outer_keys = envelope_keys(mapped.records, next_path)
        self._row_keys = count_keys(tree)
        self._tries = _STRICT_TRIES

    def _decoding(self, row: Any, *, strict: bool) -> Callable[[bytes], Any]:
        """What decodes a whole answer where a record is a `row`."""
        page = envelope(self._held(row), self._mapped.records, self._next_path, strict=strict)
        return msgspec.json.Decoder(page).decode

    def _held(self, row: Any) -> Any:
        """The type of what stands at `records`, where a record is a `row`. Raw JSON can be null by itself."""
        if not self._mapped.one_record:
            return list[row]
        return row if row is msgspec.Raw else row | None

    def one(self, body: bytes, subject: Subject) -> list[Record] | str:
        """The records about `subject`; or what is wrong with the answer, in words."""
        _, rows, way = self._decode(body)
        records = rows if type(rows) is str else way.one(rows, subject.scheme, subject.value)
        return records if type(records) is list else self._about(body, subject)[1]

    def page(self, body: bytes, subject: Subject) -> Page | str:
        """As `one`, with the way to the next page."""
        page, records, way = self._decode(body)
        if type(records) is not str:
            records = way.one(records, subject.scheme, subject.value)
        if type(records) is str:
            page, records = self._about(body, subject)
            if type(records) is str:
                return records
        link = self._next(page) if self._next is not None else None
        return Page(records, str(link) if link not in (None, "") else None)

    def _about(self, body: bytes, subject: Subject) -> tuple[Any, list[Record] | str]:
        """An answer of which something is wrong, read record by record, and its records about `subject`."""
        page = self._taken_apart(body)
        return page, page if isinstance(page, str) else self._each(self._records(page), subject)

    def many(self, body: bytes, subjects: tuple[Subject, ...]) -> Mapping[Subject, list[Record]] | str:
        """The records about each of several subjects of one answer; a record about any other makes all invalid."""
        _, rows, way = self._decode(body)
        asked: dict[tuple[str, str], list[Record]] = {(s.scheme, s.value): [] for s in subjects}
        wrong = rows if isinstance(rows, str) else way.many(rows, asked)
        if wrong:
            page = self._taken_apart(body)
            for records in asked.values():
                records.clear()
            wrong = page if isinstance(page, str) else self._each_of(self._records(page), asked)
        return wrong or {s: asked[s.scheme, s.value] for s in subjects}

    def rows(self, raw: bytes | msgspec.Raw, subject: Subject) -> list[Record] | str:
        """As `one`, for what stands at `records` in an answer that was checked for duplicate keys already."""
        records: list[Record] | str
        try:
            records = self._one(self._listed(self._rows(raw)), subject.scheme, subject.value)
        except (ValueError, RecursionError, ArithmeticError) as error:
            records = _reason(error)
        if not isinstance(records, str):
            return records
        try:
            return self._each(self._listed(self._raws(raw)), subject)
        except (ValueError, RecursionError, ArithmeticError) as error:
            return _reason(error)

    def _taken_apart(self, body: bytes) -> Any:
        """The answer with each record as its bytes; or what is wrong with it whatever its records are."""
        try:
            page = self._apart(body)
        except (ValueError, RecursionError, ArithmeticError) as error:
            return _reason(error)
        return duplicate_keys.check(body) or page

    def _each(self, rows: list[msgspec.Raw], subject: Subject) -> list[Record] | str:
        """The records about `subject`, those that are faulty by what they show of themselves."""
        own: list[Record] = []
        return self._each_of(rows, {(subject.scheme, subject.value): own}) or own

    def _each_of(self, rows: list[msgspec.Raw], asked: dict[tuple[str, str], list[Record]]) -> str | None:
        """Add each record to its subject's; what is wrong with all of them, or nothing."""
        only = next(iter(asked)) if self._mapped.subject is None else None
        left = MOST_FAULTY
        for raw in rows:
            try:
                row = self._row(raw)
                found = self._one([row], *only) if only else self._many([row], asked)
            except (ValueError, RecursionError, ArithmeticError) as error:
                found = _reason(error)
            if isinstance(found, str):
                left -= 1
                if left < 0:
                    return f"more than {MOST_FAULTY} of its records cannot be used"
                found = faulty.shown(self._leaves, raw, found, self._constant)
                if isinstance(found, str):
                    return found
                own = asked.get(only or (found.s_scheme, found.s_value))
                if own is None:
                    return faulty.NO_SUBJECT
                own.append(found)
            elif only:
                asked[only] += found
        return None

    def _decode(self, body: bytes) -> tuple[Any, Any, _Way]:
        """The decoded answer, its rows, and the way they were read; or, in the rows' place, what is wrong."""
        if self._tries:
            way = self._strict
            try:
                page = way.decode(body)
            except (ValueError, RecursionError, ArithmeticError):
                self._tries -= 1
                self._strict, self._other = self._other, way  # its Decimals may be numbers, or texts again
            else:
                rows = self._records(page)
                # Then it has no key but those that were read, and all its text was decoded, so that it is UTF-8.
                if duplicate_keys.proves_unique(body, self._outer_keys + self._row_keys * len(rows)):
                    self._tries = _STRICT_TRIES
                    return page, rows, way
        way = self._lenient
        try:
            page = way.decode(body)
        except (ValueError, RecursionError, ArithmeticError) as error:
            return None, _reason(error), way
        return page, duplicate_keys.check(body) or self._records(page), way


def _same(rows: Any) -> Any:
    return rows


def _listed(found: Any) -> list[Any]:
    """One record as a list; null is none."""
    none = found is None or (type(found) is msgspec.Raw and bytes(found) == b"null")
    return [] if none else [found]


def _reason(error: Exception) -> str:
    """msgspec's own words about types and paths, which quote nothing of the source; of anything else only its kind."""
    if isinstance(error, msgspec.DecodeError):
        return str(error)[:200]
    return {"UnicodeDecodeError": "not UTF-8", "RecursionError": "nested too deep"}.get(
        type(error).__name__, "not JSON"
    )
