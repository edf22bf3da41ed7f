"""`dutybound ledger prune`: the contents of entries older than `ledger.retention` become unreadable, for good."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import datetime
import sys
import uuid

from gateway.command import options
from gateway.errors import DutyboundError
from gateway.ledger.archiving import prune, remove, write
from gateway.ledger.commands.progress import teller
from gateway.ledger.entry import entries
from gateway.ledger.entry.registry import ROOT
from gateway.ledger.log import operator
from gateway.ledger.log.ledger import Ledger
from gateway.ledger.log.operator import Workplace
from gateway.ledger.proof.tlog_proof import Receipt
from gateway.ledger.stored import archived, read
from gateway.ledger.stored.read import Head
from gateway.nouns import counted
from gateway.storage import destruction, schema
from gateway.storage.archive.places import place_of


def register(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    options.config(parser)
    parser.add_argument("--by", required=True, metavar="NAME", help="who prunes; is entered in the ledger")
    parser.add_argument("--reason", required=True, metavar="TEXT", help="why; is entered in the ledger")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Prune; 0 done, 1 not (one sentence on standard error), 2 a wrong call."""
    try:
        operator.check_said(arguments.by, arguments.reason)
        with operator.opened(arguments.config) as place:
            years = place.settings.ledger.retention
            if years is None:
                print(
                    "`ledger.retention` in gateway.yaml must set how long entries are kept, as `P10Y`",
                    file=sys.stderr,
                )
                return 2
            return _prune(arguments, place, years)
    except operator.ActRefused as error:
        print(error, file=sys.stderr)
        return 2
    except DutyboundError as error:
        print(error, file=sys.stderr)
        return 1


def _prune(arguments: argparse.Namespace, place: Workplace, years: int) -> int:
    schema.refuse_later(place.store.engine)
    now = asyncio.run(operator.certain(place.store))()
    before = prune.cutoff(now, years)
    with contextlib.closing(place.store.reader()) as reader:
        heads = [head for head in read.heads(reader) if head.name != ROOT]
        below = {head.name: prune.below(reader, head, before) for head in heads}
        gone = {head.name for head in heads if archived.removed(reader, head.id) is not None}
    if gone and place.store.archive is None:
        print("rows are in the archive: name it with `ledger.archive` in gateway.yaml first", file=sys.stderr)
        return 1
    old = [head for head in heads if below[head.name]]
    receipt = None
    if any(prune.waiting(place.store, head, before) for head in heads):
        receipt = _enter(arguments, place, years, before, {head.name: below[head.name] for head in old})
        for head in old:
            kept = place.settings.ledger.archive is not None and remove.noted(place.store, head) != b""
            done = asyncio.run(prune.prune(place.store, head, before, teller(), archived=kept))
            print(
                f"pruned: {counted(done.days, 'day')} of {head.origin}; {counted(done.kept, 'entry')} kept"
                f" readable, {counted(done.keys, 'key')} gone"
            )
    blanked = [_blank(place, head) for head in old]  # also what one that was stopped had not come to
    if receipt is None and not any(blanked):
        print(f"nothing to prune: no entry from before {before} can be read but what stays")
        return 0
    if (why := destruction.scrub(place.store)) is not None:
        print(f"a copy may be left in the store's files: {why}", file=sys.stderr)
    if receipt is not None:
        print(f"entered: this pruning is {operator.place_of(place, receipt)}")
    return 0


def _enter(
    arguments: argparse.Namespace, place: Workplace, years: int, before: datetime.date, below: dict[str, int]
) -> Receipt:
    """Enter the pruning before it is carried out, so that whoever verifies knows why nothing opens."""
    backups = operator.kept_backups(place)

    async def enter(ledger: Ledger) -> Receipt:
        at = operator.now(ledger)
        until = at.date() + backups
        head = (entries.VERSION, str(uuid.uuid4()), at, operator.CLIENT)
        told = entries.Pruned(*head, arguments.by, arguments.reason, before, f"P{years}Y", below, until)
        return await operator.enter(ledger, told, operator.account(), ())

    return place.run(enter)


def _blank(place: Workplace, head: Head) -> bool:
    """Write what the archive has of a shard again, without what was pruned; whether anything was to be done."""
    at = place.settings.ledger.archive
    if at is None:
        return False
    target = place_of(at)
    waits, known = prune.unfinished(place.store, head), write.latest(target, head.name)
    if known is None:
        if waits:
            target.see()  # a place that is away may have all of it
            prune.finished(place.store, head)
        return waits
    with contextlib.closing(place.store.reader()) as reader:
        now = datetime.datetime.now(datetime.UTC)
        made = write.write(target, reader, head, known.manifest.entries, now, teller(), anew=True)
    changed = remove.noted(place.store, head) != made.digest
    if changed:
        remove.note(place.store, head, made, target.name)
        print(f"archived: {head.origin} anew in `{target.name}`, without what was pruned")
    write.tidy(target, head.name, made)
    prune.finished(place.store, head)
    return changed or waits
