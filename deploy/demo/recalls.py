"""The scenes of recall: whoever received a record is notified of its correction, and suspended without an answer.

They end as they began: everybody has answered, and nobody is suspended.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import httpx

from deploy.demo.client import Reply, ask, token
from deploy.demo.processes import Child
from deploy.demo.rights import CONFIRM, REPORT
from deploy.demo.stage import Stage, within
from deploy.demo.supervisor import Region

LICENCES = """
query Licences($id: IdentifierInput!%s) @inquiry(purpose: %s%s) {
  organisation(id: $id) { businessLicences { number status record { id version } } }
}
"""

INBOX = "query { recalls { items { id action due state records { dataset record version fields } } } }"

SUSPENSIONS = "query { suspensions { items { requester { client } dataset purpose recall ended } } }"

DONE = "mutation Done($id: ID!) { acknowledgeRecall(id: $id, outcome: APPLIED) { state outcome } }"

ASKED: Mapping[str, str] = {
    "market-regulator": "TENDER_QUALIFICATION",
    "civil-court": "COURT_ENFORCEMENT",
    "environment-agency": "LICENCE_RENEWAL",
}
"""Who receives the licences, and what for."""


class Recalls:
    """The scenes over one running region. `told` is what `demo.json` will have."""

    def __init__(self, region: Region, told: Mapping[str, Any], stage: Stage, case: Callable[[str, str], str]) -> None:
        self._region, self._told, self._stage, self._case = region, told, stage, case
        self._late = ""

    @property
    def scenes(self) -> list[tuple[str, Callable[[], None]]]:
        """Each with its title, in order."""
        return [
            ("A correction is recalled from everybody who received the record", self.corrected),
            ("Who does not answer is suspended, until it does", self.suspended),
        ]

    def _ask(self, client: str) -> Reply:
        official, purpose = self._told["clients"][client]["officials"][0], ASKED[client]
        variables = {"id": self._told["subjects"]["ordinary"]}
        with_case = purpose != "LICENCE_RENEWAL"
        if with_case:
            variables["case"] = self._case(client, "ordinary")
        query = LICENCES % ((", $case: String!", purpose, ", case: $case") if with_case else ("", purpose, ""))
        return ask(self._told, token(self._told, client, official), query, variables)

    def _inbox(self, client: str) -> list[Mapping[str, Any]]:
        """The recalls of licences that a client has not answered yet."""
        reply = ask(self._told, token(self._told, client, scope="recalls"), INBOX, {})
        self._stage.expect(reply.status == 200 and not reply.errors, f"the inbox of {client} opens", reply)
        items = reply.data["recalls"]["items"]
        return [each for each in items if each["records"][0]["dataset"] == "business-licences"]

    def _applied(self, client: str) -> list[Mapping[str, Any]]:
        """What a client's own recipient did about licences."""
        file = self._region.place.run / f"recipient-{client}" / "applied.jsonl"
        tasks = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
        return [each for each in tasks if each["records"][0]["dataset"] == "business-licences"]

    def _started(self, client: str) -> Child:
        made = self._region.recipient(client)
        made.start()
        return made

    def corrected(self) -> None:
        """Three received a licence. It is corrected; one recipient is up, one comes back, one never answers."""
        stage, named = self._stage, self._told["subjects"]["ordinary"]
        stage.tell(
            """Three authorities received the organisation's licences, each for a purpose of its own. Now a clerk of the
            Market Regulation Authority corrects one in its own system, and a steward reports it:"""
        )
        got = {client: self._ask(client) for client in ASKED}
        for client, reply in got.items():
            stage.expect(not reply.errors, f"{client} receives the licences", reply)
        before = got["market-regulator"].data["organisation"]["businessLicences"][0]
        up = self._started("market-regulator")
        id_, version = before["record"]["id"], before["record"]["version"]
        self._correct(id_, f"{version}-a")
        first, second = (
            token(self._told, "market-stewards", official, "steward")
            for official in self._told["clients"]["market-stewards"]["officials"]
        )
        change = ask(self._told, first, REPORT, {
            "subject": named, "record": {"dataset": "business-licences", "record": id_, "version": version},
            "version": f"{version}-a", "reason": "The number was mistyped in the register.",
        })  # fmt: skip
        stage.expect(not change.errors, "the correction is reported", change)
        confirmed = ask(self._told, second, CONFIRM, {"id": change.data["reportChange"]["id"]})
        stage.expect(not confirmed.errors, "another steward confirms it", confirmed)
        stage.say(f"    business-licences/{id_}: version {version}, licence {before['number']}, is corrected")
        waiting = "civil-court", "environment-agency"
        stage.expect(
            within(30, lambda: self._applied("market-regulator") and all(map(self._inbox, waiting))),
            "all three are notified to stop using the old version",
        )
        stage.tell("Each gets a signed message with an id and nothing else. What it has to do is in its inbox:")
        for client in waiting:
            recall = self._inbox(client)[0]
            stage.say(f"    {client}: {recall['action']} {_records(recall)}, by {recall['due'][:19]}")
        (task, *_) = self._applied("market-regulator")
        right = task["correction"]["records"]["business-licences"]
        stage.tell("The regulator's system is up. It fetched what is right now, put it in place, and answered:")
        stage.say(f"    market-regulator: {task['action']} {_records(task)}; now licence {right[0]['number']}")
        stage.expect(within(10, lambda: not self._inbox("market-regulator")), "it has answered")
        self._late = self._inbox("environment-agency")[0]["id"]
        stage.tell("The court's system was down. It comes up, and does the same:")
        back = self._started("civil-court")
        stage.expect(within(20, lambda: not self._inbox("civil-court")), "the court has answered")
        stage.say(f"    civil-court: {self._applied('civil-court')[0]['action']} done")
        for child in (up, back):
            self._region.end(child)

    def suspended(self) -> None:
        """The third never answers: its grant is suspended for this dataset, and is in force again once it did."""
        stage, agency = self._stage, "environment-agency"
        stage.tell(
            f"""The Environment Agency's system never answers. Its time to do so ({self._told["recall_terms"][agency]},
            which is short for this demo; else ten working days) passes, oversight is notified, and then its grant is
            suspended for this dataset:"""
        )
        overseer = token(self._told, "oversight", self._told["clients"]["oversight"]["officials"][0], "oversight")

        def seen() -> list[Mapping[str, Any]]:
            reply = ask(self._told, overseer, SUSPENSIONS, {})
            stage.expect(not reply.errors, "oversight sees who is suspended", reply)
            items = reply.data["suspensions"]["items"]
            return [each for each in items if each["requester"]["client"] == agency and not each["ended"]]

        stage.expect(within(30, seen), "oversight sees the suspension")
        (found, *_) = seen()
        stage.say(
            f"    suspended: {agency}, {found['purpose']}, {found['dataset']}, because of recall {found['recall']}"
        )
        refused = self._ask(agency)
        stage.expect(
            set(refused.codes) == {"UNAUTHORIZED_FIELD_OR_TYPE"}
            and refused.errors[0]["extensions"]["reason"] == "GRANT_INACTIVE"
            and self._late in refused.errors[0]["extensions"]["advice"],
            "its next inquiry is refused, and the error names what to do",
            refused,
        )
        stage.errors(refused)
        stage.tell("It answers, and its next inquiry is answered again:")
        done = ask(self._told, token(self._told, agency, scope="recalls"), DONE, {"id": self._late})
        stage.expect(not done.errors, "it acknowledges the recall", done)
        again = self._ask(agency)
        stage.expect(not again.errors, "the suspension has ended", again)
        stage.answer(again.data["organisation"])

    def _correct(self, id_: str, version: str) -> None:
        named, url = self._told["subjects"]["ordinary"], self._told["departments"]["market"]["url"]
        address = f"{url}/subjects/{named['scheme']}/{named['value']}/licences"
        sheet = next(each for each in httpx.get(address).json()["licences"] if each["recordNo"] == id_)
        change = {"rev": version, "licence": {**sheet["licence"], "no": f"{sheet['licence']['no']}-A"}}
        httpx.post(address, json={"id": id_, "change": change}).raise_for_status()


def _records(told: Mapping[str, Any]) -> str:
    return ", ".join(f"{each['dataset']}/{each['record']}@{each['version']}" for each in told["records"])
