"""Write the region into each department's own storage, in that department's own words.

    var/demo/market.jsonl                 JSON lines: the Market Regulation Authority
    var/demo/tax/*.copy, labour/*.copy    PostgreSQL COPY files: the Tax Service, the Labour Office
    var/demo/courts.sqlite                SQLite: the Civil Court
    var/demo/environment/*.csv            CSV: the Environment Agency
    var/demo/facts.json                   what the gateway's store is to hold: consents, objections and the like

Made once a day and `region.VERSION`, since every end of display is relative to the day; `made.json` says for which.
"""

from __future__ import annotations

import csv
import datetime
import json
import shutil
import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from deploy.demo import region
from deploy.demo.records import Row
from deploy.demo.region import Fact
from deploy.demo.values import DATASETS, Who

Cells = Sequence[Any]


def prepare(folder: Path, today: datetime.date) -> bool:
    """Make the stores of `today` in `folder`; gives False where they were there already."""
    made = {"version": region.VERSION, "day": today.isoformat()}
    stamp = folder / "made.json"
    if stamp.exists() and json.loads(stamp.read_text()) == made:
        return False
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    rows: dict[str, list[Row]] = {dataset: [] for dataset in DATASETS}
    parties: list[Who] = []
    facts: list[Fact] = []
    for who in region.subjects():
        parties.append(who)
        own = list(region.records_of(who, today))
        for row in own:
            rows[row.dataset].append(row)
        facts.extend(region.facts_of(who, own, today))
    _market(folder / "market.jsonl", parties, rows)
    _tax(folder / "tax", rows)
    _labour(folder / "labour", parties, rows)
    _courts(folder / "courts.sqlite", rows)
    _environment(folder / "environment", rows)
    (folder / "facts.json").write_text(json.dumps([fact._asdict() for fact in facts], default=str))
    stamp.write_text(json.dumps(made))
    return True


def facts(folder: Path) -> list[Fact]:
    """The facts that `prepare` wrote."""
    day = datetime.date.fromisoformat
    return [
        Fact(**{**item, "datasets": tuple(item["datasets"]), "day": day(item["day"]), "until": _day(item["until"])})
        for item in json.loads((folder / "facts.json").read_text())
    ]


def _day(text: str | None) -> datetime.date | None:
    return datetime.date.fromisoformat(text) if text else None


def _present(**values: Any) -> dict[str, Any]:
    """The department leaves out what it does not know, rather than writing null."""
    return {key: value for key, value in values.items() if value is not None}


def _market(file: Path, parties: Iterable[Who], rows: dict[str, list[Row]]) -> None:
    """One line a firm: its sheet with the three registers of the authority."""
    sheets: dict[tuple[str, str], dict[str, list[Any]]] = {
        who.identifier: {"register": [], "licences": [], "penalties": []}
        for who in parties
        if who.identifier[0] == "LEI"
    }

    def common(row: Row) -> dict[str, Any]:
        return {"rev": row.version, "holder": {"idType": row.scheme, "idNo": row.subject}}

    for row in rows["organisation-register"]:
        f = row.fields
        firm = {"title": f["name"], "form": f["legalForm"], "since": f["registeredOn"]}
        entry = _present(entryNo=row.id, filing=row.document, enteredOn=row.effective, firm=firm)
        sheets[row.scheme, row.subject]["register"].append(entry | common(row))
    for row in rows["business-licences"]:
        f = row.fields
        entry = _present(recordNo=row.id, grant=row.document, grantedOn=row.effective)
        entry |= {"licence": {"no": f["number"], "state": f["status"], "expires": f["validUntil"]}}
        sheets[row.scheme, row.subject]["licences"].append(entry | {"trade": f["activity"]} | common(row))
    for row in rows["market-penalties"]:
        f = row.fields
        decision = _present(paper=row.document, no=f["decisionNumber"], date=f["decidedOn"], inForce=row.effective)
        entry = {"caseNo": row.id, "decision": decision, "offence": f["conduct"]}
        entry |= {"fine": {"total": str(f["amount"]), "currency": f["currency"]}}
        sheets[row.scheme, row.subject]["penalties"].append(entry | common(row))
    with file.open("w") as out:
        encode = json.JSONEncoder(separators=(",", ":"), default=str).encode
        for (scheme, value), sheet in sheets.items():
            out.write(encode({"scheme": scheme, "value": value, **sheet}) + "\n")


