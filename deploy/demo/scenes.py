"""The scenes: what a newcomer sees Dutybound do, each of which fails where it does not show what it promises."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import httpx

from deploy.demo.client import Reply, ask, token
from deploy.demo.processes import ROOT
from deploy.demo.recalls import Recalls
from deploy.demo.rights import Rights
from deploy.demo.ruling import Ruling
from deploy.demo.stage import Stage
from deploy.demo.supervisor import Region
from deploy.demo.withheld import newest_entry, withheld

TENDER = """
query Tender($id: IdentifierInput!, $case: String!) @inquiry(purpose: TENDER_QUALIFICATION, case: $case) {
  organisation(id: $id) {
    name
    businessLicences { number status validUntil record { id version source document displayUntil disputed } }
    taxArrears { period amount currency }
  }
}
"""
"""The contract's example."""

COURT = """
query Enforce($id: IdentifierInput!, $case: String!) @inquiry(purpose: COURT_ENFORCEMENT, case: $case) {
  organisation(id: $id) {
    name
    enforcementCases { courtFile claim currency status openedAt }
    insolvencyProceedings { fileNumber stage openedOn }
    marketPenalties { decisionNumber amount currency record { document displayUntil } }
    wageArrears { period workersAffected amount currency }
  }
}
"""

DENIED = """
query Tender($id: IdentifierInput!, $case: String!) @inquiry(purpose: TENDER_QUALIFICATION, case: $case) {
  organisation(id: $id) {
    name
    wageArrears { period workersAffected amount }
  }
}
"""


