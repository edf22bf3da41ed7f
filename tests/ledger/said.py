"""One entry of each kind beside inquiries, who is said to have done it, and the sentence that tells it."""

from __future__ import annotations

import datetime
from typing import Any

from gateway.ledger.entry import entries
from gateway.ledger.entry.acts import Simulated
from gateway.ledger.proof.note import Signer
from tests.ledger.support import AT, KEY, ORIGIN, SUBJECT

LEI = (SUBJECT.scheme, SUBJECT.value)
ACME = f"LEI {SUBJECT.value}"
DAY = datetime.date(2026, 12, 3)
HEAD = (entries.VERSION, "e-1", AT, entries.Who("https://login.example", "portal", "market"))
BUYER = entries.Who("https://login.example", "market-regulator", "market")
REMEMBERED = Signer(f"{ORIGIN}/1", KEY).checkpoint(7, bytes(32))

ABOUT: dict[str, Any] = {
    "scheme": LEI[0],
    "value": LEI[1],
    "matter": "a1b2",
    "by": "c.owner",
    "proof": "identity card 7",
    "dataset": "tax-arrears",
    "record": "N-1",
    "version": "4",
    "new_version": "5",
    "access": "look-7",
    "recipient": BUYER,
    "purpose": "LICENCE",
    "digest": "5ec0de",
    "fields": {"permits": ("number",), "bank": ("limit", "owner")},
    "until": datetime.date(2027, 6, 1),
    "reason": "a typo",
    "remedy": "it is mended",
    "papers": (entries.Paper("the court", "12-2026", DAY), entries.Paper("the bank", "B-1")),
    "changes": (12, 13),
    "words": "in plain words",
}
TO = "market-regulator of market for LICENCE"
NO_WORDS = "this version has no words for"
THING = f"tax-arrears/N-1 of {ACME}"
ACTS = [
    ("consent-requested", "", True, f"asked {ACME} to consent to {TO}"),
    ("consent-granted", "", True, f"gave the consent of {ACME} to {TO} until 2027-06-01"),
    ("consent-revoked", "", True, f"revoked the consent of {ACME} to {TO}"),
    ("consent-declined", "", True, f"declined for {ACME} to consent to {TO}"),
    ("objection-filed", "", True, f"objected to {THING}, to be decided by 2026-12-03"),
    ("objection-decided", "partly-upheld", True, f"decided the objection of {ACME} to tax-arrears/N-1: partly upheld"),
    ("objection-overdue", "", True, f"found the objection of {ACME} to tax-arrears/N-1 undecided after 2026-12-03"),
    ("correction-overdue", "", True, f"found {THING} not corrected after 2026-12-03"),
    ("restoration-filed", "", True, f"applied for the restoration of {THING}"),
    ("restoration-decided", "refused", True, f"decided on the restoration of {THING}: refused"),
    ("restoration-confirmed", "", True, f"confirmed the restoration of {THING}"),
    (
        "restoration-confirmation-declined",
        "upheld",
        True,
        f"did not confirm the restoration of {THING}: it is to be decided anew",
    ),
    (
        "restoration-overdue",
        "",
        True,
        f"found the application of {ACME} to restore tax-arrears/N-1 undecided after 2026-12-03",
    ),
    ("matter-withdrawn", "", True, f"withdrew matter a1b2 of {ACME}"),
    ("change-reported", "corrected", True, f"reported {THING} as corrected"),
    ("change-confirmed", "withdrawn", True, f"confirmed that {THING} is withdrawn"),
    ("change-declined", "withdrawn", True, f"declined that {THING} is withdrawn"),
    ("opt-out-set", "", True, f"set the opt-out of {ACME} from tax-arrears"),
    ("opt-out-lifted", "", True, f"lifted the opt-out of {ACME} from tax-arrears"),
    ("over-bounds", "", False, "asked for more acts than a day allows; counted once an hour"),
    ("recall-paused", "", True, f"did what {NO_WORDS} (`recall-paused`), about {ACME}"),
    (
        "<b>\n",
        "",
        False,
        f"did what {NO_WORDS} (`\ufffdb\ufffd\ufffd`), about nobody, or a subject that was erased or left out",
    ),
]

