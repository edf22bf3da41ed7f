"""A finding of the watch in a running region: an official who is refused, and tries another purpose again and again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deploy.demo import client
from tests.waiting import until

DETECTOR = "retried-under-another-purpose"
_ASKED = """
query Ask($subject: IdentifierInput!) @inquiry(purpose: %s, case: "MR-NO-SUCH") {
  organisation(id: $subject) { taxArrears { amount } }
}
"""
_WAITING = "query { findings(state: OPEN, first: 50) { items { id detector } } }"
_MADE: dict[str, str] = {}
"""By a region's sign-in, the finding that was made there: other tests' officials have findings too."""


def finding(told: Mapping[str, Any]) -> str:
    """Have one of this official, and give its id; the same one as before, while it waits for a review."""
    region = str(told["pages"]["login_as"]["oversight"])
    overseer = client.token(told, "oversight", "o.marin", "oversight")

    def waiting() -> set[str]:
        found = client.ask(told, overseer, _WAITING, {}).data["findings"]["items"]
        return {str(each["id"]) for each in found if each["detector"] == DETECTOR}

    before = waiting()
    if _MADE.get(region) in before:
        return _MADE[region]
    subject = told["subjects"]["ordinary"]
    for purpose in ("TENDER_QUALIFICATION", "LICENCE_RENEWAL") * 3:
        bearer = client.token(told, "market-regulator", "p.sorel")
        reply = client.ask(told, bearer, _ASKED % purpose, {"subject": subject})
        assert reply.codes, reply
        assert {*reply.codes} <= {"CASE_NOT_VERIFIED", "UNAUTHORIZED_FIELD_OR_TYPE"}, reply
    found = until("the watch finds it", lambda: next(iter(waiting() - before), None))
    assert found is not None
    _MADE[region] = found
    return found
