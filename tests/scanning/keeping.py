"""Where what is scanned at the end of a run is kept."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

FOLDER = "SCANNED_LOGS"
"""The variable that names the folder, for all processes of a run."""
ANSWERS = "answers"
"""How files begin that have refusals, each with what was asked."""
REFUSED = 400
"""The status from which an answer is a refusal as a whole."""


def kept(name: str, content: bytes) -> None:
    """Have something scanned at the end of the run."""
    with (Path(os.environ[FOLDER]) / f"{name}-{os.getpid()}").open("ab") as file:
        file.write(content + b"\n")


def refused(asked: str, status: int, body: bytes) -> None:
    """Have an answer scanned, as far as it refuses: all of one with such a status, else its `errors`.

    What stands in `asked` is the requester's own, and may be in it.
    """
    said: Any = None
    if status >= REFUSED:
        said = body.decode("utf-8", "replace")
    elif b'"errors"' in body:
        try:
            read = json.loads(body)
        except ValueError:
            return
        said = read.get("errors") if isinstance(read, dict) else None
    if said:
        kept(ANSWERS, json.dumps({"asked": asked, "said": said}, ensure_ascii=False).encode("utf-8", "replace"))
