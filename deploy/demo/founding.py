"""How the region's gateway was founded: what stands in its ledger before it starts, by the gateway's own acts.

Months ago the Building Archives consulted on two datasets, and published them; no rule set has them yet. Then two
officers signed the first rule set. Their keys are this run's own, and are gone after it.
"""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import Mapping
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from deploy.demo.configuration import Place
from gateway.activation import archive
from gateway.acts.cataloguing.supplements import Consulted, Moved, Supplements
from gateway.acts.office import Office
from gateway.bounds.shares import Shares
from gateway.catalogue import definitions, load
from gateway.errors import ConfigurationError, Problem
from gateway.inquiry.types import Requester
from gateway.ledger.acting.writer import Writer
from gateway.ledger.entry.registry import COMMANDS
from gateway.ledger.log.build import ledger_of
from gateway.ledger.log.operator import Workplace
from gateway.proposals import bootstrap
from gateway.proposals.examination import Asked, Examined
from gateway.proposals.examined import examined
from gateway.proposals.statement import NONE, Statement
from gateway.rules import sshsig
from gateway.rules.ruleset import RuleSet

ARCHIVES = Path(__file__).parent / "archives.yaml"
STEWARDS = ("a.lang", "a.moreno")
OFFICERS = ("costa", "olsen")
"""Who signed the first rule set."""

_CONSULTED = datetime.timedelta(days=90)
_APPROVED = datetime.timedelta(days=40)
"""So long ago. Twenty working days are between them whatever holidays there are."""
_NOTICE = "Permits for buildings, and orders against their owners, are to be shared with those who inspect buildings."
_BROUGHT = "Three answers, all in favour; the Chamber of Commerce asked for a term of display, which is in it now."

Keys = Mapping[str, Ed25519PrivateKey]


def keys_of(policies: Path) -> Keys:
    """New keys of the officers who sign, whose public ones are written to `officers.yaml`."""
    keys = {name: Ed25519PrivateKey.generate() for name in OFFICERS}
    file = policies / "officers.yaml"
    text = file.read_text("utf-8")
    for name, key in keys.items():
        public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
        text = text.replace(f"sub: p.{name}}}", f"sub: p.{name}, key: {public}}}")
    file.write_text(text, "utf-8")
    return keys


def found(place: Place, keys: Keys) -> None:
    """Enter all of it in the gateway's store, which is there already. Blocks."""
    now = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
    with bootstrap.first(place.config, None) as first:
        asyncio.run(_publish(first.place, first.rules, now))
        reason = "The Exchange of Information Act enters into force."
        said = Statement(first.origin, first.rules.digest, first.base or NONE, now + datetime.timedelta(days=1), reason)
        signatures = [sshsig.sign(key, said.text.encode()) for key in keys.values()]
        bootstrap.activate(first, said, signatures, _without_tests)


def _without_tests(asked: Asked) -> Examined:
    """What comes of an examination but for the policies' own tests: `make test` runs them, and no start need wait."""
    files = {name: each for name, each in archive.unpacked(asked.candidate).items() if not name.startswith("tests/")}
    return examined(msgspec.structs.replace(asked, candidate=archive.pack(files)))


async def _publish(place: Workplace, rules: RuleSet, today: datetime.datetime) -> None:
    """The Archives' acts, at their own time: its stewards consult, and both approve after the last day."""
    at = today - _CONSULTED
    ledger = ledger_of(place.store, place.settings.ledger, place.private, lambda: at, COMMANDS)
    writer, shares = Writer(ledger, lambda: at, rules.calendar.zone), Shares(lambda: at)
    acts = Supplements(Office(writer, place.store, lambda: rules, lambda: at), shares)
    one, other = (_steward(name, place) for name in STEWARDS)
    text, meant = ARCHIVES.read_text("utf-8"), _digests(rules)
    await ledger.start()
    try:
        for dataset in meant:
            days = rules.calendar.terms.consultation
            await acts.consult(one, dataset, Consulted(text=text, notice=_NOTICE, days=days, file=ARCHIVES.name))
        at = today - _APPROVED
        for dataset, digest in meant.items():
            await acts.approve(one, dataset, Moved(definition=digest, reason=_BROUGHT))
            await acts.approve(other, dataset, Moved(definition=digest))
            await acts.publish(other, dataset, Moved(definition=digest))
    finally:
        await writer.close()
        await ledger.close()
        shares.close()


def _steward(name: str, place: Workplace) -> Requester:
    """A steward of the Archives, as a token and the policies of then would have made them."""
    issuer = place.settings.oauth.issuers[0].issuer
    return Requester(issuer, "archives-stewards", name, frozenset(["steward"]), 0, department="archives")


def _digests(rules: RuleSet) -> dict[str, str]:
    """By dataset, the digest of the definition that is meant."""
    problems: list[Problem] = []
    text, among = ARCHIVES.read_text("utf-8"), rules.policies.catalogue
    names = ("building-permits", "building-orders")
    read = {name: load.one(text, ARCHIVES.name, name, among, problems) for name in names}
    if problems:
        raise ConfigurationError(problems)
    return {name: definitions.digest(dataset) for name, dataset in read.items() if dataset is not None}
