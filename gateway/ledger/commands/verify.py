"""`dutybound ledger verify`: a live gateway by its URL, a copy of what one serves, an evidence package, or a store."""

from __future__ import annotations

import argparse
import datetime
import functools
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from gateway.command import options
from gateway.config import settings
from gateway.errors import ArchiveUnavailable, ConfigurationError, LedgerUnavailable, Problem, VerificationFailed
from gateway.ledger.archiving import check as archives
from gateway.ledger.commands import at_hand
from gateway.ledger.commands.progress import teller
from gateway.ledger.commands.receipt_files import check_presented, read
from gateway.ledger.entry import describe
from gateway.ledger.entry.receipt import read_file
from gateway.ledger.entry.registry import EVERY, Registry, read_document, roots
from gateway.ledger.entry.unknown import Tally
from gateway.ledger.export import package_check
from gateway.ledger.proof import key_files
from gateway.ledger.proof.note import Checkpoint, Verifier
from gateway.ledger.verify import receipts as presented
from gateway.ledger.verify import rollback
from gateway.ledger.verify.heads import stored_registry
from gateway.ledger.verify.published import follower_state, gaps, tile_client
from gateway.ledger.verify.published.assurance import Claim, check_extends, claim_of
from gateway.ledger.verify.published.follow import Followed, follow
from gateway.ledger.verify.sample import sample_store
from gateway.ledger.verify.spread import Jobs
from gateway.ledger.verify.store import verify_store
from gateway.nouns import counted
from gateway.storage.archive.places import place_of


def register(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "target",
        nargs="?",
        metavar="TARGET",
        help="a gateway's or a shard's URL, an evidence package, a store's file, or a folder with a copy of a shard's"
        " checkpoint and tiles",
    )
    options.config(parser, None, " where nothing else is named")
    parser.add_argument("--store", metavar="URL", help="the store's file, or its URL (`sqlite:///...`)")
    parser.add_argument(
        "--store-key",
        type=Path,
        metavar="FILE",
        help="the key that the store's rows are sealed by; without it, only what needs none is checked",
    )
    parser.add_argument(
        "--key",
        type=Path,
        metavar="PUBLIC_KEY_FILE",
        help="public keys, one per line; without it, those of the configuration's own key",
    )
    parser.add_argument(
        "--receipts",
        type=Path,
        metavar="FOLDER",
        help="receipts and answers that the log, or the store, must contain, each of them",
    )
    parser.add_argument(
        "--state",
        type=Path,
        metavar="FOLDER",
        help="where the last checkpoint seen is remembered, one file per log; a store is only compared with it",
    )
    _how(parser)
    parser.set_defaults(run=run)


def _how(parser: argparse.ArgumentParser) -> None:
    """Add the arguments for how much is checked, and by how many processes."""
    parser.add_argument(
        "--only-new", action="store_true", help="check only what was entered since the log was last found whole"
    )
    parser.add_argument(
        "--jobs",
        type=_positive,
        default=1,
        metavar="N",
        help="so many processes check a store's entries (default: 1, which leaves a gateway beside it the other cores)",
    )
    parser.add_argument(
        "--archive",
        metavar="PLACE",
        help="check an archive, offline; with a store, where its archived entries are read (default: `ledger.archive`)",
    )
    parser.add_argument(
        "--resume",
        type=Path,
        metavar="FILE",
        help="with `--config`: remember in this file what was found whole, authenticated by the ledger's key, and"
        " open only what is new or changed",
    )
    parser.add_argument(
        "--sample",
        type=_positive,
        metavar="N",
        help="of a store, check every head and so many entries at random; what people did is not compared with rows",
    )


def _positive(text: str) -> int:
    """A count, for argparse."""
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"`{text}` is no count; write a number from 1 on")
    return int(text)


