"""The ways to add of `gateway/README.md`, walked: its steps are done on a copy of the project, and the result is run.

A walk edits the files that its step names, and no other. What is then run is the copy, with a test for what was added.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.reading import ROOT, code, fences, links, missing, section

PAGE = ROOT / "gateway" / "README.md"
COPIED = ("gateway", "connectors", "policies", "deploy", "tests")
TEST = "tests/ledger/test_walked.py"


def step(name: str) -> str:
    """What the page says of how to add one."""
    [said] = re.findall(rf"^- \*\*{name}\.\*\*(.*?)(?=^- |\Z)", section(PAGE, "Where to add"), re.MULTILINE | re.DOTALL)
    return str(said)


class Copy:
    """A copy of the project, in which the files that a step names may be edited."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder = folder / "copy"
        self.named = [each for each in code(step(name)) if re.fullmatch(r"[\w./]+(/|\.py)", each)]
        self.named += [str(Path("gateway", each).as_posix()) for each in re.findall(r"\]\(([^)]+)\)", step(name))]
        self.named = [os.path.normpath(each) + ("/" if each.endswith("/") else "") for each in self.named]
        assert missing(self.named) == []
        self.touched: set[str] = set()
        for each in COPIED:
            # With what was compiled: what is edited is newer than that, and all else need not be compiled once more.
            shutil.copytree(ROOT / each, self.folder / each, ignore=shutil.ignore_patterns("node_modules"))
        shutil.copy(ROOT / "pyproject.toml", self.folder)

    def put(self, name: str, *texts: tuple[str, str]) -> None:
        """Put a text before another one of a named file, once each."""
        assert name in self.named, f"{name} is not among what the page names: {self.named}"
        self.touched.add(name)
        file = self.folder / name
        text = file.read_text("utf-8")
        for before, put in texts:
            assert before in text, f"{name} has no `{before}`"
            text = text.replace(before, put + before, 1)
        file.write_text(text, "utf-8")

    def make(self, name: str, text: str) -> None:
        """A new file, in a named folder."""
        folder = f"{name.rpartition('/')[0]}/"
        assert folder in self.named
        self.touched.add(folder)
        assert not (self.folder / name).exists()
        (self.folder / name).write_text(text, "utf-8")

    def run(self, test: str, *further: str) -> str:
        """Run a test of what was added, and tests that are there; gives what pytest said."""
        (self.folder / TEST).write_text(HEAD + test, "utf-8")
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", TEST, *further]
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, timeout=240)
        return f"{done.returncode}\n{done.stdout[-6000:]}{done.stderr[-2000:]}"


HEAD = """
import asyncio, datetime, json
from pathlib import Path

import connectors, gateway

ROOT = Path(__file__).parents[2]
assert Path(gateway.__file__).is_relative_to(ROOT) and Path(connectors.__file__).is_relative_to(ROOT)
"""

# A restraint, with its new fact: a record is kept closed by a court until a day.

FUNCTION = """def _sealed(release: Release) -> Sequence[int]:
    keys = release.facts.sealed
    return _named(release.dataset, release.records, keys) if keys else ()


"""
MEMBER = '    sealed: Annotated[frozenset[str], Kind("sealing", "record", until=True)] = frozenset()\n'
ROW = (
    "| 46 | What a court seals is withheld (`sealed`). | `gateway/inquiry/restrain.py` |"
    " `tests/inquiry/test_restrain.py::test_a_missing_restraint_breaks_invariant_5` |\n"
)
WITHHELD = '''
from gateway.storage.subjects import facts
from tests.world import Ask, Held, new_subject, opened, values

QUERY = """query($id: IdentifierInput!) @inquiry(purpose: LICENCE_RENEWAL) {
  organisation(id: $id) { businessLicences { number record { id } } } }"""


def test_the_restraint_withholds():
    with opened() as world:
        subject, other = new_subject(), new_subject()
        dataset = world.catalogue.datasets["business-licences"]
        for who in (subject, other):
            world.held[who, dataset.id] = [Held(id, values(dataset, place)) for place, id in enumerate("ab")]
        sealed = {"dataset": dataset.id, "record": "a", "until": "2027-01-01"}
        given = facts.enter(world.store.engine, "sealing", subject, world.now, **sealed)
        asker = world.requester("environment-agency", official="e.lind")

        def ask(who):
            reply = world.ask(Ask(asker, QUERY, {"id": {"scheme": who.scheme, "value": who.value}}))
            [entry] = reply.entries
            withheld = [(each.record, each.restraint) for each in entry.oversight.withheld]
            return [each["record"]["id"] for each in reply.data["organisation"]["businessLicences"]], withheld

        assert ask(subject) == (["b"], [("business-licences/a@1", "sealed")])
        assert ask(other) == (["a", "b"], [])
        facts.end(world.store.engine, "sealing", given.id, world.now)
        assert ask(subject) == (["a", "b"], [])
'''


