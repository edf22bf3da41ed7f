"""`gateway/README.md` is true: steps in their order, modules, invariants, layers."""

from __future__ import annotations

import ast
import re
import tomllib
from itertools import pairwise
from typing import Any

import pytest

from connectors.base import Fault
from gateway.errors import STATUS, Code
from gateway.telemetry.metrics import STEPS
from tests.docs.reading import ROOT, code, functions_of, missing, section, table
from tests.docs.test_articles import articles, named, occurs

PAGE = ROOT / "gateway" / "README.md"
JOURNEY = table(section(PAGE, "The journey"))
BESIDE = table(section(PAGE, "The journey").partition("Beside the steps stand:")[2])
HOUSE = table(section(PAGE, "The house"))
INVARIANTS = table(section(PAGE, "Invariants"))
ANSWER = (ROOT / "gateway" / "inquiry" / "answer.py").read_text("utf-8")


def contracts() -> dict[str, Any]:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    return {contract["name"]: contract for contract in settings["tool"]["importlinter"]["contracts"]}


@pytest.mark.parametrize("row", JOURNEY, ids=[row[0] for row in JOURNEY])
def test_a_step_names_a_file_articles_and_tests_that_exist(row: list[str]) -> None:
    step, what, file, _, said, tests = row
    assert what
    assert code(file) == [f"gateway/inquiry/{step.split()[1]}.py"]
    assert missing(code(file)) == []
    assert code(tests)
    assert missing(code(tests)) == []
    assert all(occurs(article, named()) for article in articles(said))


def test_the_steps_stand_in_the_order_in_which_answer_calls_them() -> None:
    calls = [node for node in ast.walk(ast.parse(ANSWER)) if isinstance(node, ast.Call)]

    def first(name: str) -> int:
        called = [
            (call.args[0] if ast.unparse(call.func) == "functools.partial" else call.func, call) for call in calls
        ]
        lines = [call.lineno for function, call in called if f".{ast.unparse(function)}".endswith(f".{name}")]
        assert lines, f"answer.py does not call `{name}`"
        return min(lines)

    lines = [first(called) for row in JOURNEY for called in code(row[3])]
    assert len(lines) == len(JOURNEY)
    assert all(one < next_one for one, next_one in pairwise(lines))


def test_the_steps_have_the_numbers_of_answer_and_the_names_of_the_metrics() -> None:
    steps = [row[0] for row in JOURNEY]
    numbered = re.findall(r"# (\d)\. (\w+)", ANSWER)
    assert [f"{number} {name}" for number, name in numbered] == steps
    assert [step.split()[1] for step in steps] == list(STEPS)[: len(steps)]