def run(arguments: argparse.Namespace) -> int:
    """Verify; 0 whole, 1 broken (one sentence on standard error), 2 a wrong call, 3 the archive cannot be read."""
    named = [arguments.target, arguments.config, arguments.store].count(None)
    if named == 3 and not arguments.archive:
        arguments.config = options.CONFIG
    elif named < 2:
        print("name one thing to verify: TARGET, `--config FILE` or `--store URL`", file=sys.stderr)
        return 2
    try:
        if named == 3 and arguments.archive:
            return _archived(arguments)
        target = arguments.target or ""
        if target and package_check.is_package(Path(target)):
            return _package(arguments)
        live = target.startswith(("http://", "https://"))
        of_store = not live and ("://" in target or arguments.target is None or Path(target).is_file())
        if (arguments.jobs > 1 or arguments.sample) and not of_store:
            print("`--jobs` and `--sample` are for a store", file=sys.stderr)
            return 2
        if of_store:
            return _store(arguments)
        if live and not _is_url(target):
            print(f"`{target}` is no URL; write it as `https://gateway.example`", file=sys.stderr)
            return 2
        if not live and not Path(target).exists():
            raise ConfigurationError([Problem(target, 0, 0, "", "does not exist; name a URL, a package or a store")])
        if arguments.key is None:
            print("name the public keys with `--key PUBLIC_KEY_FILE`", file=sys.stderr)
            return 2
        return _follow(arguments, key_files.read_verifiers(arguments.key))
    except (ConfigurationError, LedgerUnavailable, VerificationFailed) as error:
        print(error, file=sys.stderr)
        return 1
    except ArchiveUnavailable as error:
        print(f"not checked: {error}", file=sys.stderr)
        return 3


def _is_url(text: str) -> bool:
    try:
        return bool(httpx.URL(text).host)
    except httpx.InvalidURL:
        return False


def _store(arguments: argparse.Namespace) -> int:
    configured = settings.load(arguments.config, os.environ) if arguments.config else None
    named = configured.store if configured is not None else arguments.store or arguments.target
    if arguments.key is None and configured is None:
        print("name the public keys with `--key PUBLIC_KEY_FILE`", file=sys.stderr)
        return 2
    receipts = _receipts(arguments.receipts) if arguments.receipts else []
    remembered_outside = at_hand.remembered(configured, arguments.state)  # first: a gateway may go on meanwhile
    archive = arguments.archive or (configured.ledger.archive if configured is not None else None)
    key = arguments.store_key or (configured.store_key if configured is not None else None)
    again = functools.partial(
        at_hand.opened, named, str(arguments.config or "--store"), archive, key, configured is None
    )
    store = again()
    try:
        if arguments.key is not None:
            verifiers = key_files.read_verifiers(arguments.key)
        else:
            assert configured is not None, "one of both is there"
            private = key_files.load(configured.ledger.key_file)
            verifiers = key_files.verifiers(private, configured.ledger.origin, EVERY)
        registry = stored_registry(store, verifiers) if receipts else None
        claims = _claims(receipts, registry.verifiers if registry is not None else verifiers, registry)
        unknown = Tally()
        now = datetime.datetime.now(datetime.UTC)
        if arguments.sample and not store.locked:
            whole = at_hand.sampled(sample_store(store, verifiers, arguments.sample, teller()))
        else:
            with at_hand.kept(arguments.resume, configured) as kept:
                jobs = Jobs(arguments.jobs, again)
                whole = verify_store(store, verifiers, teller(), unknown=unknown, jobs=jobs, kept=kept)
            for shard in whole:
                print(f"whole: {shard.origin}, {counted(shard.size, 'entry')}, root {shard.root.hex()}")
            if kept is not None and kept.reused:
                print(f"resumed: {kept.reused} of them are as they were found whole before, and were not opened again")
        if store.locked:
            print(
                "not opened: the contents of the entries, the registry, and all that is checked against entries; the"
                " store's rows are"
                " sealed: name the key's file with `--store-key`"
            )
        if unknown:
            print(f"unknown: {unknown}")
        sealed = rollback.check(store, verifiers, remembered_outside)
        for each in sealed:
            print(f"sealed: {each}")
        if claims:
            _tell_receipts(claims, presented.check(store, whole, claims, sealed, now), "in the store")
    finally:
        store.close()
    return 0


