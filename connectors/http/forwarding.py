"""What a department is sent about an inquiry beside its questions: a header for each value that `forward` names.

The gateway hands over only what its own rules let go (`base.Forwarded`), and nothing that is not named here. A value is
printable ASCII as it stands; every other character, a space and `%` are percent-encoded UTF-8, so that a header is one
line whatever a requester wrote.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from urllib.parse import quote

from connectors.base import FORWARDED, Config, Forwarded
from connectors.kit.headers import HEADER, MEANT, OURS

_KEPT = "!\"#$&'()*+,-./:;<=>?@[\\]^_`{|}~"
_STANDARD: Mapping[str, Collection[str]] = {"traceparent": ("trace",), "tracestate": (), "baggage": ()}


class Forward:
    """The headers, in lower case, by the value that each carries."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._headers = dict(headers)
        self.names = frozenset(headers)

    def headers(self, values: Forwarded) -> dict[str, str] | None:
        """The headers of one inquiry's questions; None where there is none."""
        said = {header: getattr(values, name) for name, header in self._headers.items()}
        return {header: quote(value, safe=_KEPT) for header, value in said.items() if value} or None


def read_forward(
    keys: Mapping[str, Config], fixed: Collection[str], meant: Mapping[str, Collection[str]] | None = None
) -> Forward:
    """The `forward` key of a department: `{inquiry: HEADER, purpose: HEADER, case: HEADER, official: HEADER}`.

    `fixed` are headers, in lower case, that have a value already; `meant`, by header, is what it can carry. The trace
    has the header that its standard names: `trace: traceparent`.
    """
    meant = {**_STANDARD, **(meant or {})}
    taken = {*fixed, keys["echo"].text("").lower()} if "echo" in keys else {*fixed}
    headers: dict[str, str] = {}
    for name, entry in keys["forward"].mapping((), FORWARDED).items():
        header = entry.text(pattern=HEADER.pattern, what="the name of a header, such as `X-Inquiry`").lower()
        if name == "trace" and header and header != "traceparent":
            entry.problem("must be `traceparent`, the header of W3C Trace Context")
        elif header in taken or header in OURS or header in MEANT or name not in meant.get(header, (name,)):
            entry.problem("names a header that has another meaning already; name one whose value is free")
        elif header in headers.values():
            entry.problem("names the header of another value; each has one of its own")
        headers[name] = header
    return Forward(headers)
