"""The ledger as `gateway.yaml` has it: with its publisher, its head file and its witnesses."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.errors import ConfigurationError, Problem
from gateway.ledger.head_file import HeadFile
from gateway.ledger.ledger import Ledger
from gateway.ledger.note import parse_verifier
from gateway.ledger.publish import Publisher
from gateway.ledger.witnesses import Witness, Witnesses
from gateway.settings import LedgerSettings
from gateway.storage.port import Store

UNWITNESSED = (
    "no witness cosigns the ledger (`ledger.witnesses`): nobody would notice if two auditors were shown two of them"
)
UNREQUIRED = "no cosignature is required (`ledger.require`): inquiries are answered whether witnesses cosign or not"


def ledger_of(store: Store, settings: LedgerSettings, private: Ed25519PrivateKey) -> Ledger:
    """A ledger on the store, not yet started."""
    return Ledger(store, private, settings.origin, publisher=publisher_of(store, settings), registered=True)


def publisher_of(store: Store, settings: LedgerSettings) -> Publisher:
    """What publishes it."""
    named = [Witness(each.name, each.url, parse_verifier(each.key)) for each in settings.witnesses]
    return Publisher(
        store,
        settings.origin,
        head_file=HeadFile(settings.head_file) if settings.head_file else None,
        witnesses=Witnesses(named, require=settings.require, within=settings.within) if named else None,
    )


def check_witnesses(settings: LedgerSettings, file: str) -> None:
    """Raises `ConfigurationError` where a witness's key is none."""
    problems = []
    for place, each in enumerate(settings.witnesses):
        try:
            if not parse_verifier(each.key).cosigns:
                raise ValueError("this key signs logs; a witness has a key of its own, of kind 4")
        except ValueError as error:
            problems.append(Problem(file, 0, 0, f"ledger.witnesses[{place}].key", str(error)))
    if problems:
        raise ConfigurationError(problems)


def warnings(settings: LedgerSettings) -> list[str]:
    """What a start lets pass, and somebody should know."""
    if not settings.witnesses:
        return [UNWITNESSED]
    return [] if settings.require else [UNREQUIRED]