class Scenes:
    """The scenes over one running region. `told` is what `demo.json` will have."""

    def __init__(self, region: Region, told: Mapping[str, Any], stage: Stage) -> None:
        self._region, self._told, self._stage = region, told, stage
        self._receipt = ""

    def play(self) -> None:
        """All of them, in order; raises `SceneFailed` at the first that breaks its promise."""
        scenes: list[tuple[str, Callable[[], None]]] = [
            ("A department asks, for a purpose and a case", self.department),
            ("A court asks, in a case that its registry confirms", self.court),
            ("A field that the purpose does not allow", self.denied),
            ("A record whose time of display is over", self.display_ended),
            ("A department is down", self.outage),
            ("The receipt, verified without the gateway", self.receipt),
            *Rights(self._told, self._stage, self._case, self._noticed).scenes,
            *Recalls(self._region, self._told, self._stage, self._case).scenes,
            *Ruling(self._region.place, self._told, self._stage, self._amount).scenes,
        ]
        for number, (title, scene) in enumerate(scenes, 1):
            self._stage.heading(number, title)
            scene()

    def _noticed(self) -> list[str]:
        """The matters that the citizens' portal was told of."""
        found: list[str] = httpx.get(self._region.place.url("portal") + "/_notices").json()
        return found

    def _ask(self, client: str, query: str, subject: str, case: str | None = None, again: bool = False) -> Reply:
        official = self._told["clients"][client]["officials"][0]
        named = self._told["subjects"][subject]
        case = case or self._case(client, subject)
        bearer = token(self._told, client, official)
        if not again:
            self._stage.quote(query)
        self._stage.say(f"    variables: id {named['scheme']} {named['value']}, case {case}; official {official}")
        return ask(self._told, bearer, query, {"id": named, "case": case})

    def _case(self, client: str, subject: str) -> str:
        entry, named = self._told["clients"][client], self._told["subjects"][subject]
        cases: Mapping[str, Mapping[str, Any]] = self._told["cases"]
        wanted = {"registry": entry["department"], "open": True, "subject": named, "official": entry["officials"][0]}
        return next(name for name, case in cases.items() if case == wanted)

    def department(self) -> None:
        """The contract's example query gives rows, obligations and a receipt."""
        stage = self._stage
        stage.tell(
            """The Market Regulation Authority qualifies a tenderer. Its official may see the licences and the tax
            arrears of the organisation named, because the purpose lists those fields and the case names the
            organisation."""
        )
        reply = self._ask("market-regulator", TENDER, "ordinary")
        stage.expect(reply.status == 200 and not reply.errors, "the inquiry is permitted", reply)
        found = reply.data["organisation"]
        stage.expect(bool(found["name"] and found["businessLicences"] and found["taxArrears"]), "it gives rows", reply)
        stage.tell("Two departments answered, one over REST and one from PostgreSQL:")
        stage.answer(found)
        stage.obligations(reply)
        self._receipt = reply.inquiry.get("receipt", "")
        stage.expect(bool(self._receipt), "the answer carries a receipt", reply)
        stage.say(f"    inquiry {reply.inquiry['id']}; the ledger's entry was on the disk before this answer left")

    def court(self) -> None:
        """A court sees more, in its own case; in somebody else's case it sees nothing."""
        stage = self._stage
        stage.tell(
            """The Civil Court enforces a judgment. The gateway asks the court's case registry first: is the case
            open, does it name this organisation, is it this judge's?"""
        )
        reply = self._ask("civil-court", COURT, "ordinary")
        stage.expect(reply.status == 200 and not reply.errors, "the court's inquiry is permitted", reply)
        found = reply.data["organisation"]
        stage.expect(bool(found["enforcementCases"] and found["marketPenalties"]), "the court gets rows", reply)
        stage.answer(found)
        stage.obligations(reply)
        other = next(
            name
            for name, case in self._told["cases"].items()
            if case["registry"] == "courts" and case["subject"] != self._told["subjects"]["ordinary"]
        )
        stage.tell("The same question with a case about somebody else:")
        refused = self._ask("civil-court", COURT, "ordinary", other, again=True)
        stage.expect(refused.codes == ["CASE_NOT_VERIFIED"] and not refused.data, "the other case is refused", refused)
        stage.errors(refused)

    def denied(self) -> None:
        """A denied field has its reason, and is not even asked for at the department."""
        stage = self._stage
        stage.tell(
            """To qualify a tenderer it matters how often wages were owed and to how many; how much plays no part,
            so the purpose leaves the amount out. The rest of the answer comes all the same."""
        )
        reply = self._ask("market-regulator", DENIED, "ordinary")
        stage.expect(reply.codes == ["UNAUTHORIZED_FIELD_OR_TYPE"], "exactly the amount is denied", reply)
        rows = reply.data["organisation"]["wageArrears"]
        stage.expect(bool(rows) and all(r["amount"] is None and r["period"] for r in rows), "the rest comes", reply)
        stage.answer(reply.data["organisation"])
        stage.errors(reply)
        log = self._region.children["labour"].log.read_text(errors="replace")
        found = re.findall(r"SELECT v_wage_finding\..*?(?=^\d{4}-|\Z)", log, re.DOTALL | re.MULTILINE)
        statement = " ".join(found[-1].split()) if found else "nothing"
        stage.expect("workers" in statement, "the Labour Office was asked for the permitted columns")
        stage.expect("unpaid" not in statement, f"the denied column was not asked for, in {statement}")
        stage.tell("The Labour Office's database was asked for the permitted columns only (its log; no `unpaid`):")
        stage.quote(statement)

    def _amount(self) -> Reply:
        """The inquiry of the scene before, as it is decided now."""
        return self._ask("market-regulator", DENIED, "ordinary", again=True)

    def display_ended(self) -> None:
        """A record past its display is not in the answer; only the ledger's oversight part knows."""
        stage = self._stage
        stage.tell(
            """Records that count against a subject are displayed for three years at most. This organisation has
            one notice of tax arrears, and its time is over:"""
        )
        reply = self._ask("market-regulator", TENDER, "display_ended")
        stage.expect(reply.status == 200 and not reply.errors, "the inquiry is permitted", reply)
        stage.expect(reply.data["organisation"]["taxArrears"] == [], "the record is withheld", reply)
        stage.answer(reply.data["organisation"])
        stage.tell(
            """The authority cannot see that anything was withheld: an organisation without arrears looks the
            same. The ledger's entry keeps it for oversight, sealed in the store beside its public commitment:"""
        )
        entry = newest_entry(self._region.place.store)
        found = withheld(entry)
        stage.expect(
            any(one.record.startswith("tax-arrears/") and one.restraint == "display-ended" for one in found),
            f"entry {entry.index} names the withheld record and `display-ended`, and not {found}",
        )
        for one in found:
            stage.say(f"    entry {entry.index}: {one.record} withheld: {one.restraint}")

    def outage(self) -> None:
        """One department's outage takes that department's data and nothing else; then it is up again."""
        stage, tax = self._stage, self._region.children["tax"]
        stage.tell(f"The Tax Service's server is killed (pid {tax.pid}), and the first question asked again:")
        tax.kill()
        try:
            reply = self._ask("market-regulator", TENDER, "ordinary", again=True)
        finally:
            tax.start()
        found = (reply.data or {}).get("organisation") or {}
        stage.expect(reply.codes == ["SOURCE_UNAVAILABLE"], "the outage is reported, and nothing else is wrong", reply)
        stage.expect(found.get("taxArrears", []) is None, "the tax arrears are null", reply)
        stage.expect(bool(found.get("name") and found["businessLicences"]), "the rest of the answer comes", reply)
        stage.answer(found)
        stage.errors(reply)
        tax.ready()
        again = self._until_up()
        stage.expect(not again.errors and bool(again.data["organisation"]["taxArrears"]), "the rows are back", again)
        stage.tell(f"The Tax Service is up again (pid {tax.pid}), and so are its records:")
        stage.answer({"taxArrears": again.data["organisation"]["taxArrears"]})

    def _until_up(self) -> Reply:
        """Ask until the department answers: what was learnt in the outage is given a moment to wear off."""
        named = self._told["subjects"]["ordinary"]
        variables = {"id": named, "case": self._case("market-regulator", "ordinary")}
        bearer = token(self._told, "market-regulator", self._told["clients"]["market-regulator"]["officials"][0])
        reply = ask(self._told, bearer, TENDER, variables)
        for _ in range(60):
            if not reply.errors:
                break
            time.sleep(0.25)
            reply = ask(self._told, bearer, TENDER, variables)
        return reply

    def receipt(self) -> None:
        """The first scene's receipt verifies offline with the ledger's public key; an altered one does not."""
        stage, place = self._stage, self._region.place
        stage.tell(
            """The first answer's receipt proves what was asked, decided and disclosed, and that it stands in the
            ledger. Whoever holds it can verify it with the ledger's public key alone:"""
        )
        file = place.run / "receipt.txt"
        file.write_text(self._receipt)
        status, output = self._verify(str(file))
        stage.quote(output)
        stage.expect(status == 0, f"the receipt verifies, and not: {output}")
        extra = next(line for line in self._receipt.splitlines() if line.startswith("extra "))
        middle = len(extra) // 2
        altered = extra[:middle] + ("A" if extra[middle] != "A" else "B") + extra[middle + 1 :]
        forged = place.run / "forged.txt"
        forged.write_text(self._receipt.replace(extra, altered, 1))
        stage.tell("With one character of it altered:")
        status, output = self._verify(str(forged))
        stage.quote(output)
        stage.expect(status != 0, "an altered receipt does not verify")

    def _verify(self, file: str) -> tuple[int, str]:
        command = ["ledger", "verify-receipt", "--key", str(self._region.place.public_key), file]
        shown = " ".join(part.replace(f"{Path.cwd()}/", "") for part in command)
        self._stage.say(f"    $ dutybound {shown}")
        done = subprocess.run(
            [sys.executable, "-m", "gateway.cli", *command], capture_output=True, text=True, cwd=ROOT, check=False
        )
        return done.returncode, done.stdout + done.stderr
