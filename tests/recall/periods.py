"""Rule sets that differ in how long a dataset is displayed, made active as an activation leaves them."""

from __future__ import annotations

import copy
import datetime

import msgspec
from sqlalchemy import delete, insert, select

from gateway.catalogue.periods import parse
from gateway.rules.ruleset import RuleSet
from gateway.storage.port import Store
from gateway.storage.rules import rulesets
from gateway.storage.tables import micros


def displayed(rules: RuleSet, dataset: str, longest: str | None) -> RuleSet:
    """The same rules, with another longest display of one dataset; None: without an end."""
    policies = rules.policies
    of = policies.catalogue.datasets[dataset]
    assert of.display is not None
    display = msgspec.structs.replace(of.display, max=None if longest is None else parse(longest))
    datasets = {**policies.catalogue.datasets, dataset: msgspec.structs.replace(of, display=display)}
    made = copy.copy(rules)
    made.digest = f"{dataset}-{longest}"
    catalogue = msgspec.structs.replace(policies.catalogue, datasets=datasets)
    made.policies = msgspec.structs.replace(policies, catalogue=catalogue, digest=made.digest)
    return made


def activated(store: Store, rules: RuleSet, at: datetime.datetime) -> None:
    """Make it active, as far as whoever recalls sees: no entry says so (`forgotten`)."""
    with store.engine.begin() as connection:
        last = rulesets.active(connection)
        epoch = 1 if last is None else last.epoch + 1
        known = select(rulesets.rule_set.c.digest).where(rulesets.rule_set.c.digest == rules.digest)
        if connection.execute(known).first() is None:
            connection.execute(insert(rulesets.rule_set).values(digest=rules.digest, files=b"", at=micros(at)))
        row = {"epoch": epoch, "digest": rules.digest, "how": "bootstrap", "at": micros(at), "filed_in": 0}
        connection.execute(insert(rulesets.activation).values(row))


def forgotten(store: Store) -> None:
    """Take away what no entry says, before all of a store is held to its entries."""
    with store.engine.begin() as connection:
        connection.execute(delete(rulesets.activation))
        connection.execute(delete(rulesets.rule_set))
