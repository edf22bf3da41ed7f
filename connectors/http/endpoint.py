"""How one dataset of a REST department is asked for, of a subject or a batch: by address or body; pages, decoders."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple
from urllib.parse import quote, urlencode

import msgspec

from connectors.base import Config, DatasetShape, Subject
from connectors.http import origins
from connectors.http.body import Body, read_body
from connectors.kit.source import one_of_each_scheme
from connectors.mapping.decoding import DATASET_KEYS, Decoder, Mapped, read_mapping, read_path
from connectors.mapping.generated import Path
from connectors.mapping.xml_answers import XmlDecoder, read_xml_path

_HOLE = re.compile(r"(\{[^{}]*\}|[{}])")
KEYS = ("path", "method", "body", "safe", "format", *DATASET_KEYS, "select", "paging", "batch", "no_records")
_SEPARATOR = r"([,;:|!$()*@]|%20|%2[Cc]|%3[AaBb]|%7[Cc])+"
_STEPS = re.compile(r"(^|/)(\.|%2e){1,2}(/|$)", re.IGNORECASE)
_DECODERS = 4096
"""Decoders kept of one dataset: far more than there are field lists in a rule set."""


class Template:
    """An address with holes, compiled: `parts[0] + hole + parts[1] + ...`, everything but the holes as written."""

    def __init__(self, text: str, holes: tuple[str, ...]) -> None:
        self.text = text
        pieces = _HOLE.split(text)
        self._literals = pieces[0::2]
        self._holes = [piece[1:-1] for piece in pieces[1::2]]
        for piece in pieces[1::2]:
            if piece[1:-1] not in holes:
                raise ValueError(
                    f"`{piece}` is not one of {', '.join('{' + hole + '}' for hole in dict.fromkeys(holes))}"
                )
        self.holes = frozenset(self._holes)

    def fill(self, values: Mapping[str, str]) -> str:
        """The address with every hole filled; `values` are percent-encoded already."""
        text = self._literals[0]
        for hole, literal in zip(self._holes, self._literals[1:], strict=True):
            text += values[hole] + literal
        return text


def encode(value: str) -> str | None:
    """Percent-encode for a path segment; `None` for what an address would swallow (`.` and `..`) or cannot hold."""
    if value.isalnum() and value.isascii():
        return value
    if not value.strip("."):
        return None
    try:
        return quote(value, safe="")
    except UnicodeEncodeError:
        return None


class Paging(NamedTuple):
    """How the next page is asked for: by the query parameter `param`, or, without one, by the link that was given."""

    param: str | None
    max_pages: int

    def url(self, first: str, current: str, following: str) -> str | None:
        """The next page's address; `None` where it would leave the department's origin or is no address."""
        if self.param is not None:
            return f"{first}{'&' if '?' in first else '?'}{urlencode({self.param: following})}"
        return origins.follow(current, following)


class Question(msgspec.Struct, frozen=True):
    """Where a question goes, and its body where it has one."""

    url: str
    body: bytes | None = None


class Batch(NamedTuple):
    """Several subjects in one call: their values fill `{values}`, of an address joined by `separator`."""

    template: Template
    body: Body | None
    separator: str
    max: int

    def groups(self, subjects: tuple[Subject, ...]) -> list[tuple[Subject, ...]]:
        """Subjects of one kind and scheme together, at most `max` per call."""
        by_scheme: dict[tuple[str, str], list[Subject]] = {}
        for subject in subjects:
            by_scheme.setdefault((subject.kind, subject.scheme), []).append(subject)
        return [tuple(group[i : i + self.max]) for group in by_scheme.values() for i in range(0, len(group), self.max)]


class Endpoint:
    """One dataset of a REST department."""

    def __init__(
        self,
        mapped: Mapped,
        template: Template,
        body: Body | None,
        safe: bool,
        xml: bool,
        no_records: frozenset[int],
        select: str | None,
        paging: Paging | None,
        next_path: tuple[str, ...] | None,
        batch: Batch | None,
    ) -> None:
        self.no_records = no_records
        self.method = "GET" if body is None else "POST"
        self.headers = {
            **({} if body is None else {"content-type": "application/json"}),
            **({"accept": "application/xml"} if xml else {}),
        }
        self._made: type[Decoder | XmlDecoder] = XmlDecoder if xml else Decoder
        self.once = body is not None and not safe
        self._body = body
        self.paging = paging
        self.batch = batch
        self.named = mapped.subject is not None
        self._mapped = mapped
        self._template = template
        self._select = select
        self._next_path = next_path
        self._decoders: dict[tuple[str, ...], Decoder | XmlDecoder] = {}
        self._selects: dict[tuple[str, ...], str] = {}

    @property
    def mapped(self) -> Mapped:
        """How its records stand in an answer."""
        return self._mapped

    @property
    def next_path(self) -> Path | None:
        """Where the next page's token or link stands, with `paging`."""
        return self._next_path

    @property
    def place(self) -> tuple[str, str, Path]:
        """Which list it is: where and how it is asked for, and where it stands in the answer."""
        return self._template.text, self._body.text if self._body is not None else "", self._mapped.records

    def decoder(self, fields: tuple[str, ...]) -> Decoder | XmlDecoder:
        """The decoder for exactly these fields."""
        decoder = self._decoders.get(fields)
        if decoder is None:
            if len(self._decoders) >= _DECODERS:
                self._decoders.clear()
            decoder = self._decoders[fields] = self._made(self._mapped, fields, self._next_path)
        return decoder

    def json(self, body: bytes, fields: tuple[str, ...]) -> bytes | str:
        """An answer as the JSON that is decoded; or what is wrong with it, in words."""
        decoder = self.decoder(fields)
        return decoder.json(body) if isinstance(decoder, XmlDecoder) else body

    def question(self, subject: Subject, fields: tuple[str, ...]) -> Question | None:
        """How one subject's records are asked for, or `None` where the identifier cannot stand there."""
        around = self.around(subject.scheme, fields)
        return None if around is None else self.asked(around, subject)

    def around(self, scheme: str, fields: tuple[str, ...]) -> tuple[str, ...] | None:
        """The address without its values: what stands around each; `None` where the scheme cannot stand there."""
        encoded = encode(scheme)
        if encoded is None:
            return None
        # A text that is no part of any address: what is encoded has no space.
        url = self._template.fill({"scheme": encoded, "value": " "})
        if self._select is not None:
            url += self._selected(url, fields)
        return tuple(url.split(" "))

    def asked(self, around: tuple[str, ...], subject: Subject) -> Question | None:
        """`question`, where what stands `around` is known already for the subject's scheme."""
        if self._body is None:
            encoded = encode(subject.value)
            return None if encoded is None else Question(encoded.join(around))
        body = self._body.fill({"scheme": subject.scheme, "value": subject.value})
        return None if body is None else Question("".join(around), body)

    def batch_question(self, subjects: tuple[Subject, ...], fields: tuple[str, ...]) -> Question | None:
        """How a batch's records are asked for; the subjects are of one scheme."""
        assert self.batch is not None
        template, batch_body, separator, _ = self.batch
        values = [encode(subject.value) if batch_body is None else "" for subject in subjects]
        scheme = encode(subjects[0].scheme)
        if scheme is None or None in values:
            return None
        joined = separator.join(value for value in values if value is not None)
        url = template.fill({"scheme": scheme, "values": joined})
        if self._select is not None:
            url += self._selected(url, fields)
        if batch_body is None:
            return Question(url)
        body = batch_body.fill({"scheme": subjects[0].scheme, "values": [subject.value for subject in subjects]})
        return None if body is None else Question(url, body)

    def _selected(self, url: str, fields: tuple[str, ...]) -> str:
        text = self._selects.get(fields)
        if text is None:
            assert self._select is not None
            names = dict.fromkeys(".".join(leaf.path) for leaf in self._mapped.leaves(fields))
            text = self._selects[fields] = urlencode({self._select: ",".join(names)}, safe=",")
        return ("&" if "?" in url else "?") + text


