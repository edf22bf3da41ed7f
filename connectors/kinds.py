"""The kinds of source that `sources.yaml` can name, in the order in which messages list them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from connectors import case_rest, case_sql, files, graphql, rest, sql, xroad
from connectors.base import CaseRegistry, Config, Connector, DatasetShape

KINDS: Mapping[str, Callable[[Config, Mapping[str, DatasetShape]], Connector]] = {
    "rest": rest.build,
    "graphql": graphql.build,
    "sql": sql.build,
    "xroad": xroad.build,
    "files": files.build,
}
"""`build(config, shapes) -> Connector`, by `kind`. Mistakes in `config` are told to it, and raise nothing."""

CASES: Mapping[str, Callable[[Config, float], CaseRegistry]] = {
    "case-rest": case_rest.build,
    "case-sql": case_sql.build,
}
"""`build(config, timeout) -> CaseRegistry`, by `kind` of case registry; `timeout` of a call, in seconds."""
