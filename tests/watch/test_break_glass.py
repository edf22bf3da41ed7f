"""Break-glass over the whole journey: reason, alert, review with the entry, suspension; and the end of secrecy."""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from gateway.ledger.entry import entries
from gateway.ledger.projections import extract
from gateway.rules.deadlines import deadline
from gateway.rules.files.calendar import Calendar
from gateway.rules.load import load
from gateway.rules.ruleset import RuleSet
from gateway.storage.store import open_store
from gateway.storage.tables import micros
from gateway.storage.watch import findings as kept
from gateway.watch.break_glass import BreakGlass
from tests import world as worlds
from tests.rules.policies import copy, problems
from tests.world import ISSUERS, NOON, Ask, Held, World

PURPOSE = """
EMERGENCY_AID:
  title: Averting danger to life
  articles: ["19", "28(1)"]
  basis: [{law: Civil Protection Act, article: "9"}]
  dpv: dpv:ServiceProvision
  subjects: [organisation]
  official: {required: true}
  break_glass: {reason: required, review_within: 3 working days}
  secrecy: {max: P90D}
  frequency: {max: 100, per: P1D}
  delete_after: P30D
  fields:
    emission-permits: {names: [number, pollutant]}
"""
GRANT = """
      - purpose: EMERGENCY_AID
        datasets: [emission-permits]
        from: 2026-01-01
        until: 2028-12-31
        agreed_by: The civil protection agreement
"""
RULE = """@id("emergency-aid")
@article("19")
@basis("Civil Protection Act, article 9")
@advice("{purpose} is open to departments in an emergency.")
permit (principal, action == Action::"EMERGENCY_AID", resource)
when { principal.roles.contains(Role::"department") };
"""
QUERY = """query($id: IdentifierInput!) @inquiry(purpose: EMERGENCY_AID%s) {
  organisation(id: $id) { emissionPermits { number } }
}"""
REASON = ', document: "A tank leaks into the river at the site; what is stored there?"'
WORKING = Calendar("Europe/Sofia", holidays=frozenset({datetime.date(2026, 11, 26)}))
DAY = datetime.timedelta(days=1)


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> RuleSet:
    folder = copy(tmp_path_factory.mktemp("emergency"))
    (folder / "purposes.yaml").write_text((folder / "purposes.yaml").read_text() + PURPOSE)
    requesters = (folder / "requesters.yaml").read_text()
    before, _, after = requesters.partition("client: environment-agency")
    assert after.count("    grants:") >= 1
    (folder / "requesters.yaml").write_text(
        before + "client: environment-agency" + after.replace("    grants:", "    grants:" + GRANT.rstrip(), 1)
    )
    (folder / "rules" / "emergency-aid.cedar").write_text(RULE)
    return load(folder, ISSUERS)


class Scene:
    """A world in which the environment agency may break the glass."""

    def __init__(self, world: World) -> None:
        self.world, self.alerts = world, list[tuple[str, str, str]]()
        self.subject = worlds.new_subject()
        self.store = open_store(f"sqlite:///{world.path}")
        purposes = world.policies.purposes
        self.glass = BreakGlass(self.store.engine, WORKING, lambda: purposes, lambda *use: self.alerts.append(use))
        world.held[self.subject, "emission-permits"] = [
            Held("E-1", worlds.values(world.catalogue.datasets["emission-permits"]))
        ]

    def ask(self, reason: str = REASON, official: str | None = "e.lind", **ports: Any) -> Any:
        who = self.world.requester("environment-agency", official=official)
        variables = {"id": {"scheme": self.subject.scheme, "value": self.subject.value}}
        return self.world.ask(Ask(who, QUERY % reason, variables), **{"break_glass": self.glass, **ports})

    def data(self, **given: Any) -> Any:
        return self.ask(**given).said["data"]["organisation"]["emissionPermits"]

    def review(self) -> None:
        for each in kept.findings(self.store.engine, decided=False):
            statement = kept.deciding(each.id, "o.sight", "proper", "A duty was behind it.", 0)
            with self.store.engine.begin() as connection:
                connection.execute(statement)  # type: ignore[call-overload]


