"""What nobody can know from outside is a gap, and `dutybound check` tells each of them with its line."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from gateway import cli
from gateway.ledger.proof import key_files
from tests import configured
from tests.connecting.starting import styles
from tests.connecting.starting.making import TEXT, Made, api, body, gateway, get, get_one, of_openapi, post, record, run
from tests.docs.reading import ROOT
from tests.stores import store_at

BARE = api({"/companies/{company}/arrears": get({"type": "object", "properties": {"due": {"type": "string"}}})})
BARE["paths"]["/companies/{company}/arrears"]["get"]["parameters"][0]["name"] = "company"

LOOKUPS = api(
    {
        "/companies/{lei}/paper": get_one({"properties": {"due": TEXT}}, kind="text/xml"),
        "/notices/search": post(
            body("no", no=TEXT), body(found={"type": "array", "items": record(due=TEXT)}, nextToken=TEXT)
        ),
    }
)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    key_files.generate(tmp_path / "ledger.key")
    store_at(tmp_path / "ledger.db").close()
    return gateway(tmp_path)


def _placed(folder: Path) -> list[Path]:
    """Put the parts where a person does; gives the files that have them."""
    policies = folder / "policies"
    files = {
        "sources.yaml": folder / "sources.yaml",
        "catalogue.yaml": policies / "catalogue" / "tax.yaml",
        "purposes.yaml": policies / "purposes.yaml",
        "requesters.yaml": policies / "requesters.yaml",
    }
    files["sources.yaml"].write_text("departments:\n")
    for name, file in files.items():
        with file.open("a") as opened:
            opened.write((folder / "begun" / name).read_text())
    return list(files.values())


@pytest.mark.parametrize(
    "document",
    [styles.SPRING, styles.FASTAPI, styles.BY_HAND, BARE, LOOKUPS],
    ids=["spring", "fastapi", "hand", "bare", "look-ups"],
)
def test_check_tells_every_gap_with_its_line(
    config: Path, document: dict[str, object] | str, capsys: pytest.CaptureFixture[str]
) -> None:
    made = of_openapi(config, document, "--purpose", "CHECKS", "--client", "checker", "--out", config.parent / "begun")
    assert made.status == 0, made.err
    gaps = [
        f"{file}:{number}:"
        for file in _placed(config.parent)
        for number, line in enumerate(file.read_text("utf-8").splitlines(), 1)
        if "# gap: " in line
    ]
    assert cli.main(["check", "--config", str(config)]) == 1
    told = capsys.readouterr().err
    places = {
        str(Path(line.split(":")[0]).resolve()) + ":" + line.split(":")[1] + ":"
        for line in told.splitlines()
        if re.match(r"[^:]+:\d+:", line)
    }
    assert len(gaps) > 15
    assert [gap for gap in gaps if gap not in places] == []


def test_what_is_there_already_is_refused_and_nothing_is_written_over(config: Path) -> None:
    folder = config.parent
    made = of_openapi(config, styles.SPRING, "--out", folder / "begun")
    assert sorted(file.name for file in (folder / "begun").iterdir()) == ["catalogue.yaml", "sources.yaml"]
    assert made.out.splitlines() == [str(folder / "begun" / name) for name in ("sources.yaml", "catalogue.yaml")]
    before = (folder / "begun" / "sources.yaml").read_text()
    (folder / "begun" / "catalogue.yaml").unlink()
    again = of_openapi(config, styles.FASTAPI, "--out", folder / "begun")
    assert (again.status, "nothing is written over" in again.err) == (1, True)
    assert [file.name for file in (folder / "begun").iterdir()] == ["sources.yaml"]
    assert (folder / "begun" / "sources.yaml").read_text() == before

    (folder / "sources.yaml").write_text("departments:\n" + before)
    refused = of_openapi(config, styles.SPRING)
    assert re.search(r"sources\.yaml:3:3: departments.tax: `tax` is there already", refused.err)
    (folder / "sources.yaml").write_text("departments: {}\n")
    for words, where in [
        (("--purpose", "TENDER_QUALIFICATION"), "purposes.yaml"),
        (("--purpose", "CHECKS", "--client", "market-regulator"), "requesters.yaml"),
    ]:
        refused = of_openapi(config, styles.SPRING, *words)
        assert re.search(rf"{where}:\d+:\d+: .*`[\w-]+` is there already", refused.err)
        assert (refused.status, refused.out) == (1, "")


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["Tax"], "is no id"),
        (["../tax"], "is no id"),
        (["tax", "--purpose", "checks"], "is no purpose"),
        (["tax", "--purpose", "CHECKS", "--client", "a b"], "is no client id"),
        (["tax", "--client", "checker"], "name a new one by --purpose"),
        (["tax", "--table", "t"], "name a database"),
    ],
)
def test_a_wrong_call_is_told(config: Path, words: list[str], why: str) -> None:
    made = run(*words, "--openapi", "description.json", "--config", config)
    assert (made.status, made.out) == (1, "")
    assert why in made.err


def test_a_part_stands_as_deep_as_its_file_has_it(config: Path) -> None:
    deeper = "departments:\n    other:\n        kind: rest\n"
    (config.parent / "sources.yaml").write_text(deeper)
    made = of_openapi(config, styles.SPRING)
    assert made.out.splitlines()[1] == "    tax:"


def test_where_the_catalogue_has_the_department_its_names_stay(config: Path) -> None:
    shutil.copy(ROOT / "policies" / "catalogue" / "tax.yaml", config.parent / "policies" / "catalogue")
    made: Made = of_openapi(config, styles.SPRING)
    [part] = made.parts
    assert list(part["tax"]["datasets"]) == ["tax-arrears"]
    assert part["tax"]["datasets"]["tax-arrears"]["fields"] == {
        "period": "period", "amount": "amount.total", "currency": "amount.currency",
    }  # fmt: skip
    assert "write its source" in made.line("dataset `tax-awards` of the catalogue")
    nothing = of_openapi(config, api({"/companies/{lei}/ships": get(record(flag={"type": "string"}))}))
    assert (nothing.status, "nothing that is described is a dataset of `tax`" in nothing.err) == (1, True)


def test_the_folder_that_parts_go_to_can_be_any(config: Path) -> None:
    assert configured.ORIGIN in config.read_text()
    (config.parent / "file").write_text("")
    made = of_openapi(config, styles.SPRING, "--out", config.parent / "file")
    assert (made.status, "cannot be written to" in made.err) == (1, True)
