"""The GraphQL schema, generated from the published catalogue, as the contract fixes it. Federation v2.

A dataset that is not published is nowhere in it: not as a type, a field, an enum value or a description. Descriptions
carry title, legal basis, disclosure, nature and display, so that a client's editor shows them.

The schema parses, validates and introspects. Who gets what is decided and rendered elsewhere; here every field just
reads its own GraphQL name from the value above it (a mapping or an object, values may be functions of the arguments),
which makes graphql-core's executor over it the reference that the compiled projection is tested against. Only
`catalogue` and `_service` answer by themselves. Spec: GraphQL October 2021; Apollo Federation 2.
"""

from __future__ import annotations

import datetime
import decimal
import functools
from collections.abc import Mapping
from typing import Any

import strawberry.federation
from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    default_field_resolver,
    is_introspection_type,
)
from strawberry.directive import DirectiveLocation
from strawberry.federation.schema_directives import Key
from strawberry.federation.types import FieldSet
from strawberry.schema.config import StrawberryConfig

from connectors.base import FieldType, SubjectKind
from gateway.catalogue.describe import about, describe_dataset, describe_field
from gateway.catalogue.graphql import shared_types as shared
from gateway.catalogue.graphql.act_fields import MOST_ITEMS, mutation, queries
from gateway.catalogue.graphql.making import Argument, asked, declared, list_of, made_enum, made_type
from gateway.catalogue.model import Catalogue, Dataset

TYPE_NAMES: Mapping[SubjectKind, str] = {"organisation": "Organisation", "person": "Person"}
"""The GraphQL type of each kind of subject."""

_PYTHON: Mapping[FieldType, Any] = {
    FieldType.STRING: str,
    FieldType.INT: int,
    FieldType.BOOLEAN: bool,
    FieldType.DECIMAL: decimal.Decimal,
    FieldType.DATE: datetime.date,
    FieldType.DATETIME: datetime.datetime,
}


def build_schema(catalogue: Catalogue, purposes: Mapping[str, str]) -> strawberry.federation.Schema:
    """The schema of the published datasets; `purposes` gives each purpose's name and description.

    Raises `ValueError` where there is no purpose or no identifier scheme: nothing could be asked then.
    """
    if not purposes or not catalogue.schemes:
        raise ValueError("a schema needs at least one purpose and one identifier scheme")
    purpose = made_enum("Purpose", "A registered reason to ask.", purposes)
    scheme = made_enum(
        "IdentifierScheme", "A kind of identifier.", {name: entry.title for name, entry in catalogue.schemes.items()}
    )
    identifier = made_type(
        "IdentifierInput",
        "Names one subject.",
        {
            "scheme": (scheme, "The kind of identifier."),
            "value": (str, "The identifier; spelled in its scheme's canonical form in answers."),
        },
        is_input=True,
    )
    records = {dataset.id: _record(dataset) for dataset in catalogue.published.values() if dataset.shape == "list"}
    organisation, person = (_subject(catalogue, kind, scheme, records) for kind in TYPE_NAMES)
    schema = strawberry.federation.Schema(
        query=_query(purpose, scheme, identifier, organisation, person),
        mutation=mutation(purpose, identifier),
        types=[shared.Record, organisation, person, *records.values()],
        directives=[_inquiry(purpose)],
        config=StrawberryConfig(scalar_map=shared.SCALARS),
        federation_version="2.0",
    )
    _plain(core(schema), catalogue_rows(catalogue), functools.cache(schema.as_str))
    return schema


def core(schema: strawberry.federation.Schema) -> GraphQLSchema:
    """The graphql-core schema inside: what documents are validated and executed against."""
    return schema._schema


def described(schema: GraphQLSchema, purposes: Mapping[str, str]) -> str:
    """The definition of a schema of `build_schema`, as it would be with these descriptions of the same purposes.

    The schema has them for a moment: nobody else may read it meanwhile.
    """
    kind = schema.type_map["Purpose"]
    assert isinstance(kind, GraphQLEnumType)
    own = {name: value.description for name, value in kind.values.items()}
    try:
        for name, description in purposes.items():
            kind.values[name].description = description
        made: strawberry.federation.Schema = schema._strawberry_schema  # type: ignore[attr-defined]
        return made.as_str()
    finally:
        for name, value in kind.values.items():
            value.description = own[name]