DELIVERIES = [
    ("delivered", entries.OWN, "", "notified market-regulator of market of recall re-1, which was taken"),
    (
        "delivery-stopped", entries.OWN, "",
        "notifies market-regulator of market no more, as it answered to recall re-1 that it is gone",
    ),
    (
        "delivery-given-up", entries.OWN, "",
        "gave up notifying market-regulator of market of recall re-1; it waits in the inbox",
    ),
    (
        "delivery-resumed", entries.Who("", "command line"), "A. Operator: it is back",
        "had market-regulator of market notified of recalls again (A. Operator: it is back)",
    ),
]  # fmt: skip
_RECALL = {"recall": "r-1", "to": BUYER, "action": "delete", "sequence": 3, "term": AT}
_OF_RECALL = {
    **_RECALL, "scheme": LEI[0], "value": LEI[1], "dataset": "tax-arrears", "purpose": "LICENCE", "inquiry": "i-1",
    "records": ("N-1@4", "N-2@1"),
}  # fmt: skip
_GRANT = {"recall": "r-1", "to": BUYER, "matter": "s-1", "purpose": "LICENCE", "dataset": "tax-arrears"}
GRANT = "market-regulator of market for LICENCE"
RECALLS: list[tuple[entries.Who, str, str, dict[str, Any], str]] = [
    (BUYER, "acknowledged", "passed-on", {**_OF_RECALL, "passed_on": ("The Bank",), "reason": "so it is"},
     f"answered recall r-1 about {ACME}: passed on"),
    (BUYER, "deletion-attested", "", {"to": BUYER, "until": DAY},
     "attested that all that was to be deleted by 2026-12-03 is"),
    (entries.OWN, "recall-overdue", "", _OF_RECALL,
     f"found recall r-1 about {ACME} not answered by market-regulator of market"),
    (entries.OWN, "unreported-found", "",
     {"scheme": LEI[0], "value": LEI[1], "dataset": "tax-arrears", "record": "N-1", "version": "3",
      "new_version": "4"},
     f"found tax-arrears/N-1 of {ACME} changed without a report"),
    (entries.OWN, "onward-disclosure-found", "", {**_OF_RECALL, "passed_on": ("The Bank",)},
     f"found that market-regulator of market passed on what recall r-1 has of {ACME}"),
    (entries.OWN, "suspended", "", {**_GRANT, "changes": (7,)}, f"suspended the grant of {GRANT} and tax-arrears"),
    (entries.OWN, "suspension-held", "", _GRANT,
     "found that the suspension of market-regulator of market also rests on recall r-1"),
    (BUYER, "suspension-goes-on", "", {**_GRANT, "changes": (8, 9)},
     "found that the suspension of market-regulator of market goes on until recall r-1 is answered"),
    (HEAD[3], "suspension-end-asked", "", {**_GRANT, "reason": "it moved"},
     f"asked for the end of the suspension of {GRANT}"),
    (HEAD[3], "suspension-end-declined", "", {**_GRANT, "reason": "it did not"},
     f"declined to end the suspension of {GRANT}"),
    (HEAD[3], "suspension-ended", "oversight", {**_GRANT, "changes": (8,)},
     f"ended the suspension of {GRANT} and tax-arrears: oversight"),
    (entries.OWN, "suspension-exempt", "exempt", {**_OF_RECALL, "words": "Courts Act 9"},
     f"found market-regulator of market overdue with what it has of {ACME}, and a law that spares its grant"),
    (entries.Who("", "command line"), "rules-activated", "",
     {"rule_set": "5e7" * 8, "base": "ba5e", "epoch": 4, "how": "proposal", "proposal": "p-1", "schema": "5c",
      "approvers": ("A. Officer", "B. Officer")},
     "made rule set 5e75e75e75e7 active, since epoch 4 (proposal)"),
]  # fmt: skip
_PROPOSED: dict[str, Any] = {"proposal": "p-1", "digest": "d1" * 32}
RULES: list[tuple[entries.Who, str, str, dict[str, Any], str]] = [
    (HEAD[3], "rules-proposed", "", {**_PROPOSED, "base": "ba5e" * 16, "epoch": 3, "officer": "olsen", "term": AT},
     "proposed rule set d1d1d1d1d1d1 in the place of ba5eba5eba5e (proposal p-1)"),
    (HEAD[3], "rules-checked", "7 tests passed", {**_PROPOSED, "widens": ("tax",), "schema": "5c"},
     "had rule set d1d1d1d1d1d1 checked: 7 tests passed (proposal p-1)"),
    (HEAD[3], "rules-approved", "",
     {**_PROPOSED, "how": "officer", "officer": "costa", "signature": "-----", "term": AT},
     "approved rule set d1d1d1d1d1d1 as officer costa (proposal p-1)"),
    (entries.Who("", "command line"), "rules-simulated", "2-of-9-decided-otherwise",
     {**_PROPOSED, "reason": "proposal 7",
      "simulated": Simulated("P. Officer", AT, AT, "ba5e" * 16, 8, 9, 2, 1, "5e" * 32)},
     "had rule set d1d1d1d1d1d1 simulated: 2 of 9 decided otherwise (proposal p-1)"),
    (entries.OWN, "rules-noticed", "", {**_PROPOSED, "widens": ("tax", "courts"), "term": AT},
     "notified oversight that rule set d1d1d1d1d1d1 opens data of people, or not public (proposal p-1)"),
    (HEAD[3], "rules-refused", "", {**_PROPOSED, "officer": "ilves", "reason": "no"},
     "refused rule set d1d1d1d1d1d1 (proposal p-1)"),
]  # fmt: skip
"""Who, what, its outcome, what it is about, and the sentence."""
DRY_RUNS: list[tuple[entries.Who, str, str, dict[str, Any], str]] = [
    (entries.Who("", "command line"), "dry-run-began", "P. Officer: a trial", {"rule_set": "5ec0de", "until": DAY},
     "began a dry run of rule set 5ec0de, through 2026-12-03 (P. Officer: a trial)"),
    (entries.Who("", "command line"), "dry-run-ended", "P. Officer: seen", {"rule_set": "5ec0de"},
     "ended the dry run of rule set 5ec0de (P. Officer: seen)"),
]  # fmt: skip
_SUPPLEMENT = {"matter": "s-1", "dataset": "tax-arrears", "digest": "5ec0de", "words": "read it, and answer"}
SUPPLEMENTS: list[tuple[entries.Who, str, str, dict[str, Any], str]] = [
    (HEAD[3], "catalogue-consulted", "", {**_SUPPLEMENT, "days": 20, "due": DAY, "provisional": True},
     "opened the consultation on tax-arrears, until the end of 2026-12-03"),
    (HEAD[3], "catalogue-approval-asked", "", _SUPPLEMENT,
     "asked for the approval of tax-arrears, after its consultation"),
    (HEAD[3], "catalogue-approved", "", _SUPPLEMENT, "approved tax-arrears as another steward of its department asked"),
    (HEAD[3], "catalogue-published", "as it was approved", {**_SUPPLEMENT, "department": "tax"},
     "published tax-arrears: as it was approved"),
    (HEAD[3], "catalogue-retired", "", _SUPPLEMENT, "retired tax-arrears: no rule set may publish it any more"),
]  # fmt: skip
"""The same."""

