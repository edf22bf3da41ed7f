"""Acts in a reader's words. Pure. `describe` is the caller.

A new `what` gets its sentence here. One that has none, as a later version writes, is told by its name.
"""

from __future__ import annotations

from typing import NamedTuple

from gateway.ledger.entry.acts import Acted, Paper, Simulated
from gateway.ledger.entry.description import Deed, name_of, subject_of
from gateway.ledger.entry.operators import OWN, Who
from gateway.ledger.entry.unknown import clean
from gateway.nouns import counted

_GATEWAY = "the gateway"
_ERASED = "that was erased or left out"

_CONSENT = "What a subject consents to"
_OBJECTION = "What a subject objects to"
_RESTORATION = "What a subject applies for"
_RECORD = "What became of a record"
_OPT_OUT = "What a subject wants kept back"
_CLOCK = "What is due"
_DELIVERY = "Messages to recipients"
_RECALL = "What is to be used no more"
_SUSPENSION = "A grant that is suspended"
_SUPPLEMENT = "What may be shared"
_RULES = "What rules hold"
_SOURCE = "Whether a department's system fits"


class _Words(NamedTuple):
    """A title, and a sentence without its subject; `{...}` are what `_values` gives."""

    title: str
    happened: str


WORDS = {
    "consent-requested": _Words(_CONSENT, "asked {name} to consent to {recipient} for {purpose}"),
    "consent-granted": _Words(_CONSENT, "gave the consent of {name} to {recipient} for {purpose} until {until}"),
    "consent-revoked": _Words(_CONSENT, "revoked the consent of {name} to {recipient} for {purpose}"),
    "consent-declined": _Words(_CONSENT, "declined for {name} to consent to {recipient} for {purpose}"),
    "objection-filed": _Words(_OBJECTION, "objected to {thing} of {name}, to be decided by {due}"),
    "objection-decided": _Words(_OBJECTION, "decided the objection of {name} to {thing}: {outcome}"),
    "objection-overdue": _Words(_CLOCK, "found the objection of {name} to {thing} undecided after {due}"),
    "correction-overdue": _Words(_CLOCK, "found {thing} of {name} not corrected after {due}"),
    "restoration-filed": _Words(_RESTORATION, "applied for the restoration of {thing} of {name}"),
    "restoration-decided": _Words(_RESTORATION, "decided on the restoration of {thing} of {name}: {outcome}"),
    "restoration-confirmed": _Words(_RESTORATION, "confirmed the restoration of {thing} of {name}"),
    "restoration-confirmation-declined": _Words(
        _RESTORATION, "did not confirm the restoration of {thing} of {name}: it is to be decided anew"
    ),
    "restoration-overdue": _Words(_CLOCK, "found the application of {name} to restore {thing} undecided after {due}"),
    "matter-withdrawn": _Words("What was withdrawn", "withdrew {matter} of {name}"),
    "change-reported": _Words(_RECORD, "reported {thing} of {name} as {outcome}"),
    "change-confirmed": _Words(_RECORD, "confirmed that {thing} of {name} is {outcome}"),
    "change-declined": _Words(_RECORD, "declined that {thing} of {name} is {outcome}"),
    "opt-out-set": _Words(_OPT_OUT, "set the opt-out of {name} from {dataset}"),
    "opt-out-lifted": _Words(_OPT_OUT, "lifted the opt-out of {name} from {dataset}"),
    "deadline-counted": _Words(_CLOCK, "counted again by when {matter} of {name} is due: {due}"),
    "reminded": _Words(_CLOCK, "reminded of {matter} of {name}, which is due by {due}"),
    "delivered": _Words(_DELIVERY, "notified {to} of recall {recall}, which was taken"),
    "delivery-stopped": _Words(_DELIVERY, "notifies {to} no more, as it answered to recall {recall} that it is gone"),
    "delivery-given-up": _Words(_DELIVERY, "gave up notifying {to} of recall {recall}; it waits in the inbox"),
    "delivery-resumed": _Words(_DELIVERY, "had {to} notified of recalls again ({outcome})"),
    "display-ended": _Words(_CLOCK, "noted what may not be displayed any more after {due}"),
    "display-shortened": _Words(
        _CLOCK,
        "noted what may not be displayed any more after {due}, by a period that was shortened: of {dataset}, what"
        " counts from {since}",
    ),
    "unreported-found": _Words(_RECORD, "found {thing} of {name} changed without a report"),
    "recalled": _Words(_RECALL, "recalled {records} of {name} from {to}: {action}"),
    "acknowledged": _Words(_RECALL, "answered recall {recall} about {name}: {outcome}"),
    "deletion-attested": _Words(_RECALL, "attested that all that was to be deleted by {until} is"),
    "recall-overdue": _Words(_CLOCK, "found recall {recall} about {name} not answered by {to}"),
    "onward-disclosure-found": _Words(_RECALL, "found that {to} passed on what recall {recall} has of {name}"),
    "suspended": _Words(_SUSPENSION, "suspended the grant of {to} for {purpose} and {dataset}"),
    "suspension-held": _Words(_SUSPENSION, "found that the suspension of {to} also rests on recall {recall}"),
    "suspension-goes-on": _Words(
        _SUSPENSION, "found that the suspension of {to} goes on until recall {recall} is answered"
    ),
    "suspension-end-asked": _Words(_SUSPENSION, "asked for the end of the suspension of {to} for {purpose}"),
    "suspension-end-declined": _Words(_SUSPENSION, "declined to end the suspension of {to} for {purpose}"),
    "suspension-ended": _Words(_SUSPENSION, "ended the suspension of {to} for {purpose} and {dataset}: {outcome}"),
    "suspension-exempt": _Words(
        _SUSPENSION, "found {to} overdue with what it has of {name}, and a law that spares its grant"
    ),
    "catalogue-consulted": _Words(_SUPPLEMENT, "opened the consultation on {dataset}, until the end of {due}"),
    "catalogue-approval-asked": _Words(_SUPPLEMENT, "asked for the approval of {dataset}, after its consultation"),
    "catalogue-approved": _Words(_SUPPLEMENT, "approved {dataset} as another steward of its department asked"),
    "catalogue-published": _Words(_SUPPLEMENT, "published {dataset}: {outcome}"),
    "catalogue-retired": _Words(_SUPPLEMENT, "retired {dataset}: no rule set may publish it any more"),
    "rules-proposed": _Words(_RULES, "proposed rule set {digest} in the place of {base} (proposal {proposal})"),
    "rules-checked": _Words(_RULES, "had rule set {digest} checked: {outcome} (proposal {proposal})"),
    "rules-approved": _Words(_RULES, "approved rule set {digest} as {how} {officer} (proposal {proposal})"),
    "rules-simulated": _Words(_RULES, "had rule set {digest} simulated: {outcome} (proposal {proposal})"),
    "rules-noticed": _Words(
        _RULES, "notified oversight that rule set {digest} opens data of people, or not public (proposal {proposal})"
    ),
    "rules-refused": _Words(_RULES, "refused rule set {digest} (proposal {proposal})"),
    "rules-activated": _Words(_RULES, "made rule set {rule_set} active, since epoch {epoch} ({how})"),
    "dry-run-began": _Words(_RULES, "began a dry run of rule set {rule_set}, through {until} ({outcome})"),
    "dry-run-ended": _Words(_RULES, "ended the dry run of rule set {rule_set} ({outcome})"),
    "source-found": _Words(_SOURCE, "found that the system of {department} does not fit ({outcome})"),
    "source-fits": _Words(_SOURCE, "found that the system of {department} fits again ({outcome})"),
    "over-bounds": _Words("What was too much", "asked for more acts than a day allows; counted once an hour"),
}
"""Every act that this version makes, in a reader's words."""

