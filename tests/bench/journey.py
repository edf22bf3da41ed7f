"""One inquiry through a gateway: what is asked, how each answer is checked, and what a measured run of it is.

The gateway under test has one core alone; departments and load have the other. Everything of the gateway is on: token,
decision, restraints, durable entry, receipt. Before and after each load some answers are checked value by value; in
between, every answer must have status 200 and the size of a checked one, and the ledger must have grown by as many
entries as there were requests.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from tests.bench import data, gateways, load, world
from tests.bench.gateways import Gateway, Reply
from tests.bench.load import Load, Measured
from tests.bench.processes import BenchError, Cores
from tests.bench.report import Row

CHECKED = 20
PATIENT = 30.0
"""Seconds of load after which a gateway that gave no answer is given up."""
ITS_OWN = 10
"""Entries that a gateway may make of itself meanwhile, as where a process of it was replaced."""
GROUPED = 400
"""Bytes that a receipt may be longer under load: within a group of entries its proof has a few hashes more."""


class Lengths(NamedTuple):
    """Seconds of load: before anything is measured (`warm`, and of gateways on Node), of a main row, of another.

    With none before, nothing is asked then. Of so many `starts` of the project's gateway the first is not measured,
    unless it is the only one.
    """

    warm: float = 2
    warm_node: float = 6
    main: float = 6
    other: float = 3
    starts: int = 4


USUAL = Lengths()


class Ask(NamedTuple):
    """What a row asks: the load, and the check of one reply to its index-th body."""

    load: Load
    check: Callable[[int, Reply], None]


class Scene:
    """Everything that the rows share: departments, files, cores, today."""

    def __init__(self, folder: Path, cores: Cores, departments: dict[str, str], issuer: world.Issuer) -> None:
        self.folder, self.cores, self.issuer = folder, cores, issuer
        self.issuer_url = departments["issuer"]
        self.departments = {name: url for name, url in departments.items() if name != "issuer"}
        self.today = datetime.date.today()
        self.tokens = world.tokens(folder / "tokens", issuer, self.issuer_url)
        self.strangers = world.tokens(folder / "strangers", issuer, self.issuer_url, stranger=True)

    def bare(self, leaves: str = "200") -> Ask:
        """As many leaf values from a gateway that asks for no token."""
        group = data.GROUPS[leaves]
        bodies = world.bodies(self.folder / f"bare-{leaves}", group)
        return Ask(Load(bodies), lambda index, reply: self._values(group, index, reply))

    def inquiry(self, leaves: str) -> Ask:
        """A permitted inquiry for as many leaf values."""
        group = data.GROUPS[leaves]
        bodies = world.bodies(self.folder / f"inquiry-{leaves}", group, world.DIRECTIVE)

        def check(index: int, reply: Reply) -> None:
            self._values(group, index, reply)
            receipt(reply)

        return Ask(Load(bodies, self.tokens), check)

    def novel(self, *, bare: bool = False) -> Ask:
        """The 200 leaf values and five more, under a name that no earlier document had; `bare`: without a token."""
        group, directive = data.GROUPS["200"], "" if bare else world.DIRECTIVE
        bodies = world.bodies(self.folder / f"novel-{bare}", group, directive, alias=f"{data.ALIAS}__SERIAL__")

        def check(index: int, reply: Reply) -> None:
            renamed = [key for key in reply.json["data"]["organisation"] if key.startswith(data.ALIAS)]
            extra = reply.json["data"]["organisation"].pop(renamed[0])
            first = reply.json["data"]["organisation"][data.graphql_name(data.DEPARTMENTS[0])]
            if extra != [{data.ALL[0]: record[data.ALL[0]]} for record in first]:
                raise BenchError(f"the renamed field has other values: {extra}")
            self._values(group, index, reply)
            if not bare:
                receipt(reply)

        return Ask(Load(bodies, None if bare else self.tokens, vary=True), check)

    def denial(self) -> Ask:
        """The same inquiry by a client without a grant."""
        group = data.GROUPS["200"]
        bodies = world.bodies(self.folder / "denial", group, world.DIRECTIVE)

        def check(_: int, reply: Reply) -> None:
            codes = {error["extensions"]["code"] for error in reply.json.get("errors", [])}
            told = [value for value in reply.json["data"]["organisation"].values() if value is not None]
            if codes != {"UNAUTHORIZED_FIELD_OR_TYPE"} or told:
                raise BenchError(f"not a denial of everything: {str(reply.json)[:500]}")
            receipt(reply)

        return Ask(Load(bodies, self.strangers), check)

    def _values(self, group: data.Group, index: int, reply: Reply) -> None:
        wanted = data.expected(group, data.subjects(group)[index], self.today)
        if reply.status != 200 or reply.json.get("errors") or reply.json["data"] != wanted:
            raise BenchError(f"wrong answer ({reply.status}): {str(reply.json)[:1500]}\nexpected {str(wanted)[:500]}")


def receipt(reply: Reply) -> str:
    """The answer's receipt; raises where it has none."""
    told = reply.json.get("extensions", {}).get("inquiry", {}).get("receipt")
    if not isinstance(told, str) or not told:
        raise BenchError(f"an answer without a receipt: {str(reply.json)[:500]}")
    return told


