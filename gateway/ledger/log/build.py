"""The ledger as `gateway.yaml` has it: with its registry, its publisher, its head file and its witnesses.

The one way to open a ledger for appending: a shard that is registered, published, and checked against what is
remembered of it outside the store.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import inspect

from gateway.clock import Now, machines
from gateway.config.ledger import LedgerSettings
from gateway.config.settings import Settings
from gateway.config.store_key import StoreKey
from gateway.documents import Node
from gateway.errors import ConfigurationError, LedgerUnavailable, Problem
from gateway.ledger.entry.registry import ROOT, SERVING
from gateway.ledger.log.floor import Floor
from gateway.ledger.log.head_file import HeadFile
from gateway.ledger.log.ledger import Ledger
from gateway.ledger.log.publish import Publisher
from gateway.ledger.log.registrar import AnotherKey, Registrar
from gateway.ledger.log.witness_client import AskedWitness, Witnesses
from gateway.ledger.proof import key_files
from gateway.ledger.proof.note import parse_verifier
from gateway.manage.states import Heard
from gateway.nouns import counted
from gateway.storage.port import Store
from gateway.storage.store import open_to_read
from gateway.values import NOWHERE


class Watched(NamedTuple):
    """Who is notified of a ledger's events: that it refuses, or a witness stays away, and how many entries each commit
    held."""

    ledger: Heard | None = None
    witness: Heard | None = None
    committed: Callable[[int], None] | None = None


UNWITNESSED = (
    "no witness cosigns the ledger (`ledger.witnesses`): nobody would notice if two auditors were shown two of them"
)
UNREQUIRED = "no cosignature is required (`ledger.require`): inquiries are answered whether witnesses cosign or not"


def ledger_of(
    store: Store,
    settings: LedgerSettings,
    private: Ed25519PrivateKey,
    now: Now,
    names: Sequence[str] = SERVING,
    watched: Watched | None = None,
    floor: Floor | None = None,
) -> Ledger:
    """A ledger on the store, not yet started, in the first shard of `names` that can be had.

    `names` are `SERVING`, `COMMANDS`, `RECALLS` or `OPEN`. `now` is the process's clock, for all that the
    ledger enters itself. `floor` rises with its entries.
    """
    watched = watched or Watched()
    publisher = publisher_of(store, settings, now, watched.witness)
    heard: dict[str, Any] = {"heard": watched.ledger} if watched.ledger else {}
    counted: dict[str, Any] = {"committed": watched.committed} if watched.committed else {}
    registrar = Registrar(store, private, settings.origin, publisher)
    return Ledger(store, private, registrar, publisher, names=names, floor=floor, **heard, **counted)


def publisher_of(store: Store, settings: LedgerSettings, now: Now, heard: Heard | None = None) -> Publisher:
    """What publishes it; `heard` is called with witnesses that stay away."""
    named = [AskedWitness(each.name, each.url, parse_verifier(each.key)) for each in settings.witnesses]
    return Publisher(
        store,
        settings.origin,
        now,
        head_file=HeadFile(settings.head_file),
        witnesses=Witnesses(named, require=settings.require, within=settings.within, heard=heard) if named else None,
    )


def read_key(settings: LedgerSettings, root: Node) -> Ed25519PrivateKey | None:
    """The ledger's key; what is wrong with it is reported where `gateway.yaml` names its file."""
    return _read_key(settings.key_file, root.at(["ledger", "key_file"]))


def webhook_keys(settings: Settings) -> list[Ed25519PrivateKey]:
    """The keys that sign what is sent to recipients; what is wrong with one is reported where `gateway.yaml` names
    it."""
    nodes = (settings.root.at(["webhooks", name]) for name in ("key_file", "older_key_file"))
    found = [
        _read_key(file, node, key_files.OF_WEBHOOKS)
        for file, node in zip(settings.webhooks.key_files, nodes, strict=False)
    ]
    return [key for key in found if key is not None]


def _read_key(file: Path, node: Node, fix: str = key_files.OF_LEDGER) -> Ed25519PrivateKey | None:
    if file == NOWHERE:
        return None
    try:
        return key_files.load(file, fix)
    except ConfigurationError as error:
        for problem in error.problems:
            node.problem(f"the file `{node.text()}` {problem.message}")
        return None


def check_witnesses(settings: LedgerSettings, root: Node) -> None:
    """Report, at its place in `gateway.yaml`, a witness's key that is none."""
    for place, each in enumerate(settings.witnesses):
        try:
            if each.key and not parse_verifier(each.key).cosigns:
                raise ValueError("this key signs logs; a witness has a key of its own, of kind 4")
        except ValueError as error:
            root.at(["ledger", "witnesses", place, "key"]).problem(str(error))


def check_head_file(settings: LedgerSettings, root: Node) -> None:
    """Report, at its place in `gateway.yaml`, a head file that could not be written, or is none."""
    file, node = settings.head_file, root.at(["ledger"])
    if file == NOWHERE or (file.parent == settings.key_file.parent and not file.parent.is_dir()):
        return None  # it is told already, or of the key
    if not file.parent.is_dir() or not os.access(file.parent, os.W_OK):
        return node.problem(
            f"the head file `{file}` cannot be written there: name another place with `ledger.head_file`, best on"
            " another disk than the store"
        )
    try:
        HeadFile(file).all()
    except LedgerUnavailable as error:
        node.problem(str(error))
    return None


def examine_registry(store_url: str, settings: LedgerSettings, file: str, key: StoreKey | None = None) -> None:
    """What a start would refuse of the registry in the store, if there is one: it was set back, or has another key.

    Checked against the head file; witnesses are not asked. Raises `ConfigurationError`.
    """
    private = key_files.load(settings.key_file)
    try:
        store = open_to_read(store_url, file, key)
    except ConfigurationError:  # there is none yet
        _see_not_lost(settings, file)
        return
    try:
        if inspect(store.engine).has_table("shard"):
            publisher = Publisher(store, settings.origin, machines, head_file=HeadFile(settings.head_file))
            asyncio.run(Registrar(store, private, settings.origin, publisher).check())
    except LedgerUnavailable as error:
        following, said = key_files.following(settings.key_file), str(error)
        if isinstance(error, AnotherKey) and following.exists():
            said = f"a rotation of its key was interrupted, as `{following}` shows; run `dutybound keys rotate` again"
        raise ConfigurationError([Problem(file, 0, 0, "ledger", said)]) from error
    finally:
        store.close()


def _see_not_lost(settings: LedgerSettings, file: str) -> None:
    """Raises `ConfigurationError` where the head file remembers this ledger, so that its store is somewhere else."""
    head_file = HeadFile(settings.head_file)
    try:
        remembered = head_file.all()
    except LedgerUnavailable:
        return  # reported where the configuration is read
    for seen in remembered:
        if seen.checkpoint.origin == f"{settings.origin}/{ROOT}":
            message = (
                f"is not there, and the head file `{head_file.path}` remembers"
                f" {counted(seen.checkpoint.size, 'entry')} of"
                f" `{seen.checkpoint.origin}`; put the store back, or restore a backup (`dutybound restore`)"
            )
            raise ConfigurationError([Problem(file, 0, 0, "store", message)])


def warnings(settings: LedgerSettings) -> list[str]:
    """What a start lets pass, and somebody should know."""
    if not settings.witnesses:
        return [UNWITNESSED]
    return [] if settings.require else [UNREQUIRED]
