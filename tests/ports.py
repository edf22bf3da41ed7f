"""Ports of loopback for servers that tests start: no two processes that ask here are ever given the same one.

A port is claimed by holding the UDP port of the same number, which ends with the process. They lie below those that
the system gives to whoever binds to port 0 or connects, so that it never takes one that was given here.
"""

from __future__ import annotations

import itertools
import os
import socket

PORTS = range(12_000, 32_000)
_START = os.getpid() * 97 % len(PORTS)
_numbers = itertools.cycle((*PORTS[_START:], *PORTS[:_START]))
_claims: list[socket.socket] = []


def free_port() -> int:
    """A port that nobody listens at, and that is this process's until it ends."""
    for port in itertools.islice(_numbers, len(PORTS)):
        claim = socket.socket(type=socket.SOCK_DGRAM)
        try:
            claim.bind(("127.0.0.1", port))
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", port))
        except OSError:
            claim.close()
        else:
            _claims.append(claim)
            return port
    raise AssertionError(f"none of the ports {PORTS.start} to {PORTS.stop - 1} is free")
