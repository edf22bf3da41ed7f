"""The kinds of source that `sources.yaml` can name, in the order in which messages list them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from connectors import rest
from connectors.base import Connector

KINDS: Mapping[str, Callable[..., Connector]] = {"rest": rest.build}
"""`build(config, department, shapes, base_dir) -> Connector`, by `kind`."""
