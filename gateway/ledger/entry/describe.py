"""Entries in a reader's words: whatever is entered beside inquiries is worded the same wherever it is shown. Pure.

A new kind of entry gets its words here, and is then shown by every format.
"""

from __future__ import annotations

import datetime

from gateway.errors import printable
from gateway.ledger.entry import describe_acts, entries
from gateway.ledger.entry.description import Deed, name_of, subject_of
from gateway.ledger.proof.note import b64, note_body, parse_checkpoint
from gateway.nouns import counted

_KINDS: dict[type[entries.Known], str] = {
    entries.Inquiry: "inquiry",
    entries.Refused: "refused inquiry",
    entries.View: "a view of the ledger",
    entries.Reviewed: "a review of inquiries",
    entries.Hold: "a hold",
    entries.ErasureRequest: "a request to erase",
    entries.Erasure: "an erasure",
    entries.Pruned: "a pruning",
    entries.Acted: "an act",
    entries.Gap: "a gap in the ledger",
    entries.ShardChange: "a change of the ledger's shards",
    entries.NotReleased: "an answer that was not released",
}


def kind(told: entries.Told) -> str:
    """The kind of an entry."""
    return _unknown(told) if isinstance(told, entries.Unknown) else _KINDS[type(told)]


def tag(told: entries.Told) -> str:
    """The kind of an entry, as it is written."""
    return told.kind if isinstance(told, entries.Unknown) else str(type(told).__struct_config__.tag)


def subjects(told: entries.Told) -> list[tuple[str, str] | None]:
    """The subjects that an entry names, in the order of its parts; None for one that was erased, or is not named."""
    if isinstance(told, entries.Unknown):
        return list(told.subjects)
    if not isinstance(told, (entries.Inquiry, entries.Refused)):
        return [deed(told).subject]
    named = told.disclosed if isinstance(told, entries.Inquiry) else told.subjects
    return [(each.scheme, each.value) if each.kind or each.value else None for each in named]


def deed(told: entries.Done | entries.OfLedger | entries.Unknown) -> Deed:
    """What an entry beside inquiries records."""
    match told:
        case entries.Unknown():
            return _unshown(told)
        case entries.View():
            return _view(told)
        case entries.Reviewed():
            return _reviewed(told)
        case entries.Hold():
            return _hold(told)
        case entries.ErasureRequest():
            return _request(told)
        case entries.Erasure():
            return _erasure(told)
        case entries.Pruned():
            return _pruned(told)
        case entries.Gap():
            return _gap(told)
        case entries.ShardChange():
            return _change(told)
        case entries.NotReleased():
            return _unreleased(told)
        case _:
            return describe_acts.deed(told)


def _unshown(told: entries.Unknown) -> Deed:
    return Deed(
        "What this version cannot show",
        f"made {_unknown(told)}",
        [("Kind", [told.name]), ("About", [name_of(each) for each in told.subjects] or ["nobody by name"])],
        f"{told.requester.client} of {told.requester.department or told.requester.issuer or 'this gateway'}",
        subject=next((each for each in told.subjects if each is not None), None),
    )


def _reviewed(told: entries.Reviewed) -> Deed:
    return Deed(
        "What a person found of inquiries",
        f"found {told.finding} {told.verdict}",
        [("Finding", [told.finding]), ("Verdict", [told.verdict]), ("Entries", list(told.entries))],
        told.by,
        told.reason,
    )


def _hold(told: entries.Hold) -> Deed:
    subject = subject_of(told.scheme, told.value)
    return Deed(
        "What is to be kept",
        f"{told.event} hold {told.hold} on {name_of(subject)}",
        [("Hold", [told.hold]), ("Event", [told.event]), ("About", [name_of(subject)])],
        told.by,
        told.reason,
        subject,
    )


def _request(told: entries.ErasureRequest) -> Deed:
    subject = subject_of(told.scheme, told.value)
    return Deed(
        "What is to be erased",
        f"{told.event} erasure {told.erasure} of {name_of(subject)}",
        [("Erasure", [told.erasure]), ("Event", [told.event]), ("About", [name_of(subject)])],
        told.by,
        told.reason,
        subject,
    )


def _gap(told: entries.Gap) -> Deed:
    known = parse_checkpoint(note_body(told.remembered)).size
    return Deed(
        "What happened to the ledger",
        f"{told.shard} was sealed: the store had {counted(told.size, 'entry')} of it, and {told.by} remembers {known}",
        [("Root in the store", [b64(told.root)]), ("Remembered", told.remembered.splitlines())],
        told.by,
        told.reason,
    )


def _change(told: entries.ShardChange) -> Deed:
    return Deed(
        "What happened to the ledger",
        f"{told.shard} was {told.event} at {counted(told.size, 'entry')}, with the key {told.key}",
        [],
        told.by,
        told.reason,
    )


def _unreleased(told: entries.NotReleased) -> Deed:
    subject = subject_of(told.scheme, told.value)
    return Deed(
        "What was not released",
        f"did not release to {told.requester.client} what inquiry {told.inquiry} has about {name_of(subject)}",
        [("Inquiry", [told.inquiry]), ("Entry", [told.entry]), ("About", [name_of(subject)])],
        "the gateway",
        told.reason,
        subject,
    )


def made(by: str, at: datetime.datetime, reason: str) -> str:
    """Who made something, when and why, on one line of a terminal."""
    return printable(f"by {by}, {at.isoformat()}: {reason}")


def scope(looked: entries.Looked) -> str:
    """What a view looked at."""
    said = []
    if looked.value is not None:
        said.append(f"subject {looked.scheme} {looked.value}")
    if looked.case is not None:
        said.append(f"case {looked.case}")
    if looked.since is not None:
        said.append(f"from {looked.since.isoformat(sep=' ')}")
    if looked.until is not None:
        said.append(f"before {looked.until.isoformat(sep=' ')}")
    if looked.finding is not None:
        said.append(f"finding {looked.finding}")
    if looked.candidate is not None:
        said.append(f"inquiries as rule set {looked.candidate[:12]} would decide them")
    return ", ".join(said) or "every entry"


def _unknown(told: entries.Unknown) -> str:
    return f"an entry of a kind that this version does not know (`{told.name}`)"


def _view(told: entries.View) -> Deed:
    looked = told.looked
    rows = [("At", [scope(looked)]), ("Opened", list(told.parts)), ("Written as", [told.format])]
    return Deed(
        "Who looked into the ledger",
        f"looked at {scope(looked)}, written as {told.format}",
        rows,
        told.by,
        told.reason,
        subject_of(looked.scheme, looked.value),
        looked.case,
    )


def _pruned(told: entries.Pruned) -> Deed:
    return Deed(
        "What was pruned",
        f"made the contents of entries from before {told.before} unreadable, as they are kept for {told.retention};"
        f" backups have it until {told.backups_until}",
        [
            ("From before", [told.before.isoformat()]),
            ("Kept for", [told.retention]),
            ("Entries below", [f"{index} of shard {shard}" for shard, index in told.below.items()]),
            ("In backups until", [told.backups_until.isoformat()]),
        ],
        told.by,
        told.reason,
    )


def _erasure(told: entries.Erasure) -> Deed:
    return Deed(
        "What was erased",
        f"carried out erasure {told.erasure}, which {told.requested_by} requested; backups have it until"
        f" {told.backups_until}",
        [
            ("Erasure", [told.erasure]),
            ("Requested by", [told.requested_by]),
            ("Keys destroyed", list(told.keys)),
            ("In backups until", [told.backups_until.isoformat()]),
        ],
        told.by,
        told.reason,
    )
