"""Step 4 asked what policy tests ask: by `decide`, as at an inquiry. Pure.

What an inquiry would bring to that step is made of what a test says. As there, a case counts only where the purpose
needs one, and an emergency only where the purpose is for one.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable

from gateway.inquiry.decide import decide
from gateway.inquiry.types import Declaration, Facts, Narrowing, Requester, Selected, Wanted
from gateway.rules.files.purposes import KINDS
from gateway.rules.ruleset import RuleSet
from gateway.rules.testing.model import Asker, Cells, Posed
from gateway.storage.subjects.kinds import SubjectFacts

_LIFE = datetime.timedelta(hours=1)
"""How long the token of a test is good for, where the test says nothing of it."""


def inquire(rule_set: RuleSet) -> Callable[[Posed], Cells]:
    """How a rule set decides an inquiry for every field of every dataset of its catalogue."""
    datasets = rule_set.policies.catalogue.datasets
    everything = {name: Wanted(frozenset(dataset.fields), False) for name, dataset in datasets.items()}
    selected = Selected(dict.fromkeys(KINDS, everything))
    purposes = rule_set.policies.purposes

    def decided(posed: Posed) -> Cells:
        purpose = purposes[posed.purpose]
        verified = purpose.case_required and posed.case_verified
        known = SubjectFacts(consents=posed.consents, case_verified=verified)
        facts = Facts(
            0,
            {posed.subject: known},
            purpose.break_glass is not None and posed.break_glass,
            {(posed.purpose, dataset): "of this test" for dataset in posed.suspended},
        )
        declaration = Declaration(posed.purpose, case=posed.case, consent=posed.consent)
        requester = _requester(posed.asker, posed.now)
        decision = decide(selected, requester, declaration, rule_set, facts, [posed.subject], posed.now)
        return decision.subjects[posed.subject].cells

    return decided


def _requester(asker: Asker, now: datetime.datetime) -> Requester:
    expires = asker.expires if asker.expires is not None else now + _LIFE
    narrowing = tuple(Narrowing(each.purpose, each.case, each.datasets, each.identifier) for each in asker.narrowing)
    return Requester(
        asker.issuer, asker.client, asker.official, asker.scopes, expires.timestamp(), acr=asker.acr,
        narrowing=narrowing, identifier=asker.identifier,
    )  # fmt: skip
