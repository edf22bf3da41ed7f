"""Whatever a description says: it is answered in words or by parts that load, and its text is nothing but text."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from gateway.connecting.starting import drafting, graphql, parts, quoting, reading
from gateway.connecting.starting.model import Known
from gateway.connecting.starting.openapi import document as openapi
from gateway.documents import parse
from gateway.errors import CommandRefused, Problem
from gateway.values import Document
from tests.connecting.starting import styles
from tests.connecting.starting.making import api, body, get, get_one, post, record

KNOWN = Known({"LEI": ("organisation",), "PIN": ("person",)}, {}, frozenset(["tax-awards"]))
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
NASTY = st.sampled_from(
    ["#", ": ", "- ", "\n", '"', "'", "{", "*a", "&a", "!", "\u2028", "\x07", "null", "$ref", ".", "é"]
)
NAME = st.one_of(TEXT, st.lists(st.one_of(NASTY, TEXT), max_size=4).map("".join))
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**60), 2**60), NAME),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(NAME, inner, max_size=4)),
    max_leaves=12,
)
WORDS = [
    "type",
    "properties",
    "items",
    "allOf",
    "oneOf",
    "anyOf",
    "$ref",
    "enum",
    "const",
    "format",
    "title",
    "nullable",
]
SCHEMA = st.recursive(
    st.one_of(
        JSON,
        st.fixed_dictionaries({"type": st.sampled_from(["string", "integer", "number", "boolean", "object", "array"])}),
        st.just({"$ref": "#/components/schemas/A"}),
        st.just({"$ref": "#/paths"}),
    ),
    lambda inner: st.one_of(
        st.fixed_dictionaries({"type": st.just("object"), "properties": st.dictionaries(NAME, inner, max_size=4)}),
        st.fixed_dictionaries({"type": st.just("array"), "items": inner}),
        st.dictionaries(st.sampled_from(WORDS), st.one_of(inner, st.lists(inner, max_size=3)), max_size=4),
    ),
    max_leaves=15,
)


def made(document: Any, of: Any = openapi) -> str | None:
    """The parts of a document as one text; None where it is refused in words."""
    content = reading.plain(json.dumps(document).encode(), "description")
    try:
        described = of.described(content, "description", "tax", KNOWN.schemes, "https://tax.example/openapi.json")
        drafted = drafting.draft("tax", described, KNOWN)
    except CommandRefused:
        return None
    return "---\n".join(part.text for part in parts.parts(drafted, {}, "CHECKS", "checker"))


def holds(text: str) -> Any:
    """What the parts say, read by another reader too, with the marks of a line where they belong."""
    documents = text.split("---\n")
    for each in documents:
        problems: list[Problem] = []
        node = parse(each, Document("part", Path(), problems))
        assert node is not None
        assert problems == []
    assert text.isprintable() or set(filter(lambda character: not character.isprintable(), text)) == {"\n"}
    source, catalogue, purpose, requesters = (YAML(typ="safe", pure=True).load(each) for each in documents)
    assert list(source) == ["tax"]
    assert set(source["tax"]) == {"kind", "base_url", "auth", "datasets"}
    assert list(catalogue) == ["department", "title", "datasets"]
    assert list(purpose) == ["CHECKS"]
    assert [each["client"] for each in requesters] == ["checker"]
    assert source["tax"]["datasets"].keys() == catalogue["datasets"].keys() == purpose["CHECKS"]["fields"].keys()
    return source["tax"]


@given(JSON)
def test_any_json_is_no_description_or_gives_parts_that_load(document: Any) -> None:
    for more in (
        document,
        {"openapi": "3.1.0", "paths": document},
        {"openapi": "3.0.0", **api({}), "components": document},
    ):
        if isinstance(more, dict):
            assert made(more) is None
            assert made({"data": {"__schema": more}}, graphql) is None


@given(schema=SCHEMA, answer=SCHEMA, name=NAME, other=JSON)
def test_any_schema_gives_parts_that_load(schema: Any, answer: Any, name: str, other: Any) -> None:
    paths = {
        "/companies/{lei}/arrears": get(record(**{name: schema}), summary=name),
        "/companies/{lei}/notices": get(schema, at=name),
        f"/companies/{{lei}}/{name}": get(
            record(due={"type": "string"}), {"name": name, "in": "query", "schema": schema}
        ),
        "/companies/{lei}/papers": get_one(answer),
        "/companies/{lei}/scans": get_one({"xml": {"name": name}, "properties": {name: answer}}, kind="text/xml"),
        "/companies/{lei}/files": get_one(answer, kind="application/xml"),
        "/search": post(schema, answer),
        "/letters/find": post(body("lei", lei={"type": "string"}, **{name: schema})),
        "/other": other,
    }
    text = made(api(paths, components={"schemas": {"A": schema}}, servers=other, security=other, info={"title": name}))
    assert text is not None
    for dataset in holds(text)["datasets"].values():
        assert dataset["path"].isascii()
        assert "{value}" in dataset["path"] + str(dataset.get("body"))


@given(st.data())
def test_a_document_with_any_part_replaced_is_taken_or_refused(data: st.DataObject) -> None:
    document = json.loads(json.dumps(data.draw(st.sampled_from([styles.SPRING, styles.FASTAPI]))))
    for _ in range(data.draw(st.integers(1, 4))):
        place: Any = document
        while True:
            keys = list(place) if isinstance(place, dict) else list(range(len(place)))
            key = data.draw(st.sampled_from(keys))
            if not isinstance(place[key], dict | list) or not place[key] or data.draw(st.integers(0, 5)) == 0:
                place[key] = data.draw(JSON)
                break
            place = place[key]
    if (text := made(document)) is not None:
        assert text.startswith("# add below")


@given(st.text(st.characters(exclude_categories=["Cs"])), st.booleans())
def test_a_scalar_reads_back_as_what_it_was(text: str, flow: bool) -> None:
    written = quoting.scalar(text, flow=flow)
    line = f"a: [{written}, {written}]\n" if flow else f"a: {written}  {quoting.comment(text)}\n"
    assert line.count("\n") == 1
    for read in (YAML(typ="safe", pure=True).load(line)["a"], _own(line)):
        assert read == ([text, text] if flow else text)


def _own(line: str) -> Any:
    node = parse(line, Document("part", Path(), []))
    assert node is not None
    return node.plain()["a"]


def test_the_property_fails_when_a_fault_is_planted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Text that is written as it came is found."""
    monkeypatch.setattr("gateway.connecting.starting.writing.scalar", lambda text, flow=False: text)
    broken = made(api({"/companies/{lei}/arrears": get(record(due={"type": "string", "title": "Due: {x"}))}))
    assert broken is not None
    with pytest.raises(AssertionError):
        holds(broken)
