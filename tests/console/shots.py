"""`make shots`: every page of every role as a picture, wide and light, narrow and dark, in `var/shots/`.

A region of its own, in which a subject files an objection first, and an official tries what is refused, so that the
rooms are not empty.
"""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from deploy.demo.configuration import FREE
from deploy.demo.processes import ROOT
from deploy.demo.supervisor import Region
from tests.console import counted, filled, watched
from tests.console.rooms import FIRST, ROOMS

LOOKS = {"wide-light": (1280, "light"), "narrow-dark": (390, "dark")}
FOLDER = ROOT / "var" / "shots"


def main() -> None:
    """Take them all."""
    chromium = shutil.which("chromium")
    if chromium is None:
        sys.exit("chromium is missing: install it (Debian: apt-get install chromium)")
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as var, Region(Path(var), lambda line: None, FREE) as region:
        told = region.tell()
        filled.objected(told)
        more = {"officer": filled.proposal(told, region.place.policies)}
        watched.finding(told)
        with counted.year(told), sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            for look, (width, scheme) in LOOKS.items():
                for role in FIRST:
                    context = browser.new_context(
                        viewport={"width": width, "height": 900},
                        color_scheme=scheme,  # type: ignore[arg-type]
                    )
                    page = context.new_page()
                    page.goto(told["pages"]["login_as"][role])
                    page.screenshot(path=FOLDER / f"{role}-first-{look}.png", full_page=True)
                    for path in (*ROOMS.get(role, ()), *more.get(role, ())):
                        page.goto(told["gateway"] + path)
                        name = re.sub(r"[^a-z]+", "-", re.sub(r"[0-9a-f]{32}", "one", path.lower())).strip("-")
                        page.screenshot(path=FOLDER / f"{role}-{name}-{look}.png", full_page=True)
                    context.close()
            browser.close()
    print(f"{len(list(FOLDER.glob('*.png')))} pictures in {FOLDER.relative_to(ROOT)}/")


if __name__ == "__main__":
    main()
