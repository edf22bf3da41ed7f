"""`dutybound recalls resume`: a recipient that wanted nothing more (410) is notified of its recalls again.

An operator's own act, entered in the shard of commands. What waited meanwhile is sent at once.
"""

from __future__ import annotations

import argparse
from typing import Any

from sqlalchemy import delete, select

from gateway.command import options
from gateway.ledger.acting.commanded import done, said
from gateway.ledger.acting.planned import Made, Seen
from gateway.ledger.entry import entries
from gateway.ledger.log import operator
from gateway.ledger.log.ledger import Ledger
from gateway.ledger.log.operator import ActRefused, Workplace
from gateway.storage.recall.work import delivery_stop, lane_of, recipient_of

RESUMED = "delivery-resumed"


def register(parts: Any) -> None:
    """Add `resume` to `dutybound recalls`."""
    text = "notify a recipient of its recalls again, after it answered that it wants no more messages (410)"
    parser: argparse.ArgumentParser = parts.add_parser("resume", help=text)
    options.config(parser)
    parser.add_argument("--client", required=True, metavar="CLIENT", help="the recipient's client id")
    parser.add_argument("--issuer", metavar="URL", help="its issuer, where several have a client of that id")
    parser.add_argument("--by", required=True, metavar="NAME", help="who decides so; is entered in the ledger")
    parser.add_argument("--reason", required=True, metavar="TEXT", help="why; is entered in the ledger")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    with operator.opened(arguments.config) as place:
        lane = _stopped(place, arguments.client, arguments.issuer)
        print(resume(place, lane, arguments.by, arguments.reason))
    return 0


def _stopped(place: Workplace, client: str, issuer: str | None) -> str:
    """The lane that is meant, of those that are stopped; raises `ActRefused`."""
    with place.store.engine.connect() as connection:
        lanes: list[str] = list(
            connection.execute(select(delivery_stop.c.lane).order_by(delivery_stop.c.lane)).scalars()
        )
    of_client = [lane for lane in lanes if recipient_of(lane)[1] == client]
    found = [lane for lane in of_client if issuer is None or lane == lane_of(issuer, client)]
    if len(found) == 1:
        return found[0]
    if found:
        raise ActRefused(f"several issuers have a client `{client}`; name one with `--issuer`")
    known = ", ".join(f"`{recipient_of(lane)[1]}`" for lane in lanes) or "none"
    raise ActRefused(
        f"nothing keeps `{client}` from being notified of its recalls; clients that are not notified: {known}"
    )


def resume(place: Workplace, lane: str, by: str, reason: str) -> str:
    """Notify a recipient again; returns in words where that was entered. Raises `ActRefused`, `LedgerUnavailable`."""
    operator.check_said(by, reason)
    issuer, client = recipient_of(lane)

    def make(seen: Seen) -> Made:
        of_lane = select(delivery_stop.c.lane).where(delivery_stop.c.lane == lane)
        if seen.connection.execute(of_lane).first() is None:
            raise ActRefused(f"`{client}` is notified of its recalls already")
        told = entries.Acted(
            entries.VERSION, seen.id, seen.now, operator.CLIENT, RESUMED,
            to=entries.Who(issuer, client), outcome=f"{by.strip()}: {reason.strip()}",
        )  # fmt: skip
        return said(told, operator.account(), [delete(delivery_stop).where(delivery_stop.c.lane == lane)], lane, client)

    async def work(ledger: Ledger) -> str:
        act = await done(ledger, make)
        return f"`{client}` is notified of its recalls again, {operator.place_of(place, act.receipt)}"

    return place.run(work)
