"""`dutybound rules explain --inquiry ID`: why fields of a real inquiry were denied, from its entry, and what it takes.

The entry keeps what each decision rests on; the rule set of then decides again from that, or where the store does not
keep it, the one in force. Nothing is shown before a view of each of its subjects is entered (invariant 17), as secret
and as long as the inquiry itself is. No subject, official, case or record is shown at all: whoever has the inquiry's id
learns what the rules said of it, and not of whom.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import sys
import uuid
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import msgspec
from sqlalchemy import Engine

from gateway.config.settings import Settings
from gateway.errors import CommandRefused
from gateway.inquiry.replay import Replayed, replayed
from gateway.ledger.entry import entries
from gateway.ledger.log import operator
from gateway.ledger.log.ledger import Ledger
from gateway.ledger.log.operator import CLIENT, Workplace
from gateway.ledger.proof.tlog_proof import Receipt
from gateway.ledger.stored import read
from gateway.nouns import counted
from gateway.rules.decide import guards
from gateway.rules.explain import changes, explain
from gateway.rules.explain.changes import Situation, Way
from gateway.rules.model import Cell, Flag
from gateway.rules.ruleset import RuleSet

_TELL = 100_000


class Found(NamedTuple):
    """An operation's entry, opened."""

    told: entries.Operation
    oversight: entries.Oversight


Rules = Callable[[Settings, Engine, str], tuple[RuleSet, RuleSet]]
"""The rule set of a digest, or the one in force where the store does not keep it; and the one in force."""


def run(arguments: argparse.Namespace, rules: Rules) -> int:
    """Explain an inquiry; 0 done, 1 not (one sentence on standard error)."""
    operator.check_said(arguments.by, arguments.reason)
    with operator.opened(arguments.config) as place:
        found = find(place, arguments.inquiry)
        told = list(lines(found, *rules(place.settings, place.store.engine, found.told.rule_set)))
        receipts = place.run(lambda ledger: _enter(ledger, found, arguments.by, arguments.reason))
        print("\n".join(told))
        for receipt in receipts:
            print(f"entered: this view is {operator.place_of(place, receipt)}")
    return 0


def find(place: Workplace, inquiry: str) -> Found:
    """The entry of an inquiry, by the id that its answer has; raises `CommandRefused` where there is none to read."""
    wanted, looked_at = inquiry.encode(), 0
    with contextlib.closing(place.store.reader()) as reader:
        for head in read.heads(reader):
            for entry in read.read_entries(reader, head.id, 0, head.size):
                looked_at += 1
                if looked_at % _TELL == 0:
                    print(f"{counted(looked_at, 'entry')} looked at", file=sys.stderr)
                if entry.told is None or entry.oversight is None or wanted not in entry.told.general.body:
                    continue
                told = entry.read_told()
                if isinstance(told, entries.Operation) and told.id == inquiry:
                    return Found(told, entry.read_oversight())
    raise CommandRefused(
        f"no inquiry `{inquiry}` can be read in this ledger; the id is `extensions.inquiry.id` of its answer"
    )


async def _enter(ledger: Ledger, found: Found, by: str, reason: str) -> list[Receipt]:
    """A view of each subject of the inquiry, at that moment; of nobody where all of them were erased."""
    told, at = found.told, operator.now(ledger)
    named: set[tuple[str | None, str | None]] = {(each.scheme, each.value) for each in subjects_of(told) if each.value}
    secret = found.oversight.secret_until
    receipts = []
    for scheme, value in sorted(named, key=str) or [(None, None)]:
        looked = entries.Looked(scheme, value, since=told.at, until=told.at + datetime.timedelta(microseconds=1))
        view = entries.View(
            entries.VERSION, str(uuid.uuid4()), at, CLIENT, by, reason, looked, ("oversight",), "explanation"
        )
        until = secret if secret is not None and secret > at else None
        receipts.append(await operator.enter(ledger, view, operator.account(), (), secret_until=until))
    return receipts


