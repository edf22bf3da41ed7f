"""Every command and snippet in the documentation is run or checked. What no test here knows how to check fails.

The commands of a page run in order, in one folder that has what a reader of the page would have by then.
"""

from __future__ import annotations

import functools
import importlib.util
import json
import os
import re
import shlex
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from gateway import cli
from gateway.catalogue.graphql.schema import build_schema, core
from gateway.config import settings
from gateway.inquiry.document.bounds import Limits
from gateway.inquiry.plan import Planner
from gateway.ledger.proof import key_files
from gateway.rules.load import load
from gateway.storage.sealing import key_file
from tests.docs import place, walk
from tests.docs.commands import check_usage, commands, find, groups
from tests.docs.reading import ROOT, Fence, fences, inline, links, missing, pages
from tests.docs.site import tasks

ALL = [fence for page in pages() for fence in fences(page)]
SHELL_PAGES = sorted({fence.page for fence in ALL if fence.language == "sh"})
[CONFIGURATION] = [fence for fence in ALL if fence.text.startswith("# gateway.yaml\n")]

RUN = {
    ("catalogue", "check"), ("catalogue", "docs"), ("rules", "check"), ("rules", "explain"), ("rules", "matrix"),
    ("rules", "test"), ("check",), ("keys", "generate"), ("keys", "webhooks"), ("ledger", "verify"),
    ("ledger", "verify-receipt"), ("ledger", "show"), ("ledger", "rebuild"), ("serve",), ("store", "migrate"),
    ("store", "key"), ("store", "rotate"), ("keys", "secrets"),
}  # fmt: skip
"""Commands that are run here as they are written."""
ELSEWHERE = {
    ("backup",): "tests/backup/test_backup.py::test_what_is_put_back_goes_on_and_names_the_gap",
    ("restore",): "tests/backup/test_backup.py::test_what_is_put_back_goes_on_and_names_the_gap",
    ("source", "sample"): "tests/acts/test_commands.py::test_a_steward_samples_its_own_department_by_a_command",
    ("source", "watch"): "tests/connecting/drifting/test_command.py::test_drift_is_remembered_counted_logged_and_told",
    ("source", "new"): "tests/docs/test_connecting.py::test_a_department_is_connected_from_its_own_description",
    ("demo",): "tests/demo/test_run.py::test_it_plays_every_scene_stays_tells_and_ends",
    **dict.fromkeys(
        [("init",), ("example",), ("example", "token")],
        "tests/init/test_wheel.py::test_a_first_inquiry_is_answered_and_its_receipt_verifies",
    ),
    **dict.fromkeys(
        [("rules", "dry-run", part) for part in ("start", "status", "stop")],
        "tests/simulation/test_dry.py::test_it_begins_counts_in_every_process_and_ends",
    ),
    ("rules", "simulate"): "tests/simulation/test_commands.py::test_it_says_what_would_close",
    **{
        ("catalogue", name): "tests/acts/cataloguing/test_page.py::test_the_commands_of_the_page_publish_a_dataset"
        for name in ("consult", "approve", "publish", "retire", "status")
    },
    ("source", "conformance"): (
        "tests/connecting/conforming/test_conformance.py::test_the_report_can_be_signed_and_the_signature_checked"
    ),
    ("demo", "token"): "tests/demo/test_run.py::test_it_plays_every_scene_stays_tells_and_ends",
    ("source", "deliver"): "tests/connecting/delivering/test_command.py::test_a_delivery_is_taken_in_and_told",
    (
        "keys",
        "rotate",
    ): "tests/ledger/log/test_registry.py::test_keys_rotate_and_old_receipts_verify_by_the_registry",
}
"""Commands that are only read here, and the test that runs them."""

