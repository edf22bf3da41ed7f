"""What a look at a draft finds, in its own process: see `child`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from gateway.activation.archive import laid_out
from gateway.catalogue.load import load as load_catalogue
from gateway.drafts import granted, purposed
from gateway.drafts.child import MOST_ROWS, MOST_TOLD, Edit, Found, Looked, Place, Purposed, Row, Wanted
from gateway.drafts.splice import Unfit
from gateway.errors import Problem, printable
from gateway.rules.check import reach, weakened
from gateway.rules.decide import guards
from gateway.rules.explain import matrix
from gateway.rules.files import thresholds
from gateway.rules.load import read
from gateway.rules.ruleset import RuleSet
from gateway.rules.testing import read as tests

REQUESTERS, PURPOSES = "requesters.yaml", "purposes.yaml"


def answered(asked: bytes) -> bytes:
    """The bytes of a `Looked` answered with those of a `Found`."""
    return msgspec.msgpack.encode(found(msgspec.msgpack.decode(asked, type=Looked)))


def found(asked: Looked) -> Found:
    """What was found in a draft's files."""
    with laid_out(asked.files) as folder:
        try:
            return _PARTS[asked.part](asked, folder)
        except Unfit as error:
            return Found(unfit=str(error))


def _checked(asked: Looked, folder: Path) -> Found:
    """All that `dutybound rules check` tells."""
    problems: list[Problem] = []
    rules = _read(asked, folder, problems)
    if rules is None:
        return Found(places=_places(problems, folder))
    tests.load(folder, rules, problems)
    problems += [each._replace(file=f"rules/{Path(each.file).name}") for each in weakened.check(rules)]
    idle = [] if problems else reach.check(rules, folder, asked.day)
    policies = rules.policies
    counts = {
        "rules": len(rules.rules),
        "purposes": len(policies.purposes),
        "requesters": len(policies.requesters),
        "grants": sum(len(entry.grants) for entry in policies.requesters.values()),
        "datasets": len(policies.catalogue.published),
    }
    return Found((*_places(problems, folder), *_places(idle, folder, "warning")), counts, rules.digest)


def _read(asked: Looked, folder: Path, problems: list[Problem]) -> RuleSet | None:
    read_ = read(folder, load_catalogue(folder, problems), asked.issuers or None, problems, asked.registries)
    thresholds.load(folder, problems, read_.catalogue, read_.requesters)
    return None if problems else read_.rules


def _places(problems: Sequence[Problem], folder: Path, severity: str = "error") -> tuple[Place, ...]:
    told = []
    for each in sorted(set(problems))[:MOST_TOLD]:
        path = Path(each.file)
        name = path.relative_to(folder).as_posix() if path.is_relative_to(folder) else each.file
        name = "" if name == "." else name
        told.append(
            Place(name, each.line, each.column, printable(each.path), printable(each.message), severity)  # type: ignore[arg-type]
        )
    return tuple(told)


def _matrix(asked: Looked, folder: Path) -> Found:
    problems: list[Problem] = []
    rules = _read(asked, folder, problems)
    if rules is None:
        return Found(places=_places(problems, folder))
    policies, catalogue = rules.policies, rules.policies.catalogue
    rows = list(_rows(rules, asked))
    return Found(
        digest=rules.digest,
        rows=tuple(rows[:MOST_ROWS]),
        left_out=max(0, len(rows) - MOST_ROWS),
        requesters={entry.client: entry.title for entry in policies.requesters.values() if entry.grants},
        purposes={name: each.title for name, each in policies.purposes.items()},
        datasets={name: each.title for name, each in catalogue.published.items()},
    )


def _rows(rules: RuleSet, asked: Looked) -> Iterator[Row]:
    """A row for each grant, kind of subject and dataset, in the order of the files."""
    policies = rules.policies
    titles = {entry.client: entry.title for entry in policies.requesters.values()}
    cells: dict[tuple[str, str, str], list[matrix.Row]] = {}
    for each in matrix.rows(rules):
        if _fits(each, asked.wanted) and each.kind in policies.purposes[each.grant.purpose].subjects:
            cells.setdefault((each.grant.id, each.kind, each.dataset), []).append(each)
    for several in cells.values():
        first = several[0]
        permitted = [each for each in several if each.cell.permitted]
        dataset = policies.catalogue.datasets[first.dataset]
        yield Row(
            grant=first.grant.id,
            requester=first.client,
            title=titles[first.client],
            purpose=first.grant.purpose,
            purpose_title=policies.purposes[first.grant.purpose].title,
            subject=first.kind,
            dataset=first.dataset,
            dataset_title=dataset.title,
            department=dataset.department,
            fields=tuple(each.field for each in several),
            permitted=tuple(each.field for each in permitted),
            takes=tuple(dict.fromkeys(name for each in permitted for name in each.takes)),
            standing=guards.standing(first.grant, asked.day),
            reason="" if permitted else str(first.cell.reason or ""),
            rules={id_: f"rules/{Path(rules.rules[id_].file).name}" for id_ in _ids(several) if id_ in rules.rules},
        )


def _ids(several: Sequence[matrix.Row]) -> list[str]:
    """The rules behind cells, each once."""
    return sorted({id_ for each in several for id_ in (*each.cell.rules, each.cell.rule or "")})


def _fits(row: matrix.Row, wanted: Wanted) -> bool:
    return (
        wanted.requester in ("", row.client)
        and wanted.purpose in ("", row.grant.purpose)
        and wanted.dataset in ("", row.dataset)
    )


def _granted(asked: Looked, folder: Path) -> Found:
    """The grants of the file, or the file with one of them changed; also where the draft has problems."""
    text = _text(folder, REQUESTERS)
    if isinstance(asked.edit, Edit):
        return Found(text=granted.edited(text, asked.edit))
    datasets = load_catalogue(folder, []).datasets
    return Found(grants=granted.grants(text), datasets={name: each.title for name, each in datasets.items()})


def _purposed(asked: Looked, folder: Path) -> Found:
    """The same, of purposes."""
    text = _text(folder, PURPOSES)
    if isinstance(asked.edit, Purposed):
        return Found(text=purposed.edited(text, asked.edit))
    datasets = load_catalogue(folder, []).datasets
    return Found(
        several=purposed.purposes(text),
        datasets={name: each.title for name, each in datasets.items()},
        fields={name: tuple(each.fields) for name, each in datasets.items()},
    )


def _text(folder: Path, name: str) -> str:
    try:
        return (folder / name).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Unfit(f"there is no `{name}` that is a text") from error


_PARTS = {"check": _checked, "matrix": _matrix, "grants": _granted, "purposes": _purposed}
