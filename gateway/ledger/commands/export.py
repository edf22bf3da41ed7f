"""`dutybound ledger export`: evidence of a subject, a case or a period, for a court, an auditor or an audit repository.

Opening the ledger's payloads is a view of it (invariant 17): who, why and what is entered in the ledger before
anything is opened, and where that cannot be made durable nothing is.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import datetime
import itertools
import sys
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from gateway.command import options
from gateway.config.settings import Settings
from gateway.errors import ConfigurationError, DutyboundError
from gateway.ledger.commands.progress import teller
from gateway.ledger.commands.receipt_files import read as read_file
from gateway.ledger.entry import entries
from gateway.ledger.export import as_csv, as_fhir, package_write, titles
from gateway.ledger.export.select import Chosen, choose, one
from gateway.ledger.log import operator, registrar
from gateway.ledger.log.ledger import Ledger
from gateway.ledger.log.operator import CLIENT, ActRefused, Workplace
from gateway.ledger.projections import visible
from gateway.ledger.proof.note import Signer
from gateway.ledger.proof.tlog_proof import Receipt
from gateway.ledger.stored import read
from gateway.nouns import counted
from gateway.storage.port import Store
from gateway.storage.tables import micros, moment

RuleSet = Callable[[Settings], tuple[str, bytes]]
"""Of the rule set that a configuration's policies are: its digest, and its catalogue as `/open/catalogue` answers it in
JSON. Raises `ConfigurationError`."""


class _Policies(NamedTuple):
    """A rule set: its digest, its files by their paths, and its catalogue as JSON."""

    digest: str
    files: Mapping[str, bytes]
    catalogue: bytes


_FORMATS = {"fhir": as_fhir.as_ndjson, "csv": as_csv.as_csv}


def register(parser: argparse.ArgumentParser, rule_set: RuleSet | None) -> None:
    """Add the command's arguments."""
    options.config(parser)
    parser.add_argument("--by", required=True, metavar="NAME", help="who looks; is entered in the ledger")
    parser.add_argument("--reason", required=True, metavar="TEXT", help="why; is entered in the ledger")
    parser.add_argument("--out", type=Path, required=True, metavar="PATH", help="a new folder, or a new file")
    parser.add_argument("--subject", metavar="SCHEME:VALUE", help="entries about this subject")
    parser.add_argument("--case", metavar="ID", help="entries of this case")
    options.since(parser, "entries from this day (UTC) or time on")
    options.until(parser, "entries through this day (UTC), or before this time")
    parser.add_argument(
        "--format",
        choices=("package", *_FORMATS),
        default="package",
        help="`package`: with proofs, a folder, or one file where PATH ends with `.zip` (default); `fhir`: HL7 FHIR R4"
        " AuditEvent, one JSON object per line; `csv`",
    )
    parser.add_argument(
        "--told-only", action="store_true", help="leave out what only oversight may open: officials, withheld, denied"
    )
    parser.add_argument(
        "--catalogue",
        type=Path,
        metavar="FILE",
        help="what `/open/catalogue` served as JSON: what ids were called then (default: as the policies have it)",
    )
    parser.add_argument("--anyway", action="store_true", help="write it also where no entry names the subject or case")
    parser.set_defaults(run=lambda arguments: run(arguments, rule_set))


def run(arguments: argparse.Namespace, rule_set: RuleSet | None) -> int:
    """Export; 0 written, 1 not (one sentence on standard error), 2 a wrong call."""
    try:
        looked = _looked(arguments)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    if looked == entries.Looked() or not arguments.by.strip() or not arguments.reason.strip():
        print("give who looks, why, and at what: `--subject`, `--case`, `--since` and `--until`", file=sys.stderr)
        return 2
    try:
        operator.check_said(arguments.by, arguments.reason)
    except operator.ActRefused as error:
        print(error, file=sys.stderr)
        return 2
    if arguments.catalogue is not None and arguments.format != "package":
        print("`--catalogue` is for the page of a package: leave it out, or `--format`", file=sys.stderr)
        return 2
    try:
        named = None if arguments.catalogue is None else titles.read(read_file(arguments.catalogue))
        with operator.opened(arguments.config) as place:
            package_write.check_free(arguments.out)
            count, receipt = _export(arguments, place, looked, rule_set, named)
    except DutyboundError as error:
        print(error, file=sys.stderr)
        return 1
    if count == 1:
        print("no entry fits but that of this view", file=sys.stderr)
    print(f"written: {counted(count, 'entry')}, to {arguments.out}")
    print(f"entered: this view is {operator.place_of(place, receipt)}")
    return 0