SOURCES: list[tuple[entries.Who, str, str, dict[str, Any], str]] = [
    (entries.OWN, "source-found", "vanished", {"matter": "f-1", "department": "tax", "dataset": "tax-arrears"},
     "found that the system of tax does not fit (vanished)"),
    (entries.OWN, "source-fits", "wrong", {"matter": "f-2", "department": "tax"},
     "found that the system of tax fits again (wrong)"),
]  # fmt: skip
"""The same."""

SAID: list[tuple[entries.Done | entries.OfLedger, str, str]] = [
    (
        entries.View(*HEAD, "A. Auditor", "complaint", entries.Looked(*LEI, "MR-1"), ("told",), "csv"),
        "A. Auditor",
        f"looked at subject {ACME}, case MR-1, written as csv",
    ),
    (
        entries.Reviewed(*HEAD, "A. Auditor", "f-1", "one-official", "proper", "asked", ("1-0",)),
        "A. Auditor",
        "found f-1 proper",
    ),
    (entries.Hold(*HEAD, "placed", "h-1", "A. Auditor", "court", *LEI), "A. Auditor", f"placed hold h-1 on {ACME}"),
    (
        entries.ErasureRequest(*HEAD, "requested", "x-1", "A. Auditor", "law", *LEI),
        "A. Auditor",
        f"requested erasure x-1 of {ACME}",
    ),
    (
        entries.Erasure(*HEAD, "x-1", "A. Auditor", "B. Other", "law", ("0" * 16,), DAY),
        "B. Other",
        "carried out erasure x-1, which A. Auditor requested; backups have it until 2026-12-03",
    ),
    (
        entries.Pruned(*HEAD, "A. Auditor", "law", DAY, "P10Y", {"1": 7}, DAY),
        "A. Auditor",
        "made the contents of entries from before 2026-12-03 unreadable, as they are kept for P10Y; backups have it"
        " until"
        " 2026-12-03",
    ),
    *(
        (
            entries.Acted(
                *HEAD,
                what,
                *(DAY, outcome, "ca1e", True),
                **ABOUT if about else {},
            ),
            "c.owner" if about else "portal of market",
            happened,
        )
        for what, outcome, about, happened in ACTS
    ),
    *(
        (
            entries.Acted(*HEAD[:3], who, what, outcome=outcome, recall="re-1", to=BUYER, action="delete", sequence=7),
            "the gateway" if who == entries.OWN else "command line",
            happened,
        )
        for what, who, outcome, happened in DELIVERIES
    ),
    *(
        (
            entries.Acted(*HEAD[:3], who, what, outcome=outcome, **about),
            "the gateway" if who is entries.OWN else " of ".join(filter(None, (who.client, who.department))),
            happened,
        )
        for who, what, outcome, about, happened in (*RECALLS, *DRY_RUNS, *SUPPLEMENTS, *RULES, *SOURCES)
    ),
    (
        entries.Acted(*HEAD[:3], entries.OWN, "reminded", DAY, scheme=LEI[0], value=LEI[1], matter="m-2"),
        "the gateway",
        f"reminded of matter m-2 of {ACME}, which is due by 2026-12-03",
    ),
    (
        entries.Acted(*HEAD[:3], entries.OWN, "deadline-counted", DAY, scheme=LEI[0], value=LEI[1], matter="m-2"),
        "the gateway",
        f"counted again by when matter m-2 of {ACME} is due: 2026-12-03",
    ),
    (
        entries.Acted(*HEAD[:3], entries.OWN, "display-ended", DAY),
        "the gateway",
        "noted what may not be displayed any more after 2026-12-03",
    ),
    (
        entries.Acted(
            *HEAD[:3], entries.OWN, "display-shortened", DAY, dataset="tax-arrears", since=datetime.date(2024, 12, 3)
        ),
        "the gateway",
        "noted what may not be displayed any more after 2026-12-03, by a period that was shortened: of tax-arrears,"
        " what counts from 2024-12-03",
    ),
    (
        entries.Acted(
            *HEAD[:3],
            entries.OWN,
            "recalled",
            DAY,
            scheme=LEI[0],
            value=LEI[1],
            dataset="tax-arrears",
            recall="r-1",
            to=BUYER,
            action="mark-disputed",
            sequence=3,
            term=AT,
            inquiry="i-1",
            records=("N-1@4", "N-2@1"),
        ),
        "the gateway",
        f"recalled tax-arrears/N-1@4, tax-arrears/N-2@1 of {ACME} from market-regulator of market: mark disputed",
    ),
    (
        entries.Acted(*HEAD, "objection-filed", DAY, scheme=LEI[0], value=LEI[1], access="look-1", words="who was it?"),
        "portal of market",
        f"objected to the look look-1 of {ACME}, to be decided by 2026-12-03",
    ),
    (
        entries.Acted(*HEAD, "objection-filed", DAY, scheme=LEI[0], value=LEI[1], dataset="tax-awards"),
        "portal of market",
        f"objected to the lack of a record in tax-awards of {ACME}, to be decided by 2026-12-03",
    ),
    (
        entries.Gap(*HEAD[:3], entries.OWN, f"{ORIGIN}/1", 5, bytes(32), REMEMBERED, "witness-1"),
        "witness-1",
        f"{ORIGIN}/1 was sealed: the store had 5 entries of it, and witness-1 remembers 7",
    ),
    (
        entries.NotReleased(*HEAD[:3], BUYER, "token", *LEI, "i-1", "1-0"),
        "the gateway",
        f"did not release to market-regulator what inquiry i-1 has about {ACME}",
    ),
    (
        entries.ShardChange(*HEAD[:3], entries.OWN, "opened", f"{ORIGIN}/2", "k+1", 0, bytes(32)),
        "",
        f"{ORIGIN}/2 was opened at 0 entries, with the key k+1",
    ),
]
