"""Step 2 off the event loop, in the client's share: what was compiled before costs nothing of either. What ends there.

An unseen document is parsed, validated and compiled in a thread; so is a known one under conditions that are new.
Invariant: a client that spent its share is refused before its document is read. Like one that does not parse, it then
leaves no entry: nobody knows yet what it asks.
"""

from __future__ import annotations

from functools import partial

import msgspec

from gateway.errors import Code, Refusal
from gateway.inquiry.beside.abreast import abreast
from gateway.inquiry.beside.recalled import correction
from gateway.inquiry.beside.roots import Known
from gateway.inquiry.disclose import Entry
from gateway.inquiry.http.request import GraphQLRequest, declared
from gateway.inquiry.journey import Journey, Outdated, Serving, Telling
from gateway.inquiry.plan import Bound, Plan
from gateway.inquiry.types import Answer, Requester
from gateway.ledger.acting.planned import RulesChanged


async def planned(journey: Journey, serving: Serving, requester: Requester, asked: GraphQLRequest) -> Plan:
    """The compiled operation. Raises `Refusal` as `Planner.plan`, and `QUOTA_EXCEEDED`."""
    await abreast(journey.crowd)
    planner, operation = serving.planner, (asked.query, asked.operation_name)
    plan = planner.known(*operation)
    if plan is None:
        compiled = await journey.shares.once(requester.who, operation, partial(planner.compiled, *operation))
        plan = planner.known(*operation) or planner.keep(compiled)
    return plan


async def bound_to(journey: Journey, plan: Plan, requester: Requester, asked: GraphQLRequest) -> Bound:
    """What the request asks. Raises `Refusal` as `Plan.bind`, and `QUOTA_EXCEEDED`."""
    lacks = plan.lacks(asked.variables)
    if lacks is not None:
        plan.keep(lacks, await journey.shares.once(requester.who, (id(plan), lacks), partial(plan.compiled, lacks)))
    bound = plan.bind(asked.variables, declared(asked.inquiry) if plan.names_subjects else None)
    if bound.act is not None and (plan.declares or asked.inquiry is not None):
        what = "`@inquiry`" if plan.declares else "the `Inquiry` header"
        raise Refusal(Code.INQUIRY_INVALID, f"`{bound.act.field}` is no inquiry and has no purpose: leave out {what}")
    return bound


def by_document(
    journey: Journey, serving: Serving, plan: Plan, bound: Bound, requester: Requester, asked: GraphQLRequest
) -> Telling:
    """How an inquiry is answered: as its document selects."""
    others = None
    if bound.variant.other is not None:
        known = _known(journey, requester)
        others = partial(serving.others.resolve, journey.shares, plan, bound, requester, asked, known)
    return Telling(bound.selected, asked.media, partial(serving.renderer.render, bound.variant, bound.asked), others)


async def correcting(journey: Journey, serving: Serving, telling: Telling, entry: Entry) -> Telling:
    """The same, of no more than the recall that the declaration names lets be fetched; raises `Refusal`."""
    today = journey.now().astimezone(serving.zone).date()
    of = (entry.requester, entry.declared, entry.subjects, telling.selected)
    return msgspec.structs.replace(telling, recalled=await correction(journey.recalls, *of, today))


async def answered_apart(
    journey: Journey,
    serving: Serving,
    plan: Plan,
    bound: Bound,
    requester: Requester,
    asked: GraphQLRequest,
    began: float,
) -> Answer:
    """The answer to an operation that is no inquiry: an act, or root fields that name no subject.

    Raises `Outdated` where an act would be made under rules that another activation replaced: it was not made.
    """
    journey.authenticator.check_scope(requester, serving.datasets, bound.others, on_behalf=bound.on_behalf)
    if bound.act is not None:
        try:
            return await serving.acts.answer(journey.shares, bound.act, requester, asked)
        except RulesChanged as changed:
            if journey.newer is None:
                raise
            raise Outdated(await journey.newer(changed.epoch, began)) from None
    known = _known(journey, requester)
    return await serving.others.answer(journey.shares, plan, bound, requester, asked, known)


def _known(journey: Journey, requester: Requester) -> Known:
    """What is known of the requester itself, whenever that is asked for."""
    return lambda: journey.facts.read((), journey.now(), requester.who)
