"""The whole path of one inquiry on one screen.

Steps 1 and 2 say who asks and what; an operation that names no subject ends there, without an entry. From then on
every way out, answer or refusal, goes through step 9: one durable entry, then the bytes. Nothing else may answer.
"""

from __future__ import annotations

import asyncio
import datetime
import logging
import os
import zoneinfo
from collections.abc import Callable

import msgspec

from connectors.base import Failure, Subject
from gateway.errors import Code, Refusal
from gateway.inquiry.admit import AdmissionPort, Counted, Reservation
from gateway.inquiry.authenticate import Authenticator
from gateway.inquiry.beside.obligations import Obligations
from gateway.inquiry.beside.roots import Others
from gateway.inquiry.case.registries import CaseRegistries
from gateway.inquiry.decide import decide
from gateway.inquiry.disclose import Entry, LedgerPort, disclose, extension, refuse
from gateway.inquiry.facts import FactsReader
from gateway.inquiry.fetch import Fetcher
from gateway.inquiry.http.request import GraphQLRequest, declared, media_of, read, refused
from gateway.inquiry.http.response import answered
from gateway.inquiry.plan import Bound, Plan, Planner, RefusedAboutSubjects
from gateway.inquiry.render import Renderer
from gateway.inquiry.restrain import restrain
from gateway.inquiry.types import Answer, Caution, Declaration, Facts, Outcome, Requester, Withheld
from gateway.ledger.entry import secrecy
from gateway.rules.decide import guards
from gateway.rules.model import Purpose
from gateway.rules.ruleset import RuleSet
from gateway.telemetry import UNTIMED, Metrics, Steps
from gateway.watch.break_glass import BreakGlass

log = logging.getLogger("dutybound.inquiry")


class Serving(msgspec.Struct, frozen=True, eq=False):
    """All that is made from one rule set; exchanged whole when another one is activated."""

    rules: RuleSet
    planner: Planner
    renderer: Renderer
    others: Others
    obligations: Obligations
    zone: zoneinfo.ZoneInfo


class Journey(msgspec.Struct, frozen=True, eq=False):
    """The steps' ports, filled by `app`. `deadline` bounds the fetch, in seconds. `now` never falls."""

    serving: Callable[[], Serving]
    authenticator: Authenticator
    facts: FactsReader
    cases: CaseRegistries
    admission: AdmissionPort
    fetcher: Fetcher
    ledger: LedgerPort
    now: Callable[[], datetime.datetime]
    metrics: Metrics
    deadline: float
    body_limit: int
    break_glass: BreakGlass | None = None


async def answer(journey: Journey, method: str, headers: list[tuple[bytes, bytes]], body: bytes) -> Answer:
    """Answer one request to `/graphql`."""
    authenticator = journey.authenticator
    steps = journey.metrics.begin()
    try:
        # 1. authenticate
        requester = await authenticator.authenticate(authenticator.credentials(headers), method, headers)
        asked = read(method, headers, body, journey.body_limit)
        steps.done("authenticate")
        # 2. plan
        serving = journey.serving()
        try:
            plan = serving.planner.plan(asked.query, asked.operation_name)
        except RefusedAboutSubjects as refusal:
            return await _refused(journey, Entry(os.urandom(16).hex(), requester, serving.rules.digest), refusal, asked)
        if not plan.names_subjects:
            return await _without_subjects(serving, plan, plan.bind(asked.variables, None), requester, asked)
    except Refusal as refusal:
        journey.metrics.inquiries[refusal.code].add()
        return refused(refusal, media_of(headers), None)
    return await inquire(journey, serving, requester, plan, asked, steps)


