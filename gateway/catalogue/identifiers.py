"""Identifier schemes: how the value that names a subject is checked and brought to its canonical form.

A scheme is a module of python-stdnum, a pattern, or both (then the module's canonical form has to match). Values are
ASCII without spaces before any module sees them: several modules drop separators, and two spellings of one subject
would be two subjects to a department that does not. Only modules below `stdnum.` are ever imported. A kind of subject
has one scheme: what is known under one name, as an objection, would not bind records that are asked for under another.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Mapping
from pathlib import Path

from connectors.base import SubjectKind
from gateway.catalogue.model import IdentifierScheme
from gateway.documents import Node, read
from gateway.errors import Problem

MAX_LENGTH = 64
"""No identifier is longer; keeps a pattern's cost bounded too."""

_SEARCHED = ("IVAN.PETROV", "Ivan.Petrov", "ivan-petrov", "i.petrov@post.example", "+359888123456")
"""What a scheme would find somebody by without knowing its number: a name, an address, a telephone."""

_VISIBLE = re.compile(r"[!-~]+")
_MODULE = re.compile(r"stdnum(\.[a-z][a-z0-9_]*)+")
_LEI = re.compile(r"[0-9A-Z]{18}[0-9]{2}")
_BASE_10 = {ord(letter): str(int(letter, 36)) for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}


def validator(module: str) -> Callable[[str], str]:
    """The `validate` function of a python-stdnum module; raises `ValueError` where there is none.

    It gives the compact form, or raises `ValueError` for a wrong length, format or check digit.
    """
    if not _MODULE.fullmatch(module):
        raise ValueError(f"`{module}` is not a module of python-stdnum; write for example `stdnum.lei`")
    try:
        validate = getattr(importlib.import_module(module), "validate", None)
    except ImportError:
        raise ValueError(f"python-stdnum has no module `{module}`") from None
    if not callable(validate):
        raise ValueError(f"`{module}` has no check (`validate`); name the module of one kind of number")

    plain = _PLAIN.get(module)

    def check(value: str) -> str:
        return value if plain is not None and plain(value) else str(validate(value))

    return check


def _plain_lei(value: str) -> bool:
    return _LEI.fullmatch(value) is not None and int(value.translate(_BASE_10)) % 97 == 1


_PLAIN: Mapping[str, Callable[[str], bool]] = {"stdnum.lei": _plain_lei}
"""By module: whether it would certainly give a value back as it is. The modules go through it letter by letter."""


def canonical(title: str, validate: Callable[[str], str] | None, pattern: str | None) -> Callable[[str], str]:
    """The function that gives a value's canonical form, or raises `ValueError`; the message has no value in it."""
    matches = re.compile(pattern).fullmatch if pattern else None
    wrong = f"is not a valid {title}; check its length, letters and check digit"

    def canonical_form(value: str) -> str:
        if len(value) > MAX_LENGTH or not _VISIBLE.fullmatch(value):
            raise ValueError(wrong)
        if validate:
            try:
                value = validate(value)
            except Exception:  # modules differ in what they raise for input that they cannot read
                raise ValueError(wrong) from None
        if matches and not matches(value):
            raise ValueError(wrong)
        return value

    return canonical_form


def made(
    name: str, title: str, subjects: tuple[SubjectKind, ...], module: str | None, pattern: str | None
) -> IdentifierScheme:
    """A scheme of what it is made of; raises `ValueError` for a module that there is not."""
    validate = validator(module) if module else None
    return IdentifierScheme(name, title, subjects, canonical(name, validate, pattern), module, pattern)


def _scheme(name: str, node: Node) -> IdentifierScheme:
    entries = node.mapping(["title", "subjects"], ["module", "pattern"])
    if not re.fullmatch(r"[A-Z][A-Z0-9_]{0,30}", name):
        node.problem(f"`{name}` must be a scheme's name in capitals, such as `LEI`: it becomes a GraphQL enum value")
    title = entries["title"].text() if "title" in entries else name
    subjects = subject_kinds(entries["subjects"]) if "subjects" in entries else ()
    validate: Callable[[str], str] | None = None
    module = entries["module"].text() if "module" in entries else None
    if module:
        try:
            validate = validator(module)
        except ValueError as error:
            entries["module"].problem(str(error))
    pattern = entries["pattern"].text() if "pattern" in entries else None
    if pattern:
        try:
            re.compile(pattern)
        except (re.error, RecursionError, OverflowError) as error:
            entries["pattern"].problem(f"`{pattern}` is not a regular expression: {error}")
            pattern = None
    if "module" not in entries and "pattern" not in entries:
        node.problem("needs `module` (of python-stdnum) or `pattern`, so that a value can be checked")
    form = canonical(name, validate, pattern)
    if pattern and (found := next((each for each in _SEARCHED if _takes(form, each)), None)):
        entries["pattern"].problem(
            f"takes `{found}`, so that people could be searched for; narrow it to what an official number looks like"
        )
    return IdentifierScheme(name, title, subjects, form, module, pattern)


def _takes(form: Callable[[str], str], value: str) -> bool:
    try:
        form(value)
    except ValueError:
        return False
    return True


def subject_kinds(node: Node) -> tuple[SubjectKind, ...]:
    """A non-empty list of `organisation` and `person`, sorted."""
    found: set[SubjectKind] = set()
    for item in node.items():
        kind = item.choice(["organisation", "person"])
        if kind in found:
            item.problem(f"`{kind}` appears twice; keep one")
        if kind == "organisation":
            found.add("organisation")
        elif kind == "person":
            found.add("person")
    if node.is_sequence and not node.items():
        node.problem("names no kind of subject; write `[organisation]`, `[person]` or both")
    return tuple(sorted(found))


def load_schemes(file: Path, problems: list[Problem]) -> dict[str, IdentifierScheme]:
    """Read `identifiers.yaml`; what is wrong in it is added to `problems`, and all that is written is given."""
    node = read(file, problems, within=file.parent)
    if node is None:
        return {}
    schemes: dict[str, IdentifierScheme] = {}
    naming: dict[SubjectKind, str] = {}
    for name, entry in node.mapping(any_key=True).items():
        schemes[name] = scheme = _scheme(name, entry)
        for kind in scheme.subjects:
            if (other := naming.setdefault(kind, name)) != name:
                entry.key_problem(
                    f"`{kind}` has the scheme `{other}` already; keep one for each kind of subject: an objection under "
                    "one would not bind records under the other"
                )
    if node.is_mapping and not schemes:
        node.problem("names no identifier scheme; without one no subject can be named")
    return dict(sorted(schemes.items()))
