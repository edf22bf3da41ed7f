"""What an error of a database means for the dataset that was read.

What rows hold is the dataset's own matter: a value that the driver cannot give (a year past 9999, bytes that are no
text) or that the database cannot work out (a division by zero in a view) makes it invalid, and says nothing of the
department. Everything else is the database's: it does not answer, or refuses the statement.
"""

from __future__ import annotations

import sqlite3

from sqlalchemy.exc import DataError, DBAPIError

from connectors.base import Failure, Fault, Flaw

UNAVAILABLE = Failure(Fault.UNAVAILABLE, True, "the database refused, or cannot be reached")
REFUSED = Failure(Fault.UNAVAILABLE, False, "the database refuses the statement")
TIMEOUT = Failure(Fault.TIMEOUT, True, "no whole answer in time")
INVALID = Failure(
    Fault.INVALID, False, "a row holds what the database or its driver cannot give as a value", Flaw.RECORD
)

_OF_ROWS = ("21", "22", "23", "45", "P0", "54", "XX001")
"""Classes of errors that rows make: several values for one, data, a constraint, a function's own, what is too large."""
_NOT_TEXT = 1300
"""MariaDB's number, without a class, for bytes that are no text."""
_NO_VIEW = 1356
"""Its number, of the class of everything else, for a view of what is not there or is not its owner's."""


def of_rows(error: Exception) -> bool | None:
    """Whether the rows made the error; `None` where the statement without any row has to show it."""
    if not isinstance(error, DBAPIError):
        return isinstance(error, ValueError | ArithmeticError)
    state = getattr(error.orig, "sqlstate", None)
    if state:
        return str(state).startswith(_OF_ROWS) or error.orig.args[:1] == (_NOT_TEXT,)  # type: ignore[union-attr]
    if isinstance(error, DataError):
        return True
    if isinstance(error.orig, sqlite3.Error) and error.orig.sqlite_errorcode == sqlite3.SQLITE_ERROR:
        return None
    return False


def refused(error: Exception) -> bool:
    """Whether the statement can never run: a table or column is not there, or is not the account's to read."""
    original = getattr(error, "orig", None)
    state = getattr(original, "sqlstate", None)
    return str(state or "").startswith("42") or getattr(original, "args", ())[:1] == (_NO_VIEW,)
