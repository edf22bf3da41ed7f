"""Step 2: GraphQL document -> Plan, compiled once and cached; then a request's variables -> what it asks. Pure.

A plan is found by its document's text and operation name, within one catalogue. `@skip` and `@include` are
evaluated per request: each assignment of their variables gives a `Variant`, compiled on first need. What is compiled is
kept within a bound (`document.kept`).
Only the selected operation's declaration counts. Follows the GraphQL specification, October 2021.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    GraphQLSchema,
    GraphQLSyntaxError,
    OperationDefinitionNode,
    OperationType,
    get_variable_values,
    parse,
    validate,
)

from connectors.base import Subject
from gateway.catalogue.model import Catalogue
from gateway.errors import Code, Refusal
from gateway.inquiry.document import bounds
from gateway.inquiry.document.collect import (
    KINDS,
    Collector,
    asks_about_subjects,
    compute,
    condition_variables,
    has_variable,
    selected_by,
)
from gateway.inquiry.document.cost import Costs
from gateway.inquiry.document.kept import Sent, SentAgain, Weighed, unlink
from gateway.inquiry.document.operation import bound_lists, named_operation, refusal
from gateway.inquiry.document.quick import quick
from gateway.inquiry.document.shapes import Act, Compute, Root, Variant
from gateway.inquiry.document.validity import fits
from gateway.inquiry.types import Declaration, Selected

DECLARED = ("purpose", "case", "document", "consent", "reference", "recall")
LONGEST = {"document": 2_000}
"""Characters that a declared member may have, where not 200: an emergency's reason stands in `document` (ADR 11)."""
_NAMED = 5
"""Times that the organisations that an inquiry may name may be named by its lists and fields together, on average."""
_NO_FIELDS: frozenset[str] = frozenset()
READY = 200
"""Documents that are compiled ahead for another rule set: they take a second of a thread."""


class RefusedAboutSubjects(Refusal):
    """A document that parses and selects a subject field, yet is not valid or over the limits: that is entered too."""

    def __init__(self, refusal: Refusal) -> None:
        at, also = refusal.locations, refusal.also
        super().__init__(refusal.code, refusal.message, locations=at, also=also, **refusal.extensions)


class Asked(NamedTuple):
    """One root field and the subjects it names, in the order of its answer."""

    root: Root
    subjects: tuple[Subject, ...]


class Bound(msgspec.Struct, frozen=True):
    """What one request asks: variant, declaration, subjects (distinct, in order of naming) and coerced variables.

    `selected` is what is asked of every subject; where several root fields name different ones, of each its own.
    """

    variant: Variant
    declaration: Declaration | None
    asked: tuple[Asked, ...]
    subjects: tuple[Subject, ...]
    variables: Mapping[str, Any]
    selected: Selected | Mapping[Subject, Selected]

    @property
    def others(self) -> frozenset[str]:
        """The root fields asked for that name no subject, beside those that do or alone."""
        other = self.variant.other
        if self.variant.act is not None:
            return frozenset([self.variant.act.field])
        if other is None:
            return _NO_FIELDS
        return frozenset([field.name.value for field in other.selection_set.selections if isinstance(field, FieldNode)])

    @property
    def act(self) -> Act | None:
        """The act that the operation is; nothing else is asked then."""
        return self.variant.act

    @property
    def on_behalf(self) -> bool:
        """Whether it declares that it is an act for somebody else."""
        return self.act is not None and self.act.on_behalf(self.variables) is not None


