"""What people are shown as a name, looked at for the words that a catalogue may not use.

A department, a requester or a role is named by its field of work, which may be health; no name of theirs speaks of
scores or lists of people. A purpose says what is asked of people, so that its name speaks of special categories as
little as a dataset's.
"""

from __future__ import annotations

from collections.abc import Mapping

from gateway.catalogue import checks, words
from gateway.documents import Node


def unscored(node: Node, text: str, *, key: bool = False) -> None:
    """Note a problem where a name or title speaks of a score, rating, ranking, label or list.

    `key` is whether the text is the key at that place, and not its value.
    """
    if found := words.scoring(text):
        told = node.key_problem if key else node.problem
        told(
            f"`{found.words}` in `{text}` names {found.meaning}, which nothing here is for; write what it does instead"
        )


def of_purpose(node: Node, entries: Mapping[str, Node], name: str, title: str) -> None:
    """Note what is wrong with the name and title of a purpose; `override` has the reason for a word that is harmless.

    As of a dataset, no reason lets it speak of a score or a list.
    """
    unscored(node, name, key=True)
    if title:
        unscored(entries["title"], title)
    found = words.special(name) or words.special(title)
    if override := entries.get("override"):
        reason = override.text(what="a written reason")
        for wrong in checks.override((), reason, needed=found is not None):
            override.problem(wrong.message)
    elif found:
        node.key_problem(
            f"`{found.words}` speaks of {found.meaning}, which nobody may be asked about; if it means something else, "
            'write: `override: "<reason>"`'
        )
