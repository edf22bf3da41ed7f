"""The picture of the journey is the one of the code's own path."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from deploy.docs import journey
from gateway.telemetry.metrics import STEPS


def test_the_picture_is_current() -> None:
    drawn = journey.draw()
    assert journey.PICTURE.read_text("utf-8") == drawn, "draw it again: python -m deploy.docs.journey"
    root = ElementTree.fromstring(drawn)
    texts = ["".join(each.itertext()) for each in root.iter() if each.tag.endswith("}text")]
    assert [text.split()[1] for text in texts if re.match(r"[1-9] ", text)] == list(STEPS)[:9]
    assert {"Requester", *journey.ASKED.values()} <= {*texts}


def test_a_step_fits_its_box() -> None:
    assert all(0 < len(step.said) <= 3 * 28 for step in journey.steps())


def test_a_path_with_another_step_is_not_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there = tmp_path / "gateway" / "inquiry"
    there.mkdir(parents=True)
    path = (journey.ROOT / "gateway" / "inquiry" / "answer.py").read_text("utf-8")
    (there / "answer.py").write_text(path.replace("# 4. decide", "# 4. guess").replace("# 3. facts", "# 3. hearsay"))
    monkeypatch.setattr(journey, "ROOT", tmp_path)
    with pytest.raises(LookupError, match="hearsay"):
        journey.steps()