def _copy(file: Path, lines: Iterable[Cells]) -> None:
    """PostgreSQL's COPY text format."""
    escape = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})
    with file.open("w") as out:
        for cells in lines:
            out.write("\t".join("\\N" if c is None else str(c).translate(escape) for c in cells) + "\n")


def _head(row: Row) -> Cells:
    return (row.id, row.version, row.document, row.effective)


def _tax(folder: Path, rows: dict[str, list[Row]]) -> None:
    folder.mkdir()
    tables = {"arrears": "tax-arrears", "registration": "tax-registrations", "award": "tax-awards"}
    for table, dataset in {**tables, "income": "income-statements"}.items():
        _copy(
            folder / f"{table}.copy",
            ((*_head(row), row.scheme, row.subject, *row.fields.values()) for row in rows[dataset]),
        )


def _labour(folder: Path, parties: Iterable[Who], rows: dict[str, list[Row]]) -> None:
    folder.mkdir()
    numbers = {who.identifier: number for number, who in enumerate(parties, 1)}
    _copy(folder / "party.copy", ((number, *identifier) for identifier, number in numbers.items()))
    tables = {"resident": "person-register", "wage_finding": "wage-arrears", "voluntary_work": "volunteering"}
    for table, dataset in {**tables, "contract": "employment-contracts"}.items():
        _copy(
            folder / f"{table}.copy",
            ((*_head(row), numbers[row.scheme, row.subject], *row.fields.values()) for row in rows[dataset]),
        )


def _courts(file: Path, rows: dict[str, list[Row]]) -> None:
    with sqlite3.connect(file) as connection:
        connection.executescript(
            """
            CREATE TABLE enforcement (
                docket TEXT PRIMARY KEY, issue TEXT, writ TEXT, in_force TEXT, debtor_scheme TEXT, debtor TEXT,
                file_no TEXT, claim TEXT, currency TEXT, state TEXT, opened TEXT);
            CREATE TABLE insolvency (
                docket TEXT PRIMARY KEY, issue TEXT, ruling TEXT, in_force TEXT, debtor_scheme TEXT, debtor TEXT,
                file_no TEXT, stage TEXT, opened TEXT);
            CREATE INDEX enforcement_debtor ON enforcement (debtor_scheme, debtor);
            CREATE INDEX insolvency_debtor ON insolvency (debtor_scheme, debtor);
            """
        )

        def text(value: Any) -> str | None:
            return None if value is None else str(value)

        for table, dataset in (("enforcement", "enforcement-cases"), ("insolvency", "insolvency-proceedings")):
            lines = [
                tuple(map(text, (*_head(row), row.scheme, row.subject, *_iso(row.fields.values()))))
                for row in rows[dataset]
            ]
            marks = ",".join("?" * len(lines[0]))
            connection.executemany(f"INSERT INTO {table} VALUES ({marks})", lines)  # noqa: S608 - constants
    connection.close()


def _iso(values: Iterable[Any]) -> Iterable[Any]:
    return (v.isoformat() if isinstance(v, datetime.datetime) else v for v in values)


def _environment(folder: Path, rows: dict[str, list[Row]]) -> None:
    folder.mkdir()
    heads = ["ref", "revision", "act", "effect", "operatorScheme", "operatorId", "remark"]
    columns = {
        "emission-permits": ("permits", ["permitNo", "substance", "capTonnes", "runsOut"]),
        "environmental-penalties": ("sanctions", ["actNo", "breach", "sum", "sumCurrency", "actDate"]),
    }
    for dataset, (name, own) in columns.items():
        with (folder / f"{name}.csv").open("w", newline="") as out:
            writer = csv.writer(out)
            writer.writerow(heads + own)
            for row in sorted(rows[dataset], key=lambda row: row.id):
                writer.writerow((*_head(row), row.scheme, row.subject, row.mitigation, *row.fields.values()))
