"""What an inquiry is answered, worked out from the files as `policies/README.md` says it: its five conditions in turn.

"A field is disclosed only where all of these hold; each only takes away from the one before." Beside the rules stands
what no permit overcomes, as the base rules say it; a permit against that is denied, whatever became of the rules.
"""

from __future__ import annotations

import datetime
import re
import zoneinfo
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ruamel.yaml import YAML

from tests.policies.independent import cedar
from tests.policies.independent.cedar import Entity, Policy, Request

PAGE = Path(__file__).parents[3] / "policies" / "README.md"


def order() -> list[str]:
    """The reasons, in the order in which the page says that the first is told."""
    [said] = re.findall(r"the answer gives the first of:(.*?)\. ", PAGE.read_text("utf-8"), re.DOTALL)
    return re.findall(r"`([A-Z_]+)`", said)


class Inquiry(NamedTuple):
    """All that one brings; `narrowed` is its token's `authorization_details`, `consents` what its subject gave."""

    issuer: str
    client: str
    purpose: str
    kind: str
    subject: tuple[str, str]
    now: datetime.datetime
    scopes: frozenset[str]
    official: str | None
    acr: str | None
    expires: datetime.datetime
    identifier: tuple[str, str] | None
    narrowed: Sequence[Mapping[str, Any]]
    case: str | None
    case_verified: bool
    consents: Sequence[Mapping[str, Any]]
    consent: str | None
    break_glass: bool
    suspended: frozenset[str]


class Verdict(NamedTuple):
    """The answer for one field: permitted, or why not, and the rules that made it so."""

    permitted: bool
    reason: str | None
    rules: frozenset[str]


Who = tuple[str, str]
OVERCOME = frozenset({"(what no permit overcomes)"})
"""Stands for the rules of a denial that no rule gave, though it had to."""


def _denied(reason: str) -> Verdict:
    return Verdict(False, reason, frozenset())


