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
from typing import Any

from playwright.sync_api import sync_playwright

from deploy.demo.configuration import FREE
from deploy.demo.processes import ROOT
from deploy.demo.supervisor import Region
from tests.console import counted, watched
from tests.console.proposing import proposed, wages
from tests.console.rooms import FIRST, ROOMS
from tests.console.visitor import Visitor

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
        _objected(told)
        more = {"officer": _proposed(told, region.place.policies)}
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


def _proposed(told: dict[str, Any], policies: Path) -> list[str]:
    """The pages of a proposal that opens data of people, for an officer who did not make it."""
    id_ = proposed(told, policies, wages, "Subsidies depend on wages since the Act of 2026.", "p.costa")
    one = f"/console/proposals/{id_}"
    return [one, f"{one}/changes", f"{one}/approve", f"{one}/refuse"]


def _objected(told: dict[str, object]) -> None:
    subject = Visitor(told)
    subject.sign_in("subject")
    about = {"dataset": "income-statements", "record": "IS-P00000-1"}
    form = subject.get("/my/object?dataset=income-statements&record=IS-P00000-1")
    reason = "There are two statements for 2024. Mine is the other one: I worked for six weeks that year."
    subject.post("/my/object", {**about, "reason": reason, "issuer": "Labour Office", "number": "CE 2024-118"}, form)


if __name__ == "__main__":
    main()
