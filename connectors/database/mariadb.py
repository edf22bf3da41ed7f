"""What is particular about a department's MariaDB: how it is reached, what its sessions are set to, how it compares.

A session is read-only, in UTC and in UTF-8; each inquiry has one snapshot and a `max_statement_time`. The snapshot is
InnoDB's: other storage engines have none. Off the loopback the connection is encrypted and the server's certificate
verified, as over HTTP.

Its driver is imported once it is needed: it would be a tenth of what the start of a gateway without one imports.
"""

from __future__ import annotations

import datetime
import ipaddress
import ssl
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import URL

from connectors.base import Config

TLS_KEYS = ("ca_file", "cert_file", "key_file")
_LONGER = 1.0
"""Seconds that a read waits beyond the time-out: the server ends a statement first, and the connection stays whole."""
_EXACT = "utf8mb4_nopad_bin"
_SESSION = (
    "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY",
    "SET SESSION time_zone = '+00:00'",
)


def connect_arguments(keys: Mapping[str, Config], url: URL, timeout: float) -> dict[str, Any]:
    """What PyMySQL is opened with, for `opening.DATABASE_KEYS`; `timeout` is in seconds."""
    from pymysql.constants import FIELD_TYPE
    from pymysql.converters import conversions, convert_datetime

    def moment(value: Any) -> Any:
        # The session is in UTC, and a TIMESTAMP is a moment. A DATETIME is not, and stays without an offset.
        made = convert_datetime(value)
        return made.replace(tzinfo=datetime.UTC) if isinstance(made, datetime.datetime) else made

    # PyMySQL would have it in Latin-1, which no account's password was set in.
    password = {"password": keys["password_file"].secret().encode()} if "password_file" in keys else {}
    return {
        **password,
        "charset": "utf8mb4",
        "sql_mode": "STRICT_ALL_TABLES",  # how text is quoted and padded does not depend on the server
        "connect_timeout": timeout,
        "read_timeout": timeout + _LONGER,
        "write_timeout": timeout + _LONGER,
        "conv": {**conversions, FIELD_TYPE.TIMESTAMP: moment},
        **_encryption(keys, url),
    }


def _encryption(keys: Mapping[str, Config], url: URL) -> dict[str, Any]:
    plain = keys["allow_plain"].boolean(False)
    if "tls" not in keys and (plain or _is_loopback(url.host or "localhost")):
        return {"ssl_disabled": True}
    tls = keys["tls"].mapping((), TLS_KEYS)
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if "ca_file" in tls:
        _loaded(tls["ca_file"], lambda: context.load_verify_locations(tls["ca_file"].existing_file()))
    if ("cert_file" in tls) != ("key_file" in tls):
        keys["tls"].problem("`cert_file` and `key_file` stand together, or neither does")
    elif "cert_file" in tls:
        certificate, key = tls["cert_file"].existing_file(), tls["key_file"].private_file()
        _loaded(tls["cert_file"], lambda: context.load_cert_chain(certificate, key))
    return {"ssl": context}


def _loaded(place: Config, load: Any) -> None:
    try:
        load()
    except ssl.SSLError:
        place.problem("must be PEM; with `key_file`, the key must be the certificate's")
    except OSError:
        return  # the file's own problem was told as its name was read


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def prepare(connection: Any, _record: Any) -> None:
    """Set a new session up, before anything is read in it."""
    with connection.cursor() as cursor:
        for statement in _SESSION:
            cursor.execute(statement)


def begin(connection: sa.Connection, left: float) -> None:
    """Begin the read-only transaction, in which no statement runs longer than `left` seconds."""
    connection.exec_driver_sql(f"SET SESSION max_statement_time = {max(left, 0.001):.3f}")
    connection.exec_driver_sql("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")


def exactly(column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """The column as what compares by its characters alone.

    A column's own collation takes `a` for `A` or `á`, and leaves out blanks at the end. It is compared by that too,
    since its index is.
    """
    return sa.collate(characters(column), _EXACT)


def characters(column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """The column's text in UTF-8."""
    from sqlalchemy.dialects import mysql

    return sa.cast(column, mysql.CHAR(charset="utf8mb4"))
