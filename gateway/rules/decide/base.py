"""What no permit overcomes (Arts. 19-25, 27, 28(1), 42), held twice: by rules that must be there, and by code.

The base rules are Cedar like all others, so that officers read them and a denial explains itself. But a file can be
deleted and a condition mended wrongly. So the loader demands each base rule, as a `forbid` on everything; and a cell
that the rules permit all the same, against what is listed here, stays denied. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from gateway.catalogue.model import Status
from gateway.catalogue.words import SPECIAL
from gateway.errors import Problem
from gateway.rules.decide.engine import Question
from gateway.rules.files.rule import Rule
from gateway.rules.model import Cell, Flag, Reason


def _outside_purpose(asked: Question) -> bool:
    fields = asked.purpose.fields.get(asked.dataset.id)
    return fields is None or asked.field not in fields.names


def _subject_kind(asked: Question) -> bool:
    return asked.kind not in asked.purpose.subjects or asked.kind not in asked.dataset.subjects


def _consent_missing(asked: Question) -> bool:
    # To the subject itself, which shows a token of its own, the subject's information needs no consent.
    own = asked.purpose.scope == "self" and Flag.SCOPE in asked.flags
    return asked.dataset.information == "non_public" and Flag.CONSENT not in asked.flags and not own


def _without_scope(own: bool) -> Callable[[Question], bool]:
    return lambda asked: (asked.purpose.scope == "self") is own and Flag.SCOPE not in asked.flags


BASE: Mapping[str, Callable[[Question], bool]] = {
    "unpublished": lambda asked: asked.dataset.status is not Status.PUBLISHED,
    "special-categories": lambda asked: asked.dataset.category in SPECIAL,
    "subject-kind": _subject_kind,
    "outside-purpose": _outside_purpose,
    "outside-the-grant": lambda asked: asked.dataset.id not in asked.grant.datasets,
    "scope-missing": _without_scope(False),
    "self-scope-missing": _without_scope(True),
    "official-missing": lambda asked: asked.purpose.official_required and Flag.OFFICIAL not in asked.flags,
    "step-up-missing": lambda asked: asked.purpose.step_up is not None and Flag.STEP_UP not in asked.flags,
    "case-missing": lambda asked: asked.purpose.case_required and Flag.CASE not in asked.flags,
    "consent-missing": _consent_missing,
}
"""Each base rule's id, and when it forbids."""


def check(rules: Sequence[Rule], directory: Path, problems: list[Problem], *, all_read: bool = True) -> None:
    """Note every base rule that is missing, permits, or is narrowed to some principals, actions or resources.

    Where not `all_read`, one that is missing may be in a file that could not be.
    """
    known = {rule.id: rule for rule in rules}
    for name in BASE:
        rule = known.get(name)
        if rule is None and not all_read:
            continue
        if rule is None:
            message = f"the base rule `{name}` is missing; no permit may overcome it: restore `{name}.cedar`"
            problems.append(Problem(str(directory), 0, 0, "", message))
        elif rule.effect != "forbid":
            problems.append(Problem(rule.file, 1, 1, f"@id {name}", "a base rule must be a `forbid`"))
        elif any(rule.policy[part]["op"] != "All" for part in ("principal", "action", "resource")):
            message = "a base rule is for everybody and everything: write `forbid (principal, action, resource)`"
            problems.append(Problem(rule.file, 1, 1, f"@id {name}", message))


def forbidding(asked: Question) -> str | None:
    """The first base rule that forbids this, as the code has it; `None` where none does."""
    return next((name for name, forbids in BASE.items() if forbids(asked)), None)


def held(asked: Question, cell: Cell) -> Cell:
    """The cell, unless it permits what the base forbids: then a denial that names the base rule that failed to."""
    name = forbidding(asked) if cell.permitted else None
    if name is None:
        return cell
    advice = (
        f"The base rule `{name}` no longer forbids what it must; nothing is permitted. Report it to the policy officer."
    )
    return Cell(False, Reason.NO_RULE, name, asked.purpose.articles, advice, (name,), (f"`{name}` mended",))
