"""What a scene may give, worked out anew: from the rule set's cells, days, scopes, consents and the records themselves.

Nothing of the journey is used: not `decide`, `restrain` or the projection. graphql-core's own executor says what a
document selects and how an answer is built, over values that these few functions let through.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from graphql import execute_sync, parse

from connectors.base import Subject
from gateway.catalogue.model import Dataset
from gateway.rules.model import Flag
from tests.inquiry.executor import plain, root
from tests.properties.scenes import DAY, Staged
from tests.world import Held, World

Selection = tuple[Subject, str, frozenset[str], bool]
"""A subject, a dataset, the fields selected of it in one place, and whether anything else is selected there."""


class Expected(NamedTuple):
    """`data` as the reference gives it; what the document selects; permitted fields; records that may be shown."""

    data: Any
    selections: list[Selection]
    permitted: dict[tuple[Subject, str], frozenset[str]]
    shown: dict[tuple[Subject, str], list[Held]]
    subjects: list[Subject]

    def fetched(self) -> dict[tuple[Subject, str], frozenset[str]]:
        """What may be asked of departments: per subject and dataset the permitted selected fields."""
        found: dict[tuple[Subject, str], frozenset[str]] = {}
        for subject, dataset, fields, bare in self.selections:
            permitted = self.permitted[subject, dataset]
            if fields & permitted or (bare and permitted):
                found[subject, dataset] = found.get((subject, dataset), frozenset()) | (fields & permitted)
        return found


def answers(world: World, staged: Staged) -> bool:
    """Whether the operation is answered for certain: it has a scope, and where it is needed a verified case."""
    scene, purpose = staged.scene, world.policies.purposes[staged.scene.purpose]
    requester = staged.ask.requester
    if not any(
        scope.split(":")[0] in ("inquire", "self", "steward", "counter", "recalls", "officer", "oversight")
        for scope in requester.scopes
    ):
        return False
    if "self" in requester.scopes and "portal" not in requester.roles:
        return False
    granted = any(grant.purpose == scene.purpose for grant in requester.grants)
    if not purpose.case_required or not granted:
        return True
    return staged.ask.requester.registry is not None and scene.official and scene.case == "good"


def permitted(world: World, staged: Staged, subject: Subject, dataset: Dataset) -> frozenset[str]:
    """The fields that this requester may have of this subject, at `world.now`."""
    scene, requester = staged.scene, staged.ask.requester
    today, purpose = world.today(), world.policies.purposes[scene.purpose]
    if requester.expires <= world.now.timestamp():
        return frozenset()
    entry = world.policies.requesters.get((requester.issuer, requester.client))
    grants = [
        grant
        for grant in (entry.grants if entry else ())
        if grant.purpose == scene.purpose and grant.valid_from <= today <= grant.valid_until and not grant.suspended
    ]
    if not grants or (
        requester.narrowing and not any(_covers(n, staged, subject, dataset) for n in requester.narrowing)
    ):
        return frozenset()
    scope = not scope_is_missing(staged, subject, dataset, purpose.scope == "self")
    case = purpose.case_required and scene.case == "good"
    found = set()
    for field in dataset.fields:
        if dataset.id not in purpose.fields or field not in purpose.fields[dataset.id].names:
            continue
        if dataset.id not in grants[0].datasets or subject.kind not in purpose.subjects:
            continue
        flags = Flag(0)
        flags |= Flag.SCOPE if scope else flags
        flags |= Flag.CASE if case else flags
        flags |= Flag.OFFICIAL if requester.official is not None else flags
        flags |= Flag.STEP_UP if purpose.step_up in (None, requester.acr) else flags
        flags |= Flag.CONSENT if _consented(world, staged, subject, dataset, field) else flags
        if world.rules.cells(grants[0], subject.kind, flags)[dataset.id, field].permitted:
            found.add(field)
    return frozenset(found)


def scope_is_missing(staged: Staged, subject: Subject, dataset: Dataset, self_only: bool) -> bool:
    """Whether the token does not cover the dataset; for a purpose of the subject alone, whether it is not its own."""
    requester = staged.ask.requester
    if self_only:
        return "self" not in requester.scopes or requester.identifier != (subject.scheme, subject.value)
    return not {"inquire", f"inquire:{dataset.id}"} & requester.scopes


def _covers(narrowing: Any, staged: Staged, subject: Subject, dataset: Dataset) -> bool:
    return (
        narrowing.purpose in (None, staged.scene.purpose)
        and narrowing.case in (None, staged.case)
        and narrowing.identifier in (None, (subject.scheme, subject.value))
        and (narrowing.datasets is None or dataset.id in narrowing.datasets)
    )


def _consented(world: World, staged: Staged, subject: Subject, dataset: Dataset, field: str) -> bool:
    for id_, (owner, consent) in staged.consents.items():
        last = staged.scene.at.astimezone(world.serving.zone).date() + consent.days * DAY
        if (
            owner == subject
            and consent.mine
            and consent.purpose
            and dataset.id in consent.datasets
            and (not consent.half or field in sorted(dataset.fields)[::2])
            and last >= world.today()
            and staged.declared_consent in (None, id_)
        ):
            return True
    return False


def last_day(dataset: Dataset, effective: datetime.date) -> datetime.date | None:
    """The last day of display: the same day so many months on, or that month's last."""
    if dataset.display is None or dataset.display.max is None:
        return None
    years, months = divmod(effective.month - 1 + dataset.display.max.months, 12)
    day = effective.day
    while True:
        try:
            return datetime.date(effective.year + years, months + 1, day)
        except ValueError:
            day -= 1


