"""Single values of the files that people write: URLs, paths, sizes, durations.

Each reads one `Node` and tells its problem in place, with the form that was expected.
"""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from urllib.parse import urlsplit

from gateway.documents import Node

_SIZES = {"B": 1, "KiB": 1024, "MiB": 1024**2}
_DURATIONS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def is_loopback(host: str) -> bool:
    """Whether a host name or address never leaves this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def url(node: Node) -> str:
    """An https URL (http for loopback only) without credentials, query, fragment or closing slash."""
    text = node.text(pattern=r"https?://[^\s?#\"\\<>]+", what="an https URL, as `https://gateway.example`")
    if not text:
        return ""
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        node.problem(f"`{text}` is not a URL")
        return ""
    if "@" in parts.netloc or not parts.hostname:
        node.problem("must name a host, and no user or password")
    elif parts.scheme == "http" and not is_loopback(parts.hostname):
        node.problem(f"`{text}` must be https (http is for loopback only)")
    return text


def path_of(node: Node | None, folder: Path, *, directory: bool = False) -> Path:
    """A file (or folder) that must be there, seen from `folder`."""
    text = node.text(what="a path") if node else ""
    path = (folder / text).resolve()
    if node and text and not (path.is_dir() if directory else path.is_file()):
        node.problem(f"there is no {'folder' if directory else 'file'} `{text}` (seen from this file's folder)")
    return path


def size(node: Node) -> int:
    """Bytes of a size such as `64KiB`."""
    text = node.text(pattern=r"[1-9][0-9]{0,8} ?(B|KiB|MiB)", what="a size, as `64KiB`")
    found = re.fullmatch(r"([0-9]+) ?(\w+)", text)
    return int(found[1]) * _SIZES[found[2]] if found else 0


def duration(node: Node) -> float:
    """Seconds of a duration such as `5s` or `250ms`."""
    text = node.text(pattern=r"[0-9]{1,9}(\.[0-9]{1,3})? ?(ms|s|m|h)", what="a duration, as `5s` or `250ms`")
    found = re.fullmatch(r"([0-9.]+) ?(\w+)", text)
    seconds = float(found[1]) * _DURATIONS[found[2]] if found else 0.0
    if found and seconds <= 0:
        node.problem(f"`{text}` must be more than nothing")
    return seconds
