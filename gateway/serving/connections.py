"""How many connections a process has at once, and how long one may take to ask."""

from __future__ import annotations

import resource

TOGETHER = 4096
"""Connections that a process has at once; more wait."""
IDLE = 5.0
"""Seconds that a connection may take for a request's line and headers, also to begin with them."""


def allow() -> None:
    """Let each process have a file for each connection, where the system does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * TOGETHER if hard == resource.RLIM_INFINITY else min(hard, 2 * TOGETHER)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