class Folder:
    """The policies of a folder."""

    def __init__(self, folder: Path) -> None:
        read = YAML(typ="safe", pure=True).load
        self.datasets: dict[str, Any] = {}
        for file in sorted((folder / "catalogue").glob("*.yaml")):
            of = read(file.read_text("utf-8"))
            for name, dataset in of["datasets"].items():
                self.datasets[name] = {"category": "general", **dataset, "department": of["department"]}
        self.purposes = read((folder / "purposes.yaml").read_text("utf-8"))
        registered = read((folder / "requesters.yaml").read_text("utf-8"))["requesters"]
        self.requesters: dict[Who, Any] = {(each["issuer"], each["client"]): each for each in registered}
        self.zone = zoneinfo.ZoneInfo(read((folder / "calendar.yaml").read_text("utf-8"))["time_zone"])
        texts = [file.read_text("utf-8") for file in sorted((folder / "rules").glob("*.cedar"))]
        parsed = [cedar.parse(text) for text in texts]
        self.rules: dict[str, Policy] = {policy.annotations["id"]: policy for policy in parsed}
        self.order = order()

    def answers(self, asked: Inquiry) -> dict[tuple[str, str], Verdict]:
        """The answer for every field of every dataset, published or not."""
        return {
            (name, field): self._answer(asked, name, field)
            for name, dataset in self.datasets.items()
            for field in dataset["fields"]
        }

    def _answer(self, asked: Inquiry, name: str, field: str) -> Verdict:
        if self.datasets[name]["status"] != "published":
            return _denied("PURPOSE_NOT_PERMITTED")
        purpose, today = self.purposes.get(asked.purpose), self.day(asked.now)
        grant = self.grant((asked.issuer, asked.client), asked.purpose, today)
        if purpose is None or isinstance(grant, Verdict):
            return grant if isinstance(grant, Verdict) else _denied("PURPOSE_NOT_PERMITTED")
        if "break_glass" in purpose and not asked.break_glass:
            return _denied("GRANT_INACTIVE")
        if asked.now >= asked.expires:
            return _denied("TOKEN_NARROWED")
        if name in asked.suspended:
            return _denied("GRANT_INACTIVE")
        brought = {
            "scope": self.scoped(asked.scopes, asked.identifier == asked.subject, asked.purpose, name),
            "consent": any(self._consents(asked, given, name, field, today) for given in asked.consents),
            "case": asked.case_verified,
            "official": asked.official is not None,
            "step_up": purpose.get("step_up") in (None, asked.acr),
            "break_glass": "break_glass" in purpose and asked.break_glass,
        }
        verdict = self.ruled((asked.issuer, asked.client), grant, asked.kind, (name, field), brought)
        return _denied("TOKEN_NARROWED") if verdict.permitted and not self._fits(asked, name) else verdict

    def day(self, now: datetime.datetime) -> datetime.date:
        """The day that it is in the policies' time zone."""
        return now.astimezone(self.zone).date()

    def grant(self, who: Who, purpose: str, today: datetime.date) -> Any:
        """The grant of a requester for a purpose that holds, or the denial of everything."""
        grants = [grant for grant in self.requesters.get(who, {"grants": []})["grants"] if grant["purpose"] == purpose]
        for grant in grants:
            if grant["from"] <= today <= grant["until"] and not grant.get("suspended", False):
                return grant
        return _denied("GRANT_INACTIVE" if grants else "PURPOSE_NOT_PERMITTED")

    def ruled(self, who: Who, grant: Any, kind: str, at: tuple[str, str], brought: Mapping[str, bool]) -> Verdict:
        """What the rules say of a field, where an inquiry brings this; and what no permit overcomes."""
        (name, field), purpose = at, self.purposes[grant["purpose"]]
        dataset, own = self.datasets[name], purpose.get("scope") == "self"
        context = {
            **brought,
            "subject": Entity("Subject", kind),
            "case_required": purpose.get("case", {}).get("required", False),
            "official_required": purpose.get("official", {}).get("required", False),
            "step_up_required": "step_up" in purpose,
            "self_required": own,
            "in_purpose": field in purpose["fields"].get(name, {"names": []})["names"],
            "in_grant": name in grant["datasets"],
            "subject_in_purpose": kind in purpose["subjects"],
            "subject_in_dataset": kind in dataset["subjects"],
        }
        answer = cedar.authorize(self.rules, self._request(who, grant["purpose"], name, field, context))
        if answer.failed or not answer.allowed:
            forbidding = frozenset[str]() if answer.allowed else answer.determining
            reasons = [self.rules[rule].annotations["reason"] for rule in forbidding]
            return Verdict(False, min(reasons, key=self.order.index, default="NO_RULE"), forbidding or answer.failed)
        overcome = (
            not (context["subject_in_purpose"] and context["subject_in_dataset"])
            or not (context["in_purpose"] and context["in_grant"] and context["scope"])
            or (context["official_required"] and not context["official"])
            or (context["step_up_required"] and not context["step_up"])
            or (context["case_required"] and not context["case"])
            or (dataset["information"] == "non_public" and not context["consent"] and not own)
        )
        return Verdict(False, "NO_RULE", OVERCOME) if overcome else Verdict(True, None, answer.determining)

    def _request(self, who: Who, purpose: str, name: str, field: str, context: Mapping[str, Any]) -> Request:
        dataset, entry = self.datasets[name], self.requesters[who]
        id_ = "/".join(who) if [client for _, client in self.requesters].count(who[1]) > 1 else who[1]
        principal, resource = Entity("Requester", id_), Entity("Field", f"{name}.{field}")
        facts = {
            fact: Entity(fact.capitalize(), dataset[fact])
            for fact in ("status", "information", "disclosure", "nature", "category", "department")
        }
        about = {
            principal: {
                "department": Entity("Department", entry["department"]),
                "roles": frozenset(Entity("Role", role) for role in entry["roles"]),
            },
            resource: facts,
        }
        variables = {
            "principal": principal,
            "action": Entity("Action", purpose),
            "resource": resource,
            "context": context,
        }
        return Request(variables, about, {resource: frozenset({Entity("Dataset", name)})})

    def scoped(self, scopes: frozenset[str], own: bool, purpose: str, name: str) -> bool:
        """Whether a token's scopes cover a dataset for a purpose; `own`: it is the subject's."""
        if self.purposes[purpose].get("scope") == "self":
            return own and "self" in scopes
        return bool({"inquire", f"inquire:{name}"} & scopes)

    @staticmethod
    def _consents(asked: Inquiry, given: Mapping[str, Any], name: str, field: str, today: datetime.date) -> bool:
        fields = given["datasets"].get(name, [])
        return (
            (given["issuer"], given["client"], given["purpose"]) == (asked.issuer, asked.client, asked.purpose)
            and today <= given["until"]
            and asked.consent in (None, given["id"])
            and (fields is None or field in fields)
        )

    @staticmethod
    def _fits(asked: Inquiry, name: str) -> bool:
        """The fifth condition, as far as `authorization_details` narrow the token."""
        return not asked.narrowed or any(
            part.get("purpose") in (None, asked.purpose)
            and part.get("case") in (None, asked.case)
            and part.get("identifier") in (None, asked.subject)
            and (part.get("datasets") is None or name in part["datasets"])
            for part in asked.narrowed
        )
