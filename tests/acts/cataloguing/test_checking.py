"""`dutybound check` warns of what a served folder publishes and no act did; it never refuses a start for it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from gateway import cli
from gateway.acts.cataloguing import checking
from gateway.catalogue.model import Catalogue
from tests.acts.cataloguing.bureau import bureau_on
from tests.acts.cataloguing.test_steps import activated, shipped
from tests.acts.serving import served
from tests.storage.conftest import Place, bare, place, server

__all__ = ["bare", "place", "server"]


async def test_what_no_act_published_is_named_until_one_does(place: Place) -> None:
    async with bureau_on(place.open()) as bureau:
        catalogue = bureau.desk.rules.policies.catalogue
        [told] = checking.warnings(place.url, catalogue)
        assert told.startswith(f"{len(catalogue.published)} datasets of this folder (`business-licences`, ")
        bodies = shipped(bureau)
        await activated(bureau, bodies[1:])
        [told] = checking.warnings(place.url, catalogue)
        assert told.startswith("1 dataset of this folder (")
        assert checking.warnings(place.url, Catalogue({}, {}, {}, "")) == []


def test_a_store_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    catalogue = Catalogue({}, {}, {}, "")
    assert checking.warnings(f"sqlite:///{tmp_path}/store.db", catalogue) == []
    assert list(tmp_path.iterdir()) == []


async def test_the_command_says_so_and_is_fine(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with served(tmp_path):
        pass
    assert await asyncio.to_thread(cli.main, ["check", "--config", str(tmp_path / "gateway.yaml")]) == 0
    told = capsys.readouterr().out
    assert "no act of its department published this version" in told
