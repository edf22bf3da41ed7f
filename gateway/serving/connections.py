"""How many connections a process has at once."""

from __future__ import annotations

import resource

TOGETHER = 4096
"""Connections that a process has at once; more are ended."""


def allow() -> None:
    """Let each process have a file for each connection, where the system does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * TOGETHER if hard == resource.RLIM_INFINITY else min(hard, 2 * TOGETHER)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
