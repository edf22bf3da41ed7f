"""`dutybound ledger archive`: the first entries of shards go into files, and their rows leave the store."""

from __future__ import annotations

import argparse
import contextlib
import datetime
import os
import sys
import uuid

from gateway.command import options
from gateway.errors import DutyboundError
from gateway.ledger.archiving import check, compare, prune, remove, write
from gateway.ledger.archiving.check import REGISTRY
from gateway.ledger.commands.progress import teller
from gateway.ledger.entry import entries
from gateway.ledger.entry.registry import EVERY, ROOT
from gateway.ledger.log import operator, registrar, retire
from gateway.ledger.log.ledger import Ledger
from gateway.ledger.log.operator import Workplace
from gateway.ledger.proof import key_files
from gateway.ledger.stored import read
from gateway.ledger.stored.read import TILE_WIDTH, Head
from gateway.nouns import counted
from gateway.storage.archive.files import Archive
from gateway.storage.archive.places import Place, place_of
from gateway.storage.port import Reader
from gateway.storage.tables import micros


def register(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    options.config(parser)
    parser.add_argument(
        "--to", metavar="PLACE", help="a folder, or `s3://bucket/path` (default: `ledger.archive` in gateway.yaml)"
    )
    parser.add_argument("--by", required=True, metavar="NAME", help="who archives; is entered in the ledger")
    parser.add_argument("--reason", required=True, metavar="TEXT", help="why; is entered in the ledger")
    parser.add_argument("--shard", metavar="NAME", help="this shard only (default: all but the registry)")
    options.until(parser, "entries through this day (UTC), or before this time")
    parser.add_argument(
        "--remove",
        action="store_true",
        help="take rows of inquiries, refusals and looks out of the store once they were read back; `ledger.archive`"
        " has to name the place, so that gateways find them there",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Archive; 0 done, 1 not (one sentence on standard error), 2 a wrong call."""
    try:
        until = operator.moment_of(arguments.until, last=True) if arguments.until else None
        operator.check_said(arguments.by, arguments.reason)
    except (ValueError, operator.ActRefused) as error:
        print(error, file=sys.stderr)
        return 2
    try:
        with operator.opened(arguments.config) as place:
            to = arguments.to or place.settings.ledger.archive
            if to is None:
                print("name where to with `--to PLACE`, or with `ledger.archive` in gateway.yaml", file=sys.stderr)
                return 2
            target = place_of(to if "://" in to else os.path.abspath(to))
            if arguments.remove and not _read_by_gateways(place, target):
                print(
                    "`--remove` is for the place that gateways read: name it with `ledger.archive` in gateway.yaml",
                    file=sys.stderr,
                )
                return 2
            return _archive(arguments, place, target, until)
    except DutyboundError as error:
        print(error, file=sys.stderr)
        return 1


def _read_by_gateways(place: Workplace, target: Place) -> bool:
    named = place.settings.ledger.archive
    return named is not None and _where(place_of(named)) == _where(target)


def _where(place: Place) -> str:
    """A place as no other is named: a folder can be named in several ways."""
    return place.name if "://" in place.name else os.path.realpath(place.name)


def _archive(arguments: argparse.Namespace, place: Workplace, target: Place, until: datetime.datetime | None) -> int:
    with contextlib.closing(place.store.reader()) as reader:
        heads = [head for head in read.heads(reader) if head.name != ROOT and arguments.shard in (None, head.name)]
        if not heads:
            named = f" `{arguments.shard}`" if arguments.shard else ""
            print(f"the store has no shard{named} to archive", file=sys.stderr)
            return 2
        wanted = [(head, _entries(place, reader, head, until)) for head in heads]
        if not any(count for _, count in wanted):
            print("nothing to archive: no shard has a whole tile of 256 entries that old and read by all behind it")
            return 0
        if waits := [head.name for head in heads if prune.unfinished(place.store, head)]:
            print(
                f"a pruning of shard `{waits[0]}` was stopped before its archive was written again: run"
                " `dutybound ledger prune` first",
                file=sys.stderr,
            )
            return 1
        for head, count in wanted:
            if count:
                _see_same(target, reader, head)
        _enter(arguments, place, until)
        target.clear()
        target.put(REGISTRY, registrar.stored_document(reader) or b"")
        for head, count in wanted:
            if count:
                _one(arguments, place, target, reader, head, count)
    return 0


def _see_same(target: Place, reader: Reader, head: Head) -> None:
    """Raise `VerificationFailed` where the place has another shard of that name: before anything is written there."""
    written = write.latest(target, head.name)
    if written is not None:
        compare.check_all(Archive(target), reader, head, written, teller())


def _entries(place: Workplace, reader: Reader, head: Head, until: datetime.datetime | None) -> int:
    """How many of a shard's first entries are to be archived: whole tiles, but of a shard that never grows."""
    most = remove.movable(place.store, reader, head)
    if until is not None:
        most = min(most, read.first_since(reader, head, micros(until)))
    sealed = {each.name for each in retire.all_sealed(reader)}
    return most if head.name in sealed and most == head.size else most - most % TILE_WIDTH


def _enter(arguments: argparse.Namespace, place: Workplace, until: datetime.datetime | None) -> None:
    """Enter who archives what: a look, written as an archive. What is encrypted is not opened by it."""

    async def enter(ledger: Ledger) -> None:
        at = operator.now(ledger)
        looked = entries.Looked(until=until or at)
        said = (arguments.by, arguments.reason, looked, (), "archive")
        view = entries.View(entries.VERSION, str(uuid.uuid4()), at, operator.CLIENT, *said)
        await operator.enter(ledger, view, operator.account(), ())

    place.run(enter)


def _one(
    arguments: argparse.Namespace, place: Workplace, target: Place, reader: Reader, head: Head, count: int
) -> None:
    tell, now, there = teller(), datetime.datetime.now(datetime.UTC), Archive(target)
    written = write.latest(target, head.name)
    if written is None or written.manifest.entries < count:
        written = write.write(target, reader, head, count, now, tell)
    verifiers = key_files.verifiers(place.private, place.settings.ledger.origin, EVERY)
    registry = check.registry_of(target, verifiers)
    trusted = registry.verifiers if registry is not None else verifiers
    checked = check.check(target, head.name, trusted, (), now, tell, registry)
    print(
        f"archived: {counted(checked.entries, 'entry')} of {checked.log.origin}, in `{target.name}`, read back"
        " and whole"
    )
    original = place.settings.ledger.archive
    if original is not None and not _read_by_gateways(place, target):
        if noted := remove.noted(place.store, head):
            write.carry(place_of(original), target, head.name, noted)
        print(f"a copy: gateways read `{original}`")
        return
    remove.note(place.store, head, written, target.name)
    write.tidy(target, head.name, written)
    if arguments.remove:
        with contextlib.closing(place.store.reader()) as own:
            gone, stay = remove.remove(place.store, there, own, head, tell)
        print(
            f"removed: {counted(gone, 'row')} of {checked.log.origin}, which are read from the archive from now on;"
            f" {stay} stay: what people did, and what findings or their acts name"
        )