@pytest.fixture
def restraint(tmp_path: Path) -> Copy:
    copy = Copy(tmp_path, "A restraint")
    line = '    Restraint("sealed", "46", _sealed),\n'
    copy.put("gateway/inquiry/restrain.py", ("RESTRAINTS: tuple", FUNCTION), ('    Restraint("opted-out"', line))
    copy.put("gateway/storage/subjects/kinds.py", ("    case_verified: bool", MEMBER))
    copy.put(
        "tests/inquiry/test_restrain.py",
        ("            or key in facts.restored", "            or key in facts.sealed\n"),
    )
    copy.put("policies/ARTICLES.md", ("| 46 |", ROW))
    return copy


def test_a_restraint_is_added(restraint: Copy) -> None:
    assert restraint.touched == set(restraint.named) - {"tests/docs/test_articles.py"}  # of an article, which it is not
    breaks = "tests/inquiry/test_restrain.py::test_a_missing_restraint_breaks_invariant_5[sealed]"
    said = restraint.run(WITHHELD, breaks, "tests/docs/test_articles.py::test_every_restraint_has_its_row")
    assert said.startswith("0\n"), said


@pytest.mark.long
def test_a_restraint_that_withholds_nothing_is_found(restraint: Copy) -> None:
    file = restraint.folder / "gateway" / "inquiry" / "restrain.py"
    file.write_text(file.read_text().replace("keys = release.facts.sealed", "keys = frozenset()"))
    assert "assert (['a', 'b'], []) == (['b'], [(" in restraint.run(WITHHELD)


# A connector: the one that `connectors/README.md` writes.

ANSWERS = '''
from connectors.base import DatasetShape
from connectors.kinds import KINDS
from gateway.inquiry.fetch import Fetcher
from tests.connectors.asking import written
from tests.world import Ask, new_subject, opened

QUERY = """query($id: IdentifierInput!) @inquiry(purpose: LICENCE_RENEWAL) {
  organisation(id: $id) { taxRegistrations { status record { id } } } }"""
NAMES = {"scheme": {"const": "LEI"}, "value": "holder"}
RECORD = {"id": "no", "version": "rev", "effective": "since", "document": "paper", "subject": NAMES}
FIELDS = {"status": "state", "vatRegistered": "vat"}


def test_the_connector_serves_an_inquiry(tmp_path):
    with opened() as world:
        subject = new_subject()
        dataset = world.catalogue.datasets["tax-registrations"]
        (tmp_path / "from-tax" / dataset.id).mkdir(parents=True)
        row = {"no": "T-1", "rev": 1, "since": "2026-01-01", "paper": "D", "holder": subject.value}
        row |= {FIELDS.get(name, name): None for name in dataset.fields} | {"state": "active"}
        (tmp_path / "from-tax" / dataset.id / f"LEI-{subject.value}.json").write_text(json.dumps({"list": [row]}))
        fields = {name: FIELDS.get(name, name) for name in dataset.fields}
        shape = DatasetShape(dataset.id, {field.name: field.type for field in dataset.fields.values()})
        mapped = {"records": "list", "record": RECORD, "fields": fields}
        config = {"folder": "from-tax", "datasets": {dataset.id: mapped}}
        connector = KINDS["folder"](written(config, tmp_path), {dataset.id: shape})
        departments = {each.id: each.department for each in world.catalogue.datasets.values()}
        fetcher = Fetcher({**world.departments, "tax": connector}, departments)
        asker = world.requester("environment-agency", official="e.lind")
        asked = Ask(asker, QUERY, {"id": {"scheme": "LEI", "value": subject.value}})
        reply = world.ask(asked, fetcher=fetcher)
        assert reply.data == {"organisation": {"taxRegistrations": [{"status": "active", "record": {"id": "T-1"}}]}}
        assert len(reply.entries) == 1
'''


def test_a_connector_is_added(tmp_path: Path) -> None:
    copy = Copy(tmp_path, "A connector")
    [source] = [fence for fence in fences(ROOT / "connectors" / "README.md") if fence.language == "python"]
    copy.make("connectors/folder.py", source.text)
    copy.put(
        "connectors/kinds.py",
        ("from connectors import", "from connectors import folder\n"),
        ('}\n"""`build(config', '    "folder": folder.build,\n'),
    )
    assert copy.touched == set(copy.named) - {"gateway/", "connectors/README.md"}
    said = copy.run(ANSWERS, "tests/connectors/test_kinds.py")
    assert said.startswith("0\n"), said