def is_shown(world: World, staged: Staged, subject: Subject, dataset: Dataset, held: Held) -> bool:
    """Whether no restraint withholds the record."""
    marks, today = staged.marks[subject, dataset.id, held.id], world.today()
    if marks & {"withdrawal", "restoration"}:
        return False
    if dataset.nature == "adverse" and held.document is None:
        return False
    if dataset.nature == "favourable" and dataset.id in staged.scene.opted_out:
        return False
    if "overdue" in marks and world.policies.purposes[staged.scene.purpose].overdue_objection == "withhold":
        return False
    if dataset.display is not None:
        if held.effective is None or held.effective > today:
            return False
        end = last_day(dataset, held.effective)
        return end is None or today <= end
    return True


def is_disputed(staged: Staged, subject: Subject, dataset: str, held: Held) -> bool:
    return bool(staged.marks[subject, dataset, held.id] & {"objection", "due", "overdue"})


def expected(world: World, staged: Staged, failed: frozenset[str] = frozenset()) -> Expected:
    """The reference's answer; `failed` names departments of which nothing can be had."""
    selections: list[Selection] = []
    leave: dict[tuple[Subject, str], frozenset[str]] = {}
    shown: dict[tuple[Subject, str], list[Held]] = {}
    for subject in staged.subjects:
        for dataset in world.catalogue.published.values():
            if subject.kind in dataset.subjects:
                leave[subject, dataset.id] = permitted(world, staged, subject, dataset)
                shown[subject, dataset.id] = [
                    held
                    for held in staged.records.get((subject, dataset.id), ())
                    if is_shown(world, staged, subject, dataset, held)
                ]
    named: list[Subject] = []
    document = parse(staged.ask.query)
    fragments = {part.name.value: part for part in document.definitions if part.kind == "fragment_definition"}

    def row(subject: Subject, dataset: Dataset, held: Held) -> dict[str, Any]:
        fields = {name: held.fields[name] if name in leave[subject, dataset.id] else None for name in dataset.fields}
        meta = {
            "id": held.id,
            "version": held.version,
            "dataset": dataset.id,
            "source": dataset.department,
            "document": held.document,
            "effective": held.effective,
            "displayUntil": last_day(dataset, held.effective) if held.effective else None,
            "disputed": is_disputed(staged, subject, dataset.id, held),
            "mitigation": held.mitigation,
        }
        return {**fields, "record": meta}

    def of_dataset(subject: Subject, dataset: Dataset) -> Any:
        def resolve(info: Any) -> Any:
            names = set(_names(info.field_nodes, fragments, staged.ask.variables))
            fields = frozenset(names & set(dataset.fields))
            bare = not names or bool(names - fields)
            selections.append((subject, dataset.id, fields, bare))
            permit = leave[subject, dataset.id]
            if dataset.department in failed or not permit or not (bare or fields & permit):
                return None
            return [row(subject, dataset, held) for held in shown[subject, dataset.id]]

        return resolve

    def of_register(subject: Subject, dataset: Dataset, field: str) -> Any:
        def resolve(info: Any) -> Any:
            selections.append((subject, dataset.id, frozenset([field]), False))
            rows = [] if dataset.department in failed else shown[subject, dataset.id]
            return row(subject, dataset, rows[0])[field] if rows else None

        return resolve

    def of_subject(scheme: str, value: str) -> dict[str, Any]:
        (subject,) = [s for s in staged.subjects if (s.scheme, s.value) == (scheme, value)]
        named.append(subject)
        found: dict[str, Any] = {"scheme": scheme, "value": value}
        for dataset in world.catalogue.published.values():
            if subject.kind in dataset.subjects and dataset.shape == "subject":
                found |= {field: of_register(subject, dataset, field) for field in dataset.fields}
            elif subject.kind in dataset.subjects:
                found[dataset.graphql_name] = of_dataset(subject, dataset)
        return found

    variables = dict(staged.ask.variables)
    result = execute_sync(
        world.serving.planner._schema, document, root_value=root(of_subject), variable_values=variables
    )
    assert result.errors is None, result.errors
    return Expected(plain(result.data), selections, leave, shown, list(dict.fromkeys(named)))


