"""Purposes in the text of `purposes.yaml`: found, and one of them changed where it stands."""

from __future__ import annotations

from typing import Any

from gateway.drafts.child import Purposed
from gateway.drafts.splice import Unfit, composed, exchanged, listed, parts, scalar, text_of, values


def purposes(text: str) -> tuple[Purposed, ...]:
    """All purposes, in the file's order; raises `Unfit`."""
    found = []
    for name, node in parts(composed(text)).items():
        of = _of(node)
        fields = {dataset: values(names) for dataset, names in _fields(of).items()}
        found.append(Purposed(name, text_of(of["title"]), values(of["articles"]), fields))
    return tuple(found)


def edited(text: str, edit: Purposed) -> str:
    """The text with one purpose changed; of its datasets those that it has. Raises `Unfit`."""
    node = parts(composed(text)).get(edit.name)
    if node is None:
        raise Unfit("there is no such purpose in `purposes.yaml`")
    of, wanted = _of(node), edit.fields
    fields = _fields(of)
    if unknown := wanted.keys() - fields.keys():
        raise Unfit(f"the purpose has no `{min(unknown)}`; add it to the file itself, with its reasons")
    changes = [listed(text, fields[dataset], names) for dataset, names in wanted.items()]
    return exchanged(text, [scalar(of["title"], edit.title), listed(text, of["articles"], edit.articles), *changes])


def _of(node: Any) -> dict[str, Any]:
    of = parts(node)
    if not of.keys() >= {"title", "articles", "fields"}:
        raise Unfit("a purpose in `purposes.yaml` lacks something; mend the file itself")
    return of


def _fields(of: dict[str, Any]) -> dict[str, Any]:
    """The lists of fields by their datasets."""
    found = {}
    for dataset, node in parts(of["fields"]).items():
        about = parts(node)
        if "names" not in about:
            raise Unfit(f"`{dataset}` of a purpose names no field; mend the file itself")
        found[dataset] = about["names"]
    return found
