"""What `dutybound check` warns of: a served folder publishes what no act of its department did."""

from __future__ import annotations

from sqlalchemy.exc import SQLAlchemyError

from gateway.acts.cataloguing.steps import published
from gateway.catalogue import definitions
from gateway.catalogue.model import Catalogue
from gateway.config.store_key import StoreKey
from gateway.errors import ConfigurationError
from gateway.nouns import counted
from gateway.storage.store import open_to_read

_NAMED = 5


def warnings(store: str, catalogue: Catalogue, key: StoreKey | None = None) -> list[str]:
    """The warning, where there is something to warn of; nothing of a store that is not there yet."""
    try:
        opened = open_to_read(store, key=key)
    except ConfigurationError:
        return []
    try:
        with opened.engine.connect() as connection:
            found = definitions.unapproved(catalogue.published.values(), published(connection))
    except (SQLAlchemyError, ValueError):  # as `dutybound ledger verify` tells
        return []
    finally:
        opened.close()
    if not found:
        return []
    names = ", ".join([f"`{each.dataset}`" for each in found[:_NAMED]] + ["..."] * (len(found) > _NAMED))
    return [
        f"{counted(len(found), 'dataset')} of this folder ({names}): no act of its department"
        " published this version, so people could not activate it; see `dutybound catalogue consult`"
    ]