_OTHER = _Words("What was done", "did what this version has no words for (`{what}`), about {name}")
_OTHER_OF_NOBODY = _OTHER._replace(happened=_OTHER.happened.replace("{name}", f"nobody, or a subject {_ERASED}"))


def deed(told: Acted) -> Deed:
    """What an act's entry records; empty rows, as where a subject was erased, are left out."""
    subject = subject_of(told.scheme, told.value)
    words, values = WORDS.get(told.what), _values(told, name_of(subject) if subject else f"a subject {_ERASED}")
    if words is None:
        words = _OTHER if subject else _OTHER_OF_NOBODY
    about = [("About", [values["name"]])] if "{name}" in words.happened else []
    records = (_record(told),) if told.record else tuple([f"{told.dataset}/{each}" for each in told.records])
    return Deed(
        words.title,
        words.happened.format_map(values),
        [*about, *_rows(told, records)],
        told.by or _by(told),
        told.reason or told.words,
        subject,
        records=records,
    )


def _by(told: Acted) -> str:
    """What acted, where no person is named: an official stands in oversight's part."""
    if told.requester == OWN:
        return _GATEWAY
    who = _who(told.requester)
    return f"a counter ({who}), for whoever came," if told.proof else who


def _values(told: Acted, name: str) -> dict[str, str]:
    day = f"a day {_ERASED}"
    return {
        "what": clean(told.what),
        "name": name,
        "thing": _thing(told),
        "dataset": told.dataset or f"a dataset {_ERASED}",
        "recipient": _who(told.recipient) if told.recipient else f"a recipient {_ERASED}",
        "purpose": told.purpose or f"a purpose {_ERASED}",
        "until": told.until.isoformat() if told.until else day,
        "since": told.since.isoformat() if told.since else day,
        "due": told.due.isoformat() if told.due else day,
        "recall": told.recall or "of no id",
        "to": _who(told.to) if told.to else "nobody",
        "department": told.department or "no department",
        "outcome": told.outcome.replace("-", " ") or "not given",
        "records": ", ".join(f"{told.dataset}/{each}" for each in told.records) or f"records {_ERASED}",
        "action": told.action.replace("-", " "),
        "rule_set": told.rule_set[:12] or "of no digest",
        "digest": told.digest[:12] or "of no digest",
        "base": told.base[:12] or "nothing",
        "proposal": told.proposal or "of no id",
        "officer": told.officer or "nobody",
        "epoch": str(told.epoch),
        "how": told.how or "not given how",
        "matter": f"matter {told.matter}" if told.matter else f"a matter {_ERASED}",
    }


