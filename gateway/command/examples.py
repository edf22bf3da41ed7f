"""An example of every command, as `--help` shows it: what stands after the command's own words.

Whoever adds a command adds its example; each is read by the parser in a test.
"""

from __future__ import annotations

from collections.abc import Mapping

_ASKING = "--gateway https://gateway.example --token-file weber.token"
_OPERATOR = '--by "P. Auditor"'
_SUBJECT = "LEI:529900T8BM49AURSDO55"
_LOOK = f'{_OPERATOR} --reason "complaint 12/2026"'

EXAMPLES: Mapping[str, str] = {
    "demo": "--once",
    "demo token": "market-regulator --official m.ivanova",
    "init": "--yes",
    "example": "--config gateway.yaml",
    "example token": "--config gateway.yaml",
    "serve": "--workers 4",
    "check": "--connect",
    "status": "--json",
    "catalogue check": "--policies policies",
    "catalogue diff": "policies candidate",
    "catalogue docs": "--html",
    "catalogue consult": f'building-permits {_ASKING} --days 20 --notice "Answers to consultation@archives.example."',
    "catalogue approve": f'building-permits {_ASKING} --reason "Two answers, both in favour."',
    "catalogue publish": f"building-permits {_ASKING}",
    "catalogue retire": f'building-permits {_ASKING} --reason "Kept by the courts from 2028 on."',
    "catalogue status": "building-permits --gateway https://gateway.example",
    "rules check": "--policies candidate",
    "rules explain": "market-regulator TENDER_QUALIFICATION organisation tax-arrears.amount",
    "rules matrix": "--csv",
    "rules test": "licence-renewal --coverage",
    "rules diff": "active candidate --html changes.html",
    "rules calendar": "--country BG --years 2027-2030",
    "rules simulate": f"candidate --since 2026-11-01 --until 2026-11-30 {_LOOK}",
    "rules dry-run start": f"3f2a9c01 --until 2026-12-10 {_LOOK}",
    "rules dry-run status": "",
    "rules dry-run stop": f"{_LOOK}",
    "rules propose": f'candidate {_ASKING} --reason "Agreement 2026/7"',
    "rules show": f"9f31c2 {_ASKING} --files proposed",
    "rules approve": f'9f31c2 {_ASKING} --reason "As agreed."',
    "rules refuse": f'9f31c2 {_ASKING} --reason "The law it names is not in force yet."',
    "rules activate": f"9f31c2 {_ASKING}",
    "rules rollback": f'12 {_ASKING} --reason "Tender inquiries are refused since epoch 13."',
    "rules status": _ASKING,
    "rules bootstrap": '--statement first.txt --reason "The Exchange Act enters into force."',
    "rules verify-approval": "first.txt costa.txt.sig",
    "source new": "tax --openapi https://tax.example/openapi.json --out tax",
    "source test": f"tax --dataset tax-arrears --subject {_SUBJECT}",
    "source sample": f'tax-arrears {_SUBJECT} {_ASKING} --reason "first look after the change of 2 November"',
    "source watch": "--state watched.json --every 3600",
    "source findings": f"{_ASKING} --all",
    "source conformance": "tax --subjects subjects.yaml --json",
    "source deliver": "labour",
    "ledger verify": "https://gateway.example --key ledger.pub",
    "ledger verify-receipt": "--key ledger.pub answer.json",
    "ledger show": "--key ledger.pub answer.json --html",
    "ledger export": f"--subject {_SUBJECT} {_LOOK} --out evidence.zip",
    "ledger reconcile": f"--department tax --log access.csv {_LOOK}",
    "ledger erase request": f'--subject {_SUBJECT} {_OPERATOR} --reason "judgment 7/2026"',
    "ledger erase approve": '7 --by "P. Other"',
    "ledger erase withdraw": f'7 {_OPERATOR} --reason "another subject was meant"',
    "ledger erase list": "",
    "ledger erase again": f"7 {_OPERATOR}",
    "ledger hold place": f'--subject {_SUBJECT} {_OPERATOR} --reason "judgment 7/2026 is appealed"',
    "ledger hold lift": f'3 {_OPERATOR} --reason "the appeal is decided"',
    "ledger hold list": "",
    "ledger rebuild": "--only looked",
    "ledger archive": '--until 2025-12-31 --by "R. Keeper" --reason "yearly, file 2026/3" --remove',
    "ledger prune": '--by "R. Keeper" --reason "retention of ten years, file 2026/4"',
    "ledger witness": "--name witness.example/w1 --key witness.key --logs ledger.pub --state witness.json",
    "keys generate": "--origin gateway.example/ledger",
    "keys webhooks": "--out webhooks.key",
    "keys rotate": "--config gateway.yaml",
    "store migrate": "--config gateway.yaml",
    "backup": "--out /backups/2026-11-27",
    "restore": "/backups/2026-11-27",
    "changes list": f"{_ASKING} --state awaits-confirmation",
    "changes report": f'{_SUBJECT} tax-arrears A-17 {_ASKING} --event withdrawn --reason "It was paid."',
    "changes confirm": f"9f31c2 {_ASKING}",
    "changes decline": f'9f31c2 {_ASKING} --reason "The record stands."',
    "matters list": f"{_ASKING} --state open",
    "matters decide": f'objection 9f31c2 {_ASKING} --outcome upheld --reason "The amount was wrong."',
    "matters confirm": f"9f31c2 {_ASKING}",
    "matters decline": f'9f31c2 {_ASKING} --reason "A paper is missing."',
    "matters file": (
        f'objection --subject {_SUBJECT} {_ASKING} --proof "passport seen" --dataset tax-arrears --record A-17'
        ' --reason "It was paid."'
    ),
    "recalls list": "--state overdue",
    "recalls report": "--since 2026-01-01 --until 2026-12-31 --period quarter",
    "recalls resume": f'--client tax-service {_OPERATOR} --reason "its system moved"',
    "recalls client": "--once",
    "watch follow": "--once",
    "watch findings": "--all",
    "watch open": f'9f31c2 {_ASKING} --reason "review of finding 9f31c2"',
    "watch review": f'9f31c2 {_ASKING} --verdict proper --reason "All belong to case 7/2026."',
}
"""By the command's words. `` is the command alone."""
