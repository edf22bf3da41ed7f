"""One supervisor at an address: a second is refused, whatever the servers below it share.

Workers share the address by `SO_REUSEPORT`, and it is free as soon as they stop. Anybody of the same account could join
them, unseen; so the address is first taken alone, and only then opened to this supervisor's own. It is held as long as
the supervisor runs.
"""

from __future__ import annotations

import errno
import socket
import time

from gateway.errors import ConfigurationError, Problem

PATIENCE = 3.0
"""Seconds that a start waits for the workers of a supervisor that was killed to end."""


def taken(host: str, port: int, file: str, key: str = "listen", patience: float = PATIENCE) -> socket.socket:
    """The address, bound by this process alone. Raises `ConfigurationError` where another listens there.

    `key` is what says the address in the configuration `file`.
    """
    end = time.monotonic() + patience
    while True:
        try:
            return _bound(host, port)
        except OSError as error:
            if error.errno == errno.EADDRINUSE and time.monotonic() < end:
                time.sleep(0.05)
                continue
            fix = (
                "another process listens there, perhaps a second `dutybound serve`; stop it, or choose another port"
                if error.errno == errno.EADDRINUSE
                else f"cannot listen there ({error.strerror})"
            )
            raise ConfigurationError([Problem(file, 0, 0, key, f"`{host}:{port}`: {fix}")]) from error


def _bound(host: str, port: int) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    made = socket.socket(family, kind, protocol)
    try:
        # What an earlier server's connections left behind is no hindrance; a second socket here is one.
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(address)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
    except BaseException:
        made.close()
        raise
    return made


def listening(held: socket.socket) -> None:
    """Listen there. From now on that alone hinders a second one; what the connections leave behind hinders none.

    It is set first: to listen is refused too where an earlier server's connections are left behind.
    """
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.listen()


def shared(held: socket.socket) -> None:
    """Let this process's own workers listen at the address too."""
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)


def own(held: socket.socket) -> socket.socket:
    """A socket of a worker's own at that address, where it is shared; its connections hinder no later start."""
    made = socket.socket(held.family, held.type)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    made.bind(held.getsockname())
    return made
