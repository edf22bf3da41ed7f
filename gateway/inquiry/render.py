"""Step 8: released records -> the answer's data as bytes, and its errors, by the plan's compiled projection. Pure.

The bytes of `data` are made once: the same bytes go into the entry's digest and into the answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from connectors.base import Failure, Subject
from gateway.bounds.recent import Recent
from gateway.inquiry.document.projection import Projection
from gateway.inquiry.document.shapes import Root, SubjectSelection, Variant
from gateway.inquiry.types import Decision, Outcome, SubjectDecision

_encode = msgspec.json.Encoder().encode

MESSAGES: Mapping[str, str] = {
    "SOURCE_UNAVAILABLE": "the department's system could not be reached",
    "SOURCE_TIMEOUT": "the department's system did not answer in time",
    "SOURCE_INVALID": "the department's system gave an answer that cannot be used",
}


class Rendered(NamedTuple):
    """`data` is JSON; `errors` are GraphQL errors, in response order; `codes` are the distinct codes among them."""

    data: bytes
    errors: list[dict[str, Any]]
    codes: tuple[str, ...]


class Renderer:
    """Keeps compiled projections, per selection and decision; nothing about a subject is in them."""

    def __init__(self, departments: Mapping[str, str], keep: int = 4096) -> None:
        """`departments` names the department of each dataset."""
        self._departments = departments
        self._projections: Recent[tuple[SubjectSelection, SubjectDecision], Projection] = Recent(keep)

    def render(
        self,
        variant: Variant,
        asked: Sequence[tuple[Root, tuple[Subject, ...]]],
        decision: Decision,
        got: Mapping[tuple[Subject, str], Outcome],
        other: Mapping[str, Any] | None = None,
    ) -> Rendered:
        """`other` has the values of the root fields that name no subject, by response name."""
        errors: list[dict[str, Any]] = []
        objects: dict[str, Any] = {}
        for root, subjects in asked:
            built = []
            told: set[int] = set()
            for index, subject in enumerate(subjects):
                projection = self._projection(root.selections[subject.kind], decision.subjects[subject])
                if projection.denials and id(projection) not in told:
                    told.add(id(projection))
                    errors += [_denied(root.key, *denial) for denial in projection.denials]
                failed: list[tuple[str, Failure, str]] = []
                built.append(projection.build(subject, got, failed))
                if failed:
                    path: list[str | int] = [root.key, index] if root.many else [root.key]
                    errors += [self._failed([*path, key], failure, name) for key, failure, name in failed]
            objects[root.key] = built if root.many else built[0]
        if other is not None:
            objects = {key: objects[key] if key in objects else other[key] for key in variant.keys}
        codes = tuple(dict.fromkeys([e["extensions"]["code"] for e in errors])) if errors else ()
        return Rendered(_encode(objects), errors, codes)

    def _projection(self, selection: SubjectSelection, decision: SubjectDecision) -> Projection:
        projection = self._projections.get((selection, decision))
        if projection is None:
            projection = self._projections.keep((selection, decision), Projection(selection, decision))
        return projection

    def _failed(self, path: list[str | int], failure: Failure, dataset: str) -> dict[str, Any]:
        code = str(failure.fault)
        extensions = {"code": code, "department": self._departments[dataset], "retryable": failure.retryable}
        return {"message": MESSAGES[code], "path": path, "extensions": extensions}


def _denied(root_key: str, path: Sequence[str], cell: Any) -> dict[str, Any]:
    reason = str(cell.reason)
    return {
        "message": cell.advice or f"the field may not be disclosed: {reason}",
        "path": [root_key, *path],
        "extensions": {
            "code": "UNAUTHORIZED_FIELD_OR_TYPE",
            "reason": reason,
            "rule": cell.rule,
            "articles": list(cell.articles),
            "advice": cell.advice,
        },
    }
