"""The files of `deploy/`, read as the tools read them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

DEPLOY = Path(__file__).parents[2] / "deploy"


def load(file: Path) -> Any:
    """A YAML file of one document."""
    return YAML(typ="safe", pure=True).load(file.read_text("utf-8"))
