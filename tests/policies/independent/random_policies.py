"""Random folders of policies, as text, and random inquiries under them, for Hypothesis."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any, NamedTuple

from hypothesis import strategies as st

from tests.policies.independent.evaluator import Inquiry
from tests.rules.policies import SHIPPED

NOW = datetime.datetime(2026, 6, 15, 12, 0, tzinfo=datetime.UTC)
DAY = datetime.timedelta(days=1)
TODAY = NOW.date()

DEPARTMENTS = ("north", "south")
DATASETS = ("permits", "arrears", "income")
FIELDS = ("number", "amount")
PURPOSES = ("CHECK", "HELP", "OWN")
CLIENTS = (("login", "desk"), ("login", "court"), ("other", "desk"))
ROLES = ("department", "court", "portal")
CASES = ("C-1", "C-2")
SUBJECTS = (("organisation", ("LEI", "529900T8BM49AURSDO55")), ("person", ("PIN", "9001011237")))
STRANGER = ("PIN", "1234567897")
BASE = {
    file.stem: file.read_text() for file in (SHIPPED / "rules").glob("*.cedar") if "Action::" not in file.read_text()
}

yes = st.booleans()
mostly = st.sampled_from([True, True, True, False])
rarely = st.sampled_from([False] * 5 + [True])
KINDS = ("organisation", "person")
kinds = st.sampled_from([[*KINDS], [*KINDS], [KINDS[0]], [KINDS[1]]])


class Written(NamedTuple):
    """Files by name."""

    files: dict[str, str]

    def __repr__(self) -> str:
        """Those that are not the same each time, as they are written."""
        told = {name: text for name, text in self.files.items() if Path(name).stem not in ("identifiers", "calendar")}
        return "\n".join(f"--- {name}\n{text}" for name, text in told.items() if text != BASE.get(Path(name).stem))


def some(values: Any, least: int = 0) -> st.SearchStrategy[list[Any]]:
    return st.lists(st.sampled_from(sorted(values)), unique=True, min_size=least, max_size=len(values))


@st.composite
def datasets(draw: st.DrawFn, name: str) -> tuple[list[str], str]:
    """The kinds of subject that a dataset covers, and the lines that say what it is."""
    of, public = draw(kinds), draw(yes)
    nature = draw(st.sampled_from(["adverse", "favourable", "neutral"])) if public else "neutral"
    shown = draw(st.sampled_from(["shared", "open"])) if public and nature != "adverse" else "shared"
    lines = [
        f"  {name}:", f"    title: Some {name}", f"    status: {draw(st.sampled_from(['published'] * 5 + ['draft']))}",
        f"    subjects: [{', '.join(of)}]", f"    information: {'public' if public else 'non_public'}",
        f"    disclosure: {shown if public else 'authorised'}", f"    nature: {nature}", "    basis: [{law: An Act}]",
        *(["    display: {max: P3Y, from: effective}"] if nature == "adverse" else []),
        "    fields:", *(f"      {field}: {{type: String, title: A {field}}}" for field in FIELDS),
    ]  # fmt: skip
    return of, "\n".join(lines)


@st.composite
def purposes(draw: st.DrawFn, name: str, covered: dict[str, list[str]]) -> tuple[list[str], str]:
    """The datasets that a purpose sees, each of which shares a kind of subject with it, and the lines that say so."""
    of, emergency = draw(kinds), draw(rarely)
    seen = [dataset for dataset, kinds_of in covered.items() if set(kinds_of) & set(of)]
    if not seen:
        of, seen = [*KINDS], [*covered]
    datasets = draw(some(seen, max(1, len(seen) - 1)))
    fields = [
        f"    {dataset}: {{names: [{', '.join(draw(some(FIELDS, 1)))}], because: it is, basis: [{{law: An Act}}]}}"
        for dataset in datasets
    ]
    lines = [
        f"{name}:", f"  title: To {name.lower()}", '  articles: ["19"]', "  basis: [{law: An Act}]",
        "  dpv: dpv:LegalCompliance", f"  subjects: [{', '.join(of)}]", "  frequency: {max: 9, per: P1D}",
        "  delete_after: P9D", *(["  case: {required: true}"] if draw(yes) else []),
        *(["  official: {required: true}"] if emergency or draw(yes) else []),
        *(["  step_up: gold"] if draw(yes) else []), *(["  scope: self"] if name == "OWN" else []),
        *(["  break_glass: {reason: required, review_within: 3 working days}"] if emergency else []),
        "  fields:", *fields,
    ]  # fmt: skip
    return datasets, "\n".join(lines)


SPANS = ([(-9, 9)], [(-9, 9)], [(-9, 9)], [(0, 0)], [(-9, -1), (0, 3)], [(-9, 0), (1, 9)], [(-9, -1)], [(1, 3)])
"""First and last days of grants, counted from today."""


@st.composite
def requesters(draw: st.DrawFn, who: tuple[str, str], registered: dict[str, list[str]]) -> str:
    """One requester, with grants that never hold on the same day."""
    issuer, client = who
    lines = [
        f"  - issuer: {issuer}", f"    client: {client}", "    title: Somebody",
        f"    department: {draw(st.sampled_from(DEPARTMENTS))}", f"    roles: [{', '.join(draw(some(ROLES, 1)))}]",
        "    grants:",
    ]  # fmt: skip
    for purpose in draw(some(registered, 2)):
        seen = registered[purpose]
        for start, end in draw(st.sampled_from(SPANS)):
            days = f"from: {TODAY + start * DAY}, until: {TODAY + end * DAY}"
            given = f"datasets: [{', '.join(draw(some(seen, max(1, len(seen) - 1))))}], {days}"
            suspended = str(draw(rarely)).lower()
            lines.append(f"      - {{purpose: {purpose}, {given}, agreed_by: A, suspended: {suspended}}}")
    return "\n".join(lines)


def _entity(kind: str, names: Any) -> st.SearchStrategy[str]:
    return st.sampled_from(sorted(names)).map(lambda name: f'{kind}::"{name}"')


flags = ("scope", "consent", "case", "official", "step_up", "break_glass")
following = (
    "case_required", "official_required", "step_up_required", "self_required", "in_purpose", "in_grant",
    "subject_in_purpose", "subject_in_dataset",
)  # fmt: skip
REQUESTERS = ("login/desk", "court", "other/desk")
fields_ = [f"{dataset}.{field}" for dataset in DATASETS for field in FIELDS]
atoms = st.one_of(
    st.sampled_from(flags + following).map(lambda name: f"context.{name}"),
    _entity("Subject", ["organisation", "person"]).map(lambda it: f"context.subject == {it}"),
    _entity("Role", ROLES).map(lambda it: f"principal.roles.contains({it})"),
    st.tuples(_entity("Role", ROLES), _entity("Role", ROLES), st.sampled_from(["containsAll", "containsAny"])).map(
        lambda it: f"principal.roles.{it[2]}([{it[0]}, {it[1]}])"
    ),
    _entity("Department", DEPARTMENTS).map(lambda it: f"principal.department == {it}"),
    _entity("Department", DEPARTMENTS).map(lambda it: f"resource.department != {it}"),
    st.just("principal.department == resource.department"),
    _entity("Requester", REQUESTERS).map(lambda it: f"principal == {it}"),
    _entity("Action", PURPOSES).map(lambda it: f"action == {it}"),
    _entity("Information", ["public", "non_public"]).map(lambda it: f"resource.information == {it}"),
    _entity("Nature", ["adverse", "favourable", "neutral"]).map(lambda it: f"resource.nature == {it}"),
    _entity("Disclosure", ["open", "shared", "authorised"]).map(lambda it: f"[{it}].contains(resource.disclosure)"),
    _entity("Dataset", DATASETS).map(lambda it: f"resource in {it}"),
    _entity("Field", fields_).map(lambda it: f"resource == {it}"),
)
conditions = st.recursive(
    atoms,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["&&", "||"]), inner).map(lambda it: f"({it[0]} {it[1]} {it[2]})"),
        inner.map(lambda it: f"!({it})"),
        st.tuples(inner, inner, inner).map(lambda it: f"(if {it[0]} then {it[1]} else {it[2]})"),
    ),
    max_leaves=4,
)
NARROW = (
    'principal.roles.contains(Role::"department") || resource.nature != Nature::"neutral"',
    'resource.information == Information::"public" || resource.nature == Nature::"adverse"',
    'resource.disclosure != Disclosure::"open" || principal.department != resource.department',
)
GIVEN = ("NO_RULE", "CONSENT_REQUIRED", "PURPOSE_NOT_PERMITTED", "SCOPE_MISSING")


@st.composite
def rules(draw: st.DrawFn, name: str, purposes: list[str], *, permit: bool) -> str:
    """A permit of these purposes, or a forbid of one of them or of all."""
    named = [f'Action::"{purpose}"' for purpose in (purposes if permit else purposes[:1])]
    action = f"action in [{', '.join(named)}]" if len(named) > 1 else f"action == {named[0]}"
    principal = draw(st.sampled_from(["principal", "principal", "principal is Requester"]))
    if draw(rarely):
        principal = f"principal == {draw(_entity('Requester', REQUESTERS))}"
    resource = draw(st.sampled_from(["resource", "resource", f"resource in {draw(_entity('Dataset', DATASETS))}"]))
    body = [draw(conditions) for _ in range(draw(st.sampled_from([0, 0, 1, 1, 2] if permit else [1, 2])))]
    clauses = [f"{draw(st.sampled_from(['when', 'when', 'unless']))} {{ {part} }}" for part in body]
    if permit:
        clauses.append(f"when {{ {draw(st.sampled_from(NARROW))} }}")  # a permit has to leave something out
        said = '@basis("An Act")'
    else:
        action = draw(st.sampled_from(["action", action]))
        said = f'@reason("{draw(st.sampled_from(GIVEN))}")'
    head = f'@id("{name}")\n@article("19")\n@advice("Ask.")\n{said}\n'
    return (
        f"{head}{'permit' if permit else 'forbid'} ({principal}, {action}, {resource})\n" + "\n".join(clauses) + ";\n"
    )


def _weaker(text: str, draw: st.DrawFn) -> str:
    """A base rule that forbids no more; or as it is, mostly."""
    tail = draw(st.sampled_from([""] * 60 + ["\nwhen { !context.scope && context.scope }"]))
    return text.rstrip().removesuffix(";") + f"{tail};\n"


@st.composite
def folders(draw: st.DrawFn) -> Written:
    """All files of one set of policies."""
    made = {name: draw(datasets(name)) for name in DATASETS}
    homes = {name: draw(st.sampled_from(DEPARTMENTS)) for name in DATASETS}
    files = {"calendar.yaml": "time_zone: Europe/Sofia\n"}
    files["identifiers.yaml"] = (SHIPPED / "identifiers.yaml").read_text("utf-8")
    for department in DEPARTMENTS:
        here = [made[name][1] for name in DATASETS if homes[name] == department]
        if here:
            listed = "\n".join(["datasets:", *here])
            files[f"catalogue/{department}.yaml"] = f"department: {department}\ntitle: The {department}\n{listed}\n"
    covered = {name: of for name, (of, _) in made.items()}
    written = {name: draw(purposes(name, covered)) for name in PURPOSES}
    files["purposes.yaml"] = "\n".join(text for _, text in written.values()) + "\n"
    registered = {name: seen for name, (seen, _) in written.items()}
    clients = [draw(requesters(who, registered)) for who in CLIENTS]
    roles = "\n".join(f"  {role}: A {role}" for role in ROLES)
    files["requesters.yaml"] = (
        f"roles:\n{roles}\ndepartments: {{north: The north, south: The south}}\nrequesters:\n"
        + "\n".join(clients)
        + "\n"
    )
    for name, text in BASE.items():
        files[f"rules/{name}.cedar"] = _weaker(text, draw)
    effects = [True, True, *draw(st.lists(st.sampled_from([True, False, False]), max_size=2))]
    for place, permit in enumerate(effects):
        name = f"random-{place}"
        files[f"rules/{name}.cedar"] = draw(rules(name, draw(some(registered, 1 + permit)), permit=permit))
    return Written(files)


@st.composite
def inquiries(draw: st.DrawFn) -> Inquiry:
    """Anything that an inquiry may bring; mostly what opens something."""
    issuer, client = draw(st.sampled_from([*CLIENTS, *CLIENTS, *CLIENTS, ("login", "nobody")]))
    kind, subject = draw(st.sampled_from(SUBJECTS))
    now = NOW + draw(st.sampled_from([0] * 8 + [-1, 1, 9, 10, -10])) * DAY
    consents = [
        {
            "id": f"c-{place}", "issuer": who[0], "client": who[1], "purpose": draw(st.sampled_from(PURPOSES)),
            "datasets": {name: draw(st.none() | some(FIELDS, 1)) for name in draw(some(DATASETS, 1))},
            "until": now.date() + draw(st.sampled_from([-1, 0, 1])) * DAY,
        }
        for place, who in enumerate(draw(st.lists(st.sampled_from([(issuer, client), *CLIENTS]), max_size=2)))
    ]  # fmt: skip
    parts = st.fixed_dictionaries(
        {},
        optional={
            "purpose": st.sampled_from(PURPOSES),
            "case": st.sampled_from(CASES),
            "datasets": some(DATASETS),
            "identifier": st.sampled_from([subject, STRANGER]),
        },
    )
    scopes = [("inquire", "self")] * 3 + [("inquire",), ("self",), ("inquire:permits",), ("inquire:",), ()]
    inquiry = Inquiry(
        issuer=issuer,
        client=client,
        purpose=draw(st.sampled_from([*PURPOSES, *PURPOSES, *PURPOSES, "UNKNOWN"])),
        kind=kind,
        subject=subject,
        now=now,
        scopes=frozenset(draw(st.sampled_from(scopes))),
        official=draw(st.sampled_from(["o.fficial", "o.fficial", None])),
        acr=draw(st.sampled_from(["gold", "gold", "silver", None])),
        expires=now + draw(st.sampled_from([60] * 6 + [0, -1])) * datetime.timedelta(seconds=1),
        identifier=draw(st.sampled_from([subject, subject, STRANGER, None])),
        narrowed=draw(st.just([]) | st.just([]) | st.lists(parts, max_size=2)),
        case=draw(st.sampled_from([*CASES, None])),
        case_verified=draw(st.sampled_from([True, True, False])),
        consents=consents,
        consent=draw(st.sampled_from([None, None, None, "c-0"])),
        break_glass=draw(yes),
        suspended=frozenset(draw(st.just([]) | st.just([]) | some(DATASETS))),
    )
    return _fuller(draw, inquiry) if draw(mostly) else inquiry


def _fuller(draw: st.DrawFn, inquiry: Inquiry) -> Inquiry:
    """The inquiry with all that it takes, but for one thing perhaps."""
    consent = {"id": "c-9", "issuer": inquiry.issuer, "client": inquiry.client, "purpose": inquiry.purpose}
    consent |= {"datasets": dict.fromkeys(DATASETS), "until": TODAY}
    full: dict[str, Any] = {
        "now": NOW, "expires": NOW + DAY, "scopes": frozenset({"inquire", "self"}), "official": "o.fficial",
        "acr": "gold", "identifier": inquiry.subject, "narrowed": [], "case_verified": True, "break_glass": True,
        "consents": [consent], "consent": None, "suspended": frozenset(),
    }  # fmt: skip
    full.pop(draw(st.sampled_from([*full, None, None, None, None])), None)
    if "now" not in full:
        full.pop("expires")
    return inquiry._replace(**full)


def place(folder: Path, written: Written) -> Path:
    """Write the files into a folder that is not there yet."""
    for name, text in written.files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder
