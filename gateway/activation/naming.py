"""The stored rule set that a command line names: `active`, `sha256:DIGEST`, or the first digits of a digest.

A folder whose name looks like digits is a folder: whoever means the store then writes `sha256:`.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import Engine, select
from sqlalchemy.exc import SQLAlchemyError

from gateway.activation.archive import laid_out
from gateway.activation.stored import Stored, stored, stored_as
from gateway.config import settings
from gateway.errors import CommandRefused, StoreUnavailable
from gateway.saying import in_words
from gateway.storage.rules import rulesets
from gateway.storage.store import read_configured

ACTIVE = "active"
SHORTEST = 8
"""So many digits of a digest name a rule set, where no other begins by them."""

_PREFIX = "sha256:"
_DIGITS = re.compile(rf"[0-9a-f]{{{SHORTEST},64}}")


def in_store(name: str) -> bool:
    """Whether a name is meant of the store, and not of a folder."""
    return name == ACTIVE or name.startswith(_PREFIX) or (bool(_DIGITS.fullmatch(name)) and not Path(name).exists())


def named(engine: Engine, name: str) -> Stored:
    """The stored rule set that is meant; raises `CommandRefused`, `StoreUnavailable`. Blocks."""
    if name == ACTIVE:
        found = stored(engine)
        if found is None:
            raise CommandRefused("no rule set is active yet; name the folder that is served")
        return found
    digits = name.removeprefix(_PREFIX)
    if not _DIGITS.fullmatch(digits):
        raise CommandRefused(
            f"`{name}` is no digest: give {SHORTEST} hexadecimal digits or more, as `rules status` has them"
        )
    of = rulesets.rule_set.c.digest
    try:
        with engine.connect() as connection:
            several = list(connection.execute(select(of).where(of.startswith(digits)).limit(2)).scalars())
    except SQLAlchemyError as error:
        raise StoreUnavailable(f"the stored rule sets cannot be read ({in_words(error)})") from error
    if len(several) > 1:
        raise CommandRefused(f"several stored rule sets begin by `{digits}`; give more of its digits")
    found = stored_as(engine, several[0]) if several else None
    if found is None:
        raise CommandRefused(f"the store has no rule set `{digits}`: it is kept where it was proposed or activated")
    return found


@contextlib.contextmanager
def folder(name: str, config: Path) -> Iterator[Path]:
    """The files of a stored rule set in a folder, while the context lasts; raises as `named`, without a store too."""
    found = settings.load(config, os.environ)
    store = read_configured(found)
    try:
        it = named(store.engine, name)
    finally:
        store.close()
    with laid_out(it.files) as made:
        yield made