def lines(found: Found, rule_set: RuleSet, now: RuleSet) -> Iterator[str]:
    """The explanation by a rule set as lines of text, which name no subject, official, case or record."""
    told = found.told
    declared = told.declaration
    yield f"Inquiry {told.id}, {told.at.isoformat()}: {told.requester.client} asked" + (
        f" for {declared.purpose}." if declared is not None else "."
    )
    if isinstance(told, entries.Refused):
        yield f"It was refused as a whole: {told.code}."
    if told.rule_set != rule_set.digest:
        yield (
            f"It was decided by the rule set {told.rule_set[:12]}, which is not kept; what follows is by the one in "
            f"force, {rule_set.digest[:12]}."
        )
    elif rule_set.digest != now.digest:
        yield f"The rule set of then is not in force any more; {now.digest[:12]} is."
    subjects = subjects_of(told)
    decisions = {each.place: each for each in replayed(told, found.oversight, rule_set)}
    for place, subject in enumerate(subjects):
        yield ""
        yield f"Subject {place + 1} of {len(subjects)}" + (f", {_a(subject.kind)}:" if subject.kind else ":")
        if not subject.value:
            yield "  erased: nothing can be shown of it"
        elif place not in decisions:
            yield "  its entry keeps nothing that a decision could be made from again"
        else:
            yield from (f"  {line}".rstrip() for line in _subject(found, decisions[place], rule_set, now))
    if not subjects:
        yield "It names no subject, so no field was decided."


def subjects_of(told: entries.Operation) -> Sequence[entries.Disclosed | entries.Named]:
    """Whom an operation names."""
    return told.disclosed if isinstance(told, entries.Inquiry) else told.subjects


def _a(kind: str) -> str:
    return f"an {kind}" if kind == "organisation" else f"a {kind}"


def _subject(found: Found, replay: Replayed, rule_set: RuleSet, now: RuleSet) -> Iterator[str]:
    """What was denied of one subject, equal answers together; and what the rule set in force says otherwise."""
    then = {
        (field.dataset, field.field): (field.reason, field.rule)
        for each in found.oversight.denied
        if each.subject == replay.place
        for field in each.fields
    }
    groups: dict[tuple[str, Cell, tuple[Way, ...]], list[str]] = {}
    situations: dict[tuple[str, str], Situation] = {}
    for dataset, field in then:
        at = situation(found, replay, rule_set, dataset, field)
        if at is None:
            yield f"`{dataset}.{field}`: DENIED then; the rule set no longer has what it names"
            continue
        situations[dataset, field] = at
        cell = changes.decided(rule_set, at)
        ways = () if cell.permitted else changes.smallest(rule_set, at)
        plain = msgspec.structs.replace(cell, advice="")
        groups.setdefault((dataset, plain, ways), []).append(field)
    if not then:
        yield "nothing was denied"
    for (dataset, _, _), fields in groups.items():
        all_of = ", ".join(f"`{dataset}.{field}`" for field in fields)
        yield all_of
        at = situations[dataset, fields[0]]
        explanation = explain.explain(rule_set, at)
        reason, rule = then[dataset, fields[0]]
        if (explanation.cell.reason, explanation.cell.rule) != (reason, rule):
            yield f"  then DENIED: {reason}{f', by rule {rule}' if rule else ''}; now:"
        for line in explain.answer(explanation):
            line = line.replace(f"`{dataset}.{fields[0]}`", all_of)
            yield f"  {line.replace(f'`{fields[0]}` among', f'{_listed(fields)} among')}".rstrip()
        yield ""
        if now is not rule_set and (now_at := situation(found, replay, now, dataset, fields[0])) is not None:
            cell = changes.decided(now, now_at)
            yield "  by the rule set in force: " + ("PERMITTED" if cell.permitted else f"DENIED: {cell.reason}")
            yield ""


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def situation(found: Found, replay: Replayed, rule_set: RuleSet, dataset: str, field: str) -> Situation | None:
    """What one field's answer rested on; `None` where requester, purpose or field are not in the rule set any more."""
    policies, told, basis = rule_set.policies, found.told, replay.basis
    entry = policies.requesters.get((told.requester.issuer, told.requester.client))
    purpose = policies.purposes.get(told.declaration.purpose) if told.declaration is not None else None
    of = policies.catalogue.datasets.get(dataset)
    if entry is None or purpose is None or of is None or field not in of.fields:
        return None
    flags = basis.flags if dataset in basis.unscoped else basis.flags | Flag.SCOPE
    if dataset in basis.consented and ((fields := basis.consented[dataset]) is None or field in fields):
        flags |= Flag.CONSENT
    today = guards.day(told.at, policies.time_zone)
    narrowed, recall = dataset in basis.narrowed, basis.suspended.get(dataset)
    return Situation(entry, purpose, replay.kind, of, field, flags, today, basis.alive, narrowed, recall)
