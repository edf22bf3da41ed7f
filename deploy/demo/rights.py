"""The scenes of the other half: a subject looks, objects and consents; a steward answers.

Each ends as it began: the record is undisputed again, and the consent is revoked.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from typing import Any

from deploy.demo.client import Reply, ask, token
from deploy.demo.stage import Stage, within

HISTORY = """
query { me { accessHistory(first: 10) { items { at what department title forCase fields outcome } note } } }
"""

LOOK = """
query Tender($id: IdentifierInput!, $case: String!) @inquiry(purpose: TENDER_QUALIFICATION, case: $case) {
  organisation(id: $id) { taxArrears { period amount record { id version disputed } } }
}
"""

OBJECT = """
mutation Object($record: RecordInput!, $reason: String!) {
  fileObjection(record: $record, reason: $reason) { id state due }
}
"""

MATTERS = "query { matters(state: OPEN) { items { id kind record due reason } } }"

DECIDE = """
mutation Decide($id: ID!, $reason: String!) {
  decideObjection(id: $id, outcome: UPHELD, reason: $reason) { state outcome because }
}
"""

REPORT = """
mutation Report($subject: IdentifierInput!, $record: RecordInput!, $version: String!, $reason: String!) {
  reportChange(subject: $subject, record: $record, event: CORRECTED, newVersion: $version, reason: $reason) { id state }
}
"""

CONFIRM = "mutation Confirm($id: ID!) { confirm(id: $id) { ... on Change { state event } } }"

REQUEST = """
mutation Request($subject: IdentifierInput!, $until: Date!, $words: String!) {
  requestConsent(
    subject: $subject, purpose: SUBSIDY_ASSESSMENT, until: $until, words: $words,
    fields: [{dataset: "income-statements", fields: ["year", "taxableIncome"]}]
  ) { id state }
}
"""

ASKED = "query { me { consentRequests { id words requester { department client issuer } fields { dataset fields } } } }"

GRANT = """
mutation Grant($requester: RequesterInput!, $until: Date!, $request: ID!) {
  grantConsent(
    requester: $requester, purpose: SUBSIDY_ASSESSMENT, until: $until, request: $request,
    fields: [{dataset: "income-statements", fields: ["year", "taxableIncome"]}]
  ) { id until }
}
"""

REVOKE = "mutation Revoke($id: ID!) { revokeConsent(id: $id) { revoked } }"

INCOME = """
query Subsidy($id: IdentifierInput!) @inquiry(purpose: SUBSIDY_ASSESSMENT) {
  person(id: $id) { incomeStatements { year taxableIncome } }
}
"""


class Rights:
    """The scenes over one running region. `told` is what `demo.json` will have, `noticed` what the portal was sent."""

    def __init__(
        self, told: Mapping[str, Any], stage: Stage, case: Callable[[str, str], str], noticed: Callable[[], list[str]]
    ) -> None:
        self._told, self._stage, self._case, self._noticed = told, stage, case, noticed

    @property
    def scenes(self) -> list[tuple[str, Callable[[], None]]]:
        """Each with its title, in order."""
        return [
            ("The organisation sees who looked, and objects to a record", self.objects),
            ("A steward answers, and a second one confirms", self.answered),
            ("A person is asked for consent, gives it and takes it back", self.consents),
        ]

    def _done(self, bearer: str, query: str, promise: str, **variables: Any) -> Reply:
        reply = ask(self._told, bearer, query, variables)
        self._stage.expect(reply.status == 200 and not reply.errors, promise, reply)
        return reply

    def _own(self, subject: str) -> str:
        """A subject's own token: it signed in at the portal just now."""
        named = self._told["subjects"][subject]
        said = {"identifier_scheme": named["scheme"], "identifier_value": named["value"]}
        return token(self._told, "citizen-portal", scope="self", **said)

    def _steward(self, number: int) -> str:
        official = self._told["clients"]["tax-stewards"]["officials"][number]
        return token(self._told, "tax-stewards", official, "steward")

    def _record(self) -> Mapping[str, Any]:
        """The first notice of tax arrears about the organisation, as the market regulator gets it."""
        named, official = self._told["subjects"]["ordinary"], self._told["clients"]["market-regulator"]["officials"][0]
        bearer = token(self._told, "market-regulator", official)
        case = self._case("market-regulator", "ordinary")
        reply = self._done(bearer, LOOK, "the inquiry is permitted", id=named, case=case)
        found: Mapping[str, Any] = reply.data["organisation"]["taxArrears"][0]
        return found

    def objects(self) -> None:
        """The first scene's inquiry is in the organisation's history; an objection shows in the next answer."""
        stage, own = self._stage, self._own("ordinary")
        stage.tell(
            """Somebody of the organisation signs in at the citizens' portal, and sees who asked about it, what for and
            on which law; that a case was named, and never which:"""
        )
        history = self._done(own, HISTORY, "it sees its history").data["me"]["accessHistory"]
        looks = [each for each in history["items"] if each["what"] == "INQUIRY"]
        stage.expect(bool(looks), "the inquiries of before are in it")
        for look in looks[:3]:
            stage.say(f"    {look['at'][:19]}  {look['department']}: {look['title']}{' (a case)' * look['forCase']}")
        stage.say(f"    {history['note']}")
        before = self._record()
        stage.tell("It objects to a notice of tax arrears, and the next answer to anybody shows that:")
        record = {"dataset": "tax-arrears", "record": before["record"]["id"], "version": before["record"]["version"]}
        filed = self._done(own, OBJECT, "the objection is taken", record=record, reason="The amount was paid in May.")
        stage.say(
            f"    objection {filed.data['fileObjection']['id']}; to be decided by {filed.data['fileObjection']['due']}"
        )
        after = self._record()
        stage.expect(after["record"]["disputed"] and not before["record"]["disputed"], "the record is disputed now")
        stage.answer({"taxArrears": [after]})

    def answered(self) -> None:
        """One steward decides and reports the correction; it counts once another one confirmed it."""
        stage, first, second = self._stage, self._steward(0), self._steward(1)
        stage.tell("At the Tax Service a steward reads what was filed about its records, and decides:")
        (matter, *_) = self._done(first, MATTERS, "the steward sees it").data["matters"]["items"]
        stage.say(f"    {matter['kind']} to {matter['record']}: {matter['reason']}")
        self._done(first, DECIDE, "it is decided", id=matter["id"], reason="The payment of 12 May was booked late.")
        before = self._record()
        stage.expect(before["record"]["disputed"], "it stays disputed until it is corrected")
        record = {"dataset": "tax-arrears", "record": before["record"]["id"], "version": before["record"]["version"]}
        change = self._done(
            first, REPORT, "the correction is reported", subject=self._told["subjects"]["ordinary"], record=record,
            version=f"{before['record']['version']}-corrected", reason="The payment of 12 May was booked late.",
        ).data["reportChange"]  # fmt: skip
        alone = ask(self._told, first, CONFIRM, {"id": change["id"]})
        stage.expect(alone.codes == ["MATTER_INVALID"], "nobody confirms what they reported", alone)
        stage.tell("The correction counts once a second steward has confirmed it. The first one cannot:")
        stage.errors(alone)
        self._done(second, CONFIRM, "another steward confirms it", id=change["id"])
        after = self._record()
        stage.expect(not after["record"]["disputed"], "the record is not disputed any more")
        stage.answer({"taxArrears": [after]})

    def consents(self) -> None:
        """Asked for in plain words, granted field by field, used, and revoked in one step."""
        stage, named = self._stage, self._told["subjects"]["person_without_consent"]
        official = self._told["clients"]["labour-office"]["officials"][0]
        labour = token(self._told, "labour-office", official)
        until = (datetime.datetime.now(datetime.UTC).date() + datetime.timedelta(days=60)).isoformat()
        stage.tell(
            "The Labour Office needs a person's income for a subsidy. Without consent it is refused, so it asks:"
        )
        refused = ask(self._told, labour, INCOME, {"id": named})
        stage.expect(set(refused.codes) == {"UNAUTHORIZED_FIELD_OR_TYPE"}, "it is refused without consent", refused)
        words = "To work out your subsidy we need your income of the last years."
        request = self._done(labour, REQUEST, "it may ask", subject=named, until=until, words=words)
        waits = request.data["requestConsent"]["id"]
        stage.expect(within(10, lambda: waits in self._noticed()), "the portal is notified that something waits")
        stage.say(f"    the portal is notified, by a signed message, that {waits} waits: an id and nothing else")
        own = self._own("person_without_consent")
        (asked, *_) = self._done(own, ASKED, "the person sees it").data["me"]["consentRequests"]
        stage.say(f"    {asked['requester']['department']}: {asked['words']}")
        requester = {name: asked["requester"][name] for name in ("issuer", "client")}
        given = self._done(
            own, GRANT, "the person consents", requester=requester, until=until,
            request=waits,
        )  # fmt: skip
        used = self._done(labour, INCOME, "it is answered now", id=named)
        stage.tell("The person consents, to these fields and no others, and the Labour Office is answered:")
        stage.answer(used.data["person"])
        self._done(own, REVOKE, "it is revoked", id=given.data["grantConsent"]["id"])
        again = ask(self._told, labour, INCOME, {"id": named})
        stage.expect(set(again.codes) == {"UNAUTHORIZED_FIELD_OR_TYPE"}, "the next inquiry is refused", again)
        stage.tell("The person takes it back, and the next inquiry is refused:")
        stage.errors(again)
