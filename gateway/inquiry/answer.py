"""The whole path of one inquiry: nine steps, in order, with their numbers.

Steps 1 and 2 say who asks and what; an operation that is no inquiry ends there. From then on
every way out, answer or refusal, goes through step 9: one durable entry, then the bytes. Nothing else may answer.
"""

from __future__ import annotations

import asyncio
import functools
import os

from gateway.errors import Code, Refusal
from gateway.inquiry.admit import Reservation, asking
from gateway.inquiry.authenticate import registered_as
from gateway.inquiry.beside.abreast import abreast
from gateway.inquiry.beside.apart import answered_apart, bound_to, by_document, correcting, planned
from gateway.inquiry.beside.break_glass import guard
from gateway.inquiry.beside.current import known
from gateway.inquiry.beside.refusing import answer_refusal, decided
from gateway.inquiry.beside.release import Release
from gateway.inquiry.case.needed import verify_case
from gateway.inquiry.decide import decide, relied_on
from gateway.inquiry.disclose import Entry, disclose, extension
from gateway.inquiry.fetch import may_be_sent
from gateway.inquiry.http.request import media_of, read
from gateway.inquiry.http.response import answered
from gateway.inquiry.journey import Journey, Outdated, Serving, Telling
from gateway.inquiry.plan import RefusedAboutSubjects
from gateway.inquiry.restrain import restrain_all
from gateway.inquiry.types import Answer
from gateway.rules.model import Purpose
from gateway.telemetry.metrics import Steps


async def answer(journey: Journey, method: str, headers: list[tuple[bytes, bytes]], body: bytes) -> Answer:
    """Answer one request to `/graphql`: by one rule set, and from the first step on again where it was replaced."""
    began, steps, requester = asyncio.get_running_loop().time(), journey.metrics.begin(), None
    while True:
        authenticator, serving, entry = journey.authenticator, journey.serving(), None
        try:
            # 1. authenticate: who asks
            if requester is None:
                credentials = authenticator.credentials(headers)
                requester = await authenticator.authenticate(credentials, method, headers, None, serving.registered)
            else:  # what was shown is not looked at twice: a proof counts once
                requester = registered_as(requester, serving.registered(*requester.who))
            steps.caller(requester.client, headers)
            asked = read(method, headers, body, journey.body_limit)
            steps.done("authenticate")

            # 2. plan: what is asked, about whom, and for which purpose
            plan = await planned(journey, serving, requester, asked)
            if plan.names_subjects:
                entry = Entry(os.urandom(16).hex(), requester, serving.rules.digest)
            bound = await bound_to(journey, plan, requester, asked)
            if entry is None or (declaration := bound.declaration) is None:
                entry = entry if bound.act is None else None  # an act leaves its own
                return await answered_apart(journey, serving, plan, bound, requester, asked, began)
            declaration = journey.retries.named(declaration, asked)
            purpose = serving.purpose(declaration.purpose)
            if purpose.secrecy_max is not None:  # before anything can refuse it: a refusal is as secret
                entry.secret_until = serving.secret_until(purpose.secrecy_max, journey.stamp())
            entry.declaration, entry.subjects = declaration, bound.subjects  # never before it is known how secret it is
            authenticator.check_scope(requester, serving.datasets, bound.others)
            steps.done("plan")
            telling = by_document(journey, serving, plan, bound, requester, asked)
            telling = await correcting(journey, serving, telling, entry) if declaration.recall else telling
            return await disclosed(journey, serving, telling, purpose, entry, steps, began)
        except Outdated as outdated:
            journey = outdated.journey
        except Exception as problem:
            if isinstance(problem, RefusedAboutSubjects) and requester is not None:
                entry = Entry(os.urandom(16).hex(), requester, serving.rules.digest)
            return await answer_refusal(journey, entry, problem, media_of(headers), steps)


async def disclosed(
    journey: Journey, serving: Serving, telling: Telling, purpose: Purpose, entry: Entry, steps: Steps, began: float
) -> Answer:
    """From the third step on: the result, answered in the way of `telling`. What it raises is answered as above."""
    requester, rules, subjects, declaration = entry.requester, serving.rules, entry.subjects, entry.declared
    # 3. facts: the case at its registry, then what is known of the subjects, and whether an emergency may go on
    today = decided_on = (now := journey.now()).astimezone(serving.zone).date()
    case = purpose.case_required and await verify_case(journey.cases, requester, purpose, declaration, subjects, today)
    facts = await known(journey, serving, subjects, now, requester, began)
    glass = await guard(journey, requester, purpose, declaration, today) if purpose.break_glass is not None else None
    facts = facts.settled(case_verified=case, break_glass=glass is not None)
    entry.facts = facts.change
    steps.done("facts")

    # 4. decide every field for every subject
    deciding = functools.partial(decide, telling.selected, requester, declaration, rules, facts, subjects)
    decision = decided(journey, entry, deciding, now)
    entry.consents = relied_on(requester, declaration, facts, today)
    steps.done("decide")

    # 5. admit: reserve before any call
    if decision.permits:
        counted = asking(requester, purpose.name, subjects, declaration, now, entry.id)
        if not isinstance(reserved := telling.admission(journey).reserve(purpose, counted), Reservation):
            await reserved
        entry.change = glass.use(entry.id, requester, purpose.name, now) if glass is not None else None
    steps.done("admit")
    await abreast(journey.crowd)

    # 6. fetch what was permitted, and nothing else
    about = may_be_sent(purpose, declaration, requester.official, entry.id) if journey.fetcher.forwards else None
    fetched = telling.kept(await journey.fetcher.fetch(decision.permits, journey.fetched_by(), about, steps))
    others = await telling.others() if telling.others is not None else None
    steps.done("fetch")

    # 7. restrain, at this moment: what ended while departments answered is not released
    today = (now := journey.now()).astimezone(serving.zone).date()
    journey.authenticator.check_expiry(requester, now)
    if today != decided_on and deciding(now).permits != decision.permits:  # what else it depends on is the same object
        raise Refusal(Code.DECISION_UNAVAILABLE, "a permit ended while the inquiry ran; ask again", retryable=True)
    restraining = functools.partial(restrain_all, rules.policies, purpose, decision, fetched, facts, telling.oneself)
    got, withheld, cautions, failures = restraining(today)
    journey.metrics.failed(failures)
    steps.done("restrain")

    # 8. render the answer's data, once
    data, errors, codes = await telling.render(decision, got, others)
    steps.done("render")

    # 9. disclose: the entry is durable before the first byte leaves; and that leaves where all of it still holds
    entry.withheld, entry.cautions, entry.obligations = withheld, cautions, telling.duties(serving, today, purpose)
    receipt = await disclose(journey.ledger, entry, got, data, codes, now)
    steps.done("disclose")
    release = Release(journey, entry, f"{receipt.shard}-{receipt.index}", began)
    at_first = decision.permits, withheld
    await release.check(
        today, serving.zone, facts, lambda then, day: (deciding(then).permits, restraining(day)[1]) == at_first
    )
    journey.metrics.answered("OK", steps)
    return answered(data, errors, telling.media, extension(entry, receipt), unsent=release.unsent)