async def inquire(
    journey: Journey,
    serving: Serving,
    requester: Requester,
    plan: Plan,
    asked: GraphQLRequest,
    steps: Steps = UNTIMED,
) -> Answer:
    """The rest of the journey, for an operation that can select subject fields: it leaves exactly one entry."""
    entry = Entry(os.urandom(16).hex(), requester, serving.rules.digest)
    try:
        bound = plan.bind(asked.variables, declared(asked.inquiry))
        if bound.declaration is None:
            return await _without_subjects(serving, plan, bound, requester, asked)
        answer = await _disclosed(journey, serving, requester, plan, bound, bound.declaration, asked, entry, steps)
    except Refusal as refusal:
        problem = refusal
    except Exception as error:  # a defect of ours: told by its number, and entered like any refusal
        log.error("inquiry %s failed: %s", entry.id, type(error).__name__, exc_info=error)
        problem = Refusal(Code.INTERNAL, f"the gateway failed; nothing was disclosed; quote `{entry.id}`", id=entry.id)
    else:
        journey.metrics.inquiries["OK"].add()
        return answer
    return await _refused(journey, entry, problem, asked)


async def _refused(journey: Journey, entry: Entry, problem: Refusal, asked: GraphQLRequest) -> Answer:
    """A refusal's own step 9: one entry, then the error."""
    journey.metrics.inquiries[problem.code].add()
    if entry.tried:  # what could not be entered, or perhaps was, is not entered as something else
        return refused(problem, asked.media, None)
    try:
        receipt = await refuse(journey.ledger, entry, problem, journey.now())
    except Refusal as unavailable:
        return refused(unavailable, asked.media, None)
    entry.cautions, entry.obligations = (), ()
    return refused(problem, asked.media, extension(entry, receipt))


async def _disclosed(
    journey: Journey,
    serving: Serving,
    requester: Requester,
    plan: Plan,
    bound: Bound,
    declaration: Declaration,
    asked: GraphQLRequest,
    entry: Entry,
    steps: Steps,
) -> Answer:
    rules, subjects, selected = serving.rules, bound.subjects, bound.selected
    entry.declaration, entry.subjects = declaration, subjects
    purpose = rules.policies.purposes.get(declaration.purpose)
    if purpose is None:
        raise Refusal(Code.INQUIRY_INVALID, f"there is no purpose `{declaration.purpose[:60]}`")
    journey.authenticator.check_scope(requester)
    if purpose.secrecy_max is not None:
        last = purpose.secrecy_max.after(journey.now().astimezone(serving.zone).date())
        entry.secret_until = secrecy.ends(last, serving.zone)
    steps.done("plan")

    # 3. facts: the case at its registry, then one snapshot of what is known of the subjects
    now = journey.now()
    today = now.astimezone(serving.zone).date()
    verified = await _verify_case(journey, requester, purpose, declaration, subjects, today)
    facts = await journey.facts.read(subjects, now)
    if verified:
        facts = _with_case(facts)
    if purpose.break_glass is not None and guards.holds(requester.grants, purpose.name, today):
        facts = await _with_break_glass(journey, requester, purpose, declaration, facts)
    entry.facts = facts.change
    steps.done("facts")

    # 4. decide every field for every subject
    try:
        decision = entry.decision = decide(selected, requester, declaration, rules, facts, subjects, now)
    except Exception as error:  # what could not be decided is not permitted
        log.error("inquiry %s could not be decided: %s", entry.id, type(error).__name__)
        raise Refusal(Code.DECISION_UNAVAILABLE, "the rules cannot be evaluated now; nothing was disclosed") from error
    entry.consents = _relied_on(requester, declaration, facts, today)
    steps.done("decide")

    # 5. admit: reserve before any call
    if decision.permits:
        counted = Counted.of(requester, purpose.name, subjects, declaration, now, entry.id)
        reserved = journey.admission.reserve(purpose, counted)
        if not isinstance(reserved, Reservation):
            await reserved
        if facts.break_glass and journey.break_glass is not None:
            entry.changes = (journey.break_glass.use(entry.id, requester, purpose.name, now),)
    steps.done("admit")

    # 6. fetch what was permitted, and nothing else
    fetched = await journey.fetcher.fetch(decision.permits, asyncio.get_running_loop().time() + journey.deadline)
    others = None
    if bound.variant.other is not None:
        others = await serving.others.resolve(plan, bound.variant, requester, asked.variables)
    steps.done("fetch")

    # 7. restrain, at this moment: what ended while departments answered is not released
    now = journey.now()
    if requester.expires <= now.timestamp():
        raise journey.authenticator.expired(requester)
    if decide(selected, requester, declaration, rules, facts, subjects, now).permits != decision.permits:
        raise Refusal(Code.DECISION_UNAVAILABLE, "a permit ended while the inquiry ran; ask again", retryable=True)
    today = now.astimezone(serving.zone).date()
    got: dict[tuple[Subject, str], Outcome] = {}
    withheld: list[Withheld] = []
    cautions: list[Caution] = []
    datasets = rules.policies.catalogue.datasets
    for subject, dataset, _ in decision.permits:
        records = fetched[subject, dataset]
        if isinstance(records, Failure):
            got[subject, dataset] = records
            journey.metrics.failures[datasets[dataset].department, records.fault].add()
            continue
        released, held, told = restrain(datasets[dataset], purpose, subject, records, facts.subjects[subject], today)
        got[subject, dataset] = released
        withheld += held
        cautions += told
    steps.done("restrain")

    # 8. render the answer's data, once
    data, errors, codes = serving.renderer.render(bound.variant, bound.asked, decision, got, others)
    steps.done("render")

    # 9. disclose: the entry is durable before the first byte leaves
    entry.withheld, entry.cautions = withheld, cautions
    entry.obligations = serving.obligations.of(purpose.name, today)
    receipt = await disclose(journey.ledger, entry, got, data, codes, now)
    if entry.changes and journey.break_glass is not None:
        await journey.break_glass.entered(entry.id, receipt.shard, receipt.index)
    steps.done("disclose")
    return answered(data, errors, asked.media, extension(entry, receipt))


