"""Every error that passes from one part of the gateway to another, the tree on top.

    DutyboundError
    ├── ConfigurationError      what a start refuses; carries `Problem`s with file, line and fix
    ├── StoreUnavailable        the database cannot be reached or fails; becomes one of the next two where it matters
    │   ├── StoreHindered       the same, for a reason in our own words; a log may have the text
    │   └── ArchiveUnavailable  the place of a ledger's archive is away, or lacks a file; the text is for operators
    ├── Conflict                somebody acted at the same moment; nothing stands, and it can be tried again
    ├── RowsRefused             the database will never take a row, for what it holds; ends what would write it
    ├── LedgerUnavailable       an entry could not be made durable: nothing that it would prove may leave
    ├── PastIncomplete          not all past entries can be told yet; says up to when
    ├── BodyRefused             a body is too long, too slow or cut short; carries the status
    ├── Unsigned                a message is not one that its sender signed just now; says why
    ├── VerificationFailed      a receipt or a stored ledger is not what was signed; says where
    ├── CommandRefused          a command cannot do what a person asked of it; says what to do
    ├── Crowded                 too many wait for a turn; becomes one of the next three
    ├── IssuerUnavailable       an authorization server cannot be asked; becomes the next one
    ├── Unfit                   a token, a proof or a certificate does not say who asks; becomes a refusal
    └── Refusal                 a whole operation is refused; carries the contract's code, and becomes one ledger entry

Two kinds stand elsewhere, where they are raised. A closer word for one of these is handled as that by whoever does not
know it: `Superseded`, of the store, is a `StoreUnavailable`, and `RulesChanged`, of the writer, a `Refusal`. A signal
is caught within its own part and never leaves it. Connectors tell what is wrong with their configuration to the one
who reads it, and raise nothing for that; what they raise among themselves never leaves them.

Within one answer a denied field or a failed department is not an exception: it is a value beside the data.
Messages use the reader's words, quote input in backticks, fit a line and name the fix. Nothing internal is in them.
"""

from __future__ import annotations

import enum
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple


class Code(enum.StrEnum):
    """The stable codes of `extensions.code`."""

    UNAUTHENTICATED = "UNAUTHENTICATED"
    FORBIDDEN = "FORBIDDEN"
    REQUEST_INVALID = "REQUEST_INVALID"
    INQUIRY_REQUIRED = "INQUIRY_REQUIRED"
    INQUIRY_INVALID = "INQUIRY_INVALID"
    IDENTIFIER_INVALID = "IDENTIFIER_INVALID"
    CASE_NOT_VERIFIED = "CASE_NOT_VERIFIED"
    UNAUTHORIZED_FIELD_OR_TYPE = "UNAUTHORIZED_FIELD_OR_TYPE"
    SOURCE_UNAVAILABLE = "SOURCE_UNAVAILABLE"
    SOURCE_TIMEOUT = "SOURCE_TIMEOUT"
    SOURCE_INVALID = "SOURCE_INVALID"
    QUOTA_EXCEEDED = "QUOTA_EXCEEDED"
    LIMIT_EXCEEDED = "LIMIT_EXCEEDED"
    LEDGER_UNAVAILABLE = "LEDGER_UNAVAILABLE"
    DECISION_UNAVAILABLE = "DECISION_UNAVAILABLE"
    MATTER_NOT_FOUND = "MATTER_NOT_FOUND"
    MATTER_INVALID = "MATTER_INVALID"
    CONFLICT = "CONFLICT"
    GRAPHQL_PARSE_FAILED = "GRAPHQL_PARSE_FAILED"
    GRAPHQL_VALIDATION_FAILED = "GRAPHQL_VALIDATION_FAILED"
    GRAPHQL_OPERATION_INVALID = "GRAPHQL_OPERATION_INVALID"
    GRAPHQL_VARIABLES_INVALID = "GRAPHQL_VARIABLES_INVALID"
    INTERNAL = "INTERNAL"


OF_ACTS = frozenset([Code.MATTER_NOT_FOUND, Code.MATTER_INVALID, Code.CONFLICT])
"""What an act comes to that cannot be done: no error of the request, so it is told with 200 beside `data: null`."""

STATUS: Mapping[Code, int] = {
    **dict.fromkeys(OF_ACTS, 200),
    Code.UNAUTHENTICATED: 401,
    Code.FORBIDDEN: 403,
    Code.CASE_NOT_VERIFIED: 403,
    Code.QUOTA_EXCEEDED: 429,
    Code.LEDGER_UNAVAILABLE: 503,
    Code.DECISION_UNAVAILABLE: 503,
    Code.INTERNAL: 500,
}
"""HTTP status of a refusal under `application/graphql-response+json`; every other code is 400."""


