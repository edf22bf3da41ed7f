"""Every page, in a language that is none: what is still in plain letters does not come from the language's file."""

from __future__ import annotations

import datetime
import zoneinfo
from collections.abc import Iterator, Sequence, Set
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser

from deploy.demo.persons import PERSONS
from tests.conftest import World, region_in
from tests.console import between, counted, filled, pseudo, recalled, scripted, watched
from tests.console.rooms import FIRST, OPEN, ROOMS
from tests.console.visitor import Visitor

OPENING = "A plan of the authority."
ASKED = """
query Ask($subject: IdentifierInput!) @inquiry(purpose: TENDER_QUALIFICATION, case: "%s") {
  organisation(id: $subject) { name taxArrears { period amount } wageArrears { period amount } }
}
"""


@pytest.fixture(scope="module")
def strange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A region whose pages are in that language."""
    var = tmp_path_factory.mktemp("strange")
    file = var / "strange.toml"
    pseudo.write(file)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DUTYBOUND_TEXTS", str(file))
        region = region_in(var)
        with region:
            yield World(region.tell(), region)


def test_every_text_of_every_page_is_from_the_language_s_file(strange: World) -> None:
    told = strange.told
    filled.objected(told)
    proposal = filled.proposal(told, strange.region.place.policies)
    finding = watched.finding(told)
    suspension = recalled.suspension(strange)
    found: dict[str, str] = {}
    with counted.year(told):
        data = _data(strange)
        for who, page in _pages(strange, proposal, finding, suspension):
            assert page.status_code in (200, 404, 422), page.request.url
            for text in pseudo.plain(page.text, data):
                found.setdefault(text, f"{who} at {page.request.url.path}")
    assert not found, "\n".join(f"{place}: {text}" for text, place in found.items())


def test_every_text_that_a_script_writes_is_from_the_language_s_file(strange: World, browser: Browser) -> None:
    data = _data(strange) | scripted.NAMES
    found: dict[str, str] = {}
    for done, page in scripted.pages(strange, browser):
        for text in pseudo.plain(pseudo.drawn(page), data):
            found.setdefault(text, f"{done}, at {page.url}")
    assert not found, "\n".join(f"{place}: {text}" for text, place in found.items())


def test_a_text_that_stands_in_code_is_found() -> None:
    told = pseudo.strange("Who <b>looked</b>, {who} &amp; when")
    page = f'<title>{told}</title><p aria-label="Planted">{told}</p><code>code</code>'
    assert pseudo.plain(page.replace("{who}", "Tax Service"), {"Tax Service"}) == ["Planted"]
    assert pseudo.plain("<p>Planted in <b>code</b></p>", {"in code"}) == ["Planted in", "code"]
    assert pseudo.plain("<p>IS-P00000-1 of 2024, EC-1</p><p>TENDER_QUALIFICATION</p>", {" of "}) == [
        "TENDER_QUALIFICATION"
    ]


def _pages(world: World, proposal: list[str], finding: str, suspension: str) -> Iterator[tuple[str, httpx.Response]]:
    """Whose page it is, and the page."""
    told = dict(world.told)
    roles = {role: Visitor(told) for role in FIRST}
    for role, visitor in roles.items():
        yield role, visitor.sign_in(role)
        for path in (*ROOMS.get(role, ()), *(proposal if role == "officer" else ())):
            yield role, visitor.get(path)
    yield "oversight", roles["oversight"].get(f"/console/suspensions/{suspension}/end")
    yield from between.pages(roles, proposal[0], finding, suspension, OPENING)
    yield from (("officer", roles["officer"].get(path)) for path in filled.draft(roles["officer"]))
    yield from (("oversight", page) for page in _opened(world, roles["oversight"], finding))
    subject = world.subject("ordinary")["value"]
    everybody = Visitor(told)
    for path in (*OPEN, f"/open/organisations/LEI/{subject}"):
        yield "everybody", everybody.get(path)


def _opened(world: World, overseer: Visitor, finding: str) -> Iterator[httpx.Response]:
    """A finding and one inquiry, opened."""
    at = f"/console/findings/{finding}"
    yield overseer.get(at)
    yield overseer.post(at, {"reason": OPENING}, overseer.get(at))
    yield overseer.get(f"{at}/review")
    subject = world.subject("ordinary")
    case = world.case("market-regulator", subject, "m.ivanova")
    reply = world.ask("market-regulator", ASKED % case, {"subject": subject}, official="m.ivanova")
    day = datetime.datetime.now(zoneinfo.ZoneInfo("Europe/Sofia")).date().isoformat()
    given = {"inquiry": reply.inquiry["id"], "day": day, "reason": OPENING, "receipt": "", "finding": ""}
    yield overseer.post("/console/inquiries", given, overseer.get("/console/inquiries"))


def _data(world: World) -> Set[str]:
    """What is no text of the pages: titles of the policies, names of people, and what stands in records."""
    found = pseudo.titles(world.region.place.run) | _ALWAYS
    for role in ("subject", "organisation"):
        visitor = Visitor(dict(world.told))
        visitor.sign_in(role)
        found |= set(_values(visitor.get("/my/copy.json").json()))
    catalogue = httpx.get(f"{world.told['gateway']}/open/catalogue").json()
    found |= set(_values(catalogue, ("title", "words", "law")))
    officials = {each for client in world.told["clients"].values() for each in client["officials"]}
    found |= officials | {each.removeprefix("p.") for each in officials}
    return found | {each.name for each in PERSONS.values()}


_ALWAYS = frozenset(
    {
        filled.OBJECTION,
        filled.PROPOSAL,
        filled.PROPOSAL[:34],
        recalled.REASON,
        "The Exchange of Information Act enters into force.",
        OPENING,
        "eyJ",
    }
    | {"JSON", "CSV", "LEI", "PIN", "CE"}
)
"""What people wrote, and names that are the same in every language."""


def _values(node: Any, names: Sequence[str] = ("value", "mitigation", "name")) -> Iterator[str]:
    """What stands under these names; of records, the values."""
    if isinstance(node, dict):
        for name, value in node.items():
            if name in names and isinstance(value, str) and value not in ("true", "false"):
                yield value
            yield from _values(value, names)
    elif isinstance(node, list):
        for each in node:
            yield from _values(each, names)