async def _verify_case(
    journey: Journey,
    requester: Requester,
    purpose: Purpose,
    declaration: Declaration,
    subjects: tuple[Subject, ...],
    today: datetime.date,
) -> bool:
    """Whether the case was verified; without a grant that holds nothing will be permitted, and no registry is asked."""
    if not purpose.case_required or not guards.holds(requester.grants, purpose.name, today):
        return False
    if declaration.case is None:
        raise Refusal(Code.INQUIRY_REQUIRED, f"`{purpose.name}` needs a case: add `case` to the declaration")
    registry = purpose.case_registry or requester.registry
    if registry is None:
        raise Refusal(Code.CASE_NOT_VERIFIED, "no case registry is registered for this requester", retryable=False)
    who = (requester.issuer, requester.client)
    await journey.cases.verify(registry, declaration.case, requester.official, subjects, who)
    return True


def _relied_on(
    requester: Requester, declaration: Declaration, facts: Facts, today: datetime.date
) -> tuple[tuple[Subject, str], ...]:
    """The consents in force to this requester for this purpose: what permits on non-public datasets rest on."""
    return tuple(
        (subject, consent.id)
        for subject, known in facts.subjects.items()
        for consent in known.consents
        if (consent.issuer, consent.client, consent.purpose)
        == (requester.issuer, requester.client, declaration.purpose)
        and consent.until >= today
        and declaration.consent in (None, consent.id)
    )


async def _with_break_glass(
    journey: Journey, requester: Requester, purpose: Purpose, declaration: Declaration, facts: Facts
) -> Facts:
    """The facts, with whether the requester may use this emergency purpose now."""
    glass = journey.break_glass
    may = glass is not None and await glass.may(requester, purpose, declaration.document, journey.now())
    return msgspec.structs.replace(facts, break_glass=may)


def _with_case(facts: Facts) -> Facts:
    verified = {
        subject: msgspec.structs.replace(known, case_verified=True) for subject, known in facts.subjects.items()
    }
    return Facts(facts.change, verified)


async def _without_subjects(
    serving: Serving, plan: Plan, bound: Bound, requester: Requester, asked: GraphQLRequest
) -> Answer:
    """The catalogue, permissions, receipts and introspection: nothing about a subject, and no entry."""
    values = await serving.others.resolve(plan, bound.variant, requester, asked.variables)
    return answered(msgspec.json.encode(values), (), asked.media)