@pytest.fixture
def scene(rules: RuleSet) -> Iterator[Scene]:
    with worlds.opened(rules=rules) as world:
        scene = Scene(world)
        yield scene
        scene.store.close()


def test_a_use_is_told_at_once_and_opens_a_review_with_its_entry_behind_it(scene: Scene) -> None:
    reply = scene.ask()
    assert reply.said["data"]["organisation"]["emissionPermits"]
    assert "errors" not in reply.said
    (entered,) = reply.entries
    inquiry = entered.told.id
    assert entered.told.declaration.document == REASON.partition('"')[2].rstrip('"')
    assert scene.alerts == [(inquiry, "environment-agency", "EMERGENCY_AID")]
    (review,) = kept.findings(scene.store.engine)
    assert (review.id, review.detector, review.verdict) == (f"break-glass-{inquiry}", "break-glass", None)
    assert (review.client, review.official, review.purpose) == ("environment-agency", "e.lind", "EMERGENCY_AID")
    assert "to be reviewed by 2026-11-30" in review.words
    assert scene.subject.value not in review.words
    assert review.entries == 1


@pytest.mark.parametrize(("reason", "code"), [("", "INQUIRY_REQUIRED"), (', document: " "', "INQUIRY_")])
def test_without_a_written_reason_nothing_is_asked(scene: Scene, reason: str, code: str) -> None:
    reply = scene.ask(reason)
    assert reply.said["errors"][0]["extensions"]["code"].startswith(code)
    assert (scene.alerts, reply.asked, len(reply.entries)) == ([], {}, 1)
    assert kept.findings(scene.store.engine) == []


def test_without_an_official_or_where_nobody_keeps_reviews_everything_is_denied(scene: Scene) -> None:
    for given in ({"official": None}, {"break_glass": None}):
        reply = scene.ask(**given)
        assert reply.said["data"]["organisation"]["emissionPermits"] is None
        assert (scene.alerts, reply.asked) == ([], {})
    assert kept.findings(scene.store.engine) == []


def test_an_overdue_review_suspends_it_until_it_is_ended(scene: Scene) -> None:
    assert scene.data()
    scene.world.now = datetime.datetime(2026, 11, 30, 20, tzinfo=datetime.UTC)
    assert scene.data(), "the last day is in time: 26 November was a holiday, and then came a weekend"
    scene.world.now += DAY
    reply = scene.ask()
    (error,) = reply.said["errors"]
    assert error["extensions"]["reason"] == "GRANT_INACTIVE"
    assert "review of an earlier use is overdue" in error["extensions"]["advice"]
    assert (len(scene.alerts), reply.asked) == (2, {})
    scene.review()
    assert scene.data()


class Asker(NamedTuple):
    client: str
    department: str
    issuer: str = ISSUERS["login"]
    official: str | None = "a.nother"


def test_an_overdue_review_suspends_every_client_of_the_department(scene: Scene) -> None:
    assert scene.data()
    scene.world.now += 7 * DAY
    own, other = Asker("environment-agency", "environment"), Asker("inspectors", "environment")
    stranger = Asker("elsewhere", "market")
    purpose = scene.world.policies.purposes["EMERGENCY_AID"]

    def may() -> list[bool]:
        return [asyncio.run(scene.glass.may(who, purpose, REASON, scene.world.now)) for who in (own, other, stranger)]

    assert may() == [False, False, True]
    scene.review()
    assert may() == [True, True, True]


@pytest.mark.parametrize(
    "reason", [".", "emergency", "1234567890 1234567890 1234567890", "!" * 190, "a" * 40, "ha ha " * 20]
)
def test_a_reason_has_words(scene: Scene, reason: str) -> None:
    (error,) = scene.ask(f', document: "{reason}"').said["errors"]
    assert error["extensions"]["code"] == "INQUIRY_INVALID"
    assert "under 20 letters" in error["message"]
    assert scene.alerts == []


