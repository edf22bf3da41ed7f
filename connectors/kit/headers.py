"""HTTP's headers: which can be set for a department, and which look like they hold a credential."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from connectors.base import Config

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
MEANT = frozenset({"content-type", "content-encoding", "accept", "accept-encoding", "user-agent", "retry-after"})
"""Headers that mean something to whoever reads them."""
_CREDENTIAL_VALUE = re.compile(r"(bearer|basic|digest|token|apikey) |eyJ[\w-]+\.[\w-]+\.", re.I)
_RUN = re.compile(r"\w{24,}", re.ASCII)
_SWITCH = re.compile(r"[0-9](?=[A-Za-z])|[A-Za-z](?=[0-9])")


def may_be_credential(name: str) -> bool:
    """Whether a header is called like one that holds a credential."""
    return _CREDENTIAL.search(name) is not None


def read_headers(config: Config, reserved: Collection[str] = ()) -> dict[str, str]:
    """The fixed headers of a department, by name in lower case. Credentials stand in files, under `auth`.

    `reserved`, in lower case, are written by what the department's kind says of each question.
    """
    headers: dict[str, str] = {}
    for name, entry in config.mapping(any_key=True).items():
        if name.lower() in headers:
            entry.problem(f"`{name}` appears twice: case makes no other header of it")
        if not HEADER.fullmatch(name):
            entry.problem(f"`{name}` is no name of a header: letters, digits and `-`, as `X-Region`")
        elif name.lower() in OURS:
            entry.problem(f"`{name}` is not a header to set here; credentials go under `auth`")
        elif name.lower() in reserved:
            entry.problem(f"`{name}` is written for each question, by other keys of the department; remove it")
        elif may_be_credential(name) or _is_secret(entry.text()):
            entry.problem(f"`{name}` looks like a credential, which does not belong here; put it under `auth`")
        headers[name.lower()] = entry.text(pattern="[ -~]+", what="one line of ASCII text")
    return headers


def read_echo(config: Config, headers: Mapping[str, str]) -> str:
    """The header that the department repeats in its answers: each question has a value of its own in it."""
    name = config.text(pattern=HEADER.pattern, what="the name of a header, such as `X-Request-ID`")
    if name.lower() in {*OURS, *MEANT, *headers}:
        config.problem(f"`{name}` has another meaning already; name a header whose value is free")
    return name


def _is_secret(value: str) -> bool:
    """Whether it looks like one: announced as such, a JWT, or long and as nobody would write it by hand."""
    return bool(_CREDENTIAL_VALUE.match(value)) or any(len(_SWITCH.findall(run)) > 2 for run in _RUN.findall(value))