class Plan:
    """One operation of one document, compiled."""

    def __init__(
        self,
        schema: GraphQLSchema,
        catalogue: Catalogue,
        document: DocumentNode,
        operation: OperationDefinitionNode,
        most: bounds.Limits,
        variants: Weighed[Variant],
        sent: Sent,
    ) -> None:
        self._schema, self._catalogue, self._limits = schema, catalogue, most
        self.fragments = tuple([d for d in document.definitions if isinstance(d, FragmentDefinitionNode)])
        self._operation: OperationDefinitionNode | None = operation
        self._conditions = condition_variables(operation, self.fragments)
        # By a mark and not by the plan, which would else be kept as long as they are.
        self._variants, self._mark, self.sent = variants, object(), sent
        self._only = None if self._conditions else self.compiled(())
        if self._only is not None and self._only.other is None and self._only.act is None:
            self.fragments, self._operation = (), None  # nothing is made of these any more, and they are large
        self._mutates = operation.operation is OperationType.MUTATION
        self._definitions = list(operation.variable_definitions or ())
        self._quick = quick(self._definitions)
        self._declared: dict[str, Compute] | None = None
        self._varies = True
        self._fixed: Declaration | None = None
        for directive in operation.directives or ():
            if directive.name.value == "inquiry":
                definition = schema.get_directive("inquiry")
                arguments = definition.args if definition else {}
                given = {a.name.value: a.value for a in directive.arguments or ()}
                self._declared = {name: compute(value, arguments[name].type) for name, value in given.items()}
                self._varies = any(map(has_variable, given.values()))
        # Under some condition, that is: which one holds is known with the variables, and those may be wrong.
        self.names_subjects = (
            bool(self._only.roots)
            if self._only is not None
            else asks_about_subjects(document, operation.name.value if operation.name else None)
        )

    @property
    def declares(self) -> bool:
        """Whether the operation has `@inquiry`."""
        return self._declared is not None

    def variant(self, variables: Mapping[str, Any]) -> Variant:
        """The operation under these variables' conditions."""
        if self._only is not None:
            return self._only
        key = self._key(variables)
        return self._variants.get((self._mark, key)) or self.keep(key, self.compiled(key))

    def _key(self, variables: Mapping[str, Any]) -> tuple[bool, ...]:
        return tuple([bool(variables.get(name)) for name in self._conditions])

    def lacks(self, variables: Mapping[str, Any]) -> tuple[bool, ...] | None:
        """The conditions under these variables, where no variant is compiled for them; raises `Refusal` as `bind`."""
        if not self._conditions:
            return None
        key = self._key(self._coerce(variables))
        return None if (self._mark, key) in self._variants else key

    def compiled(self, key: tuple[bool, ...]) -> Variant:
        """The variant for such conditions, made anew; any thread may ask for it."""
        conditions = dict(zip(self._conditions, key, strict=True))
        fragments = {fragment.name.value: fragment for fragment in self.fragments}
        assert self._operation is not None
        return Collector(self._schema, self._catalogue, fragments, conditions).variant(self._operation)

    def keep(self, key: tuple[bool, ...], variant: Variant) -> Variant:
        """Use a variant from now on."""
        self._variants.keep((self._mark, key), variant, len(self.sent.query))
        return variant

    def bind(self, variables: Mapping[str, Any], header: Mapping[str, str] | None) -> Bound:
        """Read the variables. Raises `Refusal` for variables, declaration, identifiers or number of subjects."""
        values = self._coerce(variables)
        variant = self.variant(values)
        if not variant.roots:
            return Bound(variant, None, (), (), values, variant.selected)
        declaration = self._declaration(values, header)
        asked = tuple([Asked(root, self._subjects(root, root.identifiers(values))) for root in variant.roots])
        if len(asked) > 1:
            self._bound_copies(sum(len(one.subjects) for one in asked))
        subjects = asked[0].subjects if len(asked) == 1 and len(asked[0].subjects) == 1 else _distinct(asked)
        if len(subjects) > 1:
            self._count(subjects)
        selected = variant.selected if len(asked) == 1 else self._selected(variant, asked)
        return Bound(variant, declaration, asked, subjects, values, selected)

    def _selected(self, variant: Variant, asked: Sequence[Asked]) -> Mapping[Subject, Selected]:
        """What is asked of each subject: by the root fields that name it, and by no other."""
        places: dict[Subject, list[int]] = {}
        for place, one in enumerate(asked):
            for subject in dict.fromkeys(one.subjects):
                places.setdefault(subject, []).append(place)
        known = {tuple(range(len(asked))): variant.selected}
        found: dict[Subject, Selected] = {}
        for subject, by in places.items():
            selected = known.get(tuple(by))
            if selected is None:
                selected = known[tuple(by)] = selected_by(asked[place].root for place in by)
            found[subject] = selected
        return found

    def _coerce(self, variables: Mapping[str, Any]) -> Mapping[str, Any]:
        if self._quick is not None and len(variables) == len(self._quick):
            for name, check in self._quick:
                value = variables.get(name)
                if check is None:
                    if not (
                        type(value) is dict
                        and len(value) == 2
                        and type(value.get("value")) is str
                        and type(scheme := value.get("scheme")) is str
                        and scheme in self._catalogue.schemes
                    ):
                        break
                elif type(value) is not check:
                    break
            else:
                return variables
        for definition in self._definitions:  # before the library looks at each of its items
            value = variables.get(definition.variable.name.value)
            if self._mutates:
                bound_lists(value)
            elif type(value) is list:
                self._bound_copies(len(value))
        coerced = get_variable_values(self._schema, self._definitions, dict(variables), max_errors=5)
        if isinstance(coerced, list):
            raise refusal(Code.GRAPHQL_VARIABLES_INVALID, coerced)
        return coerced.coerced

    def _declaration(self, values: Mapping[str, Any], header: Mapping[str, str] | None) -> Declaration:
        if self._fixed is not None and header is None:
            return self._fixed
        said: dict[str, str] | None = None
        if self._declared is not None:
            said = {}
            for name, of in self._declared.items():
                if (value := of(values)) is not None:
                    said[name] = _word(value)
            if header is not None:
                for name in DECLARED:
                    if said.get(name) != header.get(name):
                        raise Refusal(Code.INQUIRY_INVALID, f"`@inquiry` and the `Inquiry` header differ on `{name}`")
        declared = header if said is None else said
        if declared is None:
            raise Refusal(
                Code.INQUIRY_REQUIRED,
                "declare the purpose: add `@inquiry(purpose: ...)` to the operation, or the `Inquiry` header",
            )
        if "purpose" not in declared:
            raise Refusal(Code.INQUIRY_REQUIRED, "the declaration names no `purpose`")
        for name, value in declared.items():
            most = LONGEST.get(name, 200)
            if name != "purpose" and not 0 < len(value.strip()) <= most:
                raise Refusal(Code.INQUIRY_INVALID, f"`{name}` must be 1 to {most:,} characters")
        get, name = declared.get, declared["purpose"]
        made = Declaration(name, get("case"), get("document"), get("consent"), get("reference"), recall=get("recall"))
        self._fixed = None if self._varies else made
        return made

    def _subjects(self, root: Root, value: Any) -> tuple[Subject, ...]:
        named = value if root.many else (value,)
        self._bound_copies(len(named))
        if root.field == "_entities":
            return tuple([self._entity(root, item) for item in named])
        (kind,) = root.selections
        return tuple([self._subject(root, kind, _word(item["scheme"]), item["value"]) for item in named])

    def _bound_copies(self, named: int) -> None:
        """Refuse to look at, and answer, so many subjects, however few they are without the copies."""
        most = _NAMED * self._limits.organisations
        if named > most:
            message = f"{named} organisations are named, copies included; at most {most} are allowed"
            raise Refusal(Code.LIMIT_EXCEEDED, message)

    def _entity(self, root: Root, item: Any) -> Subject:
        type_name = item.get("__typename") if isinstance(item, Mapping) else None
        kind = KINDS.get(type_name) if isinstance(type_name, str) else None
        if kind is None or not isinstance(item.get("scheme"), str) or not isinstance(item.get("value"), str):
            raise Refusal(
                Code.IDENTIFIER_INVALID,
                "a representation needs `__typename` (Organisation or Person), `scheme` and `value`",
                path=[root.key],
            )
        return self._subject(root, kind, item["scheme"], item["value"])

    def _subject(self, root: Root, kind: Any, scheme_name: str, value: str) -> Subject:
        scheme = self._catalogue.schemes.get(scheme_name)
        of = "an organisation" if kind == "organisation" else "a person"
        if scheme is None or kind not in scheme.subjects:
            raise Refusal(
                Code.IDENTIFIER_INVALID,
                f"the scheme `{scheme_name[:40]}` does not identify {of}",
                path=[root.key],
            )
        try:
            return Subject(kind, scheme_name, scheme.canonical(value))
        except ValueError:
            shown = value if len(value) <= 40 else value[:40] + "…"
            raise Refusal(
                Code.IDENTIFIER_INVALID,
                f"`{shown}` is not a valid {scheme.title}: check its length, characters and check digits",
                path=[root.key],
            ) from None

    def _count(self, subjects: Sequence[Subject]) -> None:
        people = sum(subject.kind == "person" for subject in subjects)
        most = self._limits.organisations
        if people and len(subjects) > 1:
            raise Refusal(Code.LIMIT_EXCEEDED, "an inquiry names at most one person, and nobody beside")
        if len(subjects) > most:
            raise Refusal(
                Code.LIMIT_EXCEEDED, f"the inquiry names {len(subjects)} organisations; at most {most} are allowed"
            )


