"""Root fields that name no subject: the catalogue, the caller's permissions and receipts, introspection, the SDL.

They need no declared purpose, and leave no entry: only a look at all of a client's receipts does (`receipts`).
graphql-core executes them, off the hot path and off the event loop, in the client's share, over an operation that holds
nothing else: a subject field can never reach the executor. What they may cost was bounded with the document (`cost`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec
from graphql import DocumentNode, ExecutionResult, GraphQLSchema, execute

from gateway.bounds.shares import Shares
from gateway.catalogue.graphql.act_fields import MOST_ITEMS
from gateway.errors import Code, LedgerUnavailable, PastIncomplete, Refusal
from gateway.inquiry.http.request import GraphQLRequest
from gateway.inquiry.http.response import answered
from gateway.inquiry.plan import Bound, Plan
from gateway.inquiry.types import Answer, Facts, Requester

Suspended = Mapping[tuple[str, str], str]
"""What a requester's grants are suspended for (`Facts.suspended`)."""

Permissions = Callable[[Requester, str, Suspended], list[dict[str, Any]]]
"""(requester, purpose, what it is suspended for) -> rows of `permissions`."""

Page = Callable[[str | None, int], list[dict[str, Any]]]
"""(after, first) -> past inquiries; blocks. Raises `ValueError` for a cursor that is none, and `LedgerUnavailable`."""

Receipts = Callable[[Requester], Awaitable[Page]]
"""requester -> what opens its past inquiries; raises `LedgerUnavailable` where the look cannot be entered."""

Known = Callable[[], Awaitable[Facts]]
"""What is known of the caller now; raises `Refusal` with `DECISION_UNAVAILABLE`."""


class Others:
    """Answers these root fields for one rule set's schema."""

    def __init__(self, schema: GraphQLSchema, permissions: Permissions, receipts: Receipts) -> None:
        self._schema, self._permissions, self._receipts = schema, permissions, receipts

    async def answer(
        self, shares: Shares, plan: Plan, bound: Bound, requester: Requester, asked: GraphQLRequest, known: Known
    ) -> Answer:
        """The whole answer to an operation that names no subject; raises `Refusal` as `resolve` does."""
        page, suspended = await self._opened(bound, requester), await _suspended(bound, known)
        return await shares.do(
            requester.who,
            lambda: answered(
                msgspec.json.encode(self._execute(plan, bound, requester, asked, page, suspended)), (), asked.media
            ),
        )

    async def resolve(
        self, shares: Shares, plan: Plan, bound: Bound, requester: Requester, asked: GraphQLRequest, known: Known
    ) -> Mapping[str, Any] | None:
        """Values by response name; None where there is no such field. `known` is asked for `permissions` alone.

        Raises `Refusal` for an argument that will not do. None of these fields may be null, so an error in one leaves
        nothing of the others: it refuses the operation.
        """
        if bound.variant.other is None:
            return None
        page, suspended = await self._opened(bound, requester), await _suspended(bound, known)
        return await shares.do(requester.who, lambda: self._execute(plan, bound, requester, asked, page, suspended))

    async def _opened(self, bound: Bound, requester: Requester) -> Page | None:
        """The caller's past inquiries, where they are asked for: to see everybody's is entered before any is read."""
        if "receipts" not in bound.others:
            return None
        try:
            return await self._receipts(requester)
        except LedgerUnavailable as error:
            raise _out_of_reach() from error

    def _execute(
        self,
        plan: Plan,
        bound: Bound,
        requester: Requester,
        asked: GraphQLRequest,
        page: Page | None,
        suspended: Suspended,
    ) -> Mapping[str, Any]:
        other = bound.variant.other
        if other is None:
            return {}

        def permissions(_info: Any, purpose: Any) -> list[dict[str, Any]]:
            return self._permissions(requester, str(purpose), suspended)

        def receipts(_info: Any, after: str | None = None, first: int | None = None) -> list[dict[str, Any]]:
            count = 20 if first is None else first
            if not 0 < count <= MOST_ITEMS:
                raise _invalid(f"`first` must be from 1 to {MOST_ITEMS}")
            assert page is not None
            try:
                return page(after, count)
            except ValueError:
                raise _invalid("`after` is not a cursor of `receipts`") from None
            except PastIncomplete as error:
                raise Refusal(Code.LEDGER_UNAVAILABLE, str(error)) from None
            except LedgerUnavailable:
                raise _out_of_reach() from None

        document = DocumentNode(definitions=(other, *plan.fragments))
        root = {"permissions": permissions, "receipts": receipts}
        done = execute(self._schema, document, root_value=root, variable_values=dict(asked.variables))
        assert isinstance(done, ExecutionResult)  # no resolver waits for anything
        for error in done.errors or ():
            raise error.original_error or Refusal(Code.GRAPHQL_VARIABLES_INVALID, error.message)
        return done.data or {}


async def _suspended(bound: Bound, known: Known) -> Suspended:
    return (await known()).suspended if "permissions" in bound.others else {}


def _out_of_reach() -> Refusal:
    message = "the ledger is out of reach, and with it past receipts; ask again later"
    return Refusal(Code.LEDGER_UNAVAILABLE, message, retryable=True)


def _invalid(message: str) -> Refusal:
    return Refusal(Code.GRAPHQL_VARIABLES_INVALID, message, path=["receipts"])