def test_a_reason_may_have_two_thousand_characters_and_no_more(scene: Scene) -> None:
    assert scene.data(reason=f', document: "{"fire at the mill. " * 111}so"')
    (error,) = scene.ask(f', document: "{"why " * 500}."').said["errors"]
    assert "`document` must be 1 to 2,000 characters" in error["message"]


def test_a_review_that_cannot_be_looked_for_suspends(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    with scene.store.engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE verdict")
    reply = scene.ask()
    assert reply.said["errors"][0]["extensions"]["code"] == "DECISION_UNAVAILABLE"
    assert (scene.alerts, reply.asked) == ([], {})


def test_no_review_no_data(scene: Scene) -> None:
    """The review and the entry are one transaction: where the review cannot be opened, nothing is disclosed."""

    class Unkept(BreakGlass):
        def use(self, *given: Any) -> Any:
            return super().use(*given)._replace(statement=kept.verdict.insert().values(finding=None))

    glass = Unkept(scene.store.engine, WORKING, lambda: scene.world.policies.purposes, lambda *use: None)
    reply = scene.ask(break_glass=glass)
    assert reply.said["errors"][0]["extensions"]["code"] == "LEDGER_UNAVAILABLE"
    assert reply.said.get("data") is None


@pytest.mark.parametrize(
    ("opened", "days", "last"),
    [
        ("2026-11-24T12:00Z", 1, "2026-11-25"),
        ("2026-11-24T12:00Z", 2, "2026-11-27"),
        ("2026-11-24T23:00Z", 1, "2026-11-27"),
        ("2026-11-27T12:00Z", 1, "2026-11-30"),
        ("2026-11-28T12:00Z", 5, "2026-12-04"),
    ],
)
def test_working_days_are_counted_by_the_calendar(opened: str, days: int, last: str) -> None:
    at = datetime.datetime.fromisoformat(opened)
    assert deadline(WORKING, at, days).due == datetime.date.fromisoformat(last)


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        ("official: {required: true}", "step_up: mfa", "add `official: {required: true}`"),
        ("3 working days", "soon", "as `3 working days`"),
        ("3 working days", "0 working days", "as `3 working days`"),
        ("reason: required, ", "", "`reason` is missing"),
        ("reason: required", "reason: optional", "a break-glass inquiry must give its reason"),
    ],
)
def test_terms_that_would_not_hold_are_refused(tmp_path: Path, before: str, after: str, says: str) -> None:
    folder = copy(tmp_path)
    (folder / "purposes.yaml").write_text((folder / "purposes.yaml").read_text() + PURPOSE.replace(before, after))
    assert any(says in each.message and "EMERGENCY_AID" in each.path for each in problems(folder))


# Secrecy with an end


def test_the_entry_says_until_when_the_subject_is_not_told(scene: Scene) -> None:
    for reply in (scene.ask(), scene.ask(reason="")):
        (entered,) = reply.entries
        until = entered.oversight.secret_until
        assert until == datetime.datetime(2027, 2, 22, 22, 0, tzinfo=datetime.UTC), "90 days, to midnight in Sofia"
        assert b"secret" not in entered.told_bytes
        assert extract.visible(entered.told, entered.oversight, micros(NOON)) == micros(until)


def test_no_caller_can_make_an_inquiry_secret_and_old_entries_are_not(scene: Scene) -> None:
    query = "query($id: IdentifierInput!) @inquiry(purpose: LICENCE_RENEWAL) { organisation(id: $id) { name } }"
    variables = {"id": {"scheme": scene.subject.scheme, "value": scene.subject.value}}
    (entered,) = scene.world.ask(Ask(scene.world.requester("environment-agency"), query, variables)).entries
    assert entered.oversight.secret_until is None
    old = entries.read_oversight(b'{"v":1,"facts":7,"withheld":[],"denied":[]}')
    assert extract.visible(entered.told, old, micros(NOON)) is None
