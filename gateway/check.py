"""Everything that a start depends on, read (`load`); and `dutybound check`: all that a start would refuse.

Each problem with file, line and fix; nothing is started or written.

A store that is there is looked at as a start would look at it; one that is not is not made. It also tells what a start
lets pass: grants and rules that can have no effect, and mistakes in `watch.yaml`.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from connectors import kinds
from connectors.base import CaseRegistry, Connector, Examined
from gateway import sources
from gateway.activation import archive, stored
from gateway.activation.loading import hold, laid_out_as
from gateway.activation.stored import NothingActive
from gateway.acts.cataloguing import checking as cataloguing
from gateway.catalogue.load import load as load_catalogue
from gateway.catalogue.model import Catalogue
from gateway.config import settings
from gateway.config.settings import Settings
from gateway.errors import ConfigurationError, Problem, StoreUnavailable
from gateway.inquiry.case.config import build as build_cases
from gateway.inquiry.case.registries import CaseRegistries
from gateway.ledger.log.build import (
    check_head_file,
    check_witnesses,
    examine_registry,
    read_key,
    warnings,
    webhook_keys,
)
from gateway.nouns import counted
from gateway.recall.delivering import outgoing
from gateway.rules import deadlines
from gateway.rules.check import reach, weakened
from gateway.rules.decide import guards
from gateway.rules.files import calendar, thresholds
from gateway.rules.load import Read as Policies
from gateway.rules.load import read as load_rules
from gateway.rules.ruleset import RuleSet
from gateway.storage.sealing import key_file, outside
from gateway.storage.store import examine_store
from gateway.texts import words
from gateway.values import NOWHERE
from gateway.web import listen


class Loaded(msgspec.Struct, frozen=True, eq=False):
    """The contents of the files, read and found right.

    `archive` has the files of the folder that the rule set was read from; None where the store has it, which is so
    since an `epoch`. `named_secrets` are of the file that `secrets_file` names.
    """

    rules: RuleSet
    departments: sources.Sources
    cases: CaseRegistries
    private: Ed25519PrivateKey
    archive: bytes | None = None
    epoch: int = 0
    named_secrets: tuple[bytes, ...] = ()

    @property
    def secrets(self) -> tuple[bytes, ...]:
        """What sessions, nonces and counts are keyed by: the first makes them, each opens or takes what it made."""
        return self.named_secrets or (self.private.private_bytes_raw(),)


class Read(NamedTuple):
    """What could be read, for finding more that is wrong; `parts` only where nothing is.

    `waits`: with `rules: activated`, nothing was activated yet, and that is all that is missing.
    """

    settings: Settings
    policies: Policies | None
    parts: Loaded | None
    waits: bool = False


def load(config: Path, environ: Mapping[str, str]) -> tuple[Settings, Loaded]:
    """Read everything that a start depends on; raises `ConfigurationError` with every problem of every file.

    `NothingActive` where there is no rule set yet that could serve.
    """
    problems: list[Problem] = []
    found = read(config, environ, problems)
    if found is not None and found.waits:
        raise NothingActive([Problem(str(config), 0, 0, "rules", stored.BOOTSTRAP)])
    if found is None or found.parts is None:
        raise ConfigurationError(problems)
    return found.settings, found.parts


def read(
    config: Path, environ: Mapping[str, str], problems: list[Problem], own: Mapping[str, sources.Build] | None = None
) -> Read | None:
    """As `load`, with what is wrong in `problems`: a mistake in one file keeps no other from being read.

    `own` are kinds of source beside the gateway's.
    """
    found = settings.read(config, environ, problems)
    if found is None:
        return None
    registries = found.root.mapping(any_key=True)["case_registries"]
    cases = build_cases(registries, kinds.CASES)
    check_witnesses(found.ledger, found.root)
    check_head_file(found.ledger, found.root)
    private = read_key(found.ledger, found.root)
    outgoing.check_keys(found, webhook_keys(found), private)
    secrets = _secrets(found)
    if found.texts not in (None, NOWHERE):
        with noting(problems):
            words.read(found.texts)
    catalogue, policies = Catalogue({}, {}, {}, "", whole=False), None
    departments = sources.Sources({}, {})
    with _policies(found, problems) as (folder, of_policies, active):
        if folder is not None:
            catalogue = load_catalogue(folder, of_policies)
        if found.sources != NOWHERE:
            departments = sources.load(
                found.sources, catalogue, {**kinds.KINDS, **(own or {})}, problems, active=active is not None
            )
        if folder is not None:
            # Without the issuers, which are wrong then, those of `requesters.yaml` stand for themselves.
            named = None if registries.told else list(registries.mapping(any_key=True))
            issuers = found.oauth.aliases or None
            policies = load_rules(folder, catalogue, issuers, of_policies, named, secrets=found.policies)
            if active is not None and policies.rules is not None:
                hold(policies.rules, active.digest, of_policies)
    problems += of_policies
    waits = found.rules != stored.FILES and active is None and not problems
    if problems or policies is None or policies.rules is None or private is None:
        return Read(found, policies, None, waits)
    archived, epoch = (archive.packed(found.policies), 0) if active is None else (None, active.epoch)
    return Read(found, policies, Loaded(policies.rules, departments, cases, private, archived, epoch, secrets))


@contextlib.contextmanager
def _policies(
    found: Settings, problems: list[Problem]
) -> Iterator[tuple[Path | None, list[Problem], stored.Stored | None]]:
    """The folder with the policies, where what is wrong with them goes, and what they are in the store.

    No folder where there is none; with `rules: activated`, where nothing is active.
    """
    if found.rules == stored.FILES:
        yield (None if found.policies == NOWHERE else found.policies), [], None
        return
    active = None
    try:
        active = stored.kept(found) if found.store else None
    except StoreUnavailable as error:
        problems.append(Problem(str(found.file), 0, 0, "store", str(error)))
    except ConfigurationError as error:
        problems += error.problems
    if active is None:
        yield None, [], None
        return
    with laid_out_as(active.files, active.digest) as (folder, of_policies):
        yield folder, of_policies, active


def _secrets(found: Settings) -> tuple[bytes, ...]:
    """What `secrets_file` has; what is wrong with it is reported where `gateway.yaml` names it."""
    if found.secrets_file in (None, NOWHERE):
        return ()
    try:
        return key_file.load(found.secrets_file, key_file.OF_SECRETS).keys
    except ConfigurationError as error:
        node = found.root.at(["secrets_file"])
        for problem in error.problems:
            node.problem(f"the file `{node.text()}` {problem.message}")
        return ()


@contextlib.contextmanager
def noting(problems: list[Problem]) -> Iterator[None]:
    """Report what is refused here together with the rest."""
    try:
        yield
    except ConfigurationError as error:
        problems += [each for each in error.problems if each not in problems]


def check(config: Path, workers: int = 1, connect: bool = False) -> int:
    """Check a configuration, for so many workers, and all that it points at; where `connect`, others' systems too.

    Raises `ConfigurationError` with every problem found.
    """
    problems: list[Problem] = []
    told = read(config, os.environ, problems)
    if told is None:
        raise ConfigurationError(problems)
    found, policies, parts, waits = told
    if policies is not None and found.rules == stored.FILES:
        thresholds.load(found.policies, problems, policies.catalogue, policies.requesters)
    with noting(problems), settings.placing(found):
        if found.host and (wrong := listen.hindrance(found.host)):
            raise ConfigurationError([Problem(str(found.file), 0, 0, "listen", wrong)])
    hindrances: list[str] = []
    if found.store:
        with noting(problems), settings.placing(found):
            if found.store_key is not None:
                outside.load(found.store_key, str(found.file))  # a store that is not there yet asks for it at its start
            hindrances = examine_store(found.store, str(found.file), single_node=found.single_node, key=found.store_key)
            if parts is not None:
                examine_registry(found.store, found.ledger, str(found.file), found.store_key)
            stored.kept(found)
    if parts is not None:
        today = guards.day(datetime.datetime.now(datetime.UTC), parts.rules.policies.time_zone)
        if found.rules == stored.FILES:
            problems += [*reach.check(parts.rules, found.policies, today), *weakened.check(parts.rules)]
        if connect and not problems:
            problems += asyncio.run(_systems(found, parts))
    if waits and not problems:
        print(f"{config}: fine, but {stored.BOOTSTRAP}")
        return 0
    if parts is None or problems:
        raise ConfigurationError(problems)
    published = parts.rules.policies.catalogue.published
    print(f"{config}: fine")
    print(f"  rule set      {parts.rules.digest}")
    print(f"  sources       {parts.departments.digest}")
    print(f"  datasets      {len(published)} published, of {counted(len(parts.departments.connectors), 'department')}")
    print(f"  purposes      {', '.join(parts.rules.policies.purposes)}")
    told_to = outgoing.warnings(found, parts.rules)
    late = sources.late(found.sources, found.limits.deadline)
    ending = deadlines.ending(parts.rules.calendar, today)
    dates = [f"{found.policies / calendar.FILE}: {ending}"] if ending else []
    served_folder = found.store and found.rules == stored.FILES
    catalogue, key = parts.rules.policies.catalogue, found.store_key
    consulted = cataloguing.warnings(found.store, catalogue, key) if served_folder else []
    beyond = parts.departments.beyond
    told_of = (
        *settings.warnings(found, workers), *late, *beyond, *dates, *told_to, *warnings(found.ledger), *hindrances
    )  # fmt: skip
    for warning in (*told_of, *consulted):
        print(f"  warning       {warning}")
    return 0


async def _systems(found: Settings, parts: Loaded) -> list[Problem]:
    """What is wrong with the systems of departments and case registries. They are asked about nobody."""
    named: list[tuple[Path, str, Connector | CaseRegistry]] = [
        *((found.sources, f"departments.{name}", each) for name, each in parts.departments.connectors.items()),
        *((found.file, f"case_registries.{name}", each) for name, each in parts.cases.sources.items()),
    ]
    asked = [(file, path, each) for file, path, each in named if isinstance(each, Examined)]
    told = await asyncio.gather(*(each.examine() for _, _, each in asked))
    for _, _, system in named:
        await system.close()
    return [
        Problem(str(file), 0, 0, path, wrong)
        for (file, path, _), found_wrong in zip(asked, told, strict=True)
        for wrong in found_wrong
    ]