def _names(nodes: Iterable[Any], fragments: Mapping[str, Any], variables: Mapping[str, Any]) -> Iterator[str]:
    """Names of the fields directly inside of these nodes, fragments spread and conditions looked at.

    Every fragment that a valid document spreads inside of a dataset's field applies to its records.
    """
    for node in nodes:
        for inner in node.selection_set.selections if node.selection_set else ():
            if not _is_included(inner, variables):
                continue
            if inner.kind == "field":
                yield inner.name.value
            else:
                spread = fragments[inner.name.value] if inner.kind == "fragment_spread" else inner
                yield from _names([spread], fragments, variables)


def _is_included(node: Any, variables: Mapping[str, Any]) -> bool:
    for directive in node.directives or ():
        if directive.name.value in ("skip", "include"):
            (argument,) = directive.arguments
            value = argument.value
            met = variables[value.name.value] if value.kind == "variable" else value.value
            if met is (directive.name.value == "skip"):
                return False
    return True


def never_more(got: Any, allowed: Any, path: str = "data") -> None:
    """Fail where an answer has anything that the reference has not: null is the only thing that may stand for more."""
    if got is None:
        return
    assert allowed is not None, f"{path} is {got!r}: nothing permits it"
    if isinstance(got, dict):
        assert isinstance(allowed, dict), path
        for key, value in got.items():
            assert key in allowed, f"{path}.{key} was not selected"
            never_more(value, allowed[key], f"{path}.{key}")
    elif isinstance(got, list):
        assert isinstance(allowed, list), path
        assert len(got) == len(allowed), f"{path} has {len(got)} elements, {len(allowed)} may be known of"
        for number, (value, most) in enumerate(zip(got, allowed, strict=True)):
            never_more(value, most, f"{path}[{number}]")
    else:
        assert got == allowed, f"{path} is {got!r}, not {allowed!r}"
