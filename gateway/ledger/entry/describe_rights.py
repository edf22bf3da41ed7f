"""What is entered of rules, records and rights, in a reader's words. Pure. `describe` is the caller."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.ledger.entry import entries
from gateway.ledger.entry.description import Deed, name_of, subject_of

_GATEWAY = "the gateway"
_SUBJECT = "the subject"
_OUTCOMES = {"upheld": "upheld", "partly": "partly upheld", "refused": "refused"}

_Rows = list[tuple[str, list[str]]]


def deed(told: entries.Matter) -> Deed:
    """What such an entry says; rows that would say nothing, as where a subject was erased, are left out."""
    if isinstance(told, entries.Activation):
        return _activation(told)
    subject = subject_of(told.scheme, told.value)
    name = name_of(subject)
    match told:
        case entries.Change():
            made = _change(told, name)
        case entries.Recall():
            made = _recall(told, name)
        case entries.Acknowledgement():
            made = Deed(
                "What a recipient did",
                f"acknowledged recall {told.recall or '(its number was erased)'} of {name}",
                _rows(("Recall", told.recall)),
                told.by or _who(told.requester),
            )
        case entries.Objection():
            made = Deed(
                "What a subject objects to",
                f"objected to {_record(told)} of {name}, to be decided by {told.due}",
                _rows(("Objection", told.objection), ("Due", told.due.isoformat())),
                told.by or _SUBJECT,
                told.reason,
                records=_records(told),
            )
        case entries.Restoration():
            made = Deed(
                "What a subject applies for",
                f"applied for the restoration of {_record(told)} of {name}",
                _rows(("Application", told.restoration)),
                told.by or _SUBJECT,
                told.reason,
                records=_records(told),
            )
        case entries.Decided():
            made = _decided(told, name)
        case entries.Consent():
            made = _consent(told, name)
        case entries.OptOut():
            made = Deed(
                "What a subject wants kept back",
                f"{told.event} the opt-out of {name} from {told.dataset or 'a dataset that was erased'}",
                _rows(("Event", told.event), ("Dataset", told.dataset)),
                told.by or _SUBJECT,
            )
    records: _Rows = [("Records", list(made.records))] if made.records else []
    return made._replace(subject=subject, rows=[("About", [name]), *records, *made.rows])


def _activation(told: entries.Activation) -> Deed:
    return Deed(
        "What rules are in force",
        f"{told.event.replace('-', ' ')} rule set {told.rule_set}, epoch {told.epoch}; {told.approved_by} approved it",
        _rows(
            ("Rule set", told.rule_set),
            ("Before", told.before or "none"),
            ("Epoch", str(told.epoch)),
            ("Approved by", told.approved_by),
        ),
        told.by,
        told.reason,
    )


def _change(told: entries.Change, name: str) -> Deed:
    said = "entered the end of display of" if told.event == "expired" else f"reported as {told.event}"
    return Deed(
        "What became of a record",
        f"{said} {_record(told)} of {name}",
        _rows(("Event", told.event), ("Facts", _facts(told.change))),
        told.by or _GATEWAY,
        told.reason,
        records=_records(told, told.version),
    )


def _recall(told: entries.Recall, name: str) -> Deed:
    who = _who(told.recipient)
    named = ", ".join(told.records) or "records that were erased"
    return Deed(
        "What a recipient was told",
        f"recalled {named} of {name} from {who}: {told.cause}; to be acknowledged by {told.due}",
        _rows(
            ("Recall", told.recall),
            ("Recipient", who),
            ("Cause", told.cause),
            ("Facts", _facts(told.change)),
            ("Due", told.due.isoformat()),
        ),
        _GATEWAY,
        records=told.records,
    )


def _decided(told: entries.Decided, name: str) -> Deed:
    on = "objection to" if told.on == "objection" else "application for the restoration of"
    return Deed(
        "What a steward decided",
        f"decided the {on} {_record(told)} of {name}: {_OUTCOMES[told.outcome]}",
        _rows(
            ("On", f"{told.on} {told.matter}".rstrip()),
            ("Outcome", _OUTCOMES[told.outcome]),
            ("Due", told.due.isoformat() if told.due else ""),
        ),
        told.by,
        told.reason,
        records=_records(told),
    )


def _consent(told: entries.Consent, name: str) -> Deed:
    who = _who(told.recipient)
    event = "gave" if told.event == "given" else "revoked"
    rows = _rows(
        ("Consent", told.consent),
        ("Event", told.event),
        ("Recipient", who),
        ("Purpose", told.purpose),
        ("Until", told.until.isoformat()),
    )
    covers = [f"{dataset}: {_covered(fields)}" for dataset, fields in told.fields.items()]
    if covers:
        rows.append(("Covers", covers))
    return Deed(
        "What a subject consents to",
        f"{event} the consent of {name} to {who}, for {told.purpose} until {told.until}",
        rows,
        told.by or _SUBJECT,
        told.purpose,
    )


def _covered(fields: Sequence[str] | None) -> str:
    return "all of it" if fields is None else ", ".join(fields)


_OnRecord = entries.Change | entries.Objection | entries.Restoration | entries.Decided


def _record(told: _OnRecord) -> str:
    return f"{told.dataset}/{told.record}" if told.record else "a record that was erased"


def _records(told: _OnRecord, version: str | None = None) -> tuple[str, ...]:
    return (_record(told) if version is None else f"{_record(told)}@{version}",) if told.record else ()


def _facts(change: int | None) -> str:
    return "" if change is None else f"change {change}"


def _rows(*rows: tuple[str, str]) -> _Rows:
    return [(label, [text]) for label, text in rows if text]


def _who(who: entries.Who) -> str:
    return f"{who.client} of {who.department}" if who.department else who.client
