"""A process that serves: its application, of what `gateway.serving.serve` read, and how its collector is set."""

from __future__ import annotations

import gc
import os
import sys
from pathlib import Path

import msgspec

from gateway import app, check
from gateway.config import settings
from gateway.manage.link import SUPERVISOR, Link
from gateway.served import Base

APPLICATION = f"{__name__}:application"
CONFIG, WORKERS = "_DUTYBOUND_SERVED_CONFIG", "_DUTYBOUND_SERVED_WORKERS"

COLLECTED = (10_000, 5, 2000)
"""How often the garbage collector looks (`gc.set_threshold`)."""
SWITCH = 0.0005
"""Seconds that a thread computes while another waits."""

prepared: tuple[settings.Settings, check.Loaded, Base] | None = None
"""What the supervisor read, checked and made; a worker that is forked from it need not do so again."""


def application() -> app.Gateway:
    """The application of one process, of the configuration that `serve` was given."""
    link = Link(os.environ[SUPERVISOR])
    with link.starting():
        found, parts, first = prepared or (*check.load(Path(os.environ[CONFIG]), os.environ), None)
        shared_out = msgspec.structs.replace(found, open=found.open.among(int(os.environ[WORKERS])))
        built = app.build(shared_out, parts, first)
    built.link = link
    return made(built)


def made(gateway: app.Gateway) -> app.Gateway:
    """The application, with all that a start made marked to stay."""
    # Beside a thread that computes, the event loop gets its turn after this, many times in an inquiry: by Python's own
    # 5 milliseconds, one document of a stranger's would slow everybody's down.
    sys.setswitchinterval(SWITCH)
    # What a start makes stays to the end: the collector need not walk it again and again while inquiries run, which
    # cost two fifths of an inquiry's CPU and most of its slowest hundredth. Inquiries leave few cycles behind.
    gc.collect()
    gc.freeze()
    # What it does walk is little at a time: a flood of new documents leaves cycles, and a walk stops everybody.
    gc.set_threshold(*COLLECTED)
    return gateway
