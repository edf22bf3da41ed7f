"""`dutybound keys rotate`: another key for every shard of a ledger, entered in its registry and signed by both keys.

Every gateway of the ledger is stopped meanwhile. The new key stands in its own file before the registry names it, and
takes the old one's place after; interrupted anywhere, the same command finishes it.
"""

from __future__ import annotations

import argparse
import asyncio
import os
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.command import options
from gateway.config import settings
from gateway.config.ledger import LedgerSettings
from gateway.errors import ConfigurationError, Problem
from gateway.ledger.entry.registry import ROOT
from gateway.ledger.log.build import publisher_of
from gateway.ledger.log.operator import certain
from gateway.ledger.log.registrar import Registrar
from gateway.ledger.proof import key_files
from gateway.ledger.proof.note import Verifier
from gateway.storage.port import Store
from gateway.storage.store import opened


def register(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    options.config(parser)
    parser.add_argument(
        "--public",
        type=Path,
        metavar="FILE",
        help="the public keys' file (default: the private key's name with `.pub`)",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Rotate; raises `ConfigurationError` or `LedgerUnavailable` where that cannot be done."""
    configured = settings.load(arguments.config, os.environ)
    file = configured.ledger.key_file
    old, following = key_files.load(file), key_files.following(file)
    public: Path = arguments.public or file.with_suffix(".pub")
    if arguments.public is not None and not public.is_file():
        raise ConfigurationError(
            [Problem(str(public), 0, 0, "", "is no file; `--public` names the one to add the keys to")]
        )
    with opened(configured) as store:
        new = key_files.load(following) if following.exists() else key_files.generate(following)
        names = asyncio.run(_rotate(store, configured.ledger, old, new))
    if public.exists():
        key_files.add_verifiers(public, new, configured.ledger.origin, names)
    kept = file.with_name(f"{file.name}.old")
    try:
        kept.unlink(missing_ok=True)
        os.link(file, kept)
        following.replace(file)
    except OSError as error:
        raise ConfigurationError(
            [Problem(str(file), 0, 0, "", f"cannot be replaced by `{following}` ({error.strerror}); do so by hand")]
        ) from error
    print(f"new key: {file}, of shards {', '.join(names)}")
    print(f"old key: {kept} (nothing needs it any more; destroy it)")
    if public.exists():
        print(f"public keys: {public} (give it to witnesses; whoever has the old one needs no other)")
    return 0


async def _rotate(store: Store, ledger: LedgerSettings, old: Ed25519PrivateKey, new: Ed25519PrivateKey) -> list[str]:
    publisher = publisher_of(store, ledger, await certain(store))
    after = Registrar(store, new, ledger.origin, publisher)
    root = Verifier(f"{ledger.origin}/{ROOT}", new.public_key().public_bytes_raw())
    listed = await after.listed()
    if not listed:
        raise ConfigurationError([Problem(str(ledger.key_file), 0, 0, "", "no gateway has registered a shard with it")])
    if listed[root.name].key != root:
        names = await Registrar(store, old, ledger.origin, publisher).rotate(new)
    else:
        names = [origin.rpartition("/")[2] for origin, each in listed.items() if each.key.public == root.public]
    await after.resign(names)
    return names