def catalogue_rows(catalogue: Catalogue) -> list[dict[str, Any]]:
    """What `catalogue` answers: a row for every published dataset, by GraphQL names."""
    return [
        {
            "id": dataset.id,
            "title": dataset.title,
            "department": dataset.department,
            "subjects": list(dataset.subjects),
            "information": dataset.information,
            "disclosure": dataset.disclosure,
            "nature": dataset.nature,
            "basis": [{"law": basis.law, "article": basis.article} for basis in dataset.basis],
            "display": dataset.display
            and {
                "min": dataset.display.min and dataset.display.min.text,
                "max": dataset.display.max and dataset.display.max.text,
                "from": dataset.display.counted_from,
            },
            "restorable": dataset.restorable,
            "fields": [
                {"name": field.name, "type": str(field.type), "title": field.title} for field in dataset.fields.values()
            ],
        }
        for dataset in catalogue.published.values()
    ]


def _record(dataset: Dataset) -> Any:
    fields = {field.name: (_PYTHON[field.type] | None, describe_field(field)) for field in dataset.fields.values()}
    return made_type(dataset.type_name, describe_dataset(dataset), fields, shared.Record)


def _subject(catalogue: Catalogue, kind: SubjectKind, scheme: Any, records: Mapping[str, Any]) -> Any:
    fields: dict[str, tuple[Any, str]] = {
        "scheme": (scheme, "The kind of identifier that was asked with."),
        "value": (str, "The identifier that was asked with, in its canonical form."),
    }
    for dataset in catalogue.published.values():
        if kind not in dataset.subjects:
            continue
        if dataset.shape == "list":
            fields[dataset.graphql_name] = (list_of(records[dataset.id]) | None, describe_dataset(dataset))
        else:
            for field in dataset.fields.values():
                fields[field.name] = (_PYTHON[field.type] | None, f"{describe_field(field)}\n\n{about(dataset)}")
    description = f"The {kind} that an identifier names, known to any department or not."
    return made_type(TYPE_NAMES[kind], description, fields, directives=[Key(fields=FieldSet("scheme value"))])


def _query(purpose: Any, scheme: Any, identifier: Any, organisation: Any, person: Any) -> Any:
    one = Argument(identifier, "Which one.")
    fields = {
        "organisation": asked(organisation, "One organisation; never null.", id=one),
        "organisations": asked(
            list_of(organisation),
            "Organisations, in the order of `ids`.",
            ids=Argument(list_of(identifier), "Which ones."),
        ),
        "person": asked(person, "One person; never null.", id=one),
        "permissions": asked(
            list[shared.Permission],
            "What your own grants and token allow for a purpose.",
            purpose=Argument(purpose, "The purpose."),
        ),
        "catalogue": asked(list[shared.DatasetEntry], "The published catalogue."),
        "receipts": asked(
            list[shared.InquiryReceipt],
            "Your own past inquiries, oldest first: `first` of them (default: 20), behind the cursor `after`.",
            after=Argument(str | None, "The cursor of the last one that you have."),
            first=Argument(int | None, f"How many, from 1 to {MOST_ITEMS}."),
        ),
        **queries(scheme),
    }
    return strawberry.type(type("Query", (), fields), name="Query", description="What can be asked.")


def _inquiry(purpose: Any) -> Any:
    def inquiry(**given: Any) -> None:
        """Only says which arguments there are: the gateway reads the directive when it plans an operation."""

    arguments = {
        "purpose": Argument(purpose, "The purpose."),
        "case": Argument(str | None, "The case, as its registry has it; mandatory where the purpose needs one."),
        "document": Argument(str | None, "The paper that orders the inquiry; recorded, and not verified."),
        "consent": Argument(strawberry.ID | None, "Of the subject's consents only this one counts."),
        "reference": Argument(str | None, "Your own mark: the same question under it counts once in 10 minutes."),
        "recall": Argument(
            strawberry.ID | None,
            "The recall whose correction is fetched, at most ten times within a day; without a case.",
        ),
    }
    return strawberry.directive(
        locations=[DirectiveLocation.QUERY],
        name="inquiry",
        description="Declares what the operation is for. Exactly one on an operation that asks about subjects.",
    )(declared(inquiry, str, arguments))


def _plain(schema: GraphQLSchema, rows: list[dict[str, Any]], sdl: Any) -> None:
    """Give every field graphql-core's default resolver, and tell abstract types apart by `__typename`."""
    for type_ in schema.type_map.values():
        if is_introspection_type(type_):
            continue
        if isinstance(type_, GraphQLInterfaceType | GraphQLUnionType):
            type_.resolve_type = None
        if isinstance(type_, GraphQLObjectType):
            type_.is_type_of = None
            for field in type_.fields.values():
                field.resolve = default_field_resolver
    query: Mapping[str, GraphQLField] = schema.query_type.fields if schema.query_type else {}
    query["catalogue"].resolve = lambda _root, _info: rows
    query["_service"].resolve = lambda _root, _info: {"sdl": sdl()}