class Planner:
    """Compiles documents against one catalogue's schema, and keeps those that are sent again."""

    def __init__(self, schema: GraphQLSchema, catalogue: Catalogue, most: bounds.Limits) -> None:
        self._schema, self._catalogue, self._limits = schema, catalogue, most
        self._costs = Costs(schema, catalogue)
        self._plans: SentAgain[Plan] = SentAgain(_brief)
        self._variants: Weighed[Variant] = Weighed()

    def plan(self, query: str, operation_name: str | None) -> Plan:
        """The compiled operation. Raises `Refusal` where the document does not parse, validate or fit the limits."""
        return self.known(query, operation_name) or self.keep(self.compiled(query, operation_name))

    def known(self, query: str, operation_name: str | None) -> Plan | None:
        """The operation, where it was compiled before."""
        return self._plans.get((query, operation_name))

    def keep(self, plan: Plan) -> Plan:
        """Use a plan for its operation from now on."""
        self._plans.keep(plan.sent, plan, len(plan.sent.query))
        return plan

    def sent_again(self) -> list[Sent]:
        """The documents that were sent again, the newest last; for the event loop's thread."""
        return [plan.sent for plan in self._plans.staying()][-READY:]

    def ready(self, several: Sequence[Sent]) -> None:
        """Compile such documents of another schema ahead, as far as they fit this one; before anybody uses it."""
        for sent in several:
            with contextlib.suppress(Refusal):
                self._plans.stay(sent, self.compiled(*sent), len(sent.query))

    def compiled(self, query: str, operation_name: str | None) -> Plan:
        """The operation, compiled anew; any thread may ask for it. Raises as `plan`."""
        try:
            document = parse(query, max_tokens=self._limits.tokens)
        except GraphQLSyntaxError as error:
            if "Parsing aborted" in error.message:  # graphql-core's words for a document over its bounds
                message = f"the document has more than {self._limits.tokens} tokens, or is nested too deeply"
                raise Refusal(Code.LIMIT_EXCEEDED, message) from None
            raise refusal(Code.GRAPHQL_PARSE_FAILED, [error]) from None
        try:
            bounds.check(document, self._limits)
            if not fits(self._schema, document) and (errors := validate(self._schema, document, max_errors=20)):
                raise refusal(Code.GRAPHQL_VALIDATION_FAILED, errors)
            self._costs.check(document)
            operation, sent = named_operation(document, operation_name), Sent(query, operation_name)
            made = Plan(self._schema, self._catalogue, document, operation, self._limits, self._variants, sent)
        except Refusal as refused:
            if asks_about_subjects(document, operation_name):
                raise RefusedAboutSubjects(refused) from None
            raise
        unlink(document)
        return made


def _brief(sent: Any) -> tuple[bytes, str | None]:
    """A document's name where only that is remembered."""
    query, operation_name = sent
    return hashlib.sha256(query.encode("utf-8", "surrogatepass")).digest(), operation_name


def _word(value: Any) -> str:
    """An enum's name as text: coercion gives the schema library's own enum members."""
    return value if type(value) is str else str(getattr(value, "value", value))


def _distinct(asked: Sequence[Asked]) -> tuple[Subject, ...]:
    return tuple(dict.fromkeys(subject for one in asked for subject in one.subjects))