class Problem(NamedTuple):
    """One thing wrong in a file that people edit. `line` and `column` count from 1; 0 where the file is not text."""

    file: str
    line: int
    column: int
    path: str
    message: str

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        return printable(f"{where}: {self.path + ': ' if self.path else ''}{self.message}")


def printable(text: str) -> str:
    """The text with everything that a terminal would act on, or that turns its direction, as an escape."""
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode("ascii") for each in text)


def in_order(problems: Iterable[Problem]) -> list[Problem]:
    """Problems in file and line order, each once; a file below the working folder is named from there."""
    try:
        here = Path.cwd()
    except FileNotFoundError:  # somebody removed it: what is named stays as it is
        return sorted(set(problems))

    def named(file: str) -> str:
        path = Path(os.path.abspath(file))
        return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)

    return sorted({problem._replace(file=named(problem.file)) for problem in problems})


class DutyboundError(Exception):
    """The root; never raised itself."""


class ConfigurationError(DutyboundError):
    """Files that a start refuses, with every problem found, in file and line order."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = in_order(problems)
        super().__init__("\n".join(map(str, self.problems)))


class StoreUnavailable(DutyboundError):
    """The database cannot be reached, or did not do what it was asked; the text is for operators."""


class StoreHindered(StoreUnavailable):
    """As `StoreUnavailable`, for a reason in our own words; a log may have the text, as nothing of a row is in it."""


class ArchiveUnavailable(StoreUnavailable):
    """The archive of a ledger cannot be read: its place is away, or lacks a file; the text is for operators."""


class Conflict(DutyboundError):
    """Somebody acted at the same moment: a guarded change of a group changed no row, and nothing of the group stands.

    Neither the session nor the shard has anything to do with it: the next group follows.
    """


class RowsRefused(DutyboundError):
    """The database refuses a row for what it holds, and will again: a text with a NUL, or too long for an index."""


class LedgerUnavailable(DutyboundError):
    """The ledger is full, closed, out of reach or lost its shard; `Code.LEDGER_UNAVAILABLE` to a requester."""


class PastIncomplete(DutyboundError):
    """Not all past entries can be shown yet; the message is for a requester, and has up to when."""


class BodyRefused(DutyboundError):
    """A body that is not read; `status` and the message `told` give the reason."""

    def __init__(self, status: int, told: str) -> None:
        super().__init__(told)
        self.status, self.told = status, told


class Unsigned(DutyboundError):
    """A message is not one that its sender signed just now; the text explains why."""


class VerificationFailed(DutyboundError):
    """A check of signed or stored bytes failed; the message names the first broken thing and is for a person."""


class CommandRefused(DutyboundError):
    """A command cannot do what a person asked; the message is for them, and has the reason and what to do."""


class Crowded(DutyboundError):
    """Too many wait for the same thing already."""


class IssuerUnavailable(DutyboundError):
    """An issuer could not be asked, or answered with something unfit. The text is for the operator.

    `refused`: it is there, and does not take what it was sent (400).
    """

    def __init__(self, text: str, *, refused: bool = False) -> None:
        super().__init__(text)
        self.refused = refused


class Unfit(DutyboundError):
    """A token, a proof or a certificate does not prove who asks.

    The message is for the requester; it quotes no claim's value. `error` is the code of RFC 6750 or 9449. `scheme` is
    the one to use where another was used. `nonce` is one to use, where that was missing. `retryable`: whoever knows
    is out of reach, and nothing is wrong with it as far as is known; then it is 503.
    """

    def __init__(
        self,
        message: str,
        error: str = "invalid_token",
        *,
        scheme: str | None = None,
        nonce: str | None = None,
        retryable: bool = False,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.error = error
        self.scheme = scheme
        self.nonce = nonce
        self.retryable = retryable


class Refusal(DutyboundError):
    """The operation is refused as a whole, before or instead of data.

    `extensions` join `code` in the error; `status` overrides the code's own (REQUEST_INVALID has several);
    `headers` go on the HTTP answer; `locations` and `path` as in GraphQL; `also` has further errors of the same code,
    each as message and locations (a document can be invalid in several places).
    """

    def __init__(
        self,
        code: Code,
        message: str,
        *,
        status: int | None = None,
        headers: Mapping[str, str] | None = None,
        locations: list[dict[str, int]] | None = None,
        path: list[str | int] | None = None,
        also: list[tuple[str, list[dict[str, int]]]] | None = None,
        **extensions: Any,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status or STATUS.get(code, 400)
        self.headers = dict(headers or {})
        self.locations = locations
        self.path = path
        self.also = also or []
        self.extensions = extensions