def read_endpoint(config: Config, shape: DatasetShape, base_url: str, *, links: bool = True) -> Endpoint:
    """One dataset of `kind: rest`; `links`: whether its pages may be found by a link."""
    keys = config.mapping((), KEYS)
    xml = keys["format"].choice(("json", "xml"), default="json") == "xml"
    read = read_xml_path if xml else read_path
    mapped = read_mapping(keys, shape, read)
    body = _read_body(keys, ("scheme", "value"))
    template = _read_template(keys["path"], base_url, ("scheme", "value"), body)
    paging, next_path = _read_paging(keys["paging"], mapped, read) if "paging" in keys else (None, None)
    if xml:
        _see_roots(keys, mapped, next_path)
    batch = _read_batch(keys["batch"], base_url, template, body) if "batch" in keys else None
    holes = template.holes if body is None else template.holes | body.holes
    if mapped.subject is None and "value" in holes and "scheme" not in holes:
        one_of_each_scheme(keys["path"], "{scheme}", (name for of in shape.schemes.values() for name in of))
    if batch is not None and mapped.subject is None:
        keys["batch"].problem(
            "records that do not name their subject (`not_returned`) cannot be distinguished in a batch"
        )
    if body is not None and paging is not None and paging.param is None:
        keys["paging"].problem("needs a `param`: nothing shows whether a link is for GET or for POST")
    if not links and paging is not None and paging.param is None:
        keys["paging"].problem("needs a `param`: a link of the service leads past the security server")
    if mapped.subject is None and paging is not None and paging.param is None:
        keys["paging"].problem(
            "records that do not name their subject (`not_returned`) cannot be distinguished on a page that the source"
            " links to; use `param`"
        )
    for name in ("paging", "batch"):
        if mapped.one_record and name in keys:
            keys[name].problem("is for lists only; leave it out, or `one_record`")
    if batch is not None and paging is not None:
        keys["batch"].problem("a batch cannot be paged; choose `batch` or `paging`")
    no_records = [each.integer(201, 499) for each in keys["no_records"].items()] if "no_records" in keys else [404]
    select = keys["select"].text("") or None
    safe = keys["safe"].boolean(False)
    return Endpoint(mapped, template, body, safe, xml, frozenset(no_records), select, paging, next_path, batch)


