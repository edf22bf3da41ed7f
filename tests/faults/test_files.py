"""Broken files: `dutybound check` says file, line and fix, exits 1, and never with a traceback.

Every file that a start reads is broken in every way that needs no knowledge of it (removed, empty, binary, cut short,
each line left out, each key misspelt or doubled, each value of another type), and then in some that do.
"""

from __future__ import annotations

import contextlib
import io
import random
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from deploy.demo.configuration import USUAL, Place, write
from gateway import cli
from gateway.ledger.proof import key_files
from tests import configured

FILES = (
    "gateway.yaml",
    "sources.yaml",
    "policies/purposes.yaml",
    "policies/requesters.yaml",
    "policies/identifiers.yaml",
    "policies/calendar.yaml",
    "policies/watch.yaml",
    "policies/catalogue/tax.yaml",
    "policies/catalogue/courts.yaml",
    "policies/rules/tender-qualification.cedar",
    "policies/rules/case-missing.cedar",
)


SAMPLED = 3
"""Of each file, how many of the ways to break it are tried: each costs a whole check."""


class Checked(NamedTuple):
    status: int
    out: str
    err: str


class Files:
    """A copy of everything that the demo's gateway reads. `broken` lets a file be something else for a while."""

    def __init__(self, folder: Path) -> None:
        place = Place(folder, {**USUAL})
        place.run.mkdir(parents=True)
        write(place)
        configured.by_folder(place.config)
        key_files.generate(place.run / "ledger.key")
        self.folder = place.run

    def check(self) -> Checked:
        """What `dutybound check` says; whatever it raises is a failure of the test."""
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = cli.main(["check", "--config", str(self.folder / "gateway.yaml")])
        return Checked(status, out.getvalue(), err.getvalue())

    @contextlib.contextmanager
    def broken(self, name: str, content: bytes | None) -> Iterator[None]:
        """The file with other content, or without it."""
        file = self.folder / name
        before = file.read_bytes()
        try:
            if content is None:
                file.unlink()
            else:
                file.write_bytes(content)
            yield
        finally:
            file.write_bytes(before)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    made = Files(tmp_path_factory.mktemp("files"))
    assert made.check().status == 0
    return made


def told(checked: Checked, file: str | None = None, line: bool = True) -> None:
    """Refused, in the form that people and editors read: `file:line:column: path: what to do`."""
    assert checked.status == 1, checked
    assert checked.out == ""
    assert "Traceback" not in checked.err
    *problems, last = checked.err.strip().splitlines()
    assert re.fullmatch(r"\d+ problems?; nothing was started", last), checked.err
    assert problems
    if file is not None:
        mine = [problem for problem in problems if f"/{file}" in problem]
        assert mine, checked.err
        assert not line or any(re.search(rf"/{re.escape(file)}:\d+:\d+: ", problem) for problem in mine), checked.err


