"""Whether a PostgreSQL server keeps what it reports as committed, and what hinders that: `check` and a start look.

An answer leaves once its entry is durable (invariant 3). On PostgreSQL that is on two machines: the primary and a
synchronous standby, unless `durability: single-node` says that one is enough. A server that does not write to its disk
is refused either way.
"""

from __future__ import annotations

import psycopg

from gateway.storage.engines.postgresql import PostgresStore

_SETTINGS = ("fsync", "full_page_writes", "synchronous_commit", "synchronous_standby_names")
_HINDER = (
    ("autovacuum", ("on",), "lets tables and their indexes swell; set it to `on`"),
    ("enable_indexscan", ("on",), "makes each look-up read a whole table; set it to `on`"),
    ("idle_session_timeout", ("0",), "ends the session that holds a shard while nobody asks; set it to 0 for our role"),
    (
        "default_transaction_isolation",
        ("read committed",),
        "makes commits fail beside each other; set `read committed`",
    ),
)
_REPLICATED = ("on", "remote_apply")
_AWAY = "no synchronous standby is connected, so every commit would wait"
_SINGLE = "set `durability: single-node` in the configuration if one machine is enough"


def weaknesses(store: PostgresStore, *, single_node: bool) -> list[str]:
    """What stands against the server's durability, each with its fix. Raises `psycopg.Error` out of reach."""
    with store.connect() as connection:
        named = {name: str(_one(connection, f"SHOW {name}")) for name in _SETTINGS}
        found = [
            f"`{name} = off` loses or damages what was committed when the machine stops; set it to `on`"
            for name in ("fsync", "full_page_writes")
            if named[name] != "on"
        ]
        waited_for = bool(named["synchronous_standby_names"])
        if single_node:
            if named["synchronous_commit"] == "off":
                found.append("`synchronous_commit = off` commits before the disk has it; set it to `on`")
            if waited_for and not _standbys(connection) and not _hidden(connection):
                found.append(f"{_AWAY}; start it, or empty `synchronous_standby_names`")
            return found
        if named["synchronous_commit"] not in _REPLICATED:
            found.append(
                f"`synchronous_commit = {named['synchronous_commit']}` does not wait for the standby's disk;"
                " set it to `on` or `remote_apply`"
            )
        if not waited_for:
            found.append(f"`synchronous_standby_names` is empty: commits wait for no standby; set it, or {_SINGLE}")
        elif not _standbys(connection):
            found.append(
                "this role may not see the standbys; `GRANT pg_read_all_stats` to it"
                if _hidden(connection)
                else f"{_AWAY}; start it, or empty `synchronous_standby_names` and {_SINGLE}"
            )
    return found


def _standbys(connection: psycopg.Connection[tuple[object, ...]]) -> object:
    return _one(connection, "SELECT count(*) FROM pg_stat_replication WHERE sync_state IN ('sync', 'quorum')")


def _hidden(connection: psycopg.Connection[tuple[object, ...]]) -> object:
    return _one(connection, "SELECT count(*) FROM pg_stat_replication WHERE sync_state IS NULL")


def hindrances(store: PostgresStore) -> list[str]:
    """Settings of the server, the database or the role that slow the gateway down, cut its sessions off, or write down
    whom it asks about; each with its fix. None of them makes an answer wrong, so a start lets them pass.

    Raises `psycopg.Error` out of reach.
    """
    with store.connect() as connection:
        found = [
            f"PostgreSQL's `{name} = {set_}` {why}"
            for name, harmless, why in _HINDER
            if (set_ := str(_one(connection, f"SHOW {name}"))) not in harmless
        ]
        if str(_one(connection, "SHOW log_parameter_max_length")) != "0" and (
            str(_one(connection, "SHOW log_statement")) in ("mod", "all")
            or str(_one(connection, "SHOW log_min_duration_statement")) != "-1"
        ):
            found.append(
                "PostgreSQL logs statements with their values, so its log names subjects; set"
                " `log_parameter_max_length = 0` for the gateway's role"
            )
        return found


def _one(connection: psycopg.Connection[tuple[object, ...]], query: str) -> object:
    row = connection.execute(query.encode()).fetchone()
    assert row is not None, "each of these gives one row"
    return row[0]
