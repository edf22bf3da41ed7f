"""Dutybound: share facts about one named subject, for one declared purpose, with proof."""

import sys

# Wherever rich and click are installed, httpx imports a command line of its own: a tenth of a start. `None` stands
# for a module that there is not.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]