def _archived(arguments: argparse.Namespace) -> int:
    """Verify an archive by public keys alone."""
    if arguments.key is None:
        print("name the public keys with `--key PUBLIC_KEY_FILE`", file=sys.stderr)
        return 2
    place, given = place_of(arguments.archive), key_files.read_verifiers(arguments.key)
    registry = archives.registry_of(place, given)
    verifiers = registry.verifiers if registry is not None else given
    claims = _claims(_receipts(arguments.receipts) if arguments.receipts else [], verifiers, registry)
    found = archives.check_all(place, verifiers, claims, datetime.datetime.now(datetime.UTC), teller(), registry)
    for log, entries in found:
        print(
            f"whole: {log.origin}, {counted(log.size, 'entry')}, root {log.root.hex()}; {entries} of them with"
            " their contents"
        )
    if claims:
        _tell_receipts(claims, [each.log for each in found], "archived")
    return 0


def _package(arguments: argparse.Namespace) -> int:
    if arguments.receipts is not None:
        print("`--receipts` is for a log or a store; an evidence package has its own proofs", file=sys.stderr)
        return 2
    given = key_files.read_verifiers(arguments.key) if arguments.key is not None else None
    manifest, verifiers, unknown = package_check.check_package(Path(arguments.target), given)
    print(
        f"whole: evidence of {describe.scope(manifest.looked)}, {counted(manifest.entries, 'entry')}, each with"
        " its proof"
    )
    print(f"made: {describe.made(manifest.by, manifest.made, manifest.reason)}")
    if manifest.searched:
        read_through = ", ".join(f"{size} of {shard}" for shard, size in manifest.searched.items() if size)
        print(f"searched: every entry so far ({read_through}), each opened and checked against its shard's tree")
    if unknown:
        print(f"unknown: {unknown}")
    if given is None:
        for verifier in verifiers:
            print(f"signed: {verifier} (the package's own word; compare it with the key that you had before)")
    return 0


def _follow(arguments: argparse.Namespace, verifiers: Sequence[Verifier]) -> int:
    memory = follower_state.Memory(arguments.state or follower_state.usual_folder(dict(os.environ)))
    found: list[Followed] = []
    with tile_client.http_client() as client:
        signing, registry = verifiers, None
        explained: dict[str, gaps.Explained] = {}
        if urlsplit(arguments.target).scheme in ("http", "https"):
            registry = _registry(client, arguments.target, verifiers, memory)
            if registry is not None:
                verifiers, signing = registry.verifiers, [listed.key for listed in registry.shards.values()]
                explained = gaps.explain(registry, registry.gaps)
            logs = _logs(client, arguments.target, signing, memory, registry)
        else:
            logs = [(tile_client.from_folder(Path(arguments.target)), None)]
        claims = _claims(_receipts(arguments.receipts) if arguments.receipts else [], verifiers, registry)
        for log, shard in logs:
            whole = follow(
                log,
                signing,
                memory,
                [*claims, *(each.claim for each in explained.values())],
                datetime.datetime.now(datetime.UTC),
                shard=shard,
                only_new=arguments.only_new,
                progress=teller(),
                registry=registry,
                gaps=explained,
            )
            if registry is not None and whole.origin == registry.root:
                _check_registry(registry, log, whole)
            found.append(whole)
            since = f", {whole.size - whole.seen} of them new" if 0 < whole.seen <= whole.size else ""
            print(f"whole: {whole.origin}, {counted(whole.size, 'entry')}{since}, root {whole.root.hex()}")
            if whole.sealed is not None:
                print(f"sealed: {whole.sealed}")
    if claims:
        _tell_receipts(claims, found, "published")
    return 0


