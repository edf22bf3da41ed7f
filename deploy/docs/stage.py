"""Collects the pages of the site in one folder, from where they stand in the project.

A page keeps its path. Only those of `pages/` come to the top. Links are rewritten to match. A link to another file or
folder of the project leads to a page that shows it. A link that leads nowhere is an error. MkDocs checks anchors.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = Path("deploy/docs/pages")
FOLDERS = ("gateway", "connectors", "policies", "deploy", "tests")
"""Where pages stand, beside the root itself."""
COPIED = {".svg", ".webp", ".png"}

_FENCE = re.compile(r"^(```[^\n`]*\n.*?^```[ ]*$)", re.MULTILINE | re.DOTALL)
_INFO = re.compile(r"\A```(\w*)[^\n]*")
_LINK = re.compile(r"(\]\()([^)#\s]+)(#[^)\s]*)?(\))")
_AFTER_TEXT = re.compile(r"^(?![-*|>#\s]|\d+\. )(.+)\n(?=(?:[-*]|1\.) )", re.MULTILINE)
_LANGUAGES = {".py": "python", ".mjs": "js", ".yaml": "yaml", ".yml": "yaml", ".json": "json", ".cedar": "text"}


class NowhereError(Exception):
    """A link of a page leads to nothing: the page, and the link."""


def pages() -> list[Path]:
    """Every page of the project, by its path in it."""
    found = list(ROOT.glob("*.md"))
    for folder in FOLDERS:
        found += (page for page in (ROOT / folder).rglob("*.md") if "node_modules" not in page.parts)
    return sorted(page.relative_to(ROOT) for page in found)


def staged(page: Path) -> Path:
    """Where a page comes to stand in the site."""
    if page.parent == PAGES:
        return Path(page.name)
    return Path("overview.md") if page == Path("README.md") else page


class Stage:
    """Puts the site's pages into a folder, which is emptied first. Raises `NowhereError`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._shown: set[Path] = set()

    def put(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)
        for page in pages():
            self._write(staged(page), "".join(self._parts(page)))
        shutil.copy(ROOT / PAGES / "style.css", self._folder)

    def _write(self, place: Path, text: str) -> None:
        (self._folder / place).parent.mkdir(parents=True, exist_ok=True)
        (self._folder / place).write_text(text, "utf-8")

    def _parts(self, page: Path) -> Iterator[str]:
        """The page's text: links lead to where their pages stand now; a fence has only its language."""
        for part in _FENCE.split((ROOT / page).read_text("utf-8")):
            if part.startswith("```"):
                yield _INFO.sub(r"```\1", part, count=1)
            else:
                # Python-Markdown wants an empty line before a list.
                text = _AFTER_TEXT.sub(r"\1\n\n", part)
                yield _LINK.sub(lambda link: f"{link[1]}{self._leads(page, link[2])}{link[3] or ''}{link[4]}", text)

    def _leads(self, page: Path, link: str) -> str:
        """A link of the page, as it has to be in the site."""
        if "://" in link:
            return link
        target = Path(os.path.normpath(page.parent / link))
        if not (ROOT / target).exists():
            raise NowhereError(f"{page} leads to `{link}`, which does not exist")
        if target.suffix == ".md":
            place = staged(target)
        elif target.suffix in COPIED:
            place = Path("pictures") / target.name
            (self._folder / place).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / target, self._folder / place)
        else:
            place = Path("source") / f"{target}.md"
            if target not in self._shown:
                self._shown.add(target)
                self._write(place, _shown(target))
        return os.path.relpath(place, staged(page).parent)


def _shown(target: Path) -> str:
    """A page that shows a file of the project, or the files of a folder one after the other."""
    whole = ROOT / target
    found = [whole] if whole.is_file() else sorted(each for each in whole.rglob("*") if each.is_file())
    files = [each for each in found if "__pycache__" not in each.parts]
    text = f"---\nsearch: {{exclude: true}}\n---\n\n# `{target}`\n"
    for file in files:
        if whole.is_dir():
            text += f"\n## `{file.relative_to(whole)}`\n"
        text += f"\n````{_LANGUAGES.get(file.suffix, 'text')}\n{file.read_text('utf-8').rstrip()}\n````\n"
    return text