def test_a_step_is_read_at_a_glance() -> None:
    """The path is short, no function of the journey is longer than a screen, and no file than 400 lines."""
    assert len(ANSWER.splitlines()) < 140
    for file in (ROOT / "gateway" / "inquiry").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                assert node.end_lineno is not None
                assert node.end_lineno - node.lineno < 60, f"{node.name} in {file}"
    house = [file for place in ("gateway", "connectors") for file in (ROOT / place).rglob("*.py")]
    lines = sorted(len(file.read_text("utf-8").splitlines()) for file in house)
    assert lines[len(lines) // 2] < 150
    assert lines[-1] <= 400


def test_every_module_of_the_journey_is_on_the_map() -> None:
    on_it = [name for row in JOURNEY for name in code(row[2])] + [name for row in BESIDE for name in code(row[0])]
    modules = [str(file.relative_to(ROOT)) for file in (ROOT / "gateway" / "inquiry").rglob("*.py")]
    assert sorted(on_it) == sorted(name for name in modules if not name.endswith("__init__.py"))


def test_every_module_and_folder_of_the_gateway_is_in_the_house() -> None:
    told = [name for row in HOUSE for name in code(row[0])]
    assert missing(told) == []
    modules = [f"gateway/{file.name}" for file in (ROOT / "gateway").glob("*.py") if file.name != "__init__.py"]
    folders = [
        f"gateway/{folder.name}/"
        for folder in (ROOT / "gateway").iterdir()
        if folder.is_dir() and any("__pycache__" not in file.parts and file.is_file() for file in folder.rglob("*"))
    ]
    assert sorted(told) == sorted(modules + folders)


def test_every_module_of_the_ledger_is_on_its_map_below_the_rooms_that_it_may_import() -> None:
    page = (ROOT / "gateway" / "ledger" / "README.md").read_text("utf-8")
    told = [name for line in page.splitlines() if line.startswith("| `") for name in code(line.split("|")[1])]
    modules = [str(file.relative_to(ROOT)) for file in (ROOT / "gateway" / "ledger").rglob("*.py")]
    assert sorted(told) == sorted(name for name in modules if not name.endswith("__init__.py"))
    layers = contracts()["The ledger's rooms: each imports only downward"]["layers"]
    place = {room: number for number, layer in enumerate(reversed(layers)) for room in layer.split(" | ")}
    rooms = re.findall(r"^## `(\w+)/`$", page, re.M)
    assert sorted(rooms) == sorted(place)
    for file in told:
        for room in re.findall(r"^from gateway\.ledger\.(\w+)", (ROOT / file).read_text("utf-8"), re.M):
            own = file.split("/")[2]
            assert own == room or rooms.index(room) < rooms.index(own), file


def test_every_invariant_has_a_test_or_says_that_it_is_not_built() -> None:
    assert [row[0].split(".")[0] for row in INVARIANTS] == [str(number) for number in range(1, 22)]
    for said, where, tests in INVARIANTS:
        if tests.startswith("not yet: "):
            assert not where
            continue
        assert missing(code(where) + code(tests)) == [], said
        assert code(where), said
        assert code(tests), said


def test_a_property_s_file_has_its_invariant_s_number_and_plants_faults() -> None:
    files = sorted((ROOT / "tests" / "properties").glob("test_invariant_*.py"))
    assert len(files) > 3
    for file in files:
        number = re.match(r"test_invariant_(\d\d)_", file.name)
        assert number, file.name
        assert 1 <= int(number[1]) <= len(INVARIANTS)
        assert any(re.search("fault|fails|found|breaks", name) for name in functions_of(file)), file.name


def test_pure_modules_stay_pure() -> None:
    """Invariant 7: what import-linter forbids holds in the text too, and every pure step is under its contract."""
    contract = contracts()["Pure modules have no clock, no I/O and no randomness"]
    for name in contract["source_modules"]:
        file = ROOT / f"{name.replace('.', '/')}.py"
        found = set()
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                found.add(str(node.module).split(".")[0])
            elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith((".now", ".today", ".utcnow")):
                found.add(ast.unparse(node.func))
        assert not found & {*contract["forbidden_modules"], "datetime.datetime.now", "os"}, name
        assert not any(name.endswith((".now", ".utcnow")) or name == "datetime.date.today" for name in found), name
    for file in (ROOT / "gateway").rglob("*.py"):
        says = ast.get_docstring(ast.parse(file.read_text("utf-8"))) or ""
        if re.search(r"\bPure\b|No I/O", says):
            module = ".".join(file.relative_to(ROOT).with_suffix("").parts)
            assert module in contract["source_modules"], f"{module} says that it is pure; no contract holds it to that"


def test_the_codes_have_the_status_that_is_told() -> None:
    told = {code(row[0])[0]: int(row[1]) for row in table(section(PAGE, "Codes"))}
    beside_data = {*Fault, Code.UNAUTHORIZED_FIELD_OR_TYPE}
    assert told == {name: 200 if name in beside_data else STATUS.get(name, 400) for name in Code}


def test_the_layers_are_those_of_the_contracts() -> None:
    told = [code(row[1]) for row in table(section(PAGE, "Who may import whom"))]
    assert told == [re.split(r" [|:] ", layer) for layer in contracts()["Who may import whom"]["layers"]]


def test_the_ways_to_add_name_what_exists() -> None:
    text = section(PAGE, "Where to add")
    names = [name for name in code(text) if re.fullmatch(r"(gateway|connectors|policies)/[\w./]*", name)]
    assert len(names) > 8
    assert missing(names) == []
    sources = "\n".join(file.read_text("utf-8") for file in (ROOT / "gateway").rglob("*.py"))
    for name in code(text):
        if name.isidentifier() and name[0].isupper():
            assert re.search(rf"^(class )?{name}\b", sources, re.MULTILINE), name
