"""5. Per dataset, an unknown subject, no records and all records withheld look the same. The data, errors,
obligations, cautions, headers, metrics, logs and the requester's side of the entry are equal; also with faulty withheld
records.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from connectors.base import Failure, Fault, Faulty
from gateway.inquiry import answer, disclose, restrain
from gateway.inquiry.types import Caution, Obligation
from gateway.telemetry.metrics import BATCH, Counts, Metrics, Steps
from tests.properties.checking import holds, is_found, staged
from tests.properties.scenes import ASKERS, CATALOGUE, Scene, Spec, Staged, scenes
from tests.world import Reply, World

WITHHELD = {
    "adverse": [
        Spec("over"),
        Spec("tomorrow"),
        Spec(None),
        Spec(document=False),
        Spec("ancient", mitigation=True, marks=("objection",)),
        Spec(marks=("withdrawal", "objection")),
        Spec(mitigation=True, marks=("restoration",)),
        Spec("over", faulty=True),
        Spec(None, faulty=True),
        Spec(document=False, faulty=True),
        Spec(marks=("withdrawal",), faulty=True),
    ],
    "neutral": [
        Spec(marks=("withdrawal",)),
        Spec(mitigation=True, marks=("restoration", "objection")),
        Spec(marks=("withdrawal",), faulty=True),
    ],
    "favourable": [
        Spec(),
        Spec(mitigation=True, marks=("objection",)),
        Spec(marks=("withdrawal",)),
        Spec(faulty=True),
    ],
}


def variants(scene: Scene, dataset: str, specs: tuple[Spec, ...]) -> list[Scene]:
    """The scene with no records of one dataset, and with only withheld ones."""
    none, all_withheld = (
        scene._replace(held=tuple({**held, dataset: records} for held in scene.held)) for records in ((), specs)
    )
    if CATALOGUE.datasets[dataset].nature == "favourable":
        return [none, all_withheld._replace(opted_out=(dataset,))]
    return [none, all_withheld]


def seen(world: World, made: Staged, reply: Reply, counted: dict[str, int]) -> Any:
    """All that a requester, or whoever reads the metrics, can tell the answer by; identifiers replaced by places."""
    told = [{**msgspec.to_builtins(entry.told), "id": "", "data": ""} for entry in reply.entries]
    inquiry = {**reply.inquiry, "id": "", "receipt": [len(entry.told_bytes) for entry in reply.entries]}
    whole = {"status": reply.answer.status, "headers": dict(reply.answer.headers), "said": reply.said, "told": told}
    whole["said"] = {**reply.said, "extensions": {"inquiry": inquiry}}
    text = msgspec.json.encode([whole, counted, {name: len(asked) for name, asked in reply.asked.items()}]).decode()
    for number, subject in enumerate(made.subjects):
        text = text.replace(subject.value, f"subject {number}").replace(subject.value[-6:], f"subject {number}")
    for number, consent in enumerate(made.consents):
        text = text.replace(consent, f"consent {number}")
    return msgspec.json.decode(text)


def counts(metrics: Metrics) -> dict[str, float]:
    """Everything that a scrape shows."""
    families = text_string_to_metric_families(metrics.exposition().decode())
    return {f"{one.name}{sorted(one.labels.items())}": one.value for family in families for one in family.samples}


class Lines(logging.Handler):
    """What was logged, at any level."""

    def __init__(self) -> None:
        super().__init__(0)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(f"{record.name} {record.levelname} {record.getMessage()}")


@contextlib.contextmanager
def logged() -> Iterator[Lines]:
    lines, log = Lines(), logging.getLogger("dutybound")
    level = log.level
    log.addHandler(lines)
    log.setLevel(1)
    try:
        yield lines
    finally:
        log.setLevel(level)
        log.removeHandler(lines)


def observed(world: World, scene: Scene) -> Iterator[Any]:
    """What is seen of one inquiry, the metrics before and after it with it; it is timed, which is the worst case."""
    made = staged(world, scene)
    for waiting in (BATCH - 1, BATCH):
        world.metrics = metrics = Metrics(CATALOGUE.departments)
        metrics._chance = lambda: 0.0
        for _ in range(waiting):
            metrics.begin().done("answer")
        for histogram in metrics._waiting.values():  # the same for both: what came before is known to who compares
            histogram.counts[:] = [waiting, *[0] * (len(histogram.counts) - 1)]
            histogram.total = 0.0
        before = counts(metrics)
        with logged() as log:
            reply = world.ask(made.ask, metrics=metrics)
        difference = {key: value - before.get(key, 0) for key, value in counts(metrics).items()}
        yield seen(world, made, reply, difference), log.lines


def check(world: World, scene: Scene, dataset_at: int, specs_at: tuple[int, ...]) -> None:
    """Ask the same of a subject that no department knows of, and of one whose records are all withheld."""
    names = sorted({name for held in scene.held for name in held})
    dataset = names[dataset_at % len(names)]
    choices = WITHHELD[CATALOGUE.datasets[dataset].nature]
    specs = tuple(choices[at % len(choices)] for at in specs_at)
    none, withheld = [list(observed(world, variant)) for variant in variants(scene, dataset, specs)]
    assert none == withheld, f"{dataset} tells of {specs}"


def check_whole(world: World, scene: Scene, at: int = -1) -> None:
    """The same for all datasets at once: a subject that nobody holds anything of is like one all withheld."""
    unknown = scene._replace(held=tuple({} for _ in scene.held), opted_out=())
    withheld = scene._replace(
        held=tuple({name: (WITHHELD[CATALOGUE.datasets[name].nature][at],) for name in held} for held in scene.held),
        opted_out=("tax-awards", "volunteering"),
    )
    assert list(observed(world, unknown)) == list(observed(world, withheld))


SOME = (scenes(plain=True), st.integers(0, 20), st.lists(st.integers(0, 20), min_size=1, max_size=3).map(tuple))


def test_withheld_records_are_not_to_be_told_from_none(world: World) -> None:
    holds(lambda *drawn: check(world, *drawn), *SOME, examples=35)


def test_unknown_subjects_are_not_to_be_told_from_withheld_ones(world: World) -> None:
    holds(lambda scene, at: check_whole(world, scene, at), scenes(), st.sampled_from([-1, -2]), examples=25)


def _restraint_that(world: World, monkeypatch: pytest.MonkeyPatch, does: Callable[..., Any]) -> None:
    real = restrain.restrain

    def faulty(*given: Any) -> Any:
        released, withheld, cautions = real(*given)
        return does(world, given, released, withheld, cautions)

    monkeypatch.setattr(restrain, "restrain", faulty)


def _an_error_tells(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def does(_world: Any, _given: Any, released: Any, withheld: Any, cautions: Any) -> Any:
        gone = withheld and not released.records
        return Failure(Fault.INVALID, False, "withheld") if gone else released, withheld, cautions

    _restraint_that(world, monkeypatch, does)


def _a_caution_tells(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def does(_world: Any, given: Any, released: Any, withheld: Any, cautions: Any) -> Any:
        more = [Caution(each.dataset, each.record, True, None) for each in withheld]
        return released, withheld, cautions + more

    _restraint_that(world, monkeypatch, does)


def _a_counter_tells(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def does(world: World, _given: Any, released: Any, withheld: Any, cautions: Any) -> Any:
        for _ in withheld:
            world.metrics.inquiries["OK"].add()
        return released, withheld, cautions

    _restraint_that(world, monkeypatch, does)


def _times_tell(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it was once: step times summed exactly, as soon as they are known."""
    del world
    real = Metrics.counts

    def exactly(self: Metrics) -> Counts:
        found = real(self)
        found.break_glass = round(1e9 * sum(each.total for each in self.steps.values()))
        return found

    monkeypatch.setattr(Metrics, "begin", lambda self: Steps(self.steps))
    monkeypatch.setattr(Metrics, "counts", exactly)


