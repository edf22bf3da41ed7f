"""What a department over HTTP can send at once: the faults of `tests.faults.table`, by name.

A mood is made from the question, so that what is wrong with an answer is all that is wrong with it, in any way to ask.
"""

from __future__ import annotations

import functools
import gzip
import json
import zlib
from collections.abc import Callable
from typing import Any, NamedTuple

from gateway.catalogue.model import Dataset

VALUES = {
    "String": "text",
    "Int": 7,
    "Boolean": True,
    "Decimal": 12.5,
    "Date": "2026-01-02",
    "DateTime": "2026-01-02T03:04:05Z",
}
SECRET = "what-the-source-itself-says"
"""Stands in everything that goes wrong: none of it may reach a requester or a log."""
_MARK = "\u2603"
REST = ("rest", "xroad", "xml")  # ways that have one JSON, of a list


def answer(body: bytes, status: str = "200 OK", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", "Content-Type: application/json", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class Asked(NamedTuple):
    """One question: about whom and what, and how the answer is made. `port` and `headers` are the department's own."""

    dataset: Dataset
    scheme: str
    values: tuple[str, ...]
    way: str = "rest"
    page: int = 0
    port: int = 0
    headers: tuple[str, ...] = ()

    def record(self, *, of: str = "", **changes: Any) -> dict[str, Any]:
        """A record of the first subject (or `of` another), changed; what is `...` is left out."""
        value = of or self.values[0]
        about = {
            "id": "R-1",
            "version": "1",
            "document": f"D-{value}",  # whose record it is
            "effective": "2026-10-01",
            "scheme": self.scheme,
            "subject": value,
        }
        fields = {field.name: VALUES[str(field.type)] for field in self.dataset.fields.values()}
        made = {**{f"m_{name}": part for name, part in about.items()}, **fields, **changes}
        return {name: part for name, part in made.items() if part is not ...}

    @property
    def key(self) -> bytes:
        """Before the list of records."""
        return b'"items": ' if self.way in REST else b'"d0": '

    def text(self, records: bytes, more: bytes = b"") -> bytes:
        """The whole JSON around the text that stands for the first subject's list; the others' are well."""
        one = b"{" + self.key + records + b"}"
        if self.way in REST:
            return one[:-1] + more + b"}"
        if self.way == "graphql":
            return b'{"data": {"q0": ' + one + b"}" + more + b"}"
        others = [json.dumps({"d0": [self.record(of=value)]}).encode() for value in self.values[1:]]
        return b'{"data": {"q0": [' + b", ".join([one, *others]) + b"]}" + more + b"}"

    def body(self, *records: dict[str, Any]) -> bytes:
        return self.text(json.dumps(records).encode())

    def items(self, *records: dict[str, Any]) -> bytes:
        return answer(self.body(*records))

    def well(self) -> bytes:
        return self.items(self.record())

    def written(self, type_: str, text: str) -> bytes:
        """Well, but for the text of the first value of this type; a dataset that has none of it has no id then."""
        named = [field.name for field in self.dataset.fields.values() if str(field.type) == type_]
        changes: dict[str, Any] = {named[0]: _MARK} if named else {"m_id": ...}
        body = self.body(self.record(**changes))
        return answer(body.replace(json.dumps(_MARK).encode(), text.encode()))


def zipped(asked: Asked, coding: str, body: bytes) -> bytes:
    return answer(body, "200 OK", f"Content-Encoding: {coding}")


@functools.cache
def _ten_megabytes() -> bytes:
    """Made once, as all that is large: the department itself has to stay quick."""
    return b"x" * 10_000_000


def large(asked: Asked) -> bytes:
    return answer(
        asked.body(asked.record(m_document=_MARK)).replace(json.dumps(_MARK)[1:-1].encode(), _ten_megabytes())
    )


@functools.cache
def _zipped_zeros() -> bytes:
    """So many that no gateway reads as far as to what they are."""
    return gzip.compress(b'{"items": [{"m_id": "' + _ten_megabytes() + b'"}]}')


def repeated(asked: Asked, times: int) -> bytes:
    """So many records, each with an id of its own, made at once."""
    one = json.dumps(asked.record(m_id=_MARK)).encode().replace(json.dumps(_MARK).encode(), b'"R-%d"')
    return answer(asked.text(b"[" + b", ".join([one % number for number in range(times)]) + b"]"))


@functools.cache
def _keys() -> bytes:
    return b"".join(b', "\\u00%02x%d": 0' % (0x61 + number % 26, number) for number in range(52_000))


def escaped(asked: Asked) -> bytes:
    """1 MB of keys that nobody asked for, each written with an escape."""
    return answer(asked.text(json.dumps([asked.record()]).encode()[:-2] + _keys() + b"}]"))


CHUNKED = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"


def chunks(body: bytes, size: int) -> bytes:
    parts = [body[n : n + size] for n in range(0, len(body), size)]
    return b"".join([b"%x\r\n%s\r\n" % (len(part), part) for part in parts])


_blanks = functools.cache(lambda many, size: chunks(b" " * many, size))


def in_chunks(asked: Asked, size: int, blanks: int = 0, trailers: bytes = b"") -> bytes:
    """Well, in chunks, with blanks behind it."""
    body = chunks(asked.body(asked.record()), size)
    return CHUNKED + body + _blanks(blanks, size) + b"0\r\n" + trailers + b"\r\n"


def changed(sent: bytes, old: bytes, new: bytes) -> bytes:
    """The answer with a part of it written otherwise; its length is made right."""
    _, _, content = sent.partition(b"\r\n\r\n")
    assert old in content, content[:200]
    return answer(content.replace(old, new, 1))


def errors(asked: Asked, *paths: Any, data: bytes | None = None) -> bytes:
    """Of GraphQL: good data, or these, and an error with each of the paths."""
    told = json.dumps([{"message": SECRET, **({} if path is None else {"path": path})} for path in paths]).encode()
    if data is not None:
        return answer(b'{"data": ' + data + b', "errors": ' + told + b"}")
    return answer(asked.text(json.dumps([asked.record()]).encode(), b', "errors": ' + told))


def turned(asked: Asked) -> bytes:
    """Of entities: the right ones in the wrong order."""
    records = [{"d0": [asked.record(of=value)]} for value in reversed(asked.values)]
    return answer(json.dumps({"data": {"q0": records}}).encode())


def page(asked: Asked, link: str, **changes: Any) -> bytes:
    """Of REST: one page of many, each with a record of its own."""
    changes = {"m_id": f"R-{asked.page}", **changes}
    return answer(asked.text(json.dumps([asked.record(**changes)]).encode(), b', "next": ' + json.dumps(link).encode()))


def spelled(asked: Asked) -> bytes:
    """The next page on the same origin, which is written in another way each time."""
    number, path = asked.page + 1, f"/{asked.dataset.id}/{asked.scheme}/{asked.values[0]}"
    noughts = "0" * (number % 40)
    ways = (
        f"http://127.0.0.1:{noughts}{asked.port}{path}?n={number}",
        f"HTTP://127.0.0.1:{asked.port}{path}?n={number}",
        f"//127.0.0.1:{noughts}{asked.port}{path}?n={number}#{number}",
        f"?n={number}",
    )
    return page(asked, ways[number % len(ways)])


def stray(asked: Asked) -> bytes:
    path = f"/{asked.dataset.id}/{asked.scheme}/{asked.values[0]}"
    return page(asked, f"http://127.0.0.1:{asked.port}?n={asked.page + 1}{path}")


OTHER = "9DBX00M0E3P0IU3G0182"
Mood = Callable[[Asked], bytes]

WHOSE: dict[str, Mood] = {
    "another subject": lambda a: a.items(a.record(of=OTHER)),
    "another among them": lambda a: a.items(a.record(), a.record(of=OTHER, m_id="R-2")),
    "another scheme": lambda a: a.items(a.record(m_scheme="PIN")),
    "no subject": lambda a: a.items(a.record(m_subject=...)),
    "null subject": lambda a: a.items(a.record(m_subject=None)),
    "a number as subject": lambda a: a.items(a.record(m_subject=5)),
}
MOODS: dict[str, Mood] = {
    "well": Asked.well,
    "well zipped": lambda a: zipped(a, "gzip", gzip.compress(a.body(a.record()))),
    "garbage": lambda a: answer(b"\x00\xff" + SECRET.encode()),
    "a page": lambda a: answer(f"<html>{SECRET}</html>".encode()),
    "empty": lambda a: answer(b""),
    "null": lambda a: answer(b"null"),
    "a list": lambda a: answer(b"[]"),
    "other names": lambda a: answer(b'{"rows": []}'),
    "items as object": lambda a: answer(a.text(json.dumps({SECRET: 1}).encode())),
    "an item as text": lambda a: answer(a.text(json.dumps([SECRET]).encode())),
    "not UTF-8": lambda a: answer(a.text(b'[{"m_id": "\xff"}]')),
    "deep": lambda a: answer(a.text(b"[" * 50_000 + b"]" * 50_000)),
    "cut short": lambda a: a.well()[:-20],
    "no HTTP": lambda a: b"SSH-2.0-" + SECRET.encode() + b"\r\n\r\n",
    "hangs up": lambda a: b"",
    "a redirect": lambda a: answer(b"", "302 Found", f"Location: /business-licences/{a.scheme}/{a.values[0]}"),
    "a redirect for ever": lambda a: answer(
        b"", "307 Temporary Redirect", f"Location: /{a.dataset.id}/{a.scheme}/{a.values[0]}"
    ),
    "500": lambda a: answer(SECRET.encode(), "500 Oops"),
    "503": lambda a: answer(SECRET.encode(), "503 Busy"),
    "401": lambda a: answer(SECRET.encode(), "401 Who"),
    "404": lambda a: answer(SECRET.encode(), "404 Where"),
    "204": lambda a: b"HTTP/1.1 204 No Content\r\n\r\n",
    "status 000": lambda a: a.well().replace(b"200 OK", b"000 OK", 1),
    "status 099": lambda a: a.well().replace(b"200 OK", b"099 OK", 1),
    "101": lambda a: b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n" + a.body(a.record()),
    "101 alone": lambda a: a.well().replace(b"200 OK", b"101 OK", 1),
    "a flood of 103": lambda a: b"HTTP/1.1 103 X\r\na: b\r\n\r\n" * 300 + a.well(),
    "some of 103": lambda a: b"HTTP/1.1 103 X\r\na: b\r\n\r\n" * 3 + a.well(),
    "two lengths": lambda a: a.well().replace(b"Content-Type", b"Content-Length: 2\r\nContent-Type", 1),
    "length and chunks": lambda a: in_chunks(a, 512).replace(b"Content-Type", b"Content-Length: 2\r\nX", 1),
    "no chunk": lambda a: CHUNKED + b"zz\r\n" + SECRET.encode(),
    "in chunks": lambda a: in_chunks(a, 100, 0, b"X-Trailer: 1\r\n"),
    "0.9 MB in 2-byte chunks": lambda a: in_chunks(a, 2, 899_000),
    "deflate": lambda a: zipped(a, "deflate", zlib.compress(a.body(a.record()))),
    "br": lambda a: zipped(a, "br", a.body(a.record())),
    "gzip of gzip": lambda a: zipped(a, "gzip, gzip", gzip.compress(gzip.compress(a.body(a.record())))),
    "a second gzip member": lambda a: zipped(a, "gzip", gzip.compress(a.body(a.record())) + gzip.compress(b" ")),
    "more behind gzip": lambda a: zipped(a, "gzip", gzip.compress(a.body(a.record())) + SECRET.encode()),
    "gzip cut short": lambda a: zipped(a, "gzip", gzip.compress(a.body(a.record()))[:-9]),
    "no gzip": lambda a: zipped(a, "gzip", a.body(a.record())),
    "10 MB": large,
    "10 MB of records": lambda a: repeated(a, 40_000),
    "10 MB zipped": lambda a: zipped(a, "gzip", _zipped_zeros()),
    "6,000 small records": lambda a: answer(a.text(b"[" + b", ".join([b'{"m_id": 1}'] * 6000) + b"]")),
    "many records": lambda a: repeated(a, 2000),
    "1 MB of escaped keys": escaped,
    **WHOSE,
    "no id": lambda a: a.items(a.record(m_id=...)),
    "an empty id": lambda a: a.items(a.record(m_id="")),
    "no version": lambda a: a.items(a.record(m_version=...)),
    "no day": lambda a: a.items(a.record(m_effective="2026-02-31")),
    "two contents": lambda a: a.items(a.record(), a.record(m_document="D-2")),
    "NaN": lambda a: a.written("Decimal", "NaN"),
    "NaN as text": lambda a: a.written("Decimal", '"NaN"'),
    "infinity": lambda a: a.written("Decimal", "Infinity"),
    "infinity as text": lambda a: a.written("Decimal", '"-Infinity"'),
    "a word as decimal": lambda a: a.written("Decimal", json.dumps(SECRET)),
    "a list as decimal": lambda a: a.written("Decimal", "[1]"),
    "underscores": lambda a: a.written("Decimal", '"1_000"'),
    "Arabic digits": lambda a: a.written("Decimal", '"\\u0661\\u0662"'),
    "blanks around": lambda a: a.written("Decimal", '" 12 "'),
    "a plus": lambda a: a.written("Decimal", '"+5"'),
    "1E-7": lambda a: a.well() if _has_none(a, "Decimal") else a.written("Decimal", "1E-7"),
    "over 32 bits": lambda a: a.written("Int", str(2**31)),
    "under 32 bits": lambda a: a.written("Int", str(-(2**31) - 1)),
    "half a worker": lambda a: a.written("Int", "1.5"),
    "true workers": lambda a: a.written("Int", "true"),
    "1 for true": lambda a: a.written("Boolean", "1"),
    "a number as text": lambda a: a.written("String", "5"),
    "a lone surrogate": lambda a: a.written("String", '"\\ud800"'),
    "the same key twice": lambda a: changed(a.well(), b'"m_id": "R-1"', b'"m_id": "R-0", "m_id": "R-1"'),
    "items twice": lambda a: changed(a.well(), a.key, a.key + b"[], " + a.key),
}  # fmt: skip
GRAPHQL: dict[str, Mood] = {
    "an error of nobody": lambda a: errors(a, ["nobody"]),
    "an error below nobody": lambda a: errors(a, ["q0", 0, "d9"] if a.way == "entities" else ["q0", "d9"]),
    "an error of the dataset": lambda a: errors(a, ["q0", 0, "d0"] if a.way == "entities" else ["q0", "d0"]),
    "an error without a path": lambda a: errors(a, None),
    "a path as text": lambda a: errors(a, "q0"),
    "many errors": lambda a: errors(a, *[["q0"]] * 20_000),
    "no data": lambda a: answer(b'{"data": null}'),
    "errors for data": lambda a: errors(a, None, data=b"null"),
    "no list": lambda a: answer(b'{"data": {"q0": {"d0": null}}}'),
}
ENTITIES: dict[str, Mood] = {
    "turned round": turned,
    "one too few": lambda a: answer(b'{"data": {"q0": []}}'),
    "one too many": lambda a: changed(a.well(), b'"q0": [', b'"q0": [null, '),
}
PAGED: dict[str, Mood] = {
    "links spelled oddly": spelled,
    "links before the path": stray,
    "a link elsewhere": lambda a: page(a, f"http://localhost:{a.port}/{a.dataset.id}"),
    "a link to itself": lambda a: page(a, f"/{a.dataset.id}/{a.scheme}/{a.values[0]}"),
    "a record on two pages": lambda a: page(a, f"?n={a.page + 1}", m_id="R-1"),
    "pages without end": lambda a: page(a, f"?n={a.page + 1}"),
}
HANG_UP = frozenset({"cut short", "no HTTP", "hangs up", "no chunk"})
"""After these the connection is closed."""


def _has_none(asked: Asked, type_: str) -> bool:
    return all(str(field.type) != type_ for field in asked.dataset.fields.values())
