"""The kinds of source that `sources.yaml` can name, in the order in which messages list them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from connectors import case_rest, case_sql, graphql, rest, sql
from connectors.base import Connector, DatasetShape

KINDS: Mapping[str, Callable[[Mapping[str, Any], str, Mapping[str, DatasetShape], Path], Connector]] = {
    "rest": rest.build,
    "graphql": graphql.build,
    "sql": sql.build,
}
"""`build(config, department, shapes, base_dir) -> Connector`, by `kind`."""

CASES = (case_rest.RestCases, case_sql.build)
"""What makes a case registry of `kind: case-rest`, and of `kind: case-sql`."""