def _thing(told: Acted) -> str:
    """What it is about: a record, the absence of one, or a look."""
    if told.record:
        return f"{told.dataset}/{told.record}"
    if told.dataset:
        return f"the lack of a record in {told.dataset}"
    return f"the look {told.access}" if told.access else f"a record {_ERASED}"


def _record(told: Acted) -> str:
    version = f"@{told.version}" if told.version else ""
    return f"{told.dataset}/{told.record}{version}"


def _rows(told: Acted, records: tuple[str, ...]) -> list[tuple[str, list[str]]]:
    provisional = ", provisional: its year is not in the calendar yet" if told.provisional else ""
    rows = [
        ("Records", list(records)),
        ("Became version", [told.new_version]),
        ("Look", [told.access]),
        ("Matter", [told.matter]),
        ("Outcome", [told.outcome]),
        ("Remedy", [told.remedy]),
        ("To", [_who(told.to) if told.to else ""]),
        ("Asked to", [told.action.replace("-", " ")]),
        ("Recall", [f"{told.recall}, number {told.sequence}" if told.sequence else told.recall]),
        ("Inquiry", [told.inquiry]),
        ("Due", [f"{told.due}{provisional}" if told.due else ""]),
        ("To be answered by", [told.term.isoformat() if told.term else ""]),
        ("Counted by calendar", [told.calendar]),
        ("Recipient", [_who(told.recipient) if told.recipient else ""]),
        ("Purpose", [told.purpose]),
        ("Definition" if told.what.startswith("catalogue-") else "Shown as", [told.digest]),
        ("Department", [told.department]),
        ("Term", [f"{told.days} working days" if told.days else ""]),
        ("Covers", [f"{dataset}: {', '.join(fields)}" for dataset, fields in told.fields.items()]),
        ("Until", [told.until.isoformat() if told.until else ""]),
        ("Papers", [_paper(each) for each in told.papers]),
        ("In words", [told.words if told.reason else ""]),
        ("Identity shown by", [told.proof]),
        ("Recall", [told.recall]),
        ("Recall to", [_who(told.to) if told.to else ""]),
        ("To be done", [told.action.replace("-", " ")]),
        ("Recall's number", [str(told.sequence) if told.sequence else ""]),
        ("Answer by", [told.term.isoformat() if told.term else ""]),
        ("Recalled answer", [told.inquiry]),
        ("Recalled records", list(told.records)),
        ("Passed on to", list(told.passed_on)),
        ("In the place of", [told.base]),
        ("Proposal", [told.proposal]),
        ("Officer", [told.officer]),
        ("Agreed to by", list(told.approvers)),
        ("Opens data of", list(told.widens)),
        ("Simulated", _simulated(told.simulated) if told.simulated else []),
        ("Signed", told.signature.splitlines()),
        ("Schema", [told.schema]),
        ("Facts", [f"change {number}" for number in told.changes]),
    ]
    return [(label, said) for label, said in rows if any(said)]


def _simulated(of: Simulated) -> list[str]:
    period = f"by {of.by}, on what was asked from {of.since.isoformat()} until {of.until.isoformat()}"
    counts = (
        f"{counted(of.inquiries, 'inquiry', ',')}, about {counted(of.decisions, 'subject', ',')}:"
        f" {of.changed:,} decided otherwise"
    )
    return [period, f"{counts}, {of.not_replayable:,} not to be decided again", f"result {of.result}"]


def _paper(paper: Paper) -> str:
    return f"{paper.issuer} {paper.number}" + (f" of {paper.date}" if paper.date else "")


def _who(who: Who) -> str:
    return f"{who.client} of {who.department}" if who.department else who.client
