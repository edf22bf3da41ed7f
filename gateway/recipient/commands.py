"""`dutybound recalls client`: a recipient of recalls, as a process, for cron, or by hand.

Exit codes: 0 done, 1 something could not be done or answered, 2 a wrong call. Recalls that wait for a person are no
failure: they are printed.
"""

from __future__ import annotations

import argparse
import datetime
import signal
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import Any

import msgspec

from gateway.recipient.asking import Refused, Unreachable
from gateway.recipient.client import Client, Turned
from gateway.recipient.config import Config, load
from gateway.recipient.doing import Command, Printing, task
from gateway.recipient.lines import NotRight
from gateway.recipient.receipts import opened, within
from gateway.recipient.register import Register
from gateway.recipient.tables import RegisterUnusable
from gateway.recipient.webhook import Listener


def register(parts: Any) -> None:
    """Add `client` to the commands of `recalls`; it sets `run`: from the parsed arguments to the exit code."""
    text = "a reference recipient: it takes recalls, has them carried out, and answers them"
    parser: argparse.ArgumentParser = parts.add_parser("client", help=text)
    arguments(parser)
    parser.set_defaults(run=run)


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the client's commands."""
    parser.add_argument(
        "--config", type=Path, default=Path("client.yaml"), metavar="FILE",
        help="the recipient's configuration (default: client.yaml)",
    )  # fmt: skip
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--once", action="store_true", help="read the inbox once, and end; for cron")
    what.add_argument("--done", metavar="RECALL", help="answer a recall that a person carried out")
    what.add_argument("--refuse", metavar="RECALL", help="a law allows further use of the records; with --reason")
    what.add_argument("--fetch", metavar="RECALL", help="print the record as it is now, for an update")
    what.add_argument("--passed-on", metavar="INQUIRY", help="its records were passed on to somebody; with --to")
    what.add_argument("--received", type=Path, metavar="FILE", help="note an answer's receipt in the register")
    what.add_argument("--deleted", type=_day, metavar="DAY", help="attest that everything due by this day was deleted")
    parser.add_argument("--reason", metavar="TEXT", help="which law, and why")
    parser.add_argument("--to", metavar="NAME", help="who was given them")


def _day(text: str) -> datetime.date:
    """A day, for argparse."""
    try:
        return datetime.date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"`{text}` must be a day, such as `2026-11-30`") from None


class _NotDone(Exception):
    """What a person asked for cannot be done; says why, and what to do."""


def run(given: argparse.Namespace) -> int:
    """Do what the arguments ask for; returns the exit code."""
    try:
        config = load(given.config)
        kept = Register(config.register)
    except NotRight as error:
        print(error, file=sys.stderr)
        return 1
    except RegisterUnusable as error:
        print(error, file=sys.stderr)
        return 1
    client = Client(config, kept, Command(config.command, config.patience) if config.command else Printing())
    try:
        return _run(given, config, kept, client)
    except (RegisterUnusable, Unreachable, Refused, _NotDone) as error:
        print(error, file=sys.stderr)
        return 1
    finally:
        client.close()
        kept.close()


def _run(given: argparse.Namespace, config: Config, kept: Register, client: Client) -> int:
    if given.received:
        return _received(kept, given.received)
    if given.passed_on:
        return _passed_on(kept, given.passed_on, given.to)
    if given.deleted:
        return _deleted(kept, client, given.deleted)
    if given.done or given.refuse or given.fetch:
        return _by_hand(given, kept, client)
    with kept.alone():
        if given.once:
            return _told(client.turn())
        return _serve(config, client)


def _told(turned: Turned) -> int:
    said = f"{turned.answered} answered, {turned.waiting} wait for a person, {turned.failed} failed"
    print(said, file=sys.stderr)
    return 1 if turned.failed else 0


def _serve(config: Config, client: Client) -> int:
    """Take nudges and look at intervals, until it is told to end (SIGTERM, SIGINT)."""
    nudged, ended = threading.Event(), threading.Event()

    def end(number: int, frame: FrameType | None) -> None:
        ended.set()
        nudged.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    listener = None
    if config.webhook is not None:
        try:
            listener = Listener(config.webhook, nudged.set)
        except OSError as error:
            where = f"{config.webhook.host}:{config.webhook.port}"
            raise _NotDone(f"nobody can be listened to at {where} ({error.strerror}); name another `listen`") from error
        threading.Thread(target=listener.serve_forever, daemon=True).start()
    try:
        client.run(nudged, ended)
    finally:
        if listener is not None:
            listener.shutdown()
            listener.server_close()
    return 0


def _by_hand(given: argparse.Namespace, kept: Register, client: Client) -> int:
    id_ = given.done or given.refuse or given.fetch
    recall = kept.recall(id_)
    if recall is None:
        raise _NotDone(f"no recall `{id_}` waits in the register; take it in first, with --once")
    if given.fetch:
        made = task(kept, recall)
        if made is None or recall.action != "UPDATE":
            raise _NotDone(f"`{id_}` asks for nothing that could be fetched")
        asked = client.fetch(made[0], recall, made[1])
        print(msgspec.json.format(msgspec.json.encode(asked), indent=2).decode())
        return 0
    if given.refuse:
        if not (given.reason or "").strip():
            raise _NotDone("a refusal names the law that it rests on: give --reason")
        kept.refuse(recall, given.reason.strip())
    else:
        kept.settle(recall)
    _, unheard = client.answer()
    return 1 if unheard else 0


def _received(kept: Register, file: Path) -> int:
    try:
        received = opened(within(file.read_text("utf-8")))
    except OSError as error:
        raise _NotDone(f"`{file}` cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise _NotDone(f"`{file}`: {error}") from error
    kept.receive([received] if received else [])
    return 0


def _passed_on(kept: Register, inquiry: str, whom: str | None) -> int:
    if not (whom or "").strip():
        raise _NotDone("name the recipient: give --to")
    if not kept.knows(inquiry):
        raise _NotDone(f"the register has no inquiry `{inquiry}`; note its answer first, with --received")
    kept.pass_on(inquiry, str(whom).strip())
    return 0


def _deleted(kept: Register, client: Client, until: datetime.date) -> int:
    left = len(kept.left(until))
    client.attest(until)
    print(
        f"attested for {until}: the register held {left} records until then, and names nobody in them", file=sys.stderr
    )
    return 0
