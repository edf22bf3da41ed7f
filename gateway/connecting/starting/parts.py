"""The parts of files that a description gives, each as text, and where they are put."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from gateway.connecting.starting import drafting, knowing, writing
from gateway.connecting.starting.drafting import Draft
from gateway.connecting.starting.model import Lines
from gateway.connecting.starting.quoting import comment
from gateway.errors import CommandRefused

CATALOGUE = "catalogue.yaml"


class PartOfFile(NamedTuple):
    """A part: the name that it is written under, its text, and how many guesses and gaps are in it."""

    name: str
    text: str
    guesses: int
    gaps: int


def parts(drafted: Draft, indents: dict[str, int], purpose: str, client: str) -> list[PartOfFile]:
    """All parts: of `sources.yaml`, of the catalogue where it lacks the department, and those asked for beside."""
    found = [_part(knowing.SOURCES, "add below `departments:` of sources.yaml", drafting.source(drafted), indents)]
    if not drafted.known.title:
        goes = f"a file of its own: catalogue/{drafted.department}.yaml of the policies"
        found.append(_part(CATALOGUE, goes, drafting.catalogue(drafted), indents))
    if purpose:
        found.append(_part(knowing.PURPOSES, "add to purposes.yaml", drafting.purpose(drafted, purpose), indents))
    if client:
        item = drafting.requester(drafted, purpose, client)
        goes = "add below `requesters:` of requesters.yaml"
        found.append(_part(knowing.REQUESTERS, goes, item, indents, item=True))
    return found


def _part(name: str, goes: str, lines: Lines, indents: dict[str, int], *, item: bool = False) -> PartOfFile:
    indent = indents.get(name, 0)
    text = (writing.listed if item else writing.written)(lines, indent)
    head = comment(f"{goes}; `guess` is to be looked at, `gap` to be filled")
    return PartOfFile(name, f"{' ' * indent}{head}\n{text}", *writing.counted(lines))


def write(found: list[PartOfFile], folder: Path) -> list[Path]:
    """Write each part to a file of its own in the folder, which is made; none over a file that is there.

    Raises `CommandRefused`.
    """
    files = [folder / part.name for part in found]
    there = [str(file) for file in files if file.exists() or file.is_symlink()]
    if there:
        raise CommandRefused(f"`{there[0]}` is there already, and nothing is written over; name another folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file, part in zip(files, found, strict=True):
            with file.open("x", encoding="utf-8") as opened:
                opened.write(part.text)
    except OSError as error:
        raise CommandRefused(f"`{folder}` cannot be written to ({error.strerror}); name another folder") from error
    return files
