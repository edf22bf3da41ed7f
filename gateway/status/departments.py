"""What is known of departments' systems: drift that was found, and how old deliveries of files are."""

from __future__ import annotations

import collections
import os
import time
from collections.abc import Iterator
from pathlib import Path

from connectors.base import UnreachedError
from connectors.files import FilesConnector
from gateway import check
from gateway.connecting.delivering.worker import why
from gateway.errors import Problem
from gateway.nouns import counted
from gateway.status.lines import Line, lasting, trouble
from gateway.storage.port import Store
from gateway.storage.watch import source_findings


def of_departments(config: Path, store: Store) -> Iterator[Line]:
    """A line for each department; raises SQLAlchemy's errors."""
    problems: list[Problem] = []
    read = check.read(config, os.environ, problems)
    if problems or read is None or read.parts is None:
        count = len(problems)
        yield trouble("departments", f"{counted(count, 'problem')} in what is configured; `dutybound check` lists them")
        return
    with store.engine.connect() as connection:
        drifts = collections.Counter(each.department for each in source_findings.findings(connection))
    for name, connector in sorted(read.parts.departments.connectors.items()):
        found = drifts[name]
        said = f"{counted(found, 'finding')} of drift; `dutybound source findings`" if found else "no finding of drift"
        line = Line("departments", name, said, not found, {"drift": found})
        yield _delivered(line, connector) if isinstance(connector, FilesConnector) else line


def _delivered(line: Line, connector: FilesConnector) -> Line:
    try:
        known = connector.known()
    except UnreachedError as error:
        return Line(line.part, line.name, f"{line.said}; {error}", False, line.facts)
    if known is None:
        return Line(line.part, line.name, f"{line.said}; no delivery was taken in yet", False, line.facts)
    age = max(0.0, time.time() - known.as_of)
    last = connector.last()
    wrong = None if last is None else why(last)
    said = f"{line.said}; delivery {known.sequence} is of {lasting(age)} ago" + (f"; {wrong}" if wrong else "")
    facts = {**line.facts, "sequence": known.sequence, "age": round(age)}
    return Line(line.part, line.name, said, line.well and age <= connector.max_age and wrong is None, facts)
