"""What people read of a fault: why something failed, without the name of an exception.

What a database or a system reports may quote a row, an address or a password. So of most exceptions only their kind
counts here, in words of ours.
"""

from __future__ import annotations

import sqlite3

from gateway.errors import Code, LedgerUnavailable, Refusal, StoreHindered

_STOP = "stop the gateway"
_FIX = "put back the right file, or a backup (`dutybound restore`)"
_SQLITE = {
    sqlite3.SQLITE_FULL: "its disk is full; make room there",
    sqlite3.SQLITE_IOERR: "its disk is full or fails; see how much room it has, and the system's log",
    sqlite3.SQLITE_READONLY: "it cannot be written to; let this account write to the file and its folder",
    sqlite3.SQLITE_PERM: "it cannot be written to; let this account write to the file and its folder",
    sqlite3.SQLITE_CANTOPEN: "it is gone or cannot be opened; put it back, or let this account write there",
    sqlite3.SQLITE_NOTADB: f"it is no SQLite database: something else was written over it; {_STOP}, and {_FIX}",
    sqlite3.SQLITE_CORRUPT: f"it is damaged, or was written over; {_STOP}, keep a copy of it, and {_FIX}",
    sqlite3.SQLITE_BUSY: "others are writing to it, and left no moment for this",
    sqlite3.SQLITE_LOCKED: "others are writing to it, and left no moment for this",
}
"""What is wrong with the file of a store, and what to do."""
_CUT = f"it is shorter than it was: something was written over it; {_STOP}, and {_FIX}"
_SQLITE_MORE = {
    sqlite3.SQLITE_IOERR_SHORT_READ: _CUT,
    sqlite3.SQLITE_BUSY_RECOVERY: f"its log is not its own, or is being put right; if that lasts, {_STOP}, and {_FIX}",
}
"""The same, where SQLite has more to report of it."""
_NO_WRITES = "the database takes no writes: it is read-only, or a standby"
_POSTGRESQL = {
    "25006": _NO_WRITES,
    "TargetServerAttributeNotMatched": _NO_WRITES,
    "28000": "the database does not let this account in",
    "28P01": "the database does not take this account's password",
    "42501": "this account may not use all of the database; its role has to own it",
    "53100": "the database's disk is full; make room there",
    "53200": "the database's machine has no memory left",
    "53300": "the database takes no more connections; see who has them, and how many it may have",
    "57P01": "the database is being stopped, or somebody ended the session",
    "57P03": "the database is being started or stopped",
}
"""What PostgreSQL reports by a code (its manual, appendix A), and its driver by a name."""
_KINDS = {
    "ConnectTimeout": "no connection came in time",
    "PoolTimeout": "no connection was free in time",
    "TimeoutException": "no answer came in time",
    "TimeoutError": "no answer came in time",
    "TimeoutExpired": "it took too long",
    "EOFError": "the connection broke",
    "ConnectionError": "it cannot be reached",
    "ValkeyError": "Valkey failed",
    "StreamError": "its answer cannot be used",
    "ArchiveUnavailable": "the archive cannot be read",
    "SSLError": "its certificate is not trusted, or TLS failed",
    "gaierror": "its name is not known",
    "ConnectError": "it cannot be reached",
    "NetworkError": "the connection broke",
    "ProtocolError": "it does not answer in HTTP",
    "InvalidURL": "it is no address",
    "HTTPError": "its answer cannot be used",
    "UnicodeError": "it is no text in UTF-8",
    "ValidationError": "it has not the form that is expected",
    "DecodeError": "it is no JSON",
    "JSONDecodeError": "it is no JSON",
    "FileGone": "the file was deleted or replaced",
    "OperationalError": "the database cannot be reached, or is not ready",
    "InterfaceError": "the connection to the database broke",
    "ConnectionDoesNotExistError": "the connection to the database broke",
    "IntegrityError": "the database has something else there already",
    "DataError": "the database does not take a value",
    "ProgrammingError": "the database lacks a table, or this account may not use it",
    "DisconnectionError": "the file was deleted or replaced",
    "StoreUnavailable": "the store failed, or cannot be reached",
    "LedgerUnavailable": "the ledger takes no entries now",
    "VerificationFailed": "what is stored is not what was signed; run `dutybound ledger verify`",
    "ConfigurationError": "its files are wrong; run `dutybound check`",
    "Conflict": "others acted at the same moments; it is tried again",
    "RowsRefused": "the database takes no row that holds this; report it",
    "PastIncomplete": "the process that projects is behind; see whether it runs",
    "IssuerUnavailable": "an authorization server cannot be asked",
    "Crowded": "too many wait for a turn",
    "DutyboundError": "it was refused",
    "UnauthenticatedError": "it does not accept the credentials",
    "PermissionDeniedError": "the credentials do not allow it",
    "GenericError": "it cannot be reached, or failed",
    "BaseError": "it failed",
    "SQLAlchemyError": "the database failed",
    "PostgresError": "the database failed",
    "DatabaseError": "the database failed",
    "ValueError": "something has not the form that is expected",
}
_REFUSED = {
    Code.LEDGER_UNAVAILABLE: "the ledger takes no entries now; see what else the log has as out of order",
    Code.DECISION_UNAVAILABLE: "facts, rules or the time cannot be had now; see what else the log has as out of order",
    Code.CONFLICT: _KINDS["Conflict"],
    Code.QUOTA_EXCEEDED: "so many acts are not taken within a day; it goes on by itself when more are",
}
"""Why an act was refused, and what to do, where nothing else was the cause."""


def in_words(error: BaseException) -> str:
    """Why something failed, in words; nothing that the exception's text has but the system's word for an OS error.

    An exception that is not foreseen is a defect, and named.
    """
    error = getattr(error, "orig", None) or error
    if isinstance(error, Refusal | LedgerUnavailable) and error.__cause__ is not None:
        return in_words(error.__cause__)
    if isinstance(error, Refusal):
        return _refused(error.code)
    if isinstance(error, StoreHindered):
        return str(error)
    if isinstance(error, sqlite3.Error):
        return of_sqlite(error) or f"the database failed ({getattr(error, 'sqlite_errorname', 'SQLITE_ERROR')})"
    if reason := of_postgresql(error):
        return reason
    if isinstance(error, ConnectionError) and error.strerror:
        return error.strerror
    for kind in type(error).__mro__:
        if known := _KINDS.get(kind.__name__):
            return known
        if kind is OSError:
            return str(getattr(error, "strerror", None) or "the system refuses it")
    return f"a defect of this program, `{type(error).__name__}`; report it"


def _refused(code: Code) -> str:
    return _REFUSED.get(code) or f"it was refused with `{code}`; if that lasts, report it"


def of_sqlite(error: sqlite3.Error) -> str:
    """What is wrong with a SQLite file, and what to do; nothing where it is the statement that is wrong."""
    code = getattr(error, "sqlite_errorcode", 0)
    return _SQLITE_MORE.get(code) or _SQLITE.get(code & 0xFF, "")


def of_postgresql(error: BaseException) -> str:
    """What is wrong with a PostgreSQL, and what to do; nothing where that is not known."""
    return _POSTGRESQL.get(getattr(error, "sqlstate", None) or type(error).__name__, "")
