"""The departments of `kind: files` of a configuration, and how their rows' subjects are checked."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from connectors.delivered.rows import Canonical
from connectors.files import FilesConnector
from gateway import check
from gateway.catalogue.model import Catalogue
from gateway.config.settings import Settings


class Delivering(NamedTuple):
    """What delivers, by department, and the catalogue that its datasets are of, with its rule set's digest."""

    settings: Settings
    connectors: Mapping[str, FilesConnector]
    catalogue: Catalogue
    digest: str


def delivering(config: Path) -> Delivering:
    """Read the configuration as a start would. Raises `ConfigurationError`."""
    settings, parts = check.load(config, os.environ)
    found = {name: each for name, each in parts.departments.connectors.items() if isinstance(each, FilesConnector)}
    return Delivering(settings, found, parts.rules.policies.catalogue, parts.rules.digest)


def canonical(catalogue: Catalogue) -> Canonical:
    """How the catalogue's schemes write a value."""

    def written(scheme: str, value: str) -> str:
        if scheme not in catalogue.schemes:
            raise ValueError("no scheme of `identifiers.yaml`")
        return catalogue.schemes[scheme].canonical(value)

    return written
