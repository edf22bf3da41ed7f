"""The kinds of source that `sources.yaml` can name, in the order in which messages list them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from connectors import graphql, rest, sql
from connectors.base import Connector

KINDS: Mapping[str, Callable[..., Connector]] = {"rest": rest.build, "graphql": graphql.build, "sql": sql.build}
"""`build(config, department, shapes, base_dir) -> Connector`, by `kind`."""
