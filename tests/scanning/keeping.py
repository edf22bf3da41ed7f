"""Where what is scanned at the end of a run is kept."""

from __future__ import annotations

import os
from pathlib import Path

FOLDER = "SCANNED_LOGS"
"""The variable that names the folder, for all processes of a run."""


def kept(name: str, content: bytes) -> None:
    """Have something scanned at the end of the run."""
    with (Path(os.environ[FOLDER]) / f"{name}-{os.getpid()}").open("ab") as file:
        file.write(content + b"\n")
