"""One rule: a Cedar policy in a file of its own, read and checked on its own.

A rule has an `@id`, the `@article` that it rests on and `@advice` for the refused. A `permit` names its legal `@basis`;
a `forbid` the `@reason` that a denial gives, and may say with `@needs` what else it would take. Advice and needs may
name what was asked for: `{dataset}`, `{field}`, `{department}`, `{purpose}`, `{subject}`, `{requester}`.

A problem names file, rule, line and column. Cedar gives no position: one rule per file, and the offending word is
looked for in its text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec

from gateway import documents
from gateway.errors import Problem
from gateway.nouns import counted
from gateway.rules.files import tokens
from gateway.rules.model import Reason
from gateway.values import suggest

REASONS: tuple[Reason, ...] = (
    Reason.SUBJECT_KIND_NOT_PERMITTED,
    Reason.PURPOSE_NOT_PERMITTED,
    Reason.SCOPE_MISSING,
    Reason.OFFICIAL_REQUIRED,
    Reason.STEP_UP_REQUIRED,
    Reason.CONSENT_REQUIRED,
    Reason.NO_RULE,
)
"""What a rule may give as reason, in the order in which one is told where several forbid."""

PLACEHOLDERS = ("dataset", "field", "department", "purpose", "subject", "requester")

_ANNOTATIONS = {
    "permit": (("id", "article", "advice", "basis"), ()),
    "forbid": (("id", "article", "advice", "reason"), ("needs", "basis")),
}
_MAX_SIZE = 16_384
_MAX_BRACKETS = 50
_MAX_DEPTH = 100  # of Cedar's JSON form, which Cedar itself reads to a depth of 128
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")


class Rule(msgspec.Struct, frozen=True):
    """A rule as read. `policy` is its Cedar JSON form; `articles` are those of `@article`, split at commas."""

    id: str
    effect: Literal["permit", "forbid"]
    articles: tuple[str, ...]
    advice: str
    basis: str
    reason: Reason
    needs: str
    policy: Mapping[str, Any]
    file: str
    text: str


def fill(text: str, values: Mapping[str, str]) -> str:
    """The text of an advice or need with its placeholders filled."""
    return _PLACEHOLDER.sub(lambda match: values.get(match[1], match[0]), text)


def read(path: Path, problems: list[Problem], *, within: Path | None = None) -> Rule | None:
    """Read one file's rule; `None` after noting why it cannot be used. `within` as in `documents.text`."""
    text = documents.text(path, problems, within=within)
    return None if text is None else parse(text, str(path), problems)


def parse(text: str, file: str, problems: list[Problem]) -> Rule | None:
    """The rule that a text writes; `None` after noting why it cannot be used."""
    import cedarpy  # on first need: what is already decided needs no Cedar

    reader = _Reader(text, file, problems)
    if not reader.readable():
        return None
    try:
        written = cedarpy.policies_to_json_str(text)
    except ValueError as error:
        offset = _syntax_offset(text, str(error))
        reader.problem(offset, f"is not Cedar: {error}{_strange(text[offset : offset + 1])}")
        return None
    if _depth(written) > _MAX_DEPTH:
        at = tokens.effects(text)
        reader.problem(at[0] if at else 0, "its condition is too long or too deep; split it into several rules")
        return None
    parsed = json.loads(written)
    policies = parsed["staticPolicies"]
    if parsed["templates"]:
        slot = tokens.find(text, "?", "principal") or tokens.find(text, "?", "resource") or 1
        reader.problem(slot - 1, "a template (`?principal`, `?resource`) decides nothing; write the rule out")
        return None
    if len(policies) != 1:
        effects = tokens.effects(text)
        reader.problem(
            effects[1] if len(effects) > 1 else 0,
            f"{counted(len(policies), 'rule')} in one file; write one rule per file, so that each can be found"
            " by its name"
            if policies
            else "holds no rule; write one, or remove the file",
        )
        return None
    return reader.rule(next(iter(policies.values())))


