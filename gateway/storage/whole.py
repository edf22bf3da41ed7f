"""All tables of a store: whoever needs every one takes `metadata` from here."""

from __future__ import annotations

from gateway.storage.projections.tables import projected
from gateway.storage.projections.transparency import transparency_count
from gateway.storage.recall.recalls import recall
from gateway.storage.recall.work import alerted
from gateway.storage.rules.cataloguing import supplement_step
from gateway.storage.rules.drafts import draft
from gateway.storage.rules.dry_runs import dry_run
from gateway.storage.rules.proposals import proposal
from gateway.storage.rules.rulesets import activation
from gateway.storage.sessions import console_session
from gateway.storage.subjects.acts import act
from gateway.storage.subjects.erasure import erasure
from gateway.storage.subjects.facts import fact
from gateway.storage.tables import metadata
from gateway.storage.watch.findings import finding
from gateway.storage.watch.source_findings import source_finding

__all__ = ["metadata"]

_NAMED = (
    projected, transparency_count, recall, alerted, supplement_step, draft, dry_run, proposal, activation,
    console_session, act, erasure, fact, finding, source_finding,
)  # fmt: skip
assert all(each.metadata is metadata for each in _NAMED)