def _check_registry(registry: Registry, log: tile_client.TileLog, whole: Followed) -> None:
    """The registry that is served is what the root shard's log says, not another that the same key signed."""
    served, now = registry.tree, Checkpoint(whole.origin, whole.size, whole.root)
    if served.size > now.size:
        raise VerificationFailed(
            f"`{whole.origin}`: the registry has {counted(served.size, 'entry')}, and its log only {now.size}:"
            " an old checkpoint"
            " is served"
        )
    try:
        check_extends(tile_client.TileTree(log, now.size).node, served, now, "the registry")
    except VerificationFailed as error:
        raise type(error)(f"`{whole.origin}`: {error}") from error


def _tell_receipts(claims: list[Claim], found: list[Followed], where: str) -> None:
    pending = sum(len(whole.pending) for whole in found)
    lost = [claim for whole in found for claim in whole.lost]
    given = {claim.name for claim in claims}
    published = sum(claim.name in given for whole in found for claim in whole.published)
    print(f"receipts: {published} {where}")
    for whole in found:
        if whole.lost and whole.sealed is not None:
            print(
                f"receipts: {len(whole.lost)} genuine, of trees that `{whole.origin}` has no more: it was sealed at"
                f" {whole.size}"
            )
    if pending:
        print(f"receipts: {pending} signed, younger than the checkpoint")
    others = len(claims) - published - pending - len(lost)
    if others:
        names = ", ".join(sorted({f"`{claim.origin}`" for claim in claims} - {f"`{whole.origin}`" for whole in found}))
        print(f"receipts: {others} signed, of a log that was not looked at ({names})")


def _registry(
    client: httpx.Client, url: str, verifiers: Sequence[Verifier], memory: follower_state.Memory
) -> Registry | None:
    """The gateway's registry, verified by itself and against the root shard seen last; None where it has none."""
    content = tile_client.from_url(client, tile_client.ledger_url(url)).find_registry()
    if content is not None:
        return read_document(content, verifiers)
    for root in roots(verifiers):
        if memory.load(root.name).checkpoint:
            raise VerificationFailed(f"`{root.name}`: there is no registry at `{url}` any more: it was removed")
    return None


def _logs(
    client: httpx.Client,
    url: str,
    verifiers: Sequence[Verifier],
    memory: follower_state.Memory,
    registry: Registry | None,
) -> list[tuple[tile_client.TileLog, str | None]]:
    """The one shard that a URL names, or every shard of a gateway (`https://host`, or `.../ledger`) that has a key.

    A shard that has a key may not have been opened yet; one that was seen, or is registered, must be there.
    """
    if tile_client.shard_url(url, "1") == url:
        return [(tile_client.from_url(client, url), urlsplit(url).path.rstrip("/").rpartition("/")[2])]
    found: list[tuple[tile_client.TileLog, str | None]] = []
    for verifier in verifiers:
        if verifier.cosigns:
            continue
        shard = verifier.name.rpartition("/")[2]
        log = tile_client.from_url(client, tile_client.shard_url(url, shard))
        if memory.load(verifier.name).checkpoint or log.find_checkpoint() is not None:
            found.append((log, shard))
        elif registry is not None and registry.shards[verifier.name].sealed != 0:
            raise VerificationFailed(
                f"`{verifier.name}`: it is registered, and {log.place} serves nothing of it: the whole shard was"
                " removed"
            )
    if not found:
        raise VerificationFailed(f"there is no log at `{url}` that one of the public keys is for")
    return found


def _receipts(folder: Path) -> list[Path]:
    """The files of a folder of receipts; raises `ConfigurationError` where there is none."""
    if not folder.is_dir():
        raise ConfigurationError([Problem(str(folder), 0, 0, "", "is no folder with receipts")])
    files = sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
    if not files:
        raise ConfigurationError([Problem(str(folder), 0, 0, "", "holds no receipt")])
    return files


def _claims(files: list[Path], verifiers: Sequence[Verifier], registry: Registry | None) -> list[Claim]:
    """What receipts prove, each verified by itself."""
    claims = []
    for path in files:
        try:
            claims.append(claim_of(f"receipt `{path}`", check_presented(read_file(read(path)), verifiers, registry)[0]))
        except VerificationFailed as error:
            raise VerificationFailed(f"`{path}`: {error}") from error
    return claims
