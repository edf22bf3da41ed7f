"""Which operations are acts: every mutation, and the queries of what people do. Each is an operation of its own. Pure.

An act is done whole or not at all, and has one outcome; what is asked beside it would have another.
"""

from __future__ import annotations

from collections.abc import Mapping

from gateway.errors import Code, Refusal

ACT_QUERIES = frozenset(["me", "matters", "changes", "consentRequests", "recalls", "suspensions", "findings"])
"""The fields of `Query` that are asked for alone, without a declaration of purpose."""


def lone_act(names: Mapping[str, str], *, mutates: bool) -> str | None:
    """The response name of an operation's act, `None` where it has none.

    `names` are the root fields by response name. Raises `Refusal` where something stands beside an act.
    """
    asked = [key for key, name in names.items() if name != "__typename"]
    if not mutates and ACT_QUERIES.isdisjoint(names[key] for key in asked):
        return None
    if len(asked) > 1:
        shown = ", ".join(f"`{names[key]}`" for key in asked[:4]) + (", ..." if len(asked) > 4 else "")
        what = "a mutation has one field" if mutates else "`me`, `matters` and the like are asked for alone"
        message = f"{what}, and this operation has {shown}; send each as an operation of its own"
        raise Refusal(Code.GRAPHQL_OPERATION_INVALID, message)
    return asked[0] if asked else None