KINDS = {
    "sources.yaml": "tests/docs/test_connectors.py::test_every_example_loads",
    "subjects.yaml": "tests/connecting/conforming/test_conformance.py::test_the_file_of_the_page_is_read",
    "gateway.yaml, its keys on tokens": "tests/config/test_settings.py::test_the_example_of_the_deployment_page_loads",
    "gateway.yaml, its keys on Keycloak": "tests/config/test_settings.py::test_the_page_for_keycloak_loads",
    "gateway.yaml, its keys on Canaille": "tests/config/test_settings.py::test_the_page_for_canaille_loads",
    "gateway.yaml, its keys on the ledger": "tests/ledger/log/test_configured.py::test_what_is_read",
    "gateway.yaml, its key for case registries": (
        "tests/inquiry/case/test_case_config.py::test_the_example_of_the_deployment_page_loads"
    ),
    "gateway.yaml, its key for traces": (
        "tests/config/test_settings.py::test_the_example_for_traces_loads_as_it_stands_and_with_all_that_it_can_have"
    ),
    "gateway.yaml, its key for the operator": "tests/config/test_settings.py::test_the_examples_for_the_operator_load",
    "gateway.yaml, its key for messages to others": (
        "tests/recall/delivering/test_settings.py::test_the_example_of_the_page_loads"
    ),
    "gateway.yaml, its key for an encrypted file": (
        "tests/storage/sealing/test_outside.py::test_the_handbook_s_command_of_an_encrypted_file"
    ),
    "gateway.yaml, its key for a key service": (
        "tests/storage/sealing/test_outside.py::test_a_service_is_asked_once_by_a_process_and_not_while_it_is_away"
    ),
    "gateway.yaml": None,
    "client.yaml": "tests/recipient/test_readme.py::test_the_configuration_loads",
    "tests/arrears.yaml": "tests/rules/testing/test_page.py::test_the_file_to_start_from_passes",
}
"""Files that a `yaml` block may be (it says which in its first line), and the test that loads them, if not this one."""
PAGES = {
    "sources.yaml": "connectors/README.md",
    "subjects.yaml": "connectors/README.md",
    "tests/arrears.yaml": "policies/README.md",
    "client.yaml": "gateway/recipient/README.md",
    "gateway.yaml, its keys on Keycloak": "deploy/keycloak.md",
    "gateway.yaml, its keys on Canaille": "deploy/canaille.md",
}
"""Where they stand, if not on the page of `deploy/`."""


def lines(fence: Fence) -> list[tuple[dict[str, str], list[str]]]:
    """A shell block's commands: environment, and words. Comments, and where output goes, are left out."""
    found = []
    for line in fence.text.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        environment = {}
        while words and re.fullmatch(r"[A-Z_0-9]+=.*", words[0]):
            name, _, value = words.pop(0).partition("=")
            environment[name] = value
        if ">" in words:
            words = words[: words.index(">")]
        if words:
            found.append((environment, words))
    return found


def placeholders(words: list[str]) -> bool:
    """Whether a command stands with words to fill in: it is there to be read. `RECEIPT_FILE` is a file here."""
    return any(re.fullmatch(r"[A-Z]+|PUBLIC_KEY_FILE", word) for word in words)


# Blocks


ELSEWHERE_SET = ("yaml elsewhere", "js elsewhere")
"""What is set in others' programs, of which the page says that it is not run here."""


def test_every_block_is_of_a_kind_that_is_checked() -> None:
    known = {
        "sh",
        "sh first",
        "sh manifest",
        "sh host",
        "graphql",
        "yaml",
        "python",
        "json",
        "text",
        *walk.LANGUAGES,
        *tasks.LANGUAGES,
        "json answer",
        *ELSEWHERE_SET,
    }
    assert [f"{fence}: `{fence.language}`" for fence in ALL if fence.language not in known] == []
    assert SHELL_PAGES
    for fence in ALL:
        if fence.language == "python":
            run_elsewhere = (ROOT / "connectors" / "README.md", ROOT / "gateway" / "ACTS.md")
            assert fence.page in run_elsewhere, f"{fence}: no test runs it"
        if fence.language == "text":
            assert fence.page == ROOT / "gateway" / "ledger" / "FORMAT.md", f"{fence}: `test_format` does not read it"
        if fence.language == "sh first":
            assert fence.page == walk.PAGE, f"{fence}: `tests/proposals/test_bootstrap.py` does not run it"
        if fence.language == "sh manifest":
            run_by = "tests/connectors/files/test_page.py::test_the_page_s_manifest_is_taken"
            assert fence.page == ROOT / "connectors" / "README.md", f"{fence}: `{run_by}` does not run it"
            assert missing([run_by]) == []
        if fence.language == "sh host":
            assert fence.page == ROOT / "deploy" / "README.md", f"{fence}: `tests/deploy/test_page.py` does not read it"
        if fence.language in walk.LANGUAGES:
            assert fence.page in walk.PAGES, f"{fence}: neither `test_walk` nor `test_connecting` walks it"
        if fence.language == "json":
            json.loads(fence.text)
        if fence.language in ELSEWHERE_SET:
            assert fence.page == tasks.SITE / "routers.md"
        if fence.language in {*tasks.LANGUAGES, "json answer"}:
            done = {ROOT / "README.md", *(tasks.SITE / name for name in tasks.DONE)}
            assert fence.page in done, f"{fence}: no test of `tests/docs/site/test_tasks.py` does it"


