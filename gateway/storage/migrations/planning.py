"""What the steps from one version of the tables to another do, for whoever has to plan an upgrade.

The steps are run on an empty database in memory, and what they execute is read: so the plan is of the code itself, and
the store is not touched. It is SQLite there. On PostgreSQL a step may do with less, as where SQLite writes a table anew
to drop one of its keys; what is additive on one is on both.
"""

from __future__ import annotations

import importlib.resources
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from sqlalchemy import Connection, create_engine, event

_MADE = re.compile(r'CREATE TABLE "?(\w+)"?')
_INDEXED = re.compile(r'CREATE (?:UNIQUE )?INDEX "?\w+"? ON "?(\w+)"?')
_WIDER = re.compile(r'ALTER TABLE "?(\w+)"? ADD COLUMN "?(\w+)"?')
_REST = re.compile(r'(?:ALTER TABLE|DROP TABLE|INSERT INTO|UPDATE|DELETE FROM) "?(\w+)"?')


class Step(NamedTuple):
    """A step: its number, its sentence, what it does in words, and whether it only adds."""

    number: str
    about: str
    does: tuple[str, ...]
    additive: bool


def plan(since: str) -> list[Step]:
    """The steps after `since`, in their order; none where it is the last one."""
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(importlib.resources.files("gateway.storage") / "migrations"))
    scripts = list(ScriptDirectory.from_config(config).walk_revisions())[::-1]
    found = []
    with create_engine("sqlite://").connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, since)
        for script in scripts:
            if script.revision > since:
                executed = _executed(connection, lambda number=script.revision: command.upgrade(config, number))
                found.append(_step(script.revision, (script.doc or "").strip(), executed))
    return found


def _executed(connection: Connection, run: Any) -> list[str]:
    said: list[str] = []

    def heard(_: Any, __: Any, statement: str, *___: Any) -> None:
        said.append(" ".join(statement.split()))

    event.listen(connection, "before_cursor_execute", heard)
    try:
        run()
    finally:
        event.remove(connection, "before_cursor_execute", heard)
    return [each for each in said if "alembic_version" not in each]


def _step(number: str, about: str, executed: list[str]) -> Step:
    made = {name for each in executed for name in _MADE.findall(each)}
    changed = {name for each in executed if not _WIDER.match(each) for name in _REST.findall(each)}
    return Step(number, about, tuple(dict.fromkeys(_words(executed, made, changed))), not changed)


def _words(executed: list[str], made: set[str], changed: set[str]) -> Iterator[str]:
    for each in executed:
        if (table := _MADE.match(each)) and table[1] not in changed:
            yield f"makes the table `{table[1]}`"
        elif wider := _WIDER.match(each):
            yield f"adds `{wider[1]}.{wider[2]}` (locks the table for a moment)"
        elif (index := _INDEXED.match(each)) and index[1] not in made:
            yield f"makes an index of `{index[1]}` (who writes to it waits as long as the table is read)"
        elif rest := _REST.match(each):
            yield f"writes to `{rest[1]}`, or makes it anew (locks it as long as that takes)"
