"""Names of HTTP's headers: which can be set for a department, and which look like they hold a credential."""

from __future__ import annotations

import re

HEADER = re.compile(r"[A-Za-z0-9-]+")
"""The name of a header."""
OURS = frozenset({
    "authorization", "cookie", "host", "content-length", "content-encoding", "transfer-encoding", "connection",
    "accept-encoding", "user-agent", "keep-alive", "te", "trailer", "upgrade", "expect", "dpop",
})  # fmt: skip
"""Headers that the client itself writes."""
_CREDENTIAL = re.compile(
    r"auth|token|secret|passw|credential|session|cookie|api-?key|access-?key|signature|(^|-)(key|pwd|sig)(-|$)", re.I
)


def may_be_credential(name: str) -> bool:
    """Whether a header is called like one that holds a credential."""
    return _CREDENTIAL.search(name) is not None