class _Reader:
    def __init__(self, text: str, file: str, problems: list[Problem]) -> None:
        self.text, self.file, self.problems = text, file, problems
        self.id = ""

    def problem(self, offset: int | None, message: str) -> None:
        line, column = tokens.place(self.text, offset or 0)
        self.problems.append(Problem(self.file, line, column, f"@id {self.id}" if self.id else "", message))

    def readable(self) -> bool:
        """Whether Cedar may be handed the text: it ends the process on deep brackets, which no rule needs."""
        if "\0" in self.text:
            self.problem(self.text.index("\0"), "a NUL character; remove it")
            return False
        if len(self.text) > _MAX_SIZE:
            self.problem(0, f"is longer than {_MAX_SIZE} characters; split it into several rules")
            return False
        deep = tokens.deeper(self.text, _MAX_BRACKETS)
        if deep is not None:
            self.problem(deep, f"brackets are more than {_MAX_BRACKETS} deep; split it into several rules")
            return False
        return True

    def rule(self, policy: Mapping[str, Any]) -> Rule | None:
        effect: Literal["permit", "forbid"] = "permit" if policy["effect"] == "permit" else "forbid"
        annotations = {name: value or "" for name, value in policy.get("annotations", {}).items()}
        self.id = annotations.get("id", "")
        before = len(self.problems)
        required, optional = _ANNOTATIONS[effect]
        for name in required:
            if not annotations.get(name, "").strip():
                at = tokens.annotation(self.text, name) if name in annotations else tokens.effects(self.text)[0]
                self.problem(at, f'`@{name}` is missing; a {effect} needs `@{name}("...")`')
        for name in annotations:
            if name not in required and name not in optional:
                at = tokens.annotation(self.text, name)
                self.problem(at, f"unknown `@{name}`{suggest(name, [*required, *optional])}")
        if self.id and not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", self.id):
            self.problem(tokens.annotation(self.text, "id"), f"`{self.id}` must be small letters, digits and hyphens")
        self._check_texts(annotations)
        reason = Reason.NO_RULE
        if effect == "forbid" and annotations.get("reason"):
            known = {str(reason): reason for reason in REASONS}
            if annotations["reason"] in known:
                reason = known[annotations["reason"]]
            else:
                word = annotations["reason"]
                at = tokens.annotation(self.text, "reason")
                self.problem(at, f"unknown reason `{word}`{suggest(word, known)}; one of {', '.join(known)}")
        if len(self.problems) > before:
            return None
        return Rule(
            id=self.id,
            effect=effect,
            articles=tuple(part.strip() for part in annotations["article"].split(",") if part.strip()),
            advice=annotations["advice"],
            basis=annotations.get("basis", ""),
            reason=reason,
            needs=annotations.get("needs", ""),
            policy=policy,
            file=self.file,
            text=self.text,
        )

    def _check_texts(self, annotations: Mapping[str, str]) -> None:
        for name in ("advice", "needs"):
            for match in _PLACEHOLDER.finditer(annotations.get(name, "")):
                if match[1] not in PLACEHOLDERS:
                    known = ", ".join(f"{{{word}}}" for word in PLACEHOLDERS)
                    self.problem(
                        tokens.annotation(self.text, name),
                        f"unknown `{match[0]}`{suggest(match[1], PLACEHOLDERS)}; one of {known}",
                    )


def _depth(text: str) -> int:
    """How deep the objects and arrays of a JSON text nest, without reading it recursively."""
    deepest = depth = 0
    for token in tokens.tokens(text):
        depth += (token.text in ("{", "[")) - (token.text in ("}", "]"))
        deepest = max(deepest, depth)
    return deepest


def _syntax_offset(text: str, message: str) -> int:
    """Where Cedar's syntax error stands: at the word that it names, else where the text stops making sense."""
    for word in _named(message):
        sequence = [token.text for token in tokens.tokens(word)]
        found = tokens.find(text, *sequence) if sequence else None
        if found is not None:
            return found
    return _first_nonsense(text)


def _named(message: str) -> Iterator[str]:
    if not message.startswith("unexpected token"):
        yield from re.findall(r"`([^`]+)`", message)
        yield from re.findall(r": (@?\w+)$", message)
        yield from re.findall(r"^'([^']+)' is not a valid operator", message)


def _strange(character: str) -> str:
    """What to do about a character that word processors write, and Cedar has nowhere but in strings and comments."""
    if not character or character.isascii():
        return ""
    hint = '; write `"`' if character in "“”„«»‘’" else "; it can only stand in a string or a comment"
    return f" `{character}` (U+{ord(character):04X}){hint}"


def _first_nonsense(text: str) -> int:
    import cedarpy

    last = len(text.rstrip())
    for token in tokens.tokens(text):
        try:
            cedarpy.policies_to_json_str(text[: token.end])
        except ValueError as error:
            if str(error) != "unexpected end of input":
                return token.start
    return last
