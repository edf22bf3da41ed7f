"""14. Rules are evaluated over schema coordinates, never over response names.

A document is rewritten so that it asks for the same under other names: every alias is changed, selections are put into
inline and named fragments, constants become variables, and directives that change nothing are added. What is decided,
asked of departments, entered and answered is the same, but for the names.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from graphql import (
    ArgumentNode,
    BooleanValueNode,
    DirectiveNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    NamedTypeNode,
    NameNode,
    OperationDefinitionNode,
    SelectionSetNode,
    TypeInfo,
    TypeInfoVisitor,
    Visitor,
    parse,
    print_ast,
    visit,
)
from hypothesis import strategies as st

from gateway.inquiry.document import collect
from gateway.inquiry.plan import Planner
from tests.properties.checking import holds, is_found, staged
from tests.properties.scenes import CATALOGUE, Scene, scenes
from tests.properties.test_invariant_02_denied import asked
from tests.world import Reply, World

PREFIX = "q_"


class Rewrite(Visitor):
    """Renames every response name and wraps selections; what is asked for stays the same."""

    def __init__(self, chance: random.Random, types: TypeInfo) -> None:
        super().__init__()
        self._chance, self._types = chance, types
        self.fragments: list[FragmentDefinitionNode] = []

    def leave_field(self, node: FieldNode, *_: Any) -> FieldNode:
        name = node.alias.value if node.alias else node.name.value
        return _like(node, alias=NameNode(value=PREFIX + name), directives=self._idle(node.directives))

    def leave_selection_set(self, node: SelectionSetNode, *_: Any) -> SelectionSetNode:
        parent = self._types.get_type()
        type_name = getattr(parent, "of_type", parent)
        while hasattr(type_name, "of_type"):
            type_name = type_name.of_type
        selections, start = list(node.selections), self._chance.randint(0, len(node.selections))
        inner = SelectionSetNode(selections=tuple(selections[start:]))
        how = self._chance.randrange(4)
        if how == 0 or not inner.selections or type_name is None:
            return node
        if how == 1:
            wrapped: Any = InlineFragmentNode(type_condition=None, directives=self._idle(()), selection_set=inner)
        else:
            condition = NamedTypeNode(name=NameNode(value=str(type_name)))
            if how == 2:
                wrapped = InlineFragmentNode(type_condition=condition, directives=self._idle(()), selection_set=inner)
            else:
                name = NameNode(value=f"Again{len(self.fragments)}")
                self.fragments.append(
                    FragmentDefinitionNode(
                        name=name,
                        variable_definitions=(),
                        type_condition=condition,
                        directives=(),
                        selection_set=inner,
                    )
                )
                wrapped = FragmentSpreadNode(name=name, directives=self._idle(()))
        return SelectionSetNode(selections=(*selections[:start], wrapped))

    def _idle(self, directives: Any) -> tuple[DirectiveNode, ...]:
        """These directives, and perhaps one more that changes nothing."""
        more = self._chance.choice([None, ("include", True), ("skip", False)])
        present = {directive.name.value for directive in directives or ()}
        if more is None or more[0] in present:
            return tuple(directives or ())
        argument = ArgumentNode(name=NameNode(value="if"), value=BooleanValueNode(value=more[1]))
        return (*(directives or ()), DirectiveNode(name=NameNode(value=more[0]), arguments=(argument,)))


def _like(node: FieldNode, **changed: Any) -> FieldNode:
    parts = {key: getattr(node, key, None) for key in ("name", "arguments", "selection_set", "alias", "directives")}
    return FieldNode(**{**parts, **changed})


def rewritten(world: World, query: str, number: int) -> str:
    schema = world.serving.planner._schema
    types = TypeInfo(schema)
    rewrite = Rewrite(random.Random(number), types)
    document = visit(parse(query), TypeInfoVisitor(types, rewrite))
    text = print_ast(DocumentNode(definitions=(*document.definitions, *rewrite.fragments)))
    assert any(isinstance(d, OperationDefinitionNode) for d in document.definitions)
    # What a literal said a variable says, and the other way round.
    return text.replace("@inquiry(purpose: ", "@inquiry(reference: null, purpose: ")


def unnamed(value: Any) -> Any:
    """An answer of the rewritten document under the names of the first."""
    if isinstance(value, dict):
        return {key.removeprefix(PREFIX): unnamed(inner) for key, inner in value.items()}
    return [unnamed(inner) for inner in value] if isinstance(value, list) else value


def told(reply: Reply) -> Any:
    """What was decided and entered, without what differs between any two inquiries."""
    if not reply.entries:
        return reply.said
    (entry,) = reply.entries
    same = entry.told
    disclosed = getattr(same, "disclosed", None)
    whole = None
    if disclosed is not None:
        whole = [
            (each.kind, each.value, sorted((d.dataset, d.fields, tuple(d.records), d.failure) for d in each.datasets))
            for each in disclosed
        ]
    denied = [
        (each.subject, sorted((f.dataset, f.field, f.reason) for f in each.fields)) for each in entry.oversight.denied
    ]
    withheld = sorted((each.subject, each.record, each.restraint) for each in entry.oversight.withheld)
    return whole, denied, withheld, getattr(same, "code", None), getattr(same, "cautions", None)


def check(world: World, scene: Scene, number: int) -> None:
    made = staged(world, scene)
    first = world.ask(made.ask)
    other = world.ask(made.ask._replace(query=rewritten(world, made.ask.query, number)))
    assert unnamed(other.data) == first.data
    assert list(unnamed(other.data or {})) == list(first.data or {})
    assert told(other) == told(first)
    assert asked(other) == asked(first)
    assert other.codes == first.codes
    for error, before in zip(other.errors, first.errors, strict=True):
        path = [str(step).removeprefix(PREFIX) for step in error.get("path", ())]
        assert path == [str(step) for step in before.get("path", ())]
        assert error["extensions"].get("reason") == before["extensions"].get("reason")


SOME = (scenes(), st.integers(0, 2**16))


def test_names_fragments_and_directives_change_nothing(world: World) -> None:
    holds(lambda scene, number: check(world, scene, number), *SOME, examples=30)


def test_rewriting_rewrites(world: World) -> None:
    """Every response name differs, and each kind of wrapping comes up."""
    texts = []

    def note(scene: Scene, number: int) -> None:
        texts.append(rewritten(world, staged(world, scene).ask.query, number))

    holds(note, *SOME, examples=15)
    everything = " ".join(texts)
    for part in ("q_organisation: ", "...Again0", "... on Organisation", "@skip(if: false)", "@include(if: true)"):
        assert part in everything
    assert CATALOGUE.published


def _decides_on_response_names(monkeypatch: pytest.MonkeyPatch) -> None:
    real = collect.Collector._dataset

    def faulty(self: Any, key: str, dataset: Any, selection: Any) -> Any:
        made = real(self, key, dataset, selection)
        names = frozenset(item.key for item in made.items if isinstance(item, collect.Leaf))
        return collect.DatasetSelection(made.key, made.dataset, made.items, names & made.fields, made.bare)

    monkeypatch.setattr(collect.Collector, "_dataset", faulty)


def _overlooks_named_fragments(monkeypatch: pytest.MonkeyPatch) -> None:
    real = collect.Collector._collect

    def faulty(self: Any, type_name: str, selection_set: Any, grouped: Any, visited: Any) -> None:
        if selection_set and type_name not in ("Query", "Organisation", "Person"):
            kept = [node for node in selection_set.selections if not isinstance(node, FragmentSpreadNode)]
            selection_set = SelectionSetNode(selections=tuple(kept))
        real(self, type_name, selection_set, grouped, visited)

    monkeypatch.setattr(collect.Collector, "_collect", faulty)


def _keeps_directives_from_counting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        collect.Collector, "_included", lambda self, directives: all(d.name.value != "skip" for d in directives)
    )


@pytest.mark.parametrize(
    "plant",
    [_decides_on_response_names, _overlooks_named_fragments, _keeps_directives_from_counting],
    ids=lambda plant: plant.__name__.strip("_"),
)
def test_the_property_fails_when_a_fault_is_planted(
    world: World, monkeypatch: pytest.MonkeyPatch, plant: Callable[[pytest.MonkeyPatch], None]
) -> None:
    plant(monkeypatch)
    real = world.serving.planner
    planner = Planner(real._schema, real._catalogue, real._limits)
    monkeypatch.setattr(world, "serving", msgspec.structs.replace(world.serving, planner=planner))
    is_found(lambda scene, number: check(world, scene, number), *SOME)
