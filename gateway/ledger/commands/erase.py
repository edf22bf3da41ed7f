"""`dutybound ledger erase`: one person requests that a subject be erased, another approves it, which carries it out."""

from __future__ import annotations

import argparse
import datetime
import functools
import sys
from collections.abc import Sequence
from pathlib import Path

from gateway.errors import VerificationFailed, printable
from gateway.ledger.commands import receipt_files
from gateway.ledger.commands.hold import part, said
from gateway.ledger.commands.progress import teller
from gateway.ledger.entry import entries
from gateway.ledger.erasure import erase, named, repeat
from gateway.ledger.erasure.blockers import Blocker, found_open
from gateway.ledger.erasure.erase import Done
from gateway.ledger.export import package_write
from gateway.ledger.log.operator import Workplace, account, enter_list, kept_backups, opened, place_of, subject_of
from gateway.storage import destruction
from gateway.storage.schema import refuse_later
from gateway.storage.subjects import erasure as kept
from gateway.storage.subjects.erasure import Request
from gateway.storage.tables import moment


def register(parser: argparse.ArgumentParser, identifiers: named.Identifiers, blockers: Sequence[Blocker]) -> None:
    """Add the commands; `blockers` is what keeps a subject from being erased, in the order of the report."""
    parts = parser.add_subparsers()
    request = part(
        parts, "request", "request the erasure of what the ledger has about a subject; another person approves it"
    )
    request.add_argument("--subject", required=True, type=subject_of, metavar="SCHEME:VALUE", help="the subject")
    said(request)
    request.set_defaults(run=functools.partial(_request, identifiers, blockers))

    approve = part(parts, "approve", "erase a subject as another person requested: its keys are destroyed, for good")
    approve.add_argument("id", metavar="ID", help="the erasure's number")
    approve.add_argument("--by", required=True, metavar="NAME", help="who approves; is entered in the ledger")
    _out(approve, "erasure-ID.receipt")
    approve.set_defaults(run=functools.partial(_approve, blockers))

    withdraw = part(parts, "withdraw", "take a request back")
    withdraw.add_argument("id", metavar="ID", help="the erasure's number")
    said(withdraw)
    withdraw.set_defaults(run=_withdraw)

    part(parts, "list", "requests that wait, and erasures that were carried out").set_defaults(run=_list)

    again = part(parts, "again", "destroy the keys of an erasure once more, after a backup brought them back")
    again.add_argument("id", nargs="?", metavar="ID", help="the erasure's number, where the ledger has its entry")
    text = "its receipt, where the ledger lost the entry; several repeat several erasures"
    again.add_argument("--receipt", type=Path, nargs="+", metavar="FILE", help=text)
    again.add_argument("--by", required=True, metavar="NAME", help="who does this; is entered in the ledger")
    _out(again, "erasure-ID-again.receipt")
    again.set_defaults(run=_again)


def _out(parser: argparse.ArgumentParser, default: str) -> None:
    text = f"where its receipt goes, to be kept outside the backups (default: {default})"
    parser.add_argument("--out", type=Path, metavar="FILE", help=text)


def _request(identifiers: named.Identifiers, blockers: Sequence[Blocker], arguments: argparse.Namespace) -> int:
    subject = arguments.subject
    with opened(arguments.config) as place:
        named.check(place.store, subject, lambda: identifiers(place.settings), teller())
        old = erase.of_version_1(place.store, subject, teller())
        entered = place.run(
            lambda ledger: erase.request(ledger, subject, arguments.by, arguments.reason, account(), old)
        )
        engine = place.store.engine
        stopping = found_open(place.store, blockers, subject, destruction.keys_of(engine, *subject))
        print(f"requested: erasure {entered.id}, {place_of(place, entered.receipt)}")
    _tell_old(old)
    for each in stopping:
        print(f"it cannot be approved yet: {each}", file=sys.stderr)
    print("nothing is erased yet; another person carries it out:")
    print(f"  dutybound ledger erase approve {entered.id} --config {arguments.config} --by NAME")
    return 0