# A kind of entry: a subject inspected what is held about it.

STRUCT = '''class Inspection(Entered, frozen=True, tag="inspection"):
    """Told: a subject inspected what a dataset holds about it (Art. 42)."""

    scheme: str | None = None
    value: str | None = None
    dataset: str = ""
    rule_set: str = ""


'''
WORDS = """        case entries.Inspection():
            subject = subject_of(told.scheme, told.value)
            dataset = told.dataset or "a dataset that was erased"
            return Deed(
                "What a subject inspected",
                f"inspected {dataset} of {name_of(subject)}",
                [("Dataset", [dataset])],
                "the subject",
                subject=subject,
            )
"""
EXAMPLE = """    (
        entries.Inspection(*HEAD, *LEI, "tax-arrears"),
        "the subject",
        f"inspected tax-arrears of {ACME}",
    ),
"""
ENTERED = "| `inspection` | A subject inspected a dataset of its own. | `scheme`, `value`, `dataset` | 42 |\n"
SHOWN = """
from gateway.ledger.entry import entries
from gateway.ledger.log import operator
from gateway.ledger.proof import key_files
from tests.ledger.support import AT, SUBJECT, opened, store_in

SAID = f"inspected tax-arrears of LEI {SUBJECT.value}"


async def entered(folder):
    store = store_in(folder)
    async with opened(store, private=key_files.load(folder / "ledger.key")) as ledger:
        who = entries.Who("https://login.example", "portal", "market")
        told = entries.Inspection(entries.VERSION, "i-1", AT, who, SUBJECT.scheme, SUBJECT.value, "tax-arrears")
        receipt = await operator.enter(ledger, told, "portal", ())
    store.close()
    return receipt.text


def test_the_entry_is_appended_shown_exported_and_verified(folder, export, run):
    receipt, key = folder / "receipt", ("--key", folder / "ledger.pub")
    receipt.write_text(asyncio.run(entered(folder)))
    for command in ("verify-receipt", "show"):
        assert run("ledger", command, *key, receipt) == 0, run.err
        assert "inspected" in run.out and "tax-arrears" in run.out
    subject = f"{SUBJECT.scheme}:{SUBJECT.value}"
    for form in ("csv", "fhir"):
        assert export("--subject", subject, "--format", form, "--out", folder / form) == 0, run.err
        assert SAID in (folder / form).read_text()
    assert export("--subject", subject, "--out", folder / "evidence") == 0, run.err
    assert SAID in (folder / "evidence" / "summary.html").read_text()
    assert run("ledger", "verify", folder / "evidence", *key) == 0, run.err
    assert run("ledger", "verify", "--config", folder / "gateway.yaml") == 0, run.err
"""


def test_a_kind_of_entry_is_added(tmp_path: Path) -> None:
    copy = Copy(tmp_path, "A kind of entry")
    entry = "gateway/ledger/entry/"
    copy.put(f"{entry}operators.py", ("OfLedger = ", STRUCT), ('\n"""What people did to the', " | Inspection"))
    copy.put(f"{entry}entries.py", ("    Looked,\n", "    Inspection,\n"), ('    "Known",', '    "Inspection",\n'))
    copy.put(f"{entry}parts.py", ("    entries.Gap: ()", '    entries.Inspection: (*_NAMED, "dataset"),\n'))
    named = '    entries.Inspection: "an inspection",\n'
    copy.put(f"{entry}describe.py", ("    entries.Gap: ", named), ("        case entries.Gap():", WORDS))
    copy.put("tests/ledger/said.py", ("    (\n        entries.Gap(", EXAMPLE))
    assert copy.touched == set(copy.named)
    page = copy.folder / "gateway" / "README.md"
    page.write_text(page.read_text().replace("| `gap` |", f"{ENTERED}| `gap` |", 1))
    apart = "tests/ledger/entry/test_parts.py::test_nothing_of_a_subject_is_in_another_part[Inspection]"
    said = copy.run(SHOWN, "tests/ledger/entry/test_words.py", apart)
    assert said.startswith("0\n"), said


def test_every_link_of_the_page_is_there() -> None:
    assert missing([os.path.normpath(f"gateway/{each}") for each in links(PAGE) if ":" not in each]) == []