def _looked(arguments: argparse.Namespace) -> entries.Looked:
    scheme = value = None
    if arguments.subject is not None:
        scheme, _, value = arguments.subject.partition(":")
        if not scheme or not value:
            raise ValueError(
                f"`{arguments.subject}` names no subject; write `SCHEME:VALUE`, as `LEI:5493001KJTIIGC8Y1R12`"
            )
    return entries.Looked(scheme, value, arguments.case, *operator.period_of(arguments.since, arguments.until))


def _export(
    arguments: argparse.Namespace,
    place: Workplace,
    looked: entries.Looked,
    rule_set: RuleSet | None,
    named: titles.Titles | None,
) -> tuple[int, Receipt]:
    parts = ("told",) if arguments.told_only else ("told", "oversight")
    policies = _policies(place.settings, rule_set) if arguments.format == "package" else None
    if named is None:
        named = titles.NONE if policies is None else titles.read(policies.catalogue, titles.ACTIVE)

    def view(at: datetime.datetime) -> entries.View:
        id_ = str(uuid.uuid4())
        return entries.View(
            entries.VERSION, id_, at, CLIENT, arguments.by, arguments.reason, looked, parts, arguments.format
        )

    entered, receipt = place.run(lambda ledger: enter(ledger, view))
    with contextlib.closing(place.store.reader()) as reader:
        own = one(reader, receipt.shard, receipt.index)
        searched = {head.name: head.size for head in read.heads(reader)}
        found = (
            each
            for each in choose(reader, looked, teller(), _tell_lacking)
            if (each.head.name, each.entry.index) != (receipt.shard, receipt.index)
        )
        narrowed = looked.value is not None or looked.case is not None
        first = _said_of(found, operator.place_of(place, receipt)) if narrowed and not arguments.anyway else []
        count = 0

        def chosen() -> Iterator[Chosen]:
            nonlocal count
            for each in itertools.chain([own], first, found):
                count += 1
                yield each

        if arguments.format == "package":
            rules = None if policies is None else (policies.digest, policies.files)
            signer, registry = Signer(own.head.origin, place.private), registrar.stored_document(reader)
            with package_write.opened(arguments.out) as sink:
                package_write.write_package(
                    sink, entered, (receipt.shard, receipt.index), chosen(), rules, signer, registry, searched, named
                )  # fmt: skip
        else:
            with package_write.opened_file(arguments.out) as file:
                for line in _FORMATS[arguments.format](chosen(), oversight=not arguments.told_only):
                    file.write(line.encode())
    return count, receipt


def _said_of(found: Iterator[Chosen], view: str) -> list[Chosen]:
    """What is found up to the first entry that is more than a look; raises `ActRefused` where there is none."""
    looks = []
    for each in found:
        looks.append(each)
        if not isinstance(each.told, entries.View):
            return looks
    raise ActRefused(
        "no entry fits but views like this one, so nothing was written. Write identifiers and cases as the ledger has"
        f" them. What was erased is not found; `--anyway` writes evidence of that (this view is {view})"
    )


def _tell_lacking(count: int) -> None:
    print(
        f"the projection `looked` lacks {count} of these entries: its rows were removed or altered; see"
        " `dutybound ledger verify`, and then run `dutybound ledger rebuild`",
        file=sys.stderr,
    )


async def enter(ledger: Ledger, view: Callable[[datetime.datetime], entries.View]) -> tuple[entries.View, Receipt]:
    """Enter a view of the ledger; raises `LedgerUnavailable`.

    A look at what is secret from a subject is itself secret from it, as long (Art. 42).
    """
    made = view(operator.now(ledger))
    secret = await asyncio.to_thread(_secret_until, ledger.store, made)
    return made, await operator.enter(ledger, made, operator.account(), (), secret_until=secret)


def _secret_until(store: Store, view: entries.View) -> datetime.datetime | None:
    """When the last of what a view's subject is not told yet is told to it."""
    if view.looked.scheme is None or view.looked.value is None:
        return None
    with contextlib.closing(store.reader()) as reader:
        ends = visible.secret_until(reader, view.looked.scheme, view.looked.value, micros(view.at))
    return None if ends is None else moment(ends)


def _policies(configured: Settings, rule_set: RuleSet | None) -> _Policies | None:
    """The policies at hand; None where they are no rule set."""
    if rule_set is None:
        return None
    folder = configured.policies
    try:
        digest, catalogue = rule_set(configured)
        files = sorted(path for path in folder.rglob("*") if path.suffix in (".yaml", ".cedar", ".md"))
        texts = {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}
        return _Policies(digest, texts, catalogue)
    except (ConfigurationError, OSError) as error:
        print(f"the policies are left out: {str(error).splitlines()[0]}", file=sys.stderr)
        return None
