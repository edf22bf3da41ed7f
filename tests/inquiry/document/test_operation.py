"""Which operation of a document is asked for, and what is wrong where there is none of the kind."""

from __future__ import annotations

import pytest
from graphql import parse

from gateway.errors import Code, Refusal
from gateway.inquiry.document.operation import named_operation

ONE, TWO, NONE = "query A { a }", "query A { a } query B { b }", "fragment F on Query { a }"


@pytest.mark.parametrize(("text", "name"), [(ONE, None), (ONE, "A"), (TWO, "A")])
def test_it_is_the_named_or_the_only_one(text: str, name: str | None) -> None:
    found = named_operation(parse(text), name).name
    assert found is not None
    assert found.value == "A"


@pytest.mark.parametrize(
    ("text", "name", "words"),
    [
        (TWO, None, "the document has several operations; name one with `operationName`"),
        (TWO, "C", "there is no operation `C`; name one with `operationName`"),
        (ONE, "", "`operationName` is empty; leave it out where the document has one operation, else name one"),
        (NONE, None, "the document has no operation; write one, as `query { ... }`"),
        (NONE, "A", "the document has no operation; write one, as `query { ... }`"),
        ("query A { a } query A { b }", "A", "several operations are called `A`; give each a name of its own"),
    ],
)
def test_what_is_wrong_is_named(text: str, name: str | None, words: str) -> None:
    with pytest.raises(Refusal) as raised:
        named_operation(parse(text), name)
    assert (raised.value.code, str(raised.value)) == (Code.GRAPHQL_OPERATION_INVALID, words)
