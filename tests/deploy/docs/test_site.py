"""The site: every page is in it and in one menu, every link leads somewhere, and nothing is loaded from elsewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from deploy.docs import build, stage
from tests.docs import reading

NAMED = Path(stage.__file__).with_name("mkdocs.yml")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built anew."""
    folder = tmp_path_factory.mktemp("site")
    status, said = build.build(folder)
    assert status == 0, said
    return folder / "site"


def test_every_page_of_the_project_is_in_it(site: Path) -> None:
    assert [stage.ROOT / page for page in stage.pages()] == reading.pages()
    places = [stage.staged(page) for page in stage.pages()]
    assert len(set(places)) == len(places)
    for place in places:
        name = "index" if place.name == "README.md" else place.stem
        assert (site / place.parent / f"{name}.html").is_file(), place


def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    assert len(pages) > 60
    for page in pages:
        text = page.read_text("utf-8")
        loaded = re.findall(r'<(?:script|img|iframe|source)[^>]* src="?([^" >]+)', text)
        loaded += re.findall(r'<link[^>]* rel="?(?:stylesheet|icon|preload|preconnect)[^>]* href="?([^" >]+)', text)
        loaded += re.findall(r"url\(([^)]+)\)", text)
        assert [each for each in loaded if re.match(r"['\"]?(https?:)?//", each)] == [], page


def test_a_page_is_in_one_menu(site: Path) -> None:
    named = re.findall(r"^ +- [^:]+: ([\w./-]+\.md)$", NAMED.read_text("utf-8"), re.MULTILINE)
    assert len(named) == len(set(named)) > 20


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[x](nowhere.md)", "leads to `nowhere.md`"),
        ("[x](../../../gateway/nothing.py)", "leads to `../../../gateway/nothing.py`"),
        ("[x](README.md#nothing)", "does not contain an anchor '#nothing'"),
        ("[x](#nothing)", "no such anchor"),
        ("# A page that is in no menu", 'not included in the "nav"'),
    ],
)
def test_what_leads_nowhere_ends_the_build(
    text: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a project of two pages."""
    pages = tmp_path / stage.PAGES
    pages.mkdir(parents=True)
    (pages / "README.md").write_text("# Home\n")
    (pages / "style.css").write_text("")
    (pages / "two.md").write_text(f"{text}\n")
    menu = NAMED.read_text("utf-8").partition("nav:\n")[0] + "nav:\n  - Home: README.md\n"
    menu += "" if text.startswith("#") else "  - Two: two.md\n"
    (tmp_path / "mkdocs.yml").write_text(menu)
    monkeypatch.setattr(stage, "ROOT", tmp_path)
    status, told = build.build(tmp_path / "var", tmp_path / "mkdocs.yml")
    assert (status, said in told) == (1, True), told
