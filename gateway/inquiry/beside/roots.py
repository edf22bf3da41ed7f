"""Root fields that name no subject: the catalogue, the caller's permissions and receipts, introspection, the SDL.

They need no declared purpose, and leave no entry: only a look at all of a client's receipts does (`receipts`).
graphql-core executes them, off the hot path, over an operation that holds nothing else: a subject field can never reach
the executor.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec
from graphql import DocumentNode, GraphQLSchema, execute

from gateway.errors import Code, LedgerUnavailable, Refusal
from gateway.inquiry.http.request import GraphQLRequest
from gateway.inquiry.http.response import answered
from gateway.inquiry.plan import Bound, Plan
from gateway.inquiry.types import Answer, Requester

Permissions = Callable[[Requester, str], list[dict[str, Any]]]
"""(requester, purpose) -> rows of `permissions`."""

Receipts = Callable[[Requester], Callable[[str | None, int], Awaitable[list[dict[str, Any]]]]]
"""requester -> (after, first) -> past inquiries; raises `ValueError` for a cursor that is none."""

MOST_RECEIPTS = 100


class Others:
    """Answers these root fields for one rule set's schema."""

    def __init__(self, schema: GraphQLSchema, permissions: Permissions, receipts: Receipts) -> None:
        self._schema, self._permissions, self._receipts = schema, permissions, receipts

    async def answer(self, plan: Plan, bound: Bound, requester: Requester, asked: GraphQLRequest) -> Answer:
        """The whole answer to an operation that names no subject; raises `Refusal` as `resolve` does."""
        values = await self.resolve(plan, bound, requester, asked)
        return answered(msgspec.json.encode(values), (), asked.media)

    async def resolve(self, plan: Plan, bound: Bound, requester: Requester, asked: GraphQLRequest) -> Mapping[str, Any]:
        """Values by response name.

        Raises `Refusal` for an argument that will not do. None of these fields may be null, so an error in one leaves
        nothing of the others: it refuses the operation.
        """
        other = bound.variant.other
        if other is None:
            return {}

        def permissions(_info: Any, purpose: Any) -> list[dict[str, Any]]:
            return self._permissions(requester, str(purpose))

        past = self._receipts(requester)

        async def receipts(_info: Any, after: str | None = None, first: int | None = None) -> list[dict[str, Any]]:
            count = 20 if first is None else first
            if not 0 < count <= MOST_RECEIPTS:
                raise _invalid(f"`first` must be from 1 to {MOST_RECEIPTS}")
            try:
                return await past(after, count)
            except ValueError:
                raise _invalid("`after` is not a cursor of `receipts`") from None
            except LedgerUnavailable:
                message = "the ledger is out of reach, and with it past receipts; ask again later"
                raise Refusal(Code.LEDGER_UNAVAILABLE, message) from None

        document = DocumentNode(definitions=(other, *plan.fragments))
        root = {"permissions": permissions, "receipts": receipts}
        result = execute(self._schema, document, root_value=root, variable_values=dict(asked.variables))
        done = await result if inspect.isawaitable(result) else result
        for error in done.errors or ():
            raise error.original_error or Refusal(Code.GRAPHQL_VARIABLES_INVALID, error.message)
        return done.data or {}


def _invalid(message: str) -> Refusal:
    return Refusal(Code.GRAPHQL_VARIABLES_INVALID, message, path=["receipts"])
