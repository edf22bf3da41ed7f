"""A recall that nobody answers, and the grant that stands still for it."""

from __future__ import annotations

from deploy.demo import client
from tests.conftest import World
from tests.waiting import until

REASON = "Mistyped."
AGENCY, DATASET = "environment-agency", "tax-registrations"
_ASK = """
query Ask($subject: IdentifierInput!) @inquiry(purpose: LICENCE_RENEWAL) {
  organisation(id: $subject) { taxRegistrations { record { id version } } }
}
"""
_REPORT = """
mutation Report($subject: IdentifierInput!, $record: RecordInput!) {
  reportChange(subject: $subject, record: $record, event: CORRECTED, newVersion: "x", reason: "%s") { id }
}
"""
_CONFIRM = "mutation Confirm($id: ID!) { confirm(id: $id) { __typename } }"
_STANDS = "query { suspensions { items { id requester { client } dataset ended } } }"


def suspension(world: World) -> str:
    """One that the region's clock made: the agency received a record, it is corrected, and nobody answers there."""
    subject = world.subject("mitigated")
    got = world.ask(AGENCY, _ASK, {"subject": subject}, official="e.lind")
    record = got.data["organisation"]["taxRegistrations"][0]["record"]
    about = {"dataset": DATASET, "record": record["id"], "version": record["version"]}
    first, second = (world.token("tax-stewards", official, "steward") for official in ("t.weber", "t.nowak"))
    change = client.ask(world.told, first, _REPORT % REASON, {"subject": subject, "record": about})
    assert not change.errors, change
    done = client.ask(world.told, second, _CONFIRM, {"id": change.data["reportChange"]["id"]})
    assert not done.errors, done

    def stands() -> str | None:
        overseer = world.token("oversight", "o.marin", "oversight")
        items = client.ask(world.told, overseer, _STANDS, {}).data["suspensions"]["items"]
        mine = [each for each in items if each["requester"]["client"] == AGENCY and each["dataset"] == DATASET]
        return next((str(each["id"]) for each in mine if not each["ended"]), None)

    return until("the grant stands still", stands) or ""