@pytest.mark.parametrize("fence", [f for f in ALL if f.language == "graphql" and f.page.name != "ACTS.md"], ids=str)
def test_operations_are_valid_and_within_the_limits(fence: Fence) -> None:
    policies = load(ROOT / "policies", {"login": "https://login.example"}).policies
    schema = core(build_schema(policies.catalogue, {name: p.title for name, p in policies.purposes.items()}))
    plan = Planner(schema, policies.catalogue, Limits()).plan(fence.text, None)
    assert plan.names_subjects


@pytest.mark.parametrize("fence", [f for f in ALL if f.language == "yaml"], ids=str)
def test_yaml_says_which_file_it_is_and_loads(fence: Fence, tmp_path: Path) -> None:
    name = fence.text.splitlines()[0].removeprefix("# ")
    assert name in KINDS, f"{fence}: the first line says which file it is: {', '.join(KINDS)}"
    if KINDS[name] is not None:
        assert fence.page == ROOT / PAGES.get(name, "deploy/README.md"), f"{fence}: no test loads it"
        assert missing([str(KINDS[name])]) == []
    else:
        place.prepare(tmp_path, fence.text)
        assert settings.load(tmp_path / name, {}).limits == settings.Limits()


# Commands


@pytest.mark.parametrize("page", SHELL_PAGES, ids=[str(page.relative_to(ROOT)) for page in SHELL_PAGES])
def test_the_commands_of_a_page_run(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    place.prepare(tmp_path, CONFIGURATION.text)
    monkeypatch.chdir(tmp_path)
    if "keys generate" not in page.read_text("utf-8"):
        key_files.generate(tmp_path / "ledger.key")
        key_file.generate(tmp_path / "store.key")
    for fence in fences(page):
        for environment, words in lines(fence) if fence.language == "sh" else []:
            with monkeypatch.context() as changed:
                for name, value in environment.items():
                    changed.setenv(name, value)
                status = run(words, tmp_path)
            said = capsys.readouterr()
            assert status == 0, f"{fence}: `{' '.join(words)}`: {said.out}{said.err}"


def run(words: list[str], folder: Path) -> int:
    """Run or check one command; its exit status, 0 where it was only read."""
    program, *arguments = words
    if program == "make":
        return subprocess.run(["make", "-n", *arguments], cwd=ROOT, capture_output=True, check=False).returncode
    if words[:3] == [".venv/bin/python", "-m", "pytest"]:
        named = [f"{each}/" if (ROOT / each).is_dir() else each for each in arguments if each.startswith("tests/")]
        assert re.fullmatch(r"(-n \d+)?", " ".join(each for each in words[3:] if not each.startswith("tests/")))
        return len(missing(named))
    if program == "pip":  # run where the wheel is tried, as `ELSEWHERE` has it
        return 0 if arguments == ["install", f"dutybound-{version('dutybound')}-py3-none-any.whl"] else 1
    if program == "ssh-keygen":  # run where its report is made, as `ELSEWHERE` has it
        return 0
    assert program in ("dutybound", ".venv/bin/dutybound"), f"no test knows how to check `{program}`"
    command, rest = find(arguments)
    check_usage(command, rest, whole=True)
    if placeholders(words) or command.words in ELSEWHERE:
        return 0
    assert command.words in RUN, f"no test runs `dutybound {' '.join(command.words)}`"
    return place.serve(arguments, folder) if command.words == ("serve",) else cli.main(arguments)


def test_every_command_is_run_by_a_test() -> None:
    run_here = {
        find(words[1:])[0].words
        for fence in ALL
        if fence.language == "sh"
        for _, words in lines(fence)
        if words[0].endswith("dutybound") and not placeholders(words)
    }
    assert run_here <= RUN | {*ELSEWHERE}
    assert missing(list(ELSEWHERE.values())) == []


@functools.cache
def help_of(module: str) -> str:
    """What `--help` of a module prints that is run by itself."""
    command = [sys.executable, "-m", module, "--help"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("page", pages(), ids=[str(page.relative_to(ROOT)) for page in pages()])
def test_commands_in_sentences_exist(page: Path) -> None:
    for span in inline(page):
        words = shlex.split(span) if re.match(r"(\.venv/bin/)?(dutybound|make|python)\b", span) else []
        if words[:1] == ["make"]:
            assert run(words, ROOT) == 0, span
        elif words[:2] == ["python", "-m"]:
            assert importlib.util.find_spec(words[2]), span
            assert all(word in help_of(words[2]) for word in words[3:] if word.startswith("--")), span
        elif words and len(words) > 1 and tuple(words[1:]) not in groups():
            command, rest = find(words[1:])
            check_usage(command, rest, whole=False)


@pytest.mark.parametrize("page", pages(), ids=[str(page.relative_to(ROOT)) for page in pages()])
def test_links_lead_somewhere(page: Path) -> None:
    for link in links(page):
        if "://" not in link:
            assert (page.parent / link).exists(), f"{page.relative_to(ROOT)} leads to `{link}`, which does not exist"


# The README


def test_the_readme_lists_every_command_as_help_tells_it() -> None:
    [listed] = [fence for fence in fences(ROOT / "README.md") if fence.text.count("dutybound ") > 5]
    told = {}
    for line in listed.text.splitlines():
        call, _, said = line.partition("  # ")
        command, _ = find(call.split()[1:])
        told[command.words] = said
    assert told == {words: command.help for words, command in commands().items()}


def test_help_shows_every_group(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["--help"])
    assert ended.value.code == 0
    said = capsys.readouterr().out
    for group in {words[0] for words in commands()}:
        assert re.search(rf"^    {group}\b", said, re.MULTILINE)


@pytest.mark.parametrize("target", ["demo ONCE=1", "test", "bench ONLY=journey", "check", "format", "help"])
def test_make_knows_what_it_is_asked_for(target: str) -> None:
    told = subprocess.run(
        ["make", "-n", *target.split()], cwd=ROOT, env={"PATH": os.environ["PATH"]}, capture_output=True, text=True,
        check=True,
    ).stdout  # fmt: skip
    expected = {"demo ONCE=1": "dutybound demo --once", "test": "pytest", "bench ONLY=journey": 'ONLY="journey"'}
    assert expected.get(target, "") in told


def test_make_has_a_recipe_for_every_target_that_it_names() -> None:
    text = (ROOT / "Makefile").read_text("utf-8")
    [named] = re.findall(r"^\.PHONY: (.*)$", text, re.MULTILINE)
    assert [name for name in named.split() if not re.search(rf"^{name}:", text, re.MULTILINE)] == []


# What is checked here is not checked in vain.


def test_a_wrong_command_is_found() -> None:
    for wrong in ("rules chek", "ledger verify-receipt", "rules matrix --cvs", "catalogue diff policies", "keys"):
        with pytest.raises((LookupError, ValueError)):
            check_usage(*find(wrong.split()), whole=True)
    with pytest.raises(AssertionError, match="no test knows"):
        run(["curl", "https://gateway.example"], ROOT)
    assert run([".venv/bin/python", "-m", "pytest", "tests/rules/check/test_reach.py::test_nobody_wrote"], ROOT) != 0
