"""What a department's counter may take for proof of who came: `proofs` of `requesters.yaml`.

A kind, in the words that its official writes first (`identity card`), and the pattern that what follows must match: the
number of what was seen. No pattern may take what is shorter than `LEAST`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from gateway.documents import Node

LEAST = 4
"""Characters that the number of a document has at least."""
_KIND = r"[^\W\d_][\w ()'-]{1,58}[\w)]"
_SHORT = ("", "x", "X", "1", "-", " ", "xx", "11", "xxx", "XXX", "111")


def proofs(node: Node | None) -> Mapping[str, str]:
    """The pattern of each kind; what is wrong becomes problems."""
    entries = node.mapping(any_key=True) if node is not None else {}
    if node is not None and node.is_mapping and not entries:
        node.problem("names no kind of proof; name at least one, or leave `proofs` out")
    return {kind: pattern for kind, each in entries.items() if (pattern := _pattern(kind, each))}


def _pattern(kind: str, node: Node) -> str:
    if not re.fullmatch(_KIND, kind):
        node.key_problem(f"`{kind}` must be what a document is called, as `identity card`: 3 to 60 letters")
    pattern = node.text(what="a pattern of what follows the kind, as `[A-Z0-9]{6,12}`")
    try:
        matches = re.compile(pattern).fullmatch
    except (re.error, RecursionError, OverflowError) as error:
        node.problem(f"`{pattern}` is not a regular expression: {error}")
        return ""
    if pattern and (short := next((each for each in _SHORT if matches(each)), None)) is not None:
        node.problem(f"takes `{short}`, which proves nothing; let it take no fewer than {LEAST} characters")
        return ""
    return pattern
