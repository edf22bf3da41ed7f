"""Contributing, security and licence: what they name exists, and the package says the same.

Their commands and links are run and followed with every other page's, by `test_commands.py`.
"""

from __future__ import annotations

import re
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.docs.reading import ROOT, inline, links, missing

PAGES = [ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md"]

# MPL and LGPL ask for their own files' source, and that the library can be replaced: an installed package can.
FITS = re.compile(r"\b(MIT|BSD|Apache|PSF|ISC|0BSD|MPL|Mozilla Public License 2\.0|LGPL)")
FORBIDS = re.compile(r"(?<!L)\b[A]?GPL|Affero|(?<!Lesser )General Public License", re.IGNORECASE)


@pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])
def test_every_file_that_is_named_exists(page: Path) -> None:
    names = [span for span in inline(page) if re.fullmatch(r"\.?[a-z_]+/[\w./]*", span)]
    assert missing(names) == []
    assert not re.search(r"@\w+\.\w+|mailto:", page.read_text("utf-8")), "there is no address to write to"


def test_the_readme_leads_to_all_of_them() -> None:
    assert {"CONTRIBUTING.md", "SECURITY.md", "LICENSE"} <= set(links(ROOT / "README.md"))


def test_the_package_tells_its_licence() -> None:
    told = metadata.metadata("dutybound")
    assert told["License-Expression"] == (ROOT / "LICENSE").read_text("utf-8").split()[0] == "MIT"
    assert told.get_all("License-File") == ["LICENSE"]


def licences(name: str, extras: frozenset[str] = frozenset(), seen: dict[str, str] | None = None) -> dict[str, str]:
    """What an installed package and all that it needs to run say of their licences."""
    seen = {} if seen is None else seen
    try:
        package = metadata.distribution(name)
    except metadata.PackageNotFoundError:  # another system's
        return seen
    if name not in seen:
        about = package.metadata
        texts = [
            str(each.locate()) for each in package.files or [] if re.search(r"licen[cs]e", str(each), re.IGNORECASE)
        ]
        said = [about.get("License-Expression") or "", (about.get("License") or "")[:200]]
        said += [each for each in about.get_all("Classifier") or [] if each.startswith("License")]
        if not "".join(said):
            said = [Path(text).read_text("utf-8", errors="replace")[:400] for text in texts if Path(text).is_file()]
        seen[name] = " ".join(" ".join(said).split())
    for line in package.requires or []:
        needed = Requirement(line)
        wanted = [{"extra": extra} for extra in (*extras, "")]
        if needed.name not in seen and (not needed.marker or any(needed.marker.evaluate(each) for each in wanted)):
            licences(needed.name, frozenset(needed.extras), seen)
    return seen


def test_no_dependency_forbids_the_licence() -> None:
    found = licences("dutybound")
    assert len(found) > 20
    assert {name: said for name, said in found.items() if FORBIDS.search(said) or not FITS.search(said)} == {}


@pytest.mark.parametrize("said", ["GPL-3.0-only", "AGPL-3.0", "GNU General Public License v3", "GNU Affero GPL", ""])
def test_one_that_did_is_found(said: str) -> None:
    assert FORBIDS.search(said) or not FITS.search(said)
