"""A rule set in which something is as a test supposes: past the checks of the files, which refuse or hide it.

So a rule can be seen to hold that guards against what no dataset is, and no purpose demands, as long as all goes well.
A dataset that is published stays in the table, whatever is supposed of it.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from gateway.catalogue.model import Catalogue, Dataset, Status
from gateway.rules.ruleset import RuleSet
from gateway.rules.testing.model import Supposed


class _SupposedCatalogue(Catalogue, frozen=True):
    """A catalogue that publishes what `there` names."""

    there: frozenset[str] = frozenset()

    @property
    def published(self) -> Mapping[str, Dataset]:
        return {name: dataset for name, dataset in self.datasets.items() if name in self.there}


def supposing(rule_set: RuleSet, supposed: Supposed) -> RuleSet:
    """The rule set as it would be, with a digest of its own."""
    catalogue, who = rule_set.policies.catalogue, rule_set.requesters
    purposes, datasets, entries = dict(rule_set.policies.purposes), dict(catalogue.datasets), dict(who.entries)
    for name, facts in supposed.datasets:
        changed = {fact: Status(str(value)) if fact == "status" else value for fact, value in facts}
        datasets[name] = replace(datasets[name], **changed)
    for name, facts in supposed.purposes:
        purposes[name] = replace(purposes[name], **dict(facts))
    for client, roles in supposed.roles:
        entries[client] = replace(entries[client], roles=roles)
    parts = {name: getattr(catalogue, name) for name in Catalogue.__struct_fields__}
    parts |= {"datasets": datasets, "digest": f"{catalogue.digest} supposing {supposed}"}
    return RuleSet(
        _SupposedCatalogue(**parts, there=frozenset(catalogue.published)),
        purposes,
        replace(who, entries=entries),
        [rule for name, rule in rule_set.rules.items() if name not in supposed.without],
        rule_set.calendar,
        rule_set.officers,
    )
