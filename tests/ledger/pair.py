"""An inquiry about two organisations, and the erasure of one of them, made by hand."""

from __future__ import annotations

import contextlib
import datetime

from sqlalchemy import select, update

from connectors.base import Record, Subject
from gateway.inquiry import disclose
from gateway.inquiry.types import Caution, Decision, Released, SubjectDecision, Withheld
from gateway.ledger.entry import entries, parts
from gateway.ledger.log.ledger import Ledger
from gateway.ledger.proof.tlog_proof import Receipt
from gateway.storage.port import Store
from gateway.storage.statement import Statement
from gateway.storage.tables import subject_key
from tests.ledger.support import AT, DATA, SUBJECT, an_entry

OTHER = Subject("organisation", "LEI", "529900T8BM49AURSDO55")

_KEYS = Statement(select(subject_key.c.id, subject_key.c.value))


def entry_of_two(number: int) -> disclose.Entry:
    """An inquiry about both: one has a record that is disputed and one withheld, the other a record with mitigation."""
    made = an_entry(number)
    decided = SubjectDecision({}, {}, (("tax-arrears", ("amount", "period")),))
    made.subjects = (SUBJECT, OTHER)
    made.decision = Decision(None, {SUBJECT: decided, OTHER: decided}, ())
    made.cautions = (Caution("tax-arrears", "N-1", True, None), Caution("tax-arrears", "M-1", False, "flood of 2025"))
    made.withheld = (
        Withheld(SUBJECT, "tax-arrears", "N-9", "2", "display-ended"),
        Withheld(OTHER, "tax-arrears", "M-9", "1", "restored"),
    )
    made.consents = ((OTHER, "c-2"), (SUBJECT, "c-1"))
    return made


async def disclosed_pair(ledger: disclose.LedgerPort, number: int, at: datetime.datetime = AT) -> bytes:
    """Disclose it, and give the answer's bytes."""
    made = entry_of_two(number)
    got = {
        (subject, "tax-arrears"): Released([Record(m_id=record, m_version="3")], [None], [True])
        for subject, record in ((SUBJECT, "N-1"), (OTHER, "M-1"))
    }
    receipt = await disclose.disclose(ledger, made, got, DATA, (), at)
    return b'{"data":%b,"extensions":{"inquiry":%b}}' % (DATA, disclose.extension(made, receipt))


async def erase(store: Store, ledger: Ledger, subject: Subject, at: datetime.datetime = AT) -> Receipt:
    """Destroy a subject's key with the entry that says so, as an erasure does, in a store of one shard."""
    with contextlib.closing(store.reader()) as reader:
        keys = [id_ for id_, value in reader.rows(_KEYS) if value == subject.value]
    told = entries.Erasure(
        entries.VERSION,
        "erasure-1",
        at,
        entries.Who("", "command line"),
        "x-1",
        "A. Auditor",
        "B. Approver",
        "ten years have passed",
        tuple(f"{key:016x}" for key in keys),
        datetime.date(2027, 1, 31),
    )
    made = parts.split(told)
    gone = update(subject_key).where(subject_key.c.id.in_(keys)).values(scheme=None, value=None, secret=None)
    return await ledger.append(made.told, made.oversight, at, ("", "command line"), (gone,), made.subjects)
