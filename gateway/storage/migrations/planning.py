"""What the steps from one version of the tables to another do, for whoever has to plan an upgrade.

The steps are run on an empty database in memory, and what they execute is read: so the plan is of the code itself, and
the store is not touched. It is SQLite there. On PostgreSQL a step may do with less, as where SQLite writes a table anew
to drop one of its keys; what is additive on one is on both (tested).

A step is additive where code from before it can serve the tables that it leaves: it declares that (`additive`), and
every statement of it only adds. What is not known to add does not.
"""

from __future__ import annotations

import importlib.resources
import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import Connection, create_engine, event

if TYPE_CHECKING:
    from alembic.config import Config
    from alembic.script import Script

KEPT_SINCE = "0027"
"""The first step whose code looks which later steps it may serve; code from before it serves none."""

_MADE = re.compile(r'CREATE TABLE "?(\w+)"?')
_INDEXED = re.compile(r'CREATE (UNIQUE )?INDEX "?\w+"? ON "?(\w+)"?')
_WIDER = re.compile(r'ALTER TABLE "?(\w+)"? ADD COLUMN "?(\w+)"? (.*)')
_WRITTEN = re.compile(r'(?:INSERT INTO|UPDATE|DELETE FROM) "?(\w+)"?')
_REST = re.compile(r'(?:ALTER TABLE|DROP TABLE|INSERT INTO|UPDATE|DELETE FROM) "?(\w+)"?')
_READS = re.compile(r"SELECT |PRAGMA ")
_REFERRED = re.compile(r'REFERENCES "?(\w+)"?')
_STAY = {"shard", "requester", "rule_set"}
"""Tables that no version deletes from: rows that refer to others would keep code that does not know them from it."""


class Step(NamedTuple):
    """A step: its number, its sentence, what it does in words, and whether it only adds."""

    number: str
    about: str
    does: tuple[str, ...]
    additive: bool


def configured(connection: Connection) -> Config:
    """Alembic's configuration, to run steps on a connection."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(importlib.resources.files("gateway.storage") / "migrations"))
    config.attributes["connection"] = connection
    return config


def scripts(config: Config) -> list[Script]:
    """All steps, in their order."""
    from alembic.script import ScriptDirectory

    return list(ScriptDirectory.from_config(config).walk_revisions())[::-1]


def readable_from(steps: Iterable[tuple[str, bool]]) -> str:
    """The oldest step whose code may serve a store that has done `steps`: numbers in order, and which are additive."""
    found = KEPT_SINCE
    for number, additive in steps:
        if number > KEPT_SINCE and not additive:
            found = number
    return found


def plan(since: str) -> list[Step]:
    """The steps after `since`, in their order; none where it is the last one."""
    from alembic import command

    found = []
    with create_engine("sqlite://").connect() as connection:
        config = configured(connection)
        command.upgrade(config, since)
        for script in scripts(config):
            if script.revision > since:
                does = executed(connection, lambda number=script.revision: command.upgrade(config, number))
                found.append(_step(script.revision, (script.doc or "").strip(), does, declared=script.module.additive))
    return found


def executed(connection: Connection, run: Any) -> list[str]:
    """What `run` executes on a connection, without Alembic's own."""
    heard: list[str] = []

    def hear(_: Any, __: Any, statement: str, *___: Any) -> None:
        heard.append(" ".join(statement.split()))

    event.listen(connection, "before_cursor_execute", hear)
    try:
        run()
    finally:
        event.remove(connection, "before_cursor_execute", hear)
    return [each for each in heard if "alembic_version" not in each]


def only_adds(statements: list[str]) -> bool:
    """Whether code that does not know what these statements do can still use the tables."""
    made = {name for each in statements for name in _MADE.findall(each)}
    return all(_adds(each, made) for each in statements)


def _adds(statement: str, made: set[str]) -> bool:
    if _READS.match(statement):
        return True
    kept = _STAY | made
    if _MADE.match(statement):
        return kept.issuperset(_REFERRED.findall(statement))
    if index := _INDEXED.match(statement):
        return not index[1] or index[2] in made
    if wider := _WIDER.match(statement):
        column = wider[3]
        demanding = ("NOT NULL" in column and "DEFAULT" not in column) or "UNIQUE" in column or "CHECK" in column
        return wider[1] in made or (not demanding and kept.issuperset(_REFERRED.findall(column)))
    written = _WRITTEN.match(statement)
    return written is not None and written[1] in made


def _step(number: str, about: str, statements: list[str], declared: bool = True) -> Step:
    made = {name for each in statements for name in _MADE.findall(each)}
    does = tuple(dict.fromkeys(_words(statements, made)))
    return Step(number, about, does, declared and only_adds(statements))


def _words(statements: list[str], made: set[str]) -> Iterator[str]:
    anew = {name for each in statements if not _adds(each, made) for name in _REST.findall(each)}
    for each in statements:
        adds = _adds(each, made)
        if table := _MADE.match(each):
            if table[1] not in anew:
                yield f"makes the table `{table[1]}`"
                if not adds:
                    yield f"keeps earlier versions from deleting what `{table[1]}` refers to"
        elif wider := _WIDER.match(each):
            if wider[1] not in made:
                yield f"adds `{wider[1]}.{wider[2]}` (locks the table for a moment)"
                if not adds:
                    yield f"refuses rows as earlier versions write them to `{wider[1]}`"
        elif index := _INDEXED.match(each):
            if index[2] not in made:
                yield f"makes an index of `{index[2]}` (who writes to it waits as long as the table is read)"
                if not adds:
                    yield f"refuses some rows as earlier versions write them to `{index[2]}`"
        elif not adds:
            rest = _REST.match(each)
            yield (
                f"writes to `{rest[1]}`, or makes it anew (locks it as long as that takes)"
                if rest
                else f"does `{each}`"
            )