JUNK: dict[str, Callable[[bytes], bytes | None]] = {
    "removed": lambda content: None,
    "empty": lambda content: b"",
    "only a comment": lambda content: b"# nothing\n" if not content.startswith(b"//") else b"// nothing\n",
    "binary": lambda content: bytes(range(256)) * 4,
    "not UTF-8": lambda content: content + b"\xff\xfe",
    "null bytes": lambda content: content[:40] + b"\x00" + content[40:],
    "a word": lambda content: b"word",
    "a list": lambda content: b"- 1\n- 2\n",
    "a number": lambda content: b"5",
    "cut short": lambda content: content[: len(content) // 2] + b" [{",
    "deep": lambda content: b"[" * 20_000,
    "deep lines": lambda content: b"- " * 20_000,
    "an anchor bomb": lambda content: (
        b"a: &a [1]\n"
        + b"".join(b"%c: &%c [%s]\n" % (98 + n, 98 + n, b",".join([b"*%c" % (97 + n)] * 9)) for n in range(12))
    ),
    "a tag": lambda content: b"!!python/object/apply:os.system ['true']\n",
    "two documents": lambda content: content + b"\n---\na: 1\n",
    "tabs": lambda content: content.replace(b"  ", b"\t"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_none(files: Files, name: str) -> None:
    """Every kind of junk in the first file, which is read alone; some in each of the others."""
    dice = random.Random(name)
    for how in JUNK if name == FILES[0] else dice.sample(list(JUNK), min(SAMPLED, len(JUNK))):
        before = (files.folder / name).read_bytes()
        content = JUNK[how](before)
        if content == before or (name.endswith(".cedar") and how in ("tabs", "removed")):
            continue  # a rule may be laid out with tabs, and there may be fewer rules
        if (name, how) == ("gateway.yaml", "removed"):
            continue  # told with the command's own argument, below
        with files.broken(name, content):
            checked = files.check()
        told(checked, name if content is not None else None, line=False)


def test_gateway_yaml_that_is_not_there(files: Files) -> None:
    with files.broken("gateway.yaml", None):
        told(files.check(), "gateway.yaml", line=False)


KEY = re.compile(r"([\w-]+):")
CHANGES: tuple[Callable[[str], str], ...] = (
    lambda line: "",
    lambda line: line + line,
    lambda line: KEY.sub(lambda key: key[1][:-1] + "q:", line, count=1),
    lambda line: re.sub(r":.*", ": [1, {a: 2}]", line, count=1),
    lambda line: re.sub(r":.*", ": 1e999", line, count=1),
    lambda line: re.sub(r":.*", ": ", line, count=1),
    lambda line: re.sub(r":.*", ": 2026-02-31", line, count=1),
    lambda line: re.sub(r":.*", f': "{"x" * 5000}"', line, count=1),
    lambda line: re.sub(r":.*", ": true", line, count=1),
    lambda line: re.sub(r"[\[{]", "", line, count=1),
)
"""What may happen to a line: left out, doubled, misspelt, of another type, cut open."""


@pytest.mark.parametrize("name", [name for name in FILES if name.endswith(".yaml")])
def test_each_line_left_out_misspelt_doubled_or_of_another_type(files: Files, name: str) -> None:
    """Whatever comes of it, it is a sound configuration or a told problem: never an exception."""
    content = (files.folder / name).read_text()
    lines = content.splitlines(keepends=True)
    dice = random.Random(name)
    places = [n for n, line in enumerate(lines) if line.strip() and not line.strip().startswith("#")]
    for _ in range(SAMPLED):
        place = dice.choice(places)
        changed = dice.choice(CHANGES)(lines[place])
        with files.broken(name, "".join([*lines[:place], changed, *lines[place + 1 :]]).encode()):
            checked = files.check()
        if checked.status:
            told(checked)
        else:
            assert "fine" in checked.out


WRONG: tuple[tuple[str, str, str, str], ...] = (
    ("gateway.yaml", "listen:", "lisen:", "listen"),
    ("gateway.yaml", "sqlite:///gateway.db", "mysql://x/y", "sqlite or postgresql"),
    ("gateway.yaml", "sources: sources.yaml", "sources: nowhere.yaml", "nowhere.yaml"),
    ("gateway.yaml", "policies: policies", "policies: nowhere", "nowhere"),
    ("gateway.yaml", "name: login", "name: Login In", "login"),
    ("sources.yaml", "period: tax_period", "perod: tax_period", "period"),
    ("sources.yaml", "kind: sql", "kind: sqll", "sql"),
    ("sources.yaml", "tax-arrears:", "tax-arears:", "tax-arrears"),
    ("sources.yaml", "  tax:", "  taxx:", "tax"),
    ("sources.yaml", "document: decision_no, ", "", "document"),
    ("sources.yaml", "effective: issued_on, ", "", "effective"),
    ("sources.yaml", "timeout: 4s", "timeout: soon", "250ms"),
    ("sources.yaml", "http://127.0.0.1:8082/api", "ftp://127.0.0.1/api", "http"),
    ("policies/purposes.yaml", "tax-arrears:", "tax-arears:", "tax-arrears"),
    ("policies/purposes.yaml", "names: [period, amount, currency]", "names: [perod, amount, currency]", "period"),
    ("policies/purposes.yaml", "delete_after: P90D", "delete_after: 90 days", "P90D"),
    ("policies/purposes.yaml", "subjects: [organisation]", "subjects: [organization]", "organisation"),
    (
        "policies/requesters.yaml",
        "purpose: TENDER_QUALIFICATION",
        "purpose: TENDER_QUALIFICATON",
        "TENDER_QUALIFICATION",
    ),
    ("policies/requesters.yaml", "until: 2028-12-31", "until: 2028-13-31", "date"),
    ("policies/requesters.yaml", "until: 2028-12-31", "until: 2025-12-31", "until"),
    ("policies/requesters.yaml", "roles: [department]", "roles: [departmnt]", "department"),
    ("policies/requesters.yaml", "issuer: login", "issuer: logn", "login"),
    ("policies/identifiers.yaml", "stdnum.lei", "stdnum.lie", "stdnum"),
    ("policies/calendar.yaml", "time_zone: ", "time_zone: Nowhere/", "Nowhere"),
    ("policies/watch.yaml", "  officials: 7", "  officials: 1", "from 2 to 256"),
    ("policies/requesters.yaml", "    registry: courts\n", "", "has no `registry` that could verify one"),
    ("policies/rules/licence-renewal.cedar", '"department"', '"court"', "permits nothing to any grant"),
    ("policies/catalogue/tax.yaml", "type: Decimal", "type: Decimel", "Decimal"),
    ("policies/catalogue/tax.yaml", "nature: adverse", "nature: advers", "adverse"),
    ("policies/catalogue/tax.yaml", "disclosure: authorised", "disclosure: open", "open"),
    ("policies/catalogue/tax.yaml", "department: tax", "department: Tax Office", "Tax Office"),
    ("policies/catalogue/tax.yaml", "status: published", "status: publised", "published"),
    (
        "policies/rules/tender-qualification.cedar",
        "TENDER_QUALIFICATION",
        "TENDER_QUALIFICATON",
        "TENDER_QUALIFICATION",
    ),
    ("policies/rules/case-missing.cedar", "context.", "contxt.", "contxt"),
    ("policies/rules/case-missing.cedar", "@id(", "@di(", "id"),
)


@pytest.mark.parametrize(("name", "old", "new", "says"), WRONG)
def test_a_mistake_is_told_where_it_stands_and_how_to_mend_it(
    files: Files, name: str, old: str, new: str, says: str
) -> None:
    content = (files.folder / name).read_text()
    assert old in content
    with files.broken(name, content.replace(old, new, 1).encode()):
        checked = files.check()
    told(checked, name)
    assert says in checked.err


def test_a_signing_key_that_is_not_there(files: Files) -> None:
    with files.broken("ledger.key", None):
        checked = files.check()
    told(checked, "gateway.yaml")
    assert "ledger.key_file: the file `ledger.key` cannot be read" in checked.err
    assert "dutybound keys generate" in checked.err


def test_a_key_that_stands_twice(files: Files) -> None:
    for name, line in (
        ("policies/purposes.yaml", "  delete_after: P90D\n"),
        ("gateway.yaml", "sources: sources.yaml\n"),
    ):
        content = (files.folder / name).read_text()
        with files.broken(name, content.replace(line, line * 2, 1).encode()):
            checked = files.check()
        told(checked, name)
        assert "twice" in checked.err


def test_serve_refuses_what_check_refuses(files: Files) -> None:
    with (
        files.broken("policies/calendar.yaml", b"time_zone: Nowhere/Here\n"),
        contextlib.redirect_stderr(io.StringIO()) as err,
    ):
        assert cli.main(["serve", "--config", str(files.folder / "gateway.yaml")]) == 1
    assert "calendar.yaml:1:12" in err.getvalue()
