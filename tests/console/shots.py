"""`make shots`: every page of every role as a picture, wide and narrow, light and dark, in `var/shots/`.

Some are taken once more, small, for the documentation (`OF_SITE`).

A region of its own, in which a subject files an objection first, officials try what is refused, and officers have a
proposal and a draft, so that the rooms are not empty. What a court files is there too: a receipt's sheet and evidence.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import re
import shutil
import subprocess
import sys
import tempfile
import zoneinfo
from collections.abc import Iterable, Iterator
from pathlib import Path

from playwright.sync_api import Browser, Page

from deploy.demo.configuration import FREE
from deploy.demo.processes import ROOT
from deploy.demo.supervisor import Region
from tests.conftest import World
from tests.console import counted, filled, watched
from tests.console.rooms import FIRST, OPEN, ROOMS
from tests.console.visitor import Visitor
from tests.web.looking import chromium

WIDTHS, SCHEMES = (1280, 390), ("light", "dark")
FOLDER = ROOT / "var" / "shots"
SITE = ROOT / "deploy" / "docs" / "pages" / "pictures"
OF_SITE = (
    "organisation-my-looked",
    "steward-console-matters",
    "officer-console-proposals",
    "oversight-console-findings",
)
"""What stands in the documentation too: its beginning, committed."""
WAIT = 120_000
"""Milliseconds in which a page is there, on however busy a machine."""
_ASKED = """
query Ask($subject: IdentifierInput!) @inquiry(purpose: TENDER_QUALIFICATION, case: "%s") {
  organisation(id: $subject) { name taxArrears { period amount } wageArrears { period amount } }
}
"""
_WHY = "The tenderer says that nobody looked."


def main() -> None:
    """Take them all."""
    with contextlib.ExitStack() as stack:
        try:
            browser = stack.enter_context(chromium())
        except LookupError as error:
            sys.exit(str(error))
        shutil.rmtree(FOLDER, ignore_errors=True)
        FOLDER.mkdir(parents=True)
        var = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        region = stack.enter_context(Region(var, lambda line: None, FREE))
        world = World(region.tell(), region)
        stack.enter_context(counted.year(world.told))
        for name, page in _pages(world, browser, var):
            _take(name, page)
    print(f"{len(list(FOLDER.glob('*.png')))} pictures in {FOLDER.relative_to(ROOT)}/")


def _take(name: str, page: Page) -> None:
    """A page in every width and scheme."""
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            page.screenshot(path=FOLDER / f"{name}-{width}-{scheme}.png", full_page=True)
    if name in OF_SITE:
        page.set_viewport_size({"width": 800, "height": 500})
        page.emulate_media(color_scheme="light")
        page.screenshot(path=SITE / f"{name}.png")


def _pages(world: World, browser: Browser, folder: Path) -> Iterator[tuple[str, Page]]:
    """Each page, with a name for its pictures."""
    told = world.told
    subject = world.subject("ordinary")
    case = world.case("market-regulator", subject, "m.ivanova")
    reply = world.ask("market-regulator", _ASKED % case, {"subject": subject}, official="m.ivanova")
    filled.objected(told)
    finding = f"/console/findings/{watched.finding(told)}"
    officer = Visitor(dict(told))
    officer.sign_in("officer")
    more = {
        "organisation": ["/my/looked"],
        "officer": [*filled.proposal(told, world.region.place.policies), *filled.draft(officer)],
    }
    for role in FIRST:
        page = _begun(browser)
        page.goto(told["pages"]["login_as"][role])
        yield f"{role}-first", page
        yield from _walked(page, told["gateway"], role, (*ROOMS.get(role, ()), *more.get(role, ())))
        if role == "oversight":
            yield from _opened(page, told["gateway"], finding, str(reply.inquiry["id"]))
        page.context.close()
    page = _begun(browser)
    yield from _walked(page, told["gateway"], "open", (*OPEN, f"/open/organisations/LEI/{subject['value']}"))
    for name, file in _paper(world, reply.body, folder):
        page.goto(file.as_uri())
        yield name, page
    page.context.close()


def _begun(browser: Browser) -> Page:
    page = browser.new_context().new_page()
    page.set_default_timeout(WAIT)
    return page


def _walked(page: Page, gateway: str, role: str, paths: Iterable[str]) -> Iterator[tuple[str, Page]]:
    for path in paths:
        page.goto(gateway + path)
        plain = re.sub(r"[0-9a-f]{32}", "one", path.lower())
        yield f"{role}-{re.sub(r'[^a-z0-9]+', '-', plain).strip('-') or 'home'}", page


def _opened(page: Page, gateway: str, finding: str, inquiry: str) -> Iterator[tuple[str, Page]]:
    """A finding and an inquiry, opened as oversight does."""
    page.goto(gateway + finding)
    yield "oversight-finding", page
    page.locator("[name=reason]").fill(_WHY)
    page.locator("main form button").first.click()
    yield "oversight-finding-opened", page
    page.goto(f"{gateway}{finding}/review")
    yield "oversight-finding-review", page
    page.goto(f"{gateway}/console/inquiries")
    page.locator("[name=inquiry]").fill(inquiry)
    page.locator("[name=day]").fill(datetime.datetime.now(zoneinfo.ZoneInfo("Europe/Sofia")).date().isoformat())
    page.locator("[name=reason]").fill(_WHY)
    page.locator("main form button").first.click()
    yield "oversight-inquiry-opened", page


def _paper(world: World, answer: object, folder: Path) -> Iterator[tuple[str, Path]]:
    """A receipt's sheet, and the page of evidence about its subject."""
    catalogue, given, sheet = folder / "catalogue.json", folder / "answer.json", folder / "sheet.html"
    catalogue.write_text(Visitor(dict(world.told)).send("GET", "/open/catalogue", headers={"accept": "*/*"}).text)
    given.write_text(json.dumps(answer))
    key, run = str(world.region.place.public_key), world.region.place
    named = ("--catalogue", str(catalogue))
    sheet.write_bytes(_ran("show", "--key", key, *named, "--answer", str(given), "--html", str(given)))
    yield "paper-sheet", sheet
    about = f"LEI:{world.subject('ordinary')['value']}"
    who = ("--by", "A. Auditor", "--reason", _WHY)
    _ran("export", "--config", str(run.config), *who, "--subject", about, "--out", str(folder / "evidence"))
    yield "paper-evidence", next((folder / "evidence").glob("*.html"))


def _ran(*arguments: str) -> bytes:
    command = [sys.executable, "-m", "gateway.cli", "ledger", *arguments]
    return subprocess.run(command, capture_output=True, check=True).stdout


if __name__ == "__main__":
    main()
