"""Scenes: who asks what about whom, at which moment, and what is held and known of them; drawn as plain data.

A scene says nothing of identifiers: `stage` puts it into a world with new subjects and gives back what was staged.
Records stand on both sides of every restraint; consents, scopes, narrowings, cases and moments on both sides of every
guard.
"""

from __future__ import annotations

import datetime
import functools
import os
import random
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from hypothesis import Phase, given, seed, settings
from hypothesis import strategies as st

from connectors.base import Subject, SubjectKind
from gateway.catalogue.model import Dataset
from gateway.inquiry.types import Narrowing
from gateway.storage.subjects import facts
from tests import world as worlds
from tests.inquiry.documents import META, documents
from tests.world import NOON, Ask, Case, Held, World

DRAWN = 20261124
MORE = int(os.environ.get("DUTYBOUND_EXAMPLES", "1"))
DOCUMENTS = {"organisation": 24, "person": 12}
DAY = datetime.timedelta(days=1)
CATALOGUE = worlds.rule_set().policies.catalogue
OFFICIALS = {"market-regulator": "m.ivanova", "civil-court": "j.okafor", "labour-office": "l.moreau"}
ASKERS = (
    ("market-regulator", "TENDER_QUALIFICATION", "organisation"),
    ("market-regulator", "LICENCE_RENEWAL", "organisation"),
    ("environment-agency", "LICENCE_RENEWAL", "organisation"),
    ("labour-office", "SUBSIDY_ASSESSMENT", "person"),
    ("labour-office", "TENDER_QUALIFICATION", "organisation"),  # its grant has ended
    ("tax-service", "SUBSIDY_ASSESSMENT", "person"),
    ("civil-court", "COURT_ENFORCEMENT", "organisation"),
    ("civil-court", "COURT_ENFORCEMENT", "person"),
    ("open-record", "OPEN_RECORD", "organisation"),
    ("citizen-portal", "SUBJECT_ACCESS", "organisation"),
    ("citizen-portal", "SUBJECT_ACCESS", "person"),
)
ODD_ASKERS = (
    ("market-regulator", "SUBSIDY_ASSESSMENT", "person"),  # holds no such grant
    ("market-regulator", "LICENCE_RENEWAL", "person"),  # of the wrong kind
    ("stranger", "LICENCE_RENEWAL", "organisation"),  # not registered
)
_SOFIA_MIDNIGHT = datetime.datetime(2025, 12, 31, 22, 0, tzinfo=datetime.UTC)
_SOFIA_END = datetime.datetime(2028, 12, 31, 22, 0, tzinfo=datetime.UTC)
_INSTANT = datetime.timedelta(microseconds=1)
MOMENTS = (_SOFIA_MIDNIGHT, _SOFIA_MIDNIGHT - _INSTANT, _SOFIA_END - _INSTANT, _SOFIA_END)
"""The first and last instants of the grants of the repository's policies, and those beside them."""


class Spec(NamedTuple):
    """One record: when it took effect (in words), whether it has a document, what is known of it, and whether one of
    its values is of no use."""

    effective: str | None = "today"
    document: bool = True
    mitigation: bool = False
    marks: tuple[str, ...] = ()
    faulty: bool = False


SPECS = (
    Spec(),
    Spec("year"),
    Spec("last"),
    Spec("over"),
    Spec("ancient"),
    Spec("tomorrow"),
    Spec(None),
    Spec(document=False),
    Spec(mitigation=True),
    Spec("last", mitigation=True),
    Spec("over", mitigation=True),
    Spec(marks=("objection",)),
    Spec(marks=("overdue",)),
    Spec(marks=("due",)),
    Spec(marks=("withdrawal",)),
    Spec(marks=("restoration",)),
    Spec(mitigation=True, marks=("objection",)),
    Spec("over", marks=("objection",)),
    Spec(document=False, marks=("overdue",)),
    Spec(marks=("withdrawal", "objection")),
)


class ConsentSpec(NamedTuple):
    """One consent: to whom, for which purpose, what of which datasets, until when (days from now)."""

    mine: bool
    purpose: bool
    datasets: tuple[str, ...]
    half: bool
    days: int


