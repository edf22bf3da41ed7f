"""What a recipient of the demo does with a recall: it notes the task, and could delete or update its own records here.

`python -m deploy.demo.applied FILE` reads a task from its standard input, and adds it to `FILE`, a line each.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

if __name__ == "__main__":
    task = json.load(sys.stdin)
    with Path(sys.argv[1]).open("a") as noted:
        noted.write(json.dumps(task) + "\n")
