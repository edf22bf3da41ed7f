"""Whether this machine can listen where `listen` asks for: tried before anything is started, and reported in words."""

from __future__ import annotations

import errno
import ipaddress
import socket


def hindrance(host: str, port: int = 0) -> str:
    """Why nobody can listen there, and what to do; nothing where one can. Without `port` whichever one is free."""
    family = socket.AF_INET6 if ipaddress.ip_address(host).version == 6 else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as tried:
        for option in (socket.SO_REUSEADDR, socket.SO_REUSEPORT):  # as the server itself asks for it
            tried.setsockopt(socket.SOL_SOCKET, option, 1)
        try:
            tried.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return f"another program listens on `{host}:{port}` already; end it, or name another port"
            if error.errno == errno.EADDRNOTAVAIL:
                return f"this machine has no address `{host}`; name one of its own, or `0.0.0.0` for all"
            return f"nobody may listen on `{host}:{port}` ({error.strerror}); name another"
    return ""
