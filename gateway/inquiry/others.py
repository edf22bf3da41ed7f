"""Root fields that name no subject: the catalogue, the caller's permissions and receipts, introspection, the SDL.

They disclose nothing about anybody, so they need no declared purpose and leave no entry. graphql-core executes them,
off the hot path, over an operation that holds nothing else: a subject field can never reach the executor.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple

from graphql import DocumentNode, GraphQLError, GraphQLSchema, execute

from gateway.inquiry.plan import Plan
from gateway.inquiry.selections import Variant
from gateway.inquiry.types import Requester

Permissions = Callable[[Requester, str], list[dict[str, Any]]]
"""(requester, purpose) -> rows of `permissions`."""

Receipts = Callable[[Requester, str | None, int], Awaitable[list[dict[str, Any]]]]
"""(requester, after, first) -> the requester's own inquiries; raises `ValueError` for a cursor that is none."""

MOST_RECEIPTS = 100


class OthersResult(NamedTuple):
    """Values by response name, and GraphQL errors."""

    values: Mapping[str, Any]
    errors: list[dict[str, Any]]


class Others:
    """Answers these root fields for one rule set's schema."""

    def __init__(self, schema: GraphQLSchema, permissions: Permissions, receipts: Receipts) -> None:
        self._schema, self._permissions, self._receipts = schema, permissions, receipts

    async def resolve(
        self, plan: Plan, variant: Variant, requester: Requester, variables: Mapping[str, Any]
    ) -> OthersResult:
        """`variables` are those of the request, not yet coerced."""
        if variant.other is None:
            return OthersResult({}, [])

        def permissions(_info: Any, purpose: Any) -> list[dict[str, Any]]:
            return self._permissions(requester, str(purpose))

        async def receipts(_info: Any, after: str | None = None, first: int | None = None) -> list[dict[str, Any]]:
            count = 20 if first is None else first
            if not 0 < count <= MOST_RECEIPTS:
                raise _invalid(f"`first` must be from 1 to {MOST_RECEIPTS}")
            try:
                return await self._receipts(requester, after, count)
            except ValueError:
                raise _invalid("`after` is not a cursor of `receipts`") from None

        document = DocumentNode(definitions=(variant.other, *plan.fragments))
        root = {"permissions": permissions, "receipts": receipts}
        result = execute(self._schema, document, root_value=root, variable_values=dict(variables))
        done = await result if inspect.isawaitable(result) else result
        return OthersResult(done.data or {}, [dict(error.formatted) for error in done.errors or ()])


def _invalid(message: str) -> GraphQLError:
    return GraphQLError(message, extensions={"code": "REQUEST_INVALID"})