def _an_obligation_tells(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    real = answer.extension

    def faulty(entry: Any, receipt: Any) -> bytes:
        entry.obligations = (*entry.obligations, *[Obligation("more", "withheld", {}) for _ in entry.withheld])
        return real(entry, receipt)

    monkeypatch.setattr(answer, "extension", faulty)


def _the_told_part_tells(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    real = disclose._who

    def faulty(requester: Any) -> Any:
        known = [each for records in world.held.values() for each in records]
        return real(msgspec.structs.replace(requester, department=f"{len(known)} records"))

    monkeypatch.setattr(disclose, "_who", faulty)


def _a_fault_tells(_world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A record's fault counts before it is known whether it is withheld: the fault that was there."""
    real = restrain.restrain

    def faulty(dataset: Any, purpose: Any, subject: Any, records: Any, *given: Any) -> Any:
        if any(isinstance(record, Faulty) for record in records):
            return Failure(Fault.INVALID, False, "a value"), [], []
        return real(dataset, purpose, subject, records, *given)

    monkeypatch.setattr(restrain, "restrain", faulty)


def _a_log_tells(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def does(_world: Any, _given: Any, released: Any, withheld: Any, cautions: Any) -> Any:
        for _ in withheld:
            logging.getLogger("dutybound.restrain").debug("a record was withheld")
        return released, withheld, cautions

    _restraint_that(world, monkeypatch, does)


FAULTS = [
    _a_fault_tells,
    _a_log_tells,
    _an_error_tells,
    _a_caution_tells,
    _a_counter_tells,
    _times_tell,
    _an_obligation_tells,
    _the_told_part_tells,
]


@pytest.mark.parametrize("plant", FAULTS, ids=lambda plant: plant.__name__.strip("_"))
def test_the_property_fails_when_a_fault_is_planted(
    world: World, monkeypatch: pytest.MonkeyPatch, plant: Callable[[World, pytest.MonkeyPatch], None]
) -> None:
    plant(world, monkeypatch)
    is_found(lambda *drawn: check(world, *drawn), *SOME)


def test_the_plain_scenes_reach_every_kind_of_dataset() -> None:
    """Favourable, neutral and adverse datasets are all asked about."""
    kinds = {d.nature for d in CATALOGUE.published.values()}
    assert kinds == set(WITHHELD)
    assert {purpose for _, purpose, _ in ASKERS} == {
        "TENDER_QUALIFICATION",
        "LICENCE_RENEWAL",
        "SUBSIDY_ASSESSMENT",
        "COURT_ENFORCEMENT",
        "OPEN_RECORD",
        "SUBJECT_ACCESS",
    }
