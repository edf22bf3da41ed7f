"""Those who would misuse acts, and how far each gets: a steward alone, a stolen system client, an employer's portal.

And a flood of objections, and ten officials of one department who want the same consent. Each gets what its own part
lets it do, and nothing more: no record is released or hidden by one human alone, and nobody is asked twice.
"""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from connectors.base import Subject
from gateway.acts.matters import over_bounds
from gateway.inquiry.facts import FactsReader
from gateway.inquiry.types import Requester
from gateway.ledger.entry.receipt import verify_receipt
from gateway.recall.handlers import handlers
from gateway.rules.model import PORTAL
from gateway.sources import Changes as Reporting
from gateway.storage.subjects.kinds import SubjectFacts
from tests.acts.desk import ISSUER
from tests.acts.whole.folded import Ledgers
from tests.acts.whole.judging import whole
from tests.acts.whole.placed import DATASET, LOOK, PURPOSE, Scene, named
from tests.acts.whole.replicas import Replica, Said, together
from tests.ledger.support import VERIFIERS
from tests.storage.conftest import Place
from tests.world import new_subject

HOUR = datetime.timedelta(hours=1)


class Attack(Scene):
    """What an attacker tries, and what is known of the subject afterwards."""

    async def tried(self, who: Requester, name: str, *, replica: Replica | None = None, **given: Any) -> str:
        """How it ends: `OK`, the code, or the reason."""
        return (await (replica or self.replica).act(who, name, **given)).code

    async def facts(self, subject: Subject) -> SubjectFacts:
        source = self.replica.store.facts()
        try:
            found = await FactsReader(source, self.replica.office.zone).read([subject], self.world.now, ("", ""))
        finally:
            source.close()
        return found.subjects[subject]

    def about(self, number: int, dataset: str = DATASET) -> dict[str, Any]:
        return {"record": {"dataset": dataset, "record": f"R-{number}", "version": "1"}, "reason": "So it is."}

    def ends(self) -> None:
        """Each act has its entry, and all is proved."""
        whole(self.replica.store)


@pytest.fixture
def attack(place: Place) -> Iterator[Attack]:
    with together(place) as (world, both):
        yield Attack(world, both)


def test_a_steward_alone_releases_and_hides_nothing(attack: Attack) -> None:
    attack.world.run(_steward_alone(attack))
    attack.ends()


async def _steward_alone(attack: Attack) -> None:
    subject, both = new_subject("person"), attack.both
    mine, alone = both.subject(subject), both.steward("tax", "s.one")
    other_token = msgspec.structs.replace(alone, client="tax-service", reports_changes=True)
    objected = (await attack.act(mine, "fileObjection", **attack.about(0))).value["id"]
    applied = (await attack.act(mine, "applyForRestoration", **attack.about(1))).value["id"]
    decided = {"outcome": "UPHELD", "reason": "So it is."}
    await attack.act(alone, "decideObjection", id=objected, **decided)
    await attack.act(alone, "decideRestoration", id=applied, **decided)
    reported = {"subject": named(subject), "event": "WITHDRAWN", **attack.about(2)}
    changes = [
        (await attack.act(who, "reportChange", **reported)).value for who in (alone, other_token)
    ]  # by another client of the same issuer, it waits as well
    assert {each["state"] for each in changes} == {"AWAITS_CONFIRMATION"}
    for id_ in (applied, *(each["id"] for each in changes[1:])):
        for who in (alone, other_token, both.steward("tax", "s.one", "oversight")):
            assert await attack.tried(who, "confirm", id=id_) in ("SECOND_PERSON", "MATTER_NOT_FOUND")
    known = await attack.facts(subject)
    assert (known.withdrawn, known.restored) == (frozenset(), frozenset())
    assert known.disputed == {f"{DATASET}/R-0"}, "deciding alone cleans nothing"
    # What it files itself, it does not decide; and for its own department it gives nobody's consent.
    clerk = both.steward("tax", "s.one", "counter")
    behalf = {"subject": named(subject), "proof": "identity card 4711"}
    filed = (await attack.act(clerk, "fileObjection", **attack.about(3), onBehalf=behalf)).value["id"]
    assert await attack.tried(alone, "decideObjection", id=filed, **decided) == "SECOND_PERSON"
    asked = {"purpose": PURPOSE, "fields": attack.fields, "until": attack.until, "onBehalf": behalf}
    own = {"issuer": ISSUER, "client": "tax-service"}
    assert await attack.tried(clerk, "grantConsent", requester=own, **asked) == "SIGN_IN"
    there = msgspec.structs.replace(clerk, auth_time=attack.world.now.timestamp())
    assert await attack.tried(there, "grantConsent", requester=own, **asked) == "ARGUMENT"
    # Another department's is not there for it, and a subject's own acts are no steward's.
    theirs = (await attack.act(mine, "fileObjection", **attack.about(4, "employment-contracts"))).value["id"]
    assert await attack.tried(alone, "decideObjection", id=theirs, **decided) == "MATTER_NOT_FOUND"
    assert await attack.tried(alone, "withdrawMatter", id=objected) == "FORBIDDEN"
    assert await attack.tried(alone, "me") == "FORBIDDEN"
    assert (await attack.facts(subject)).consents == ()


