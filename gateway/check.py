"""`dutybound check`: everything that a start would refuse, with file, line and fix; nothing is started or written."""

from __future__ import annotations

import os
from pathlib import Path

from gateway import app, settings


def check(config: Path) -> int:
    """Check a configuration and all that it points at; raises `ConfigurationError` with every problem found."""
    found = settings.load(config, os.environ)
    parts = app.load(found)
    published = parts.rules.policies.catalogue.published
    print(f"{config}: fine")
    print(f"  rule set      {parts.rules.digest}")
    print(f"  datasets      {len(published)} published, of {len(parts.connectors)} departments")
    print(f"  purposes      {', '.join(parts.rules.policies.purposes)}")
    return 0
