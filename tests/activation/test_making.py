"""Rule sets made in another process: the same as made here, in small pieces, whatever becomes of the process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from gateway.activation.archive import pack as packing
from gateway.activation.archive import packed, unpacked
from gateway.activation.loading import Reading
from gateway.activation.making import Maker
from gateway.errors import ConfigurationError
from gateway.rules.load import load
from gateway.rules.model import Flag
from gateway.rules.ruleset import Part, RuleSet
from tests.waiting import until

POLICIES = Path("policies")
ALONE = Reading(None, None, None)


@pytest.fixture(scope="module")
def here() -> RuleSet:
    return load(POLICIES)


@pytest.fixture(scope="module")
def maker() -> Iterator[Maker]:
    made = Maker()
    yield made
    made.close()


def used(rules: RuleSet) -> list[Part]:
    """Some parts of its table, each decided."""
    for entry in rules.policies.requesters.values():
        for grant in entry.grants:
            cells = rules.cells(grant, "organisation", Flag.SCOPE | Flag.CASE)
            for dataset in grant.datasets:
                field = next(iter(rules.policies.catalogue.datasets[dataset].fields))
                assert cells[dataset, field] is not None
    return rules.used()


def test_what_is_made_elsewhere_is_the_same(here: RuleSet, maker: Maker) -> None:
    parts = used(here)
    assert len(parts) > 5
    made = maker.made(packed(POLICIES), here.digest, ALONE, [*parts, parts[0]._replace(grant="gone/PURPOSE")])
    assert made.digest == here.digest
    assert sorted(made.used()) == sorted(parts), "what was in use is decided, and nothing else"
    assert made._engine is None, "and it was not decided here"
    for part in parts:
        assert made.part(part) == here.part(part)
    assert msgspec.structs.asdict(made.requesters) == msgspec.structs.asdict(here.requesters)
    assert made.policies.purposes == here.policies.purposes
    assert made.policies.catalogue.datasets == here.policies.catalogue.datasets
    assert made.policies.catalogue.schemes["LEI"].canonical("5493001KJTIIGC8Y1R12") == "5493001KJTIIGC8Y1R12"
    assert (made.calendar, made.watch, dict(made.rules)) == (here.calendar, here.watch, dict(_named(here, made)))


def _named(here: RuleSet, made: RuleSet) -> Iterator[tuple[str, object]]:
    """Rules as they are here, with the place that their file had there."""
    for name, rule in here.rules.items():
        yield name, msgspec.structs.replace(rule, file=made.rules[name].file)


def test_what_is_wrong_is_told_and_the_process_goes_on(here: RuleSet, maker: Maker) -> None:
    files = unpacked(packed(POLICIES))
    with pytest.raises(ConfigurationError, match=r"purposes.yaml:1:4"):
        maker.made(packing({**files, "purposes.yaml": b"A: 1\n"}), here.digest, ALONE)
    with pytest.raises(ConfigurationError, match="is damaged"):
        maker.made(b"\x01nothing", here.digest, ALONE)
    assert maker.made(packed(POLICIES), here.digest, ALONE).digest == here.digest


def test_one_that_was_killed_is_started_again(here: RuleSet, maker: Maker) -> None:
    maker.made(packed(POLICIES), here.digest, ALONE)
    assert maker._process is not None
    killed = maker._process.pid
    os.kill(killed, signal.SIGKILL)
    assert maker.made(packed(POLICIES), here.digest, ALONE).digest == here.digest
    assert maker._process.pid != killed


def test_it_ends_with_whoever_started_it() -> None:
    run = (
        "from gateway.activation.making import Maker\n"
        "maker = Maker()\n"
        "print(maker._started().pid, flush=True)\n"
        "input()\n"
    )
    with subprocess.Popen([sys.executable, "-c", run], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        made = int(parent.stdout.readline())
        os.kill(made, 0)
        parent.kill()
    until("its end", lambda: not Path(f"/proc/{made}").exists() or "Z" in Path(f"/proc/{made}/stat").read_text())