def test_a_stolen_system_client_withdraws_so_much_an_hour_and_releases_nothing(attack: Attack) -> None:
    attack.world.run(_stolen_system(attack))
    attack.ends()


async def _stolen_system(attack: Attack) -> None:
    subject, both, replica = new_subject("person"), attack.both, attack.replica
    replica.handlers |= handlers(replica.office, lambda: replica.journey, {"tax": Reporting((), 5)})
    stolen = both.who("tax-service", "inquire", "steward", "counter", "oversight", "receipts")
    mine, steward = both.subject(subject), both.steward("tax", "s.one")
    objected = (await attack.act(mine, "fileObjection", **attack.about(20))).value["id"]
    applied = (await attack.act(mine, "applyForRestoration", **attack.about(21))).value["id"]
    decided = {"outcome": "UPHELD", "reason": "So it is."}
    await attack.act(steward, "decideObjection", id=objected, **decided)
    of = {"subject": named(subject)}
    states = [
        (await attack.act(stolen, "reportChange", **of, event="WITHDRAWN", **attack.about(n))).value["state"]
        for n in range(9)
    ]
    assert states == ["DECIDED"] * 5 + ["AWAITS_CONFIRMATION"] * 4
    hidden = (await attack.facts(subject)).withdrawn
    assert len(hidden) == 5
    # What releases, and what answers an objection, waits for a steward: it is no system's own word.
    back = await attack.act(stolen, "reportChange", **of, event="REINSTATED", **attack.about(0))
    corrected = await attack.act(stolen, "reportChange", **of, event="CORRECTED", newVersion="2", **attack.about(20))
    assert back.value["state"] == corrected.value["state"] == "AWAITS_CONFIRMATION"
    known = await attack.facts(subject)
    assert (known.withdrawn, known.disputed) == (hidden, {f"{DATASET}/R-20"})
    # It is no human: it confirms, decides, sees and files nothing; and another department's records are not its own.
    for name, given in (
        ("confirm", {"id": back.value["id"]}),
        ("decline", {"id": back.value["id"], "reason": "No."}),
        ("decideObjection", {"id": objected, **decided}),
        ("decideRestoration", {"id": applied, **decided}),
        ("matters", {}),
        ("changes", {}),
        ("me", {}),
        ("setOptOut", {"dataset": "volunteering", "optedOut": True, "onBehalf": {**of, "proof": "identity card 4711"}}),
        ("withdrawMatter", {"id": objected}),
    ):
        assert await attack.tried(stolen, name, **given) == "FORBIDDEN", name
    theirs = attack.about(0, "employment-contracts")
    assert await attack.tried(stolen, "reportChange", **of, event="WITHDRAWN", **theirs) == "ARGUMENT"
    attack.world.now += HOUR
    stolen = both.who("tax-service", "steward")
    said = await attack.act(stolen, "reportChange", **of, event="WITHDRAWN", **attack.about(30))
    assert said.value["state"] == "DECIDED"


def test_an_employers_portal_has_no_consent_and_nothing_to_show(attack: Attack) -> None:
    attack.world.run(_employers_portal(attack))
    attack.ends()


async def _employers_portal(attack: Attack) -> None:
    subject, both, replica = new_subject("person"), attack.both, attack.replica
    asked = {"purpose": PURPOSE, "fields": attack.fields, "until": attack.until}
    # Without the role it is no portal, whatever token it shows.
    plain = both.subject(subject, client="labour-office")
    for name, given in (
        ("grantConsent", {"requester": attack.labour, **asked}), ("me", {}), ("revokeConsent", {"id": "0" * 32}),
        ("fileObjection", attack.about(0)), ("setOptOut", {"dataset": "volunteering", "optedOut": True}),
    ):  # fmt: skip
        assert await attack.tried(plain, name, **given) == "FORBIDDEN", name
    # With it, no consent goes to itself or to its own department, nor any without a sign-in of the last minutes.
    portal = msgspec.structs.replace(plain, roles=frozenset([PORTAL]), client="labour-stewards")
    itself = msgspec.structs.replace(portal, client="labour-office")
    for who in (portal, itself):
        assert await attack.tried(who, "grantConsent", requester=attack.labour, **asked) == "ARGUMENT"
    tax = {"issuer": ISSUER, "client": "tax-service"}
    old = msgspec.structs.replace(portal, auth_time=attack.world.now.timestamp() - 601)
    assert await attack.tried(old, "grantConsent", requester=tax, **asked) == "SIGN_IN"
    assert (await attack.facts(subject)).consents == ()
    # What the subject does there proves the day to its employer, and nothing of what it was about.
    done = await attack.act(portal, "fileObjection", **attack.about(1))
    proved: Any = verify_receipt(done.said["extensions"]["act"]["receipt"], VERIFIERS).told
    assert (proved.what, proved.matter, proved.record, proved.reason, proved.value) == (
        "objection-filed",
        "",
        "",
        "",
        None,
    )
    look = await replica.ask(both.subject(subject), "{ it: me { datasets { available } } }", {})
    assert "receipt" not in look.said["extensions"]["inquiry"]
    mine = both.who("citizen-portal", "inquire", "receipts")
    assert (await replica.ask(mine, "{ it: receipts(first: 20) { id } }", {})).said["data"] == {"it": []}
    own = msgspec.structs.replace(mine, scopes=frozenset(["self", "receipts"]))
    assert (await replica.ask(own, "{ it: receipts(first: 20) { id } }", {})).code == "FORBIDDEN"


