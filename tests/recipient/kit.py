"""What tests of the recipient stand on: receipts as the ledger writes them, and a client at a stand-in."""

from __future__ import annotations

import contextlib
import datetime
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from gateway.ledger.entry import entries
from gateway.ledger.entry.parts import split
from gateway.ledger.proof.leaf import Part, write_extra
from gateway.ledger.proof.note import b64
from gateway.ledger.proof.tlog_proof import write
from gateway.recipient.client import Client
from gateway.recipient.config import load
from gateway.recipient.doing import Done, Task
from gateway.recipient.register import Register
from tests import configured
from tests.recipient.standin import AT, SECRET, Gateway, standing

Whom = tuple[str, str, str]
LEI: Whom = ("organisation", "LEI", "5493001KJTIIGC8Y1R12")


def receipt(
    inquiry: str = "I-1",
    given: Mapping[Whom, Mapping[str, Sequence[str]]] | None = None,
    until: datetime.date | None = datetime.date(2026, 12, 24),
    erased: Sequence[int] = (),
) -> str:
    """A receipt as the ledger writes it: by subject and dataset the records (`N-1@1`) that an inquiry gave."""
    given = given if given is not None else {LEI: {"tax-arrears": ["N-1@1"]}}
    disclosed = [
        entries.Disclosed(*whom, [
            entries.Dataset(name, ("period", "amount"), [f"{name}/{record}" for record in records])
            for name, records in datasets.items()
        ])
        for whom, datasets in given.items()
    ]  # fmt: skip
    duties = [entries.Duty("T/purpose-only", "purpose-only", {"purpose": "TENDER_QUALIFICATION"})]
    if until:
        duties.append(entries.Duty("T/delete-by", "delete-by", {"date": until.isoformat()}))
    who = entries.Who("https://login.example", "market-regulator", "market")
    declared = entries.Declared("TENDER_QUALIFICATION", case="C-1")
    told = entries.Inquiry(2, inquiry, AT, who, "G-1", declared, "rules", duties, disclosed)
    parts = split(told)
    laid: list[Part | bytes] = [Part(secrets.token_bytes(32), each.told) for each in parts.subjects]
    for place in erased:
        laid[place] = secrets.token_bytes(32)
    extra = write_extra(secrets.token_bytes(32), Part(secrets.token_bytes(32), parts.told), laid)
    signed = f"gateway.example/ledger/1\n1\n\n— gateway.example/ledger/1 {b64(bytes(68))}\n"
    return write(extra, 0, b"", signed.encode()).decode()


def write_config(folder: Path, url: str, more: str = "", scopes: str = "") -> Path:
    """`client.yaml` in a folder."""
    configured.secret(folder / "client.secret", SECRET)
    file = folder / "client.yaml"
    file.write_text(
        f"gateway: {url}\nregister: register.db\npoll: 1s\n"
        f"token: {{url: {url}/token, client_id: market-regulator, secret_file: client.secret{scopes}}}\n{more}"
    )
    return file


class Doer:
    """Does what it is asked, and notes it; `how` says what becomes of a task."""

    def __init__(self) -> None:
        self.asked: list[Task] = []
        self.how: Callable[[Task], Done] = lambda asked: Done.DONE

    def __call__(self, asked: Task) -> Done:
        self.asked.append(asked)
        return self.how(asked)


class Desk:
    """A client at a stand-in, with what it does and says."""

    def __init__(self, folder: Path, gateway: Gateway, url: str, **more: Any) -> None:
        self.gateway, self.doer, self.said = gateway, Doer(), list[str]()
        self.file = write_config(folder, url, **more)
        self.config = load(self.file)
        self.register = Register(self.config.register)
        self.client = Client(self.config, self.register, self.doer, self.said.append)


@contextlib.contextmanager
def at_desk(folder: Path, **more: Any) -> Iterator[Desk]:
    gateway = Gateway()
    with standing(gateway) as url:
        desk = Desk(folder, gateway, url, **more)
        yield desk
        desk.client.close()
        desk.register.close()
