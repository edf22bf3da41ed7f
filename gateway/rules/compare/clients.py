"""What a change of rule sets does to GraphQL clients, by graphql-core's own comparison of the two schemas.

The schema is made from the published catalogue and the purposes, so both can break a client: a document that was valid
and is not any more (breaking), or one that stays valid and may be answered otherwise (dangerous), as by a new value of
an enum.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache

from graphql import GraphQLSchema, find_breaking_changes, find_dangerous_changes
from strawberry.federation import Schema

from gateway.catalogue.graphql.schema import build_schema, core, described
from gateway.rules.ruleset import RuleSet


@lru_cache(maxsize=4)
def schema(rule_set: RuleSet) -> Schema:
    """The GraphQL schema that a rule set serves."""
    return build_schema(rule_set.policies.catalogue, _titles(rule_set))


def _titles(rule_set: RuleSet) -> dict[str, str]:
    return {name: purpose.title for name, purpose in rule_set.policies.purposes.items()}


def sdl(rule_set: RuleSet) -> str:
    """Its definition, as `_service` gives it to a router."""
    return schema(rule_set).as_str()


def schema_digest(rule_set: RuleSet, served: GraphQLSchema | None = None) -> str:
    """The SHA-256, in hexadecimal, of the schema's definition: the same where no client could see a difference.

    `served` is the schema that inquiries go by, where it is made and nobody else reads it yet: that costs a fifth.
    """
    definition = sdl(rule_set) if served is None else described(served, _titles(rule_set))
    return hashlib.sha256(definition.encode()).hexdigest()


def breaking(before: RuleSet, after: RuleSet) -> list[str]:
    """What makes a client's documents invalid that were valid, in graphql-core's words."""
    return [change.description for change in find_breaking_changes(core(schema(before)), core(schema(after)))]


def dangerous(before: RuleSet, after: RuleSet) -> list[str]:
    """What leaves documents valid and may surprise a client, in graphql-core's words."""
    return [change.description for change in find_dangerous_changes(core(schema(before)), core(schema(after)))]
