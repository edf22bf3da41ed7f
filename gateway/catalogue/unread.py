"""What looks like a file of a policies folder and would not be read: it ends otherwise, or stands elsewhere.

A rule that is not read forbids nothing, and a test that is not read fails never: so none is passed over. Copies that
an editor leaves (`rules.cedar~`, `purposes.yaml.bak`), hidden files and other kinds of text are nobody's rule.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

from gateway.documents import outside

NAMED = ("calendar.yaml", "identifiers.yaml", "officers.yaml", "purposes.yaml", "requesters.yaml", "watch.yaml")
BELOW = {"catalogue": "yaml", "rules": "cedar", "tests": "yaml"}
"""The folders, and how the names of their files end."""

_LIKE = re.compile(r"(?P<stem>[^.].*?)\.(?P<kind>cedar|ya?ml)(\.txt)?", re.IGNORECASE)


def unread(policies_dir: Path) -> Iterator[tuple[Path, str]]:
    """Each such path, and what to do, in order. What cannot be listed is left to whoever reads it."""
    named = {name.partition(".")[0]: name for name in NAMED} | {name: name for name in BELOW}
    for path in _listed(policies_dir, policies_dir):
        found = _LIKE.fullmatch(path.name)
        right = named.get((found["stem"] if found else path.name).lower(), path.name)
        if right != path.name:
            yield path, f"would not be read; rename it to `{right}`"
        elif found and found["kind"].lower() == "cedar":
            yield path, "would not be read here; put it into `rules`"
    for below, suffix in BELOW.items():
        for path in _listed(policies_dir / below, policies_dir):
            found = _LIKE.fullmatch(path.name)
            if any(_LIKE.fullmatch(each.name) for each in _listed(path, policies_dir)):
                yield path, f"would not be read; put its files into `{below}` itself"
            elif found and path.suffix != f".{suffix}":
                same = found["kind"].lower().replace("yml", "yaml") == suffix
                do = (
                    f"rename it to `{found['stem']}.{suffix}`" if same else f"a file of `{below}` ends with `.{suffix}`"
                )
                yield path, f"would not be read; {do}"


def _listed(folder: Path, policies_dir: Path) -> list[Path]:
    """What is in a folder; nothing where it is none, leads elsewhere, or may not be listed."""
    with contextlib.suppress(OSError):
        if folder.is_dir() and not outside(folder, policies_dir):
            return sorted(folder.iterdir())
    return []