def _see_roots(keys: Mapping[str, Config], mapped: Mapped, next_path: Path | None) -> None:
    """Tell where paths of an answer in XML do not begin at its one root, which is no list itself."""
    records = mapped.records
    if len(records) < (1 if mapped.one_record else 2) or "@" in "".join(records):
        (keys["records"] if "records" in keys else keys["format"]).problem(
            "XML needs `records`: elements from the answer's root to those that are records, as `findings.finding`"
        )
    elif next_path and (next_path[0] != records[0] or len(next_path) < 2):
        keys["paging"].problem(f"`next` must begin at the answer's root, as `{records[0]}.next`")


def _read_paging(config: Config, mapped: Mapped, read: Callable[[Config], Path]) -> tuple[Paging, Path]:
    keys = config.mapping(("next",), ("param", "max_pages"))
    next_path = read(keys["next"])
    shared = min(len(next_path), len(mapped.records))
    if next_path and next_path[:shared] == mapped.records[:shared]:
        keys["next"].problem("must stand beside the list of `records`, so `records` must name where the list is")
    return Paging(keys["param"].text("") or None, keys["max_pages"].integer(1, 1000, 20)), next_path


def _read_body(keys: Mapping[str, Config], holes: tuple[str, str]) -> Body | None:
    """The `method`, `body` and `safe` keys, which go together."""
    if keys["method"].choice(("GET", "POST"), default="GET") == "POST":
        if "body" not in keys:
            keys["method"].problem('POST needs a `body` that names who is meant, as `{number: "{value}"}`')
            return Body({})
        return read_body(keys["body"], holes)
    for name in ("body", "safe"):
        if name in keys:
            keys[name].problem("is for `method: POST` only; a GET has none, and can always be sent again")
    return None


def _read_batch(config: Config, base_url: str, one: Template, body: Body | None) -> Batch:
    if body is not None:
        keys = config.mapping(("body",), ("max",))
        return Batch(one, read_body(keys["body"], ("scheme", "values")), "", keys["max"].integer(2, 1000, 20))
    keys = config.mapping(("path",), ("separator", "max"))
    template = _read_template(keys["path"], base_url, ("scheme", "values"))
    again = re.search(r"[?&]([\w.-]+)=\{values\}", template.text, re.ASCII)
    what = "of `,`, `;`, `:`, `|`, `!`, `$`, `(`, `)`, `*` and `@`, or `%20`, `%2C`, `%3A`, `%3B` or `%7C`"
    separator = keys["separator"].text(
        ",",
        pattern=_SEPARATOR + (f"|&{re.escape(again[1])}=" if again else ""),
        what=f"{what}{f', or `&{again[1]}=` to repeat the parameter' if again else ''}: what no identifier holds",
    )
    return Batch(template, None, separator, keys["max"].integer(2, 1000, 20))


def _read_template(config: Config, base_url: str, holes: tuple[str, str], body: Body | None = None) -> Template:
    text = config.text(pattern=r"/(?!/)[!-~]*", what="a path that begins with one `/`, without spaces")
    if "#" in text or "\\" in text:
        config.problem(f"`{text}` must not hold `#` or a backslash")
    if _STEPS.search(text.partition("?")[0]):
        config.problem(f"`{text}` must not hold the steps `.` or `..`; write where it leads")
    if body is not None:
        holes = (holes[0], holes[0])  # the value stands in the body, and nowhere else
    elif text and f"{{{holes[1]}}}" not in text:
        config.problem(f"`{text}` must hold `{{{holes[1]}}}`, what identifies the subject")
    try:
        return Template(base_url + text, holes)
    except ValueError as error:
        config.problem(str(error))
        return Template("", holes)