def _approve(blockers: Sequence[Blocker], arguments: argparse.Namespace) -> int:
    id_, out = arguments.id, arguments.out or Path(f"erasure-{arguments.id}.receipt")
    with opened(arguments.config) as place:
        backups, engine = kept_backups(place), place.store.engine
        refuse_later(engine)
        package_write.check_free(out)
        with engine.connect() as connection:
            asked = kept.one_request(connection, id_)
        subject = asked.subject if asked else None
        old = erase.of_version_1(place.store, subject, teller()) if subject else 0
        done = place.run(lambda ledger: erase.approve(ledger, id_, arguments.by, account(), blockers, backups))
        _tell_done(place, done, out)
        assert subject is not None, "it was open"
        facts = destruction.in_force(engine, *subject)
    _tell_old(old)
    counted = ", ".join(f"{count} of kind {kind}" for kind, count in facts.items()) or "none"
    print("stays: who asked, when and why, and the proof of each entry")
    print(f"stays: facts about the subject, such as an opt-out, which keep their effect ({counted})")
    print("stays: receipts already issued, which stay valid, with their duty to delete")
    if done.request.account == account():
        print(
            f"two names were given, but one account of this system, `{account()}`, requested and approved it",
            file=sys.stderr,
        )
    return 0


def _tell_done(place: Workplace, done: Done, out: Path) -> None:
    """What follows an erasure, first things first: whatever fails from here on, it is done."""
    print(f"erased: erasure {done.request.id}, {place_of(place, done.receipt)}")
    try:
        package_write.write_private(out, done.receipt.text.encode())
        print(f"receipt: {out} (keep it outside the backups; after a restore, `ledger erase again` takes it)")
    except OSError as error:
        print(f"`{out}` cannot be written ({error.strerror}); the receipt is:\n{done.receipt.text}")
    if left := destruction.scrub(place.store):
        print(f"the store's files may still hold what was destroyed: {left}", file=sys.stderr)
    count = destruction.entries_under(place.store.engine, done.keys)
    print(f"unreadable: what {count} {'entries have' if count != 1 else 'entry has'} about the subject")
    print(f"backups: they contain the keys until {done.backups_until.isoformat()}; the erasure entry has that date")


def _tell_old(old: int) -> None:
    if old:
        which = "entries of version 1 name" if old != 1 else "entry of version 1 names"
        print(f"stays readable: {old} {which} the subject; their contents cannot be erased alone")


def _withdraw(arguments: argparse.Namespace) -> int:
    with opened(arguments.config) as place:
        entered = place.run(
            lambda ledger: erase.withdraw(ledger, arguments.id, arguments.by, arguments.reason, account())
        )
        print(f"withdrawn: erasure {entered.id}, {place_of(place, entered.receipt)}")
    return 0


def _list(arguments: argparse.Namespace) -> int:
    with opened(arguments.config) as place:
        found = kept.requests(place.store.engine)
        listed = [(each.scheme, each.value) for each in found if each.scheme is not None and each.value is not None]
        enter_list(place, listed, "a list of the erasures that wait")
    for each in found:
        print(f"{each.id}   {moment(each.at):%Y-%m-%d}   {_state(each)}")
        print(printable(f"  requested by {each.by}: {each.reason}"))
    if not found:
        print("nothing was requested")
    return 0


def _state(request: Request) -> str:
    if request.decided_at is None:
        return f"waits for a second person: {request.scheme}:{request.value}"
    what = "carried out, approved" if request.state == "done" else "withdrawn"
    return f"{what} by {request.decided_by} on {moment(request.decided_at):%Y-%m-%d}"


def _again(arguments: argparse.Namespace) -> int:
    if (arguments.id is None) == (arguments.receipt is None):
        print("name the erasure by its number, or by its receipt with `--receipt`", file=sys.stderr)
        return 2
    receipts = arguments.receipt or []
    if arguments.out is not None and len(receipts) > 1:
        print("`--out` names one file: leave it out with several receipts", file=sys.stderr)
        return 2
    with opened(arguments.config) as place:
        backups = kept_backups(place)
        refuse_later(place.store.engine)
        found = [_proved(place, each) for each in receipts] or [repeat.stored(place.store, arguments.id)]
        for erased in found:
            if len(found) > 1 and not repeat.needed(place.store.engine, erased):
                print(f"nothing to do: none of the keys of erasure {erased.erasure} is in this store")
                continue
            _once_more(place, erased, arguments, backups)
    return 0


def _proved(place: Workplace, receipt: Path) -> entries.Erasure:
    try:
        return repeat.proved(place, receipt_files.read(receipt).decode(errors="replace"))
    except VerificationFailed as error:
        raise VerificationFailed(f"`{receipt}`: {error}") from error


def _once_more(
    place: Workplace, erased: entries.Erasure, arguments: argparse.Namespace, backups: datetime.timedelta
) -> None:
    out = arguments.out or Path(f"erasure-{erased.erasure}-again.receipt")
    package_write.check_free(out)
    done = place.run(lambda ledger: repeat.again(ledger, erased, arguments.by, account(), backups))
    _tell_done(place, done, out)
