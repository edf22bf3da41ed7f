"""One entry of each kind beside inquiries, who is said to have done it, and the sentence that tells it."""

from __future__ import annotations

import datetime

from gateway.ledger.entry import entries
from gateway.ledger.proof.note import Signer
from tests.ledger.support import AT, KEY, ORIGIN, SUBJECT

LEI = (SUBJECT.scheme, SUBJECT.value)
ACME = f"LEI {SUBJECT.value}"
DAY = datetime.date(2026, 12, 3)
HEAD = (entries.VERSION, "e-1", AT, entries.Who("https://login.example", "portal", "market"))
BUYER = entries.Who("https://login.example", "market-regulator", "market")
REMEMBERED = Signer(f"{ORIGIN}/1", KEY).checkpoint(7, bytes(32))

SAID: list[tuple[entries.Act | entries.OfLedger, str, str]] = [
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
        entries.Activation(*HEAD, "rolled-back", "new", 4, "P. Officer", "Q. Officer", "a mistake", "old"),
        "P. Officer",
        "rolled back rule set new, epoch 4; Q. Officer approved it",
    ),
    (
        entries.Change(*HEAD, "corrected", "S. Steward", *LEI, "tax-arrears", "N-1", "4", 12, "a typo"),
        "S. Steward",
        f"reported as corrected tax-arrears/N-1 of {ACME}",
    ),
    (
        entries.Change(*HEAD, "expired", "", *LEI, "tax-arrears", "N-1"),
        "the gateway",
        f"entered the end of display of tax-arrears/N-1 of {ACME}",
    ),
    (
        entries.Recall(*HEAD, "corrected", BUYER, DAY, *LEI, "r-1", ("tax-arrears/N-1@3",), 12),
        "the gateway",
        f"recalled tax-arrears/N-1@3 of {ACME} from market-regulator of market: corrected;"
        " to be acknowledged by 2026-12-03",
    ),
    (entries.Acknowledgement(*HEAD, "m.ivanova", *LEI, "r-1"), "m.ivanova", f"acknowledged recall r-1 of {ACME}"),
    (
        entries.Objection(*HEAD, DAY, *LEI, "o-1", "tax-arrears", "N-1", "c.owner", "paid"),
        "c.owner",
        f"objected to tax-arrears/N-1 of {ACME}, to be decided by 2026-12-03",
    ),
    (
        entries.Restoration(*HEAD, *LEI, "a-1", "tax-arrears", "N-1", "c.owner", "mended"),
        "c.owner",
        f"applied for the restoration of tax-arrears/N-1 of {ACME}",
    ),
    (
        entries.Decided(*HEAD, "objection", "partly", "S. Steward", DAY, *LEI, "o-1", "tax-arrears", "N-1", "half"),
        "S. Steward",
        f"decided the objection to tax-arrears/N-1 of {ACME}: partly upheld",
    ),
    (
        entries.Consent(
            *HEAD, "given", BUYER, "LICENCE", DAY, *LEI, "c-1", {"permits": None, "bank": ("limit", "owner")}, "c.owner"
        ),
        "c.owner",
        f"gave the consent of {ACME} to market-regulator of market, for LICENCE until 2026-12-03",
    ),
    (
        entries.OptOut(*HEAD, "set", *LEI, "tax-awards", "c.owner"),
        "c.owner",
        f"set the opt-out of {ACME} from tax-awards",
    ),
    (
        entries.Gap(*HEAD[:3], entries.OWN, f"{ORIGIN}/1", 5, bytes(32), REMEMBERED, "witness-1"),
        "witness-1",
        f"{ORIGIN}/1 was sealed: the store had 5 entries of it, and witness-1 remembers 7",
    ),
    (
        entries.NotReleased(*HEAD[:3], BUYER, "token", *LEI, "i-1", "1-0"),
        "the gateway",
        f"did not release to market-regulator what inquiry i-1 says of {ACME}",
    ),
    (
        entries.ShardChange(*HEAD[:3], entries.OWN, "opened", f"{ORIGIN}/2", "k+1", 0, bytes(32)),
        "",
        f"{ORIGIN}/2 was opened at 0 entries, with the key k+1",
    ),
]
