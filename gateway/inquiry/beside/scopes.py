"""Which scope opens which part of the gateway: what a token lacks for what is asked. Pure.

Whether an act is also right (the department's own matter, a second person, a recent sign-in) is for the act itself.
"""

from __future__ import annotations

from collections.abc import Collection, Container, Mapping
from typing import NamedTuple

from gateway.config.oauth import SCOPES
from gateway.inquiry.types import Requester
from gateway.rules.model import PORTAL

_SUBJECTS = frozenset(
    ["grantConsent", "revokeConsent", "declineConsentRequest", "fileObjection", "applyForRestoration",
     "withdrawMatter", "setOptOut"]
)  # fmt: skip
"""What a subject does itself, or a department's counter for it."""
_OFFICIALS: Mapping[str, tuple[str, ...]] = {
    "matters": ("steward", "oversight"),
    "changes": ("steward",),
    "reportChange": ("steward",),
    "decideObjection": ("steward",),
    "decideRestoration": ("steward",),
    "confirm": ("steward", "oversight"),
    "decline": ("steward", "oversight"),
    "endSuspension": ("oversight",),
    "findings": ("oversight",),
    "openFinding": ("oversight",),
    "endReview": ("oversight",),
}
"""What needs an official, and one of these scopes."""
_REQUESTERS = frozenset(["requestConsent", "consentRequests"])
_RECIPIENTS = frozenset(["recalls", "acknowledgeRecall", "acknowledgeRecalls", "attestDeletion", "suspensions"])
"""What a recipient does about what it received, with or without an official."""


class Lack(NamedTuple):
    """Why a token does not open what is asked, and the scope that would."""

    message: str
    scope: str = "inquire"


def lack(
    requester: Requester, datasets: Container[str], asked: Collection[str], *, on_behalf: bool = False
) -> Lack | None:
    """What the token lacks for these root fields; None where it opens them. `datasets` are those that there are.

    A subject's own token opens no receipts, whatever else it has, and no act but its own.
    """
    scopes = requester.scopes
    inquires = "inquire" in scopes or any(
        name == "inquire" and of in datasets for name, _, of in [scope.partition(":") for scope in scopes]
    )
    system = "reportChange" in asked and requester.reports_changes and requester.official is None
    if system and "steward" in scopes and "self" not in scopes:
        return None
    if not inquires and scopes.isdisjoint(SCOPES):
        return Lack("The token has no scope for this gateway; ask for `inquire`.")
    if requester.is_subject and PORTAL not in requester.roles:
        return Lack("A subject's own token (`self`) is a portal's; the client has no role `portal`.", "self")
    if "receipts" in asked and requester.is_subject:
        return Lack("A subject's own token (`self`) opens no receipts; ask with one that has only `inquire`.")
    if "receipts" in asked and not inquires and "receipts" not in scopes:
        return Lack("The token has no scope for `receipts`; ask for `inquire`.")
    if "permissions" in asked and not inquires:
        return Lack("The token has no scope for `permissions`; ask for `inquire`.")
    for field in asked:
        if field == "me" or field in _SUBJECTS:
            return _of_subject(requester, field, inquires=inquires, on_behalf=on_behalf)
        if field in _OFFICIALS:
            return _of_official(requester, field, _OFFICIALS[field])
        if field in _RECIPIENTS:
            return _of_recipient(requester, field)
        if field in _REQUESTERS and (not inquires or requester.is_subject):
            return Lack(f"`{field}` needs a token with `inquire`, and not a subject's own.")
    return None


def _of_subject(requester: Requester, field: str, *, inquires: bool, on_behalf: bool) -> Lack | None:
    """`me` and a subject's acts: its own token opens nothing else, and no other token opens them, but a counter's."""
    if on_behalf:
        return _of_official(requester, field, ("counter",), " with `onBehalf`")
    if not requester.is_subject:
        also = "; a department's counter names for whom it acts, by `onBehalf`" if "counter" in requester.scopes else ""
        return Lack(f"`{field}` needs a subject's own token: ask for `self`{also}.", "self")
    if inquires or requester.scopes & (set(SCOPES) - {"self"}):
        return Lack(f"`{field}` needs a token with the scope `self` and no other of this gateway's.", "self")
    return None


def _of_recipient(requester: Requester, field: str) -> Lack | None:
    if field == "suspensions" and "oversight" in requester.scopes and "recalls" not in requester.scopes:
        return _of_official(requester, field, ("oversight",))
    if requester.is_subject or "recalls" not in requester.scopes:
        return Lack(f"`{field}` needs a token with `recalls`, and not a subject's own.", "recalls")
    return None


def _of_official(requester: Requester, field: str, scopes: tuple[str, ...], how: str = "") -> Lack | None:
    either = " or ".join(f"`{scope}`" for scope in scopes)
    if requester.is_subject or requester.scopes.isdisjoint(scopes):
        return Lack(f"`{field}`{how} needs a token with {either}, and not a subject's own.", scopes[0])
    if requester.official is None:
        return Lack(f"`{field}`{how} is an official's: the token names none.", scopes[0])
    return None
