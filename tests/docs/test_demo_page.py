"""`deploy/demo/README.md` is true: the parts, their modules and ports, and the files that it explains."""

from __future__ import annotations

import importlib.util
import re

from deploy.demo.configuration import USUAL
from deploy.demo.region import NAMED
from tests.docs.reading import ROOT, code, inline, missing, section, table

PAGE = ROOT / "deploy" / "demo" / "README.md"
PARTS = table(PAGE.read_text("utf-8"))


def test_every_part_has_its_module_and_the_usual_ports() -> None:
    ports = []
    for part, _, module, said in PARTS:
        assert importlib.util.find_spec(code(module)[0].split()[0]), part
        ports += [int(port) for port in said.split(", ")]
    assert sorted(ports) == sorted(USUAL.values())


def test_the_files_that_are_explained_exist_and_the_subjects_too() -> None:
    files = [name for name in inline(PAGE) if re.fullmatch(r"\w+\.(py|yaml)", name)]
    assert len(files) > 10
    assert missing(files, PAGE.parent) == []
    told = {name for name in code(section(PAGE, "Whom to ask about")) if name in NAMED}
    assert {"ordinary", "display_ended", "no_source_document", "mitigated", "all_withheld", "no_records"} <= told