def test_a_flood_of_objections_ends_at_the_days_bound_and_holds_nobody_up(attack: Attack) -> None:
    attack.world.run(_flood(attack))
    attack.ends()


async def _flood(attack: Attack) -> None:
    subject, both, world = new_subject("person"), attack.both, attack.world
    mine, office = both.subject(subject), both.who("labour-office", "inquire", official="o.one")

    async def look() -> Said:
        return await attack.replica.ask(office, LOOK % ("", ""), {"id": named(subject)})

    counting = over_bounds.OverBounds(attack.replica.office)
    await counting.turn()
    flood = [attack.tried(mine, "fileObjection", replica=both.each[n % 2], **attack.about(n)) for n in range(60)]
    *ended, said = await asyncio.gather(*flood, look())
    assert sorted(set(ended)) == ["OK", "QUOTA_EXCEEDED"]
    assert ended.count("OK") == 10
    assert said.status == 200
    assert len(Ledgers(attack.replica.store).acts) == 10, "what was refused leaves no entry of its own"
    # Others, and the subject's other acts, go on; the same record is objected to once, whoever does it.
    assert await attack.tried(both.subject(new_subject("person")), "fileObjection", **attack.about(0)) == "OK"
    assert await attack.tried(mine, "setOptOut", dataset="volunteering", optedOut=True) == "OK"
    first = ended.index("OK")
    another = both.subject(subject, "p-2")
    assert await attack.tried(another, "fileObjection", **attack.about(first)) == "LIMIT"
    # A second human behind the same subject has ten more, up to what the subject may do on a day.
    more = [await attack.tried(another, "fileObjection", **attack.about(100 + n)) for n in range(12)]
    assert more == ["OK"] * 9 + ["QUOTA_EXCEEDED"] * 3
    behalf = {"subject": named(subject), "proof": "identity card 4711"}
    counter = both.steward("labour", "c.lerk", "counter")
    assert await attack.tried(counter, "setOptOut", dataset="volunteering", optedOut=False, onBehalf=behalf) == "OK"
    world.now += HOUR
    before = len(Ledgers(attack.replica.store).acts)
    await counting.turn()
    counted = Ledgers(attack.replica.store).acts[before:]
    assert {each.what for each in counted} == {"over-bounds"}
    assert len(counted) <= 2, "one count of each bound, and not each of them"
    world.now += datetime.timedelta(days=1)
    assert await attack.tried(both.subject(subject), "fileObjection", **attack.about(200)) == "OK"


def test_ten_officials_of_one_department_ask_for_one_consent_once(attack: Attack) -> None:
    attack.world.run(_ten_officials(attack))
    attack.ends()


async def _ten_officials(attack: Attack) -> None:
    subject, both, world = new_subject("person"), attack.both, attack.world
    asked = {
        "subject": named(subject), "purpose": PURPOSE, "fields": attack.fields, "until": attack.until,
        "words": "To work it out.",
    }  # fmt: skip

    async def all_of_them() -> list[str]:
        officials = [both.who("labour-office", "inquire", official=f"o.{n}") for n in range(10)]
        tries = [
            attack.tried(who, "requestConsent", replica=both.each[n % 2], **asked) for n, who in enumerate(officials)
        ]
        return sorted(await asyncio.gather(*tries))

    assert await all_of_them() == ["LIMIT"] * 9 + ["OK"]
    # Another department asks for itself; other fields, words or days make no other question of it.
    assert await attack.tried(both.who("tax-service", "inquire", official="t.one"), "requestConsent", **asked) == "OK"
    asked |= {"words": "Please.", "fields": [{"dataset": DATASET, "fields": ["year", "currency"]}]}
    assert await all_of_them() == ["LIMIT"] * 10
    mine = both.subject(subject)
    requests = (await attack.replica.ask(mine, "{ it: me { consentRequests { id requester { client } } } }", {})).value
    (id_,) = [each["id"] for each in requests["consentRequests"] if each["requester"]["client"] == "labour-office"]
    await attack.act(mine, "declineConsentRequest", id=id_)
    assert await all_of_them() == ["LIMIT"] * 10
    world.now += datetime.timedelta(days=89)
    asked["until"] = (world.today() + datetime.timedelta(days=60)).isoformat()
    assert await all_of_them() == ["LIMIT"] * 10
    world.now += datetime.timedelta(days=1)
    assert await all_of_them() == ["LIMIT"] * 9 + ["OK"]
    # Nobody may see by any of it: to ask for a consent is to have none.
    assert (await attack.facts(subject)).consents == ()
