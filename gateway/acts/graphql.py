"""The GraphQL side of acts: what is asked, to its handler, and what comes of it, to the bytes of an answer.

A handler does one root field: it enters what has to be entered, and gives a value by GraphQL names, of what is selected
and no more. graphql-core renders that value, over an operation that holds nothing else. A field without a handler is
not served. Invariant: what was done is never told in part; a value that does not fit the schema is a defect.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from graphql import (
    ExecutionResult,
    GraphQLError,
    GraphQLID,
    GraphQLSchema,
    VariableValues,
    execute,
    get_argument_values,
    get_named_type,
    get_variable_values,
)

from gateway.acts import inputs
from gateway.acts.called import Called, Handlers
from gateway.bounds.shares import Shares
from gateway.catalogue.graphql.act_fields import MOST_ITEMS
from gateway.errors import Code, Refusal
from gateway.inquiry.document.shapes import Act, Chosen
from gateway.inquiry.http.request import GraphQLRequest
from gateway.inquiry.http.response import answered
from gateway.inquiry.types import Answer, Requester


class Acts:
    """Does acts by their handlers, under one rule set's schema."""

    def __init__(self, schema: GraphQLSchema, handlers: Handlers) -> None:
        self._schema, self._handlers = schema, handlers

    async def answer(self, shares: Shares, act: Act, requester: Requester, asked: GraphQLRequest) -> Answer:
        """The whole answer to an act; raises `Refusal`, with the act's place in the answer."""
        handler = self._handlers.get(act.field)
        if handler is None:
            raise Refusal(Code.GRAPHQL_OPERATION_INVALID, f"`{act.field}` is not served by this gateway")

        async def render(value: Any) -> bytes:
            # What was done is told whatever share is left; one thing takes no time, a page is made off the loop.
            if act.mutates:
                return self._rendered(act, asked, value)
            return await shares.do(requester.who, lambda: self._rendered(act, asked, value))

        try:
            called = Called(act.field, *self._arguments(act, asked.variables), asked.media, render)
            done = await handler(requester, called)
        except Refusal as refusal:
            refusal.path = refusal.path or [act.key]
            raise
        if isinstance(done, Answer):
            return done
        return answered(await render(done.value), (), asked.media, done.act, of=b"act")

    def _arguments(
        self, act: Act, given: Mapping[str, Any]
    ) -> tuple[Mapping[str, Any], Mapping[str, Mapping[str, Any]]]:
        """The field's own arguments, and those of what is selected of its value."""
        variables = get_variable_values(self._schema, act.operation.variable_definitions or (), dict(given))
        assert not isinstance(variables, list)  # the plan coerced them already
        selected: dict[str, Mapping[str, Any]] = {}
        for name, chosen in act.below.items():
            several = [_coerced(each, variables) for each in chosen]
            if any(each != several[0] for each in several):
                message = f"`{name}` stands here more than once, with different arguments; ask for one at a time"
                raise Refusal(Code.GRAPHQL_OPERATION_INVALID, message)
            selected[name] = several[0]
        return _coerced(act.chosen, variables), selected

    def _rendered(self, act: Act, asked: GraphQLRequest, value: Any) -> bytes:
        variables = dict(asked.variables)
        done = execute(self._schema, act.document, root_value={act.field: value}, variable_values=variables)
        assert isinstance(done, ExecutionResult)  # no resolver waits for anything
        for error in done.errors or ():
            raise error.original_error or error
        return msgspec.json.encode(done.data)


def _coerced(chosen: Chosen, variables: VariableValues) -> dict[str, Any]:
    try:
        given = get_argument_values(chosen.definition, chosen.node, variables)
    except GraphQLError as error:
        raise Refusal(Code.GRAPHQL_VARIABLES_INVALID, error.message) from None
    if "first" in given:
        if given["first"] is None:
            given["first"] = chosen.definition.args["first"].default_value
        if not 0 < given["first"] <= MOST_ITEMS:
            raise Refusal(Code.GRAPHQL_VARIABLES_INVALID, f"`first` must be from 1 to {MOST_ITEMS}")
    for name, value in given.items():
        if value is not None and get_named_type(chosen.definition.args[name].type) is GraphQLID:
            for each in value if isinstance(value, list) else [value]:
                inputs.searchable(each, name)
    return given
