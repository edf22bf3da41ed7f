"""Step 2 off the event loop, in the client's share: what was compiled before costs nothing of either.

An unseen document is parsed, validated and compiled in a thread; so is a known one under conditions that are new.
Invariant: a client that spent its share is refused before its document is read. Like one that does not parse, it then
leaves no entry: nobody knows yet what it asks.
"""

from __future__ import annotations

from functools import partial

from gateway.inquiry.http.request import GraphQLRequest, declared
from gateway.inquiry.journey import Journey, Serving
from gateway.inquiry.plan import Bound, Plan
from gateway.inquiry.types import Requester


async def planned(journey: Journey, serving: Serving, requester: Requester, asked: GraphQLRequest) -> Plan:
    """The compiled operation. Raises `Refusal` as `Planner.plan`, and `QUOTA_EXCEEDED`."""
    planner, operation = serving.planner, (asked.query, asked.operation_name)
    plan = planner.known(*operation)
    if plan is None:
        compiled = await journey.shares.once(requester.who, operation, partial(planner.compiled, *operation))
        plan = planner.known(*operation) or planner.keep(*operation, compiled)
    return plan


async def bound_to(journey: Journey, plan: Plan, requester: Requester, asked: GraphQLRequest) -> Bound:
    """What the request asks. Raises `Refusal` as `Plan.bind`, and `QUOTA_EXCEEDED`."""
    lacks = plan.lacks(asked.variables)
    if lacks is not None:
        plan.keep(lacks, await journey.shares.once(requester.who, (id(plan), lacks), partial(plan.compiled, lacks)))
    return plan.bind(asked.variables, declared(asked.inquiry) if plan.names_subjects else None)
