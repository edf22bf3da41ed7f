"""One spelling for each origin, as the URL standard makes it: whatever an address is written like, it is one server.

Case and default ports make no difference, nor do noughts before a port, an empty path or a fragment. Other names and
other ways to write a number are other hosts.
"""

from __future__ import annotations

from urllib.parse import SplitResult, urljoin, urlsplit

_PORTS = {"http": 80, "https": 443}


def origin_of(parts: SplitResult) -> str:
    """Such as `https://tax.example:8443`. Raises `ValueError` where there is none, or a user or password in it."""
    if parts.scheme not in _PORTS or not parts.hostname or "@" in parts.netloc:
        raise ValueError("an address must be http:// or https:// and a host")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    port = parts.port
    return f"{parts.scheme}://{host}" + ("" if port in (None, _PORTS[parts.scheme]) else f":{port}")


def split(url: str) -> tuple[str, str]:
    """An address's origin, and what is asked for there. Raises `ValueError`."""
    parts = urlsplit(url)
    return origin_of(parts), (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def follow(current: str, link: str) -> str | None:
    """Where a link on `current` leads, on the same origin and in its one spelling; None for any other place."""
    if not link.isascii() or not link.isprintable() or "\\" in link or " " in link:
        return None
    try:
        (ours, _), (theirs, target) = split(current), split(urljoin(current, link))
    except ValueError:
        return None
    return ours + target if ours == theirs else None
