"""Which operation of a document is asked for, and what the library has against it, as a refusal. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphql import DocumentNode, GraphQLError, OperationDefinitionNode, OperationType

from gateway.errors import Code, Refusal

MOST_LISTED = 1_000
"""Items that the lists of one variable of a mutation may have together."""


def named_operation(document: DocumentNode, name: str | None) -> OperationDefinitionNode:
    """The operation of that name, or the only one; raises `Refusal` where there is none, or where it subscribes."""
    operations = [d for d in document.definitions if isinstance(d, OperationDefinitionNode)]
    named = [o for o in operations if name is None or (o.name is not None and o.name.value == name)]
    if len(named) != 1:
        raise Refusal(Code.GRAPHQL_OPERATION_INVALID, _wrong(operations, named, name))
    (operation,) = named
    if operation.operation is OperationType.SUBSCRIPTION:
        raise Refusal(Code.GRAPHQL_OPERATION_INVALID, "`subscription` operations are not served")
    return operation


def _wrong(all_: Sequence[OperationDefinitionNode], named: Sequence[OperationDefinitionNode], name: str | None) -> str:
    if not all_:
        return "the document has no operation; write one, as `query { ... }`"
    if name is None:
        return "the document has several operations; name one with `operationName`"
    if not name:
        return "`operationName` is empty; leave it out where the document has one operation, else name one"
    if named:
        return f"several operations are called `{name}`; give each a name of its own"
    return f"there is no operation `{name}`; name one with `operationName`"


def bound_lists(value: Any) -> None:
    """Refuse a variable that lists too much, before each item of it is looked at."""
    level, listed = [value], 0
    while level:
        inner: list[Any] = []
        for each in level:
            if type(each) is list:
                listed += len(each)
                inner += each
            elif type(each) is dict:
                inner += each.values()
        if listed > MOST_LISTED:
            message = f"a variable lists more than {MOST_LISTED:,} items; ask for less at once"
            raise Refusal(Code.LIMIT_EXCEEDED, message)
        level = inner


def refusal(code: Code, errors: Sequence[GraphQLError]) -> Refusal:
    """All of these errors of graphql-core's, as one refusal."""
    told = [
        (error.message, [{"line": at.line, "column": at.column} for at in error.locations or ()]) for error in errors
    ]
    return Refusal(code, told[0][0], locations=told[0][1] or None, also=told[1:])
