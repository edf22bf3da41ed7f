"""The report of a conformance run: the same as text, for people, and as JSON, for whoever signs and keeps it.

It names no subject and has no value of a record: who signs it vouches for the system, and not for what it holds.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Sequence
from importlib.metadata import version

from connectors.contract.model import Found, Result
from gateway.connecting.conforming.system import Opened
from gateway.errors import printable
from gateway.nouns import counted

NAMESPACE = "dutybound-conformance"
"""What a signature of the report is for (`ssh-keygen -Y sign -n`)."""


def conforms(found: Sequence[Found]) -> bool:
    """Whether nothing failed, and something was tried."""
    results = [each.result for each in found]
    return Result.FAILED not in results and Result.PASSED in results


def as_json(department: str, opened: Opened, found: Sequence[Found], began: datetime.datetime) -> str:
    """One JSON document, the same bytes for the same run."""
    system = opened.system
    told = {
        "report": NAMESPACE,
        "format": 1,
        "department": department,
        "kind": opened.kind,
        "gateway": version("dutybound"),
        "began": began.replace(microsecond=0).isoformat().replace("+00:00", "Z"),
        "source": opened.digest,
        "ruleSet": opened.rule_set,
        "datasets": sorted(system.datasets),
        "subjects": {
            "nobody": opened.subjects.nobody, "holding": len(system.holding), "unknown": len(system.unknown),
        },
        "conforms": conforms(found),
        "checks": [
            {"check": each.check, "demands": each.demands, "result": each.result.value, "why": list(each.why)}
            for each in found
        ],
    }  # fmt: skip
    return json.dumps(told, indent=2, ensure_ascii=False)


def as_text(department: str, opened: Opened, found: Sequence[Found], began: datetime.datetime) -> str:
    """A line a check, and below it why it did not pass."""
    system = opened.system
    lines = [
        f"{department}: kind {opened.kind}, {counted(len(system.datasets), 'dataset')}, asked about"
        f" {counted(len(system.holding), 'subject')}"
        f" with records and {len(system.unknown)} without, {began:%Y-%m-%d %H:%M} UTC",
    ]
    for each in found:
        lines.append(f"  {each.result.value:10} {each.check:12} {each.demands}")
        lines += [f"             {why}" for why in each.why]
    counts = {result: sum(each.result is result for each in found) for result in Result}
    verdict = "conforms" if conforms(found) else "does not conform"
    told = ", ".join(f"{count} {result.value}" for result, count in counts.items())
    return "\n".join([*map(printable, lines), f"{department} {verdict}: {told}"])