class Scene(NamedTuple):
    """Everything that a scene's outcome depends on."""

    client: str
    purpose: str
    kind: SubjectKind
    document: str
    official: bool = True
    scopes: tuple[str, ...] | None = None
    """Those that its client usually has, where it is not said."""
    narrowing: tuple[Narrowing, ...] = ()
    own: bool = True
    at: datetime.datetime = NOON
    case: str = "good"
    held: tuple[Mapping[str, tuple[Spec, ...]], ...] = ({},)
    opted_out: tuple[str, ...] = ()
    consents: tuple[ConsentSpec, ...] = ()
    narrow_consent: bool = False
    named: tuple[int, ...] = (0,)
    a: bool = True
    b: bool = False


class Staged(NamedTuple):
    """A scene in a world: the question, and by subject what was made of it."""

    scene: Scene
    ask: Ask
    subjects: tuple[Subject, ...]
    case: str | None
    consents: Mapping[str, tuple[Subject, ConsentSpec]]
    declared_consent: str | None
    marks: Mapping[tuple[Subject, str, str], frozenset[str]]
    records: Mapping[tuple[Subject, str], list[Held]]


def datasets_of(kind: SubjectKind) -> list[Dataset]:
    return [d for d in CATALOGUE.published.values() if kind in d.subjects]


@functools.cache
def whole(kind: SubjectKind, purpose: str, only: str | None = None, many: bool = False) -> str:
    """A document that selects everything of a subject, or of `many`: of every dataset, or of those a purpose covers."""
    fields = worlds.rule_set().policies.purposes[only].fields if only else None
    items = ["scheme value __typename"]
    for dataset in datasets_of(kind):
        names = [
            n for n in dataset.fields if fields is None or (dataset.id in fields and n in fields[dataset.id].names)
        ]
        if names and dataset.shape == "subject":
            items.append(" ".join(names))
        elif names:
            items.append(f"{dataset.graphql_name} {{ {' '.join(names)} record {{ {' '.join(META)} }} }}")
    variable, root = (
        ("$ids: [IdentifierInput!]!", f"{kind}s(ids: $ids)") if many else ("$id: IdentifierInput!", f"{kind}(id: $id)")
    )
    return f"query Whole({variable}) @inquiry(purpose: {purpose}) {{ {root} {{ {' '.join(items)} }} }}"


@functools.cache
def some_documents(kind: SubjectKind) -> list[str]:
    """Random documents for the purpose `PURPOSE`; each process draws them once, since to compile one takes longest."""
    found: list[str] = []

    @seed(DRAWN)
    @settings(max_examples=DOCUMENTS[kind] * MORE, deadline=None, database=None, phases=(Phase.generate,))
    @given(documents(CATALOGUE, "PURPOSE", people=kind == "person"))
    def draw(text: str) -> None:
        found.append(text)

    draw()
    return found


@st.composite
def scenes(
    draw: st.DrawFn,
    *,
    askers: Sequence[tuple[str, str, SubjectKind]] = (*ASKERS, *ODD_ASKERS),
    specs: Sequence[Spec] = SPECS,
    plain: bool = False,
) -> Scene:
    """`plain`: a requester that everything is open to that its grant opens, so that answers have much in them."""
    client, purpose, kind = draw(st.sampled_from(askers))
    names = [d.id for d in datasets_of(kind)]
    # All else is drawn from a seed: hypothesis' own draws would be most of a test's time, and mostly small.
    chance = random.Random(draw(st.integers(0, 2**32)))
    documents = [
        whole(kind, purpose, only, kind == "organisation" and chance.random() < 0.5) for only in (None, purpose)
    ]
    if chance.random() < 0.6:
        documents = [text.replace("PURPOSE", purpose) for text in some_documents(kind)]
    document = chance.choice(documents)
    people = 1 if kind == "person" else chance.randint(1, 2)
    scene = Scene(
        client,
        purpose,
        kind,
        document,
        held=tuple(_holdings(chance, kind, specs) for _ in range(people)),
        opted_out=chance.choice([(), ("tax-awards",), ("volunteering",)]),
        named=tuple(chance.randrange(people) for _ in range(chance.randint(0, 3))),
        a=chance.random() < 0.5,
        b=chance.random() < 0.5,
    )
    if kind == "person":
        consents = tuple(_consent_spec(chance, names, plain) for _ in range(chance.randint(1 if plain else 0, 2)))
        scene = scene._replace(consents=consents)
    if plain:
        return scene
    covered = ["inquire", *(f"inquire:{name}" for name in names), "self", "officer"]
    some_scopes = tuple(chance.sample(covered, chance.randint(0, 4)))
    return scene._replace(
        official=chance.random() < 0.8,
        scopes=chance.choice([None, None, some_scopes]),
        narrowing=_narrowing(chance, purpose, names) if chance.random() < 0.3 else (),
        own=chance.random() < 0.8,
        at=chance.choice([NOON, NOON, NOON, *MOMENTS]),
        case=chance.choice(["good"] * 10 + ["closed", "unknown", "foreign", "unreachable", "none"]),
        narrow_consent=chance.random() < 0.3,
    )


