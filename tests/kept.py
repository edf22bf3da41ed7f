"""What a test process keeps of work that hundreds of tests ask for again, by all that went into it.

Nothing kept can be changed by a test. It is no more than what was read and parsed, what Cedar answered, and that a rule
set is sound.
"""

from __future__ import annotations

import datetime
import functools
import json
import os
import ssl
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cedarpy
import httpx
import httpx._transports.default
from strawberry.federation import Schema

from gateway import check, documents, served
from gateway.catalogue.model import Catalogue
from gateway.drafts import found as draft
from gateway.errors import Problem
from gateway.proposals import examined as proposal
from gateway.rules import commands
from gateway.rules.check import reach, weakened
from gateway.rules.ruleset import RuleSet


def begin() -> None:
    """Have it kept from now on."""
    # The shipped policies take a second to parse, and hundreds of tests read them.
    documents._composed = functools.lru_cache(maxsize=256)(documents._composed)
    served.build_schema = _Schemas(served.build_schema)  # type: ignore[attr-defined]
    _keep_contexts()
    _keep_cedar()
    sound = SimpleNamespace(reach=_while_sound(reach.check), weakened=_while_sound(weakened.check))
    for user in (check, commands, draft):
        user.reach, user.weakened = sound.reach, sound.weakened  # type: ignore[attr-defined]
    proposal.weakened = sound.weakened  # type: ignore[attr-defined]


class _Schemas:
    """The schemas of rule sets that are served: a tenth of all tests' work was to make the shipped one's again."""

    def __init__(self, build: Callable[[Catalogue, Mapping[str, str]], Schema]) -> None:
        self._build = build
        self._made: list[tuple[Catalogue, Mapping[str, str], Schema]] = []

    def __call__(self, catalogue: Catalogue, purposes: Mapping[str, str]) -> Schema:
        for each in self._made:
            if each[:2] == (catalogue, purposes):
                return each[2]
        made = self._build(catalogue, purposes)
        self._made[:] = [(catalogue, purposes, made), *self._made[:7]]
        return made


def _while_sound(looked: Callable[..., list[Problem]]) -> SimpleNamespace:
    """That all is well with a rule set, by its digest. What is wrong is looked for anew, for it has its place.

    Two thirds of a check of the shipped policies are to try which rules and grants have an effect.
    """
    sound = set[tuple[str, object]]()

    def found(rule_set: RuleSet, policies: Path | None = None, today: datetime.date | None = None) -> list[Problem]:
        key = (rule_set.digest, today)
        if key in sound:
            return []
        problems = looked(rule_set, policies, today) if policies else looked(rule_set)
        if not problems:
            sound.add(key)
        return problems

    return SimpleNamespace(check=found)


def _keep_contexts() -> None:
    """What clients trust, as long as the environment names the same: it takes longer than most requests."""
    made = httpx.create_ssl_context
    read = functools.cache(lambda trust_env, *_: made(trust_env=trust_env))

    def shared(verify: Any = True, cert: Any = None, trust_env: bool = True) -> ssl.SSLContext:
        if verify is not True or cert:
            return made(verify, cert, trust_env)
        named = [os.environ.get(name) for name in ("SSL_CERT_FILE", "SSL_CERT_DIR")] if trust_env else ()
        context: ssl.SSLContext = read(trust_env, *named)
        return context

    httpx.create_ssl_context = httpx._transports.default.create_ssl_context = shared  # type: ignore[attr-defined]


_SETS = 32
"""Policies with entities and a schema whose answers are kept."""


def _keep_cedar() -> None:
    """What Cedar parsed, and answered to a request of the same policies, entities and schema."""
    sets, schemas = map(functools.lru_cache(_SETS * 4), (cedarpy.PolicySet.from_json_str, cedarpy.Schema.from_str))
    cedarpy.PolicySet = SimpleNamespace(from_json_str=sets)  # its own class cannot be changed
    cedarpy.Schema = SimpleNamespace(from_str=schemas)
    entities = functools.lru_cache(_SETS * 4)(cedarpy.Entities.from_json_str)
    cedarpy.Entities.from_json_str = staticmethod(entities)
    for name in ("policies_to_json_str", "policies_from_json_str", "validate_policies"):
        setattr(cedarpy, name, functools.lru_cache(_SETS * 32)(getattr(cedarpy, name)))
    cedarpy.is_authorized_batch = _Answers(cedarpy.is_authorized_batch)


class _Answers:
    def __init__(self, ask: Callable[..., list[Any]]) -> None:
        self._ask = ask
        self._known: OrderedDict[Any, dict[str, Any]] = OrderedDict()

    def __call__(
        self, requests: Sequence[Mapping[str, Any]], policies: Any, entities: Any, schema: Any = None
    ) -> list[Any]:
        of = (policies, json.dumps(entities) if isinstance(entities, list) else entities, schema)
        known = self._known.setdefault(of, {})
        self._known.move_to_end(of)
        if len(self._known) > _SETS:
            self._known.popitem(last=False)
        names = [json.dumps(each) for each in requests]
        lacking = {name: each for name, each in zip(names, requests, strict=True) if name not in known}
        if lacking:
            known.update(zip(lacking, self._ask(list(lacking.values()), policies, entities, schema), strict=True))
        return [known[name] for name in names]
