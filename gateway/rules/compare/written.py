"""What differs in policies that no decision rests on: what is watched for, and who may approve changes.

They are compared as they are written, value by value; what they mean is their own readers' affair. A threshold that
finds less counts as wider, and so do approvals that need no signature any more. Identifiers of officials
(`own-identifier`) are counted and never shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gateway import documents
from gateway.catalogue.diff import Effect, effect
from gateway.rules.compare.sentences import Told

WATCH, OFFICERS = "watch.yaml", "officers.yaml"
FILES = {WATCH: "watch", OFFICERS: "officers"}
_SECRET = "own-identifier"
_MORE_FINDS_LESS: Mapping[str, bool] = {
    **dict.fromkeys(("run", "officials", "changes", "closes", "inquiries", "times", "least"), True),
    **dict.fromkeys(("worked_days", "retries"), True),
    **dict.fromkeys(("gap", "minutes", "days", "opens"), False),
}
"""Thresholds of `watch.yaml` by whether a higher one finds less."""

Written = Mapping[str, Any]
"""What each of the files says, as plain values; those that are not there are left out."""


def read(policies_dir: Path) -> Written:
    """The contents of the files, where they are there; whether they are right is for `rules check`."""
    found = {}
    for file in FILES:
        root = documents.read(policies_dir / file, []) if (policies_dir / file).is_file() else None
        if root is not None:
            found[file] = root.plain()
    return found


def written(before: Written, after: Written) -> list[Told]:
    """Every value that differs, widenings first."""
    found = []
    for file, part in FILES.items():
        old, new = _flat(before.get(file)), _flat(after.get(file))
        hidden = {path for path in {**old, **new} if path[:1] == (_SECRET,) and "off" not in path}
        for path in {**new, **old}:
            if path not in hidden and old.get(path) != new.get(path):
                text = f"{_value(new.get(path))}; until now {_value(old.get(path))}."
                found.append(Told(_effect(part, path, old, new), part, f"`{_name(part, path)}`: {text}"))
        if changed := sum(old.get(path) != new.get(path) for path in hidden):
            text = f"`{part}.{_SECRET}`: {changed} identifier{'s' if changed > 1 else ''} of officials changed."
            found.append(Told(Effect.DIFFERS, part, text))
    return sorted(found, key=lambda told: told.effect)


def _flat(value: Any, path: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
    if isinstance(value, dict) and value:
        return {at: leaf for key, child in value.items() for at, leaf in _flat(child, (*path, str(key))).items()}
    return {path: value} if path else {}  # a file that holds no keys says nothing


def _name(part: str, path: tuple[str, ...]) -> str:
    return ".".join(path if path[:1] == (part,) else (part, *path))


def _value(value: Any) -> str:
    if value is None:
        return "nothing"
    return ", ".join(map(str, value)) if isinstance(value, list) and value else str(value) if value != [] else "nobody"


def _effect(part: str, path: tuple[str, ...], old: Mapping[Any, Any], new: Mapping[Any, Any]) -> Effect:
    was, now = old.get(path), new.get(path)
    if part != FILES[WATCH]:
        return Effect.WIDENS if path == ("approvals",) and was == "signed" else Effect.DIFFERS
    if path[-1] == "off":
        return effect(now is not None, was is not None and now is None)
    if path[-1] == "on_duty" and isinstance(was, list) and isinstance(now, list):
        return effect(not set(map(str, now)) <= set(map(str, was)))
    less = _MORE_FINDS_LESS.get(path[-1])
    if less is None or type(was) is not type(now) or not isinstance(was, int | str):
        return Effect.DIFFERS
    return effect((now > was) is less)  # type: ignore[operator]