def check(gateway: Gateway, ask: Ask, serial: int) -> list[Reply]:
    """Send some of the bodies, spread over all, and check each reply."""
    bodies = ask.load.bodies.read_text().splitlines()
    tokens = ask.load.tokens.read_text().splitlines() if ask.load.tokens else [None]
    replies = []
    for index in range(0, len(bodies), len(bodies) // CHECKED):
        body = bodies[index].replace("__SERIAL__", str(serial + index))
        reply = gateways.post(gateway.url, body, tokens[index % len(tokens)])
        if reply.status != 200:
            raise BenchError(f"{gateway.name} answered {reply.status}: {str(reply.json)[:800]}")
        ask.check(index, reply)
        replies.append(reply)
    return replies


_checks = 0


def measure(
    gateway: Gateway, ask: Ask, cores: Cores, connections: int, seconds: float, *, warming: bool = False
) -> Measured:
    """One measured run between two checks; raises where an answer, a size or the ledger's growth is not right.

    One that is only `warming` has no CPU of what is projected after it.
    """
    global _checks
    _checks += 2
    before = check(gateway, ask, _checks * 100_000)
    run = _run(gateway, ask, cores, connections, seconds, warming)
    after = check(gateway, ask, (_checks + 1) * 100_000)
    sizes = [reply.size for reply in before + after]
    if not min(sizes) * 0.97 <= run.bytes_each <= max(sizes) * 1.03 + GROUPED:
        raise BenchError(
            f"under load answers had {run.bytes_each:.0f} bytes, checked ones {min(sizes)} to {max(sizes)}"
        )
    return run


def _run(gateway: Gateway, ask: Ask, cores: Cores, connections: int, seconds: float, warming: bool) -> Measured:
    """The load, which is repeated twice as long where a busy machine gave no answer at all.

    What is projected only after it belongs to its cost, too.
    """
    asked, held = connections, gateway.entries()
    while True:
        if not warming:
            gateway.rest()
        parts = gateway.child.parts_ms()
        try:
            run = load.run(
                ask.load, gateway.url, [gateway.child], connections=connections, seconds=seconds, cores=cores.load
            )
        except load.NoAnswer:
            if seconds > PATIENT:
                raise
            asked, seconds = asked + connections, 2 * seconds
            continue
        ended = gateway.child.parts_ms()
        grown = gateway.entries() - held
        # What wrk leaves behind has two entries: its answer, and that it was not released.
        if gateway.config and not run.requests <= grown <= run.requests + 2 * asked + ITS_OWN:
            raise BenchError(f"{run.requests} inquiries left {grown} entries in the ledger")
        if not gateway.config or warming:
            return run
        gateway.rest()
        later = gateway.child.parts_ms()["projector"] - ended["projector"]
        ended["projector"] += later
        each = {part: (ended[part] - parts[part]) / run.requests for part in parts}
        return run._replace(cpu_ms=run.cpu_ms + later / run.requests, parts=each)


def row(name: str, connections: int, run: Measured, *, bench: str = "journey", **more: Any) -> Row:
    """A measured run as a row of the file."""
    return {
        "bench": bench,
        "name": name,
        "connections": connections,
        "cpu_ms": run.cpu_ms,
        "requests_per_s": run.requests_per_s,
        "p50_ms": run.p50_ms,
        "p99_ms": run.p99_ms,
        "requests": run.requests,
        "others_cores": run.others,
        "memory_ns": run.memory_ns,
        **{f"{part}_ms": cpu for part, cpu in run.parts.items()},
        **more,
    }


def first(ask: Ask) -> tuple[str, str | None]:
    """The first body and token of a load."""
    body = ask.load.bodies.read_text().splitlines()[0]
    return body, ask.load.tokens.read_text().splitlines()[0] if ask.load.tokens else None
