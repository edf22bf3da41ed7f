"""From an archive's bytes to the rule set that they are: by the one loader, checked against its digest."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from gateway.activation.archive import NotPacked, laid_out
from gateway.catalogue.load import load as load_catalogue
from gateway.errors import ConfigurationError, Problem
from gateway.rules.load import read
from gateway.rules.ruleset import RuleSet

if TYPE_CHECKING:
    from gateway.config.settings import Settings  # which brings SQLAlchemy: nothing that reads an archive needs it

SHOWN = 12
"""So many digits of a digest stand where a person only has to tell sets apart."""


class Reading(NamedTuple):
    """What of `gateway.yaml` the files are read with, as `gateway.rules.load.read` takes it."""

    issuers: Mapping[str, str] | None
    registries: Collection[str] | None
    secrets: Path | None


def reading(settings: Settings, *, signing: bool = False) -> Reading:
    """What a configuration reads them with; the files with secrets are read where it is for `signing`.

    A case registry that is not configured stops only those who verify cases (`for_inquiries`).
    """
    return Reading(settings.oauth.aliases or None, None, settings.policies if signing else None)


def for_inquiries(settings: Settings) -> Reading:
    """The same, for those who answer inquiries."""
    registries = list(settings.root.mapping(any_key=True)["case_registries"].mapping(any_key=True))
    return reading(settings, signing=True)._replace(registries=registries)


def loaded(files: bytes, digest: str | None, how: Reading) -> RuleSet:
    """The rule set of an archive; raises `ConfigurationError` with all problems, each in its file's own name.

    Where a `digest` is given, also where the files say something else than it stands for.
    """
    with laid_out_as(files, digest) as (folder, problems):
        found = rules_in(folder, how, problems)
        if found is not None:
            hold(found, digest, problems)
    if problems or found is None:
        raise ConfigurationError(problems)
    return found


def rules_in(folder: Path, how: Reading, problems: list[Problem]) -> RuleSet | None:
    """The rule set of a folder's files; None where anything is wrong with them, which goes to `problems`."""
    catalogue = load_catalogue(folder, problems)
    return read(folder, catalogue, how.issuers, problems, how.registries, secrets=how.secrets).rules


def hold(found: RuleSet, digest: str | None, problems: list[Problem]) -> None:
    """Check that a rule set has its digest."""
    if digest is not None and found.digest != digest:
        say = f"its files have the digest `{found.digest[:SHOWN]}`: they were altered, or another version wrote them"
        problems.append(Problem(_called(digest), 0, 0, "", say))


@contextlib.contextmanager
def laid_out_as(files: bytes, digest: str | None) -> Iterator[tuple[Path, list[Problem]]]:
    """An archive's files in a folder, and where to report their problems, under their names in the archive.

    Raises `ConfigurationError` where it is no archive.
    """
    called, problems = _called(digest), list[Problem]()
    try:
        with laid_out(files) as folder:
            yield folder, problems
            problems[:] = [each._replace(file=_named(each.file, folder, called)) for each in problems]
    except NotPacked as error:
        raise ConfigurationError([Problem(called, 0, 0, "", str(error))]) from error


def _called(digest: str | None) -> str:
    return f"rule set {digest[:SHOWN]}" if digest else "rule set"


def _named(file: str, folder: Path, called: str) -> str:
    path = Path(file)
    return f"{called}: {path.relative_to(folder)}" if path.is_relative_to(folder) else file