def _holdings(chance: random.Random, kind: SubjectKind, specs: Sequence[Spec]) -> Mapping[str, tuple[Spec, ...]]:
    return {
        d.id: tuple(chance.choice(specs) for _ in range(chance.randint(0, 1 if d.shape == "subject" else 3)))
        for d in datasets_of(kind)
    }


def _consent_spec(chance: random.Random, names: Sequence[str], plain: bool) -> ConsentSpec:
    if plain:
        return ConsentSpec(True, True, tuple(names), False, 0)
    return ConsentSpec(
        mine=chance.random() < 0.7,
        purpose=chance.random() < 0.7,
        datasets=tuple(chance.sample(names, chance.randint(1, len(names)))),
        half=chance.random() < 0.5,
        days=chance.choice([-1, 0, 30]),
    )


def _narrowing(chance: random.Random, purpose: str, names: Sequence[str]) -> tuple[Narrowing, ...]:
    choices = [
        Narrowing(purpose=purpose),
        Narrowing(purpose="OPEN_RECORD"),
        Narrowing(datasets=frozenset(chance.sample(names, 2))),
        Narrowing(case="C-other"),
        Narrowing(identifier=("LEI", "another")),
    ]
    return tuple(chance.sample(choices, chance.randint(1, 2)))


def _effective(word: str | None, dataset: Dataset, today: datetime.date) -> datetime.date | None:
    if word is None:
        return None
    longest = dataset.display.max if dataset.display and dataset.display.max else None
    if word in ("last", "over") and longest:
        day = today.replace(year=today.year - longest.months // 12, day=min(today.day, 28))
        while longest.after(day) < today:
            day += DAY
        return day if word == "last" else day - DAY
    return {"tomorrow": today + DAY, "ancient": datetime.date(1990, 1, 1), "year": today - 300 * DAY}.get(word, today)


def stage(world: World, scene: Scene) -> Staged:
    """Put a scene into a world."""
    world.calm()
    world.now = scene.at
    today = world.today()
    subjects = tuple(worlds.new_subject(scene.kind) for _ in scene.held)
    marks: dict[tuple[Subject, str, str], frozenset[str]] = {}
    for place, (subject, holdings) in enumerate(zip(subjects, scene.held, strict=True)):
        for name, specs in holdings.items():
            dataset = CATALOGUE.datasets[name]
            for number, spec in enumerate(specs):
                held = Held(
                    f"{name}-{subject.value[-6:]}-{number}",
                    worlds.values(dataset, place * 10 + number),
                    version=str(number + 1),
                    document="D-1" if spec.document else None,
                    effective=_effective(spec.effective, dataset, today),
                    mitigation=f"mitigated-{subject.value[-6:]}" if spec.mitigation else None,
                    faulty=spec.faulty,
                )
                world.held.setdefault((subject, name), []).append(held)
                marks[subject, name, held.id] = frozenset(spec.marks)
                for mark in spec.marks:
                    put(world, mark, subject, name, held.id)
        for name in scene.opted_out:
            facts.set_opt_out(world.store.engine, subject, name, True, world.now)
    consents = {
        _consent(world, scene, subject, consent): (subject, consent)
        for subject in subjects
        for consent in scene.consents
    }
    declared = next(iter(consents), None) if scene.narrow_consent else None
    case = _case(world, scene, subjects)
    requester = world.requester(
        scene.client,
        issuer="public" if scene.client == "open-record" else "login",
        official=OFFICIALS.get(scene.client, "somebody") if scene.official else None,
        scopes=(("self",) if scene.client == "citizen-portal" else ("inquire",))
        if scene.scopes is None
        else scene.scopes,
        narrowing=scene.narrowing,
        identifier=(subjects[0].scheme, subjects[0].value) if scene.own else ("PIN", "0000000014"),
    )
    query = _declared(scene, case, declared)
    ask = Ask(requester, query, {**variables(query, scene, subjects), **_declaration(query, case, declared)})
    return Staged(scene, ask, subjects, case, consents, declared, marks, dict(world.held))


def _declared(scene: Scene, case: str | None, consent: str | None) -> str:
    """The document with its whole declaration, by variables, so that a document is compiled once for many scenes."""
    said, variables = f"purpose: {scene.purpose}", ""
    if case:
        said, variables = f"{said}, case: $case", f"{variables}, $case: String!"
    if consent:
        said, variables = f"{said}, consent: $consent", f"{variables}, $consent: ID"
    query = scene.document.replace(f"@inquiry(purpose: {scene.purpose})", f"@inquiry({said})")
    return query.replace(") @inquiry", f"{variables}) @inquiry", 1)


def _declaration(query: str, case: str | None, consent: str | None) -> dict[str, Any]:
    said = {"case": case, "consent": consent}
    return {name: value for name, value in said.items() if f"${name}:" in query}


def variables(query: str, scene: Scene, subjects: Sequence[Subject]) -> dict[str, Any]:
    """The variables that a document declares."""
    named = [{"scheme": subject.scheme, "value": subject.value} for subject in subjects]
    known = {"id": named[0], "ids": [named[number] for number in scene.named], "a": scene.a, "b": scene.b}
    return {name: value for name, value in known.items() if f"${name}:" in query}


def put(world: World, mark: str, subject: Subject, dataset: str, record: str) -> None:
    """Write one fact about a record: `objection` is due in a week, `due` today, `overdue` was due yesterday."""
    engine, today, now = world.store.engine, world.today(), world.now
    if mark in ("objection", "due", "overdue"):
        days = {"objection": 7, "due": 0, "overdue": -1}[mark]
        facts.open_objection(engine, subject, dataset, record, today + days * DAY, now)
    elif mark == "withdrawal":
        facts.withdraw(engine, subject, dataset, record, now)
    else:
        facts.restore(engine, subject, dataset, record, now)


def _consent(world: World, scene: Scene, subject: Subject, consent: ConsentSpec) -> str:
    fields = {name: sorted(CATALOGUE.datasets[name].fields)[::2] if consent.half else None for name in consent.datasets}
    return facts.grant_consent(
        world.store.engine,
        subject,
        issuer=worlds.ISSUERS["login"],
        client=scene.client if consent.mine else "somebody-else",
        purpose=scene.purpose if consent.purpose else "COURT_ENFORCEMENT",
        datasets=fields,
        until=world.today() + consent.days * DAY,
        now=world.now,
    ).id


def _case(world: World, scene: Scene, subjects: tuple[Subject, ...]) -> str | None:
    if scene.case == "none":
        return None
    official = OFFICIALS.get(scene.client, "somebody")
    registry = {"market-regulator": "market", "civil-court": "courts"}.get(scene.client, "none")
    named = frozenset(subjects[1:] if scene.case == "foreign" else subjects)
    case = f"C-{subjects[0].value}"
    if scene.case != "unknown":
        world.registries.known[case] = Case(registry, named, frozenset([official]), open=scene.case != "closed")
    world.registries.reachable = scene.case != "unreachable"
    return case
