"""Whether a PostgreSQL server keeps what it says it committed: what `check` and a start look at.

An answer leaves once its entry is durable (invariant 3). On PostgreSQL that is on two machines: the primary and a
synchronous standby, unless `durability: single-node` says that one is enough. A server that does not write to its disk
is refused either way.
"""

from __future__ import annotations

import psycopg

from gateway.storage.engines.postgresql import PostgresStore

_SETTINGS = ("fsync", "full_page_writes", "synchronous_commit", "synchronous_standby_names")
_REPLICATED = ("on", "remote_apply")
_SINGLE = "say `durability: single-node` in the configuration where one machine is enough"


def weaknesses(store: PostgresStore, *, single_node: bool) -> list[str]:
    """What stands against the server's durability, each with its fix. Raises `psycopg.Error` out of reach."""
    with store.connect() as connection:
        named = {name: str(_one(connection, f"SHOW {name}")) for name in _SETTINGS}
        found = [
            f"`{name} = off` loses or damages what was committed when the machine stops; set it to `on`"
            for name in ("fsync", "full_page_writes")
            if named[name] != "on"
        ]
        if single_node:
            if named["synchronous_commit"] == "off":
                found.append("`synchronous_commit = off` commits before the disk has it; set it to `on`")
            return found
        if named["synchronous_commit"] not in _REPLICATED:
            found.append(
                f"`synchronous_commit = {named['synchronous_commit']}` does not wait for the standby's disk;"
                " set it to `on` or `remote_apply`"
            )
        if not named["synchronous_standby_names"]:
            found.append(f"`synchronous_standby_names` is empty: commits wait for no standby; set it, or {_SINGLE}")
        elif not _one(connection, "SELECT count(*) FROM pg_stat_replication WHERE sync_state IN ('sync', 'quorum')"):
            hidden = _one(connection, "SELECT count(*) FROM pg_stat_replication WHERE sync_state IS NULL")
            found.append(
                "this role may not see the standbys; `GRANT pg_read_all_stats` to it"
                if hidden
                else f"no synchronous standby is connected, so every commit would wait; start it, or {_SINGLE}"
            )
    return found


def _one(connection: psycopg.Connection[tuple[object, ...]], query: str) -> object:
    row = connection.execute(query.encode()).fetchone()
    assert row is not None, "each of these gives one row"
    return row[0]
