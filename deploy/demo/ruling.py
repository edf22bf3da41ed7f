"""The scene of rule sets: an officer proposes a change, others approve it, and it counts from the next inquiry on.

It ends as it began: the rule set of before is active again.
"""

from __future__ import annotations

import base64
import datetime
from collections.abc import Callable, Mapping
from typing import Any

import httpx

from deploy.demo.client import Reply, token
from deploy.demo.configuration import Place
from deploy.demo.stage import Stage, within
from gateway.activation import archive

EDITS: Mapping[str, tuple[bytes, bytes]] = {
    "purposes.yaml": (b"names: [period, workersAffected]\n", b"names: [period, workersAffected, amount]\n"),
    "tests/": (b"wage-arrears: [period, workersAffected]\n", b"wage-arrears: [period, workersAffected, amount]\n"),
}
"""What is changed: by file, or folder, a text and what takes its place."""

_EXAMINED = 200.0
"""Seconds that the examination of a rule set may take."""


class Ruling:
    """The scene over one running region. `told` is what `demo.json` will have; `ask` asks for an amount of wages."""

    def __init__(self, place: Place, told: Mapping[str, Any], stage: Stage, ask: Callable[[], Reply]) -> None:
        self._place, self._told, self._stage, self._ask = place, told, stage, ask

    @property
    def scenes(self) -> list[tuple[str, Callable[[], None]]]:
        """It, with its title."""
        return [("Officers change a rule: proposed, approved, active, and back", self.changes)]

    def changes(self) -> None:
        """Nobody changes the rules alone; what two others approved counts at once, and is gone in one step."""
        stage, (author, *others) = self._stage, self._told["clients"]["policy-office"]["officials"]
        before = self._status()["active"]
        stage.tell(
            f"""How much in wages was owed is denied to the Market Regulation Authority (scene 3). The policy officer
            {author} changes one line of a copy of the policies, and their tests, and proposes them. The
            gateway examines the files, runs their tests, and lists what they change, computed from every cell:"""
        )
        proposal = self._did(author, "", {"files": self._changed(), "reason": "Procurement Act, amended."})["proposal"]
        id_ = proposal["id"]
        stage.expect(proposal["state"] == "checked", "the proposal is checked")
        stage.say(f"    proposal {id_}: {proposal['tests']} tests passed; rule set {proposal['digest'][:12]}")
        stage.quote(proposal["changes"][0])
        stage.quote("\n".join(f"lacks: {each}" for each in proposal["lacks"]))
        stage.tell(f"{author} cannot approve it, nor make it active:")
        self._refused(author, f"/{id_}/approve", self._approval(proposal), "SECOND_PERSON")
        self._refused(author, f"/{id_}/activate", {}, "STATE")
        for other in others:
            self._did(other, f"/{id_}/approve", self._approval(proposal))
            stage.say(f"    {other} approves exactly these files, over exactly the active ones")
        self._did(others[0], f"/{id_}/activate", {})
        self._served(proposal["digest"])
        stage.tell("It is active, without a restart. The next inquiry is decided by it, as its entry records:")
        opened = self._ask()
        rows = opened.data["organisation"]["wageArrears"]
        stage.expect(not opened.errors and all(each["amount"] for each in rows), "the amount is disclosed now", opened)
        stage.expect(opened.inquiry["ruleSet"] == proposal["digest"], "the new set decided it", opened)
        stage.say(f"    inquiry {opened.inquiry['id']}, decided by rule set {opened.inquiry['ruleSet'][:12]}")
        stage.answer(opened.data["organisation"])
        stage.tell(
            "One officer takes it back in one step; oversight is notified. The next inquiry is denied the amount again:"
        )
        self._did(author, "rollback", {"epoch": before["epoch"], "reason": "The amendment is contested."})
        self._served(before["digest"])
        for each in reversed(self._status()["activations"][:3]):
            stage.say(f"    epoch {each['epoch']}: rule set {each['digest'][:12]}, by {each['how']}")
        closed = self._ask()
        stage.expect(closed.codes == ["UNAUTHORIZED_FIELD_OR_TYPE"], "the amount is denied again", closed)
        stage.errors(closed)

    def _changed(self) -> str:
        """The policies of this run with the edits, as they are sent."""
        files = archive.unpacked(archive.packed(self._place.policies))
        for begin, (text, other) in EDITS.items():
            for name in [each for each in files if each.startswith(begin)]:
                files[name] = files[name].replace(text, other, 1 if begin == name else -1)
        return base64.b64encode(archive.pack(files)).decode()

    def _approval(self, proposal: Mapping[str, Any]) -> dict[str, str]:
        until = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=7)
        said = {"digest": proposal["digest"], "base": proposal["base"], "reason": "As in the Act."}
        return {**said, "until": until.strftime("%Y-%m-%dT%H:%M:%SZ")}

    def _sent(self, official: str, path: str, body: Mapping[str, Any]) -> Reply:
        place = f"/rules/{path}" if path == "rollback" else f"/rules/proposals{path}"
        headers = {"authorization": f"Bearer {token(self._told, 'policy-office', official)}"}
        answer = httpx.post(self._told["gateway"] + place, json=body, headers=headers, timeout=_EXAMINED)
        return Reply(answer.status_code, answer.json())

    def _did(self, official: str, path: str, body: Mapping[str, Any]) -> Any:
        reply = self._sent(official, path, body)
        self._stage.expect(reply.status == 200, f"{official} may do this (`/rules`{path})", reply)
        return reply.body

    def _refused(self, official: str, path: str, body: Mapping[str, Any], reason: str) -> None:
        reply = self._sent(official, path, body)
        self._stage.expect(reply.body.get("reason") == reason, f"{official} may not do this", reply)
        self._stage.say(f"    {reason}: {reply.body['detail']}")

    def _status(self) -> Any:
        official = self._told["clients"]["policy-office"]["officials"][0]
        headers = {"authorization": f"Bearer {token(self._told, 'policy-office', official)}"}
        return httpx.get(self._told["gateway"] + "/rules/status", headers=headers, timeout=15).json()

    def _served(self, digest: str) -> None:
        """Wait until every process serves a set; whoever asks before waits too, or is told to ask again."""

        def serves() -> bool:
            told = self._status()
            return told["active"]["digest"] == digest and all(each["serves"] for each in told["replicas"])

        self._stage.expect(within(60, serves), "every process serves the active set")
