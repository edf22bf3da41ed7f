"""The GraphQL types that every catalogue shares, as the contract names them.

They are types only: what a field holds is read by its GraphQL name from the value that the gateway (or, in tests, the
reference executor) has at hand. Types that depend on a catalogue are made in `gateway.catalogue.graphql.schema`.
"""

# Annotations are no texts here: strawberry would evaluate each, two fifths of what its types take of a start.

import datetime
import decimal
import re
from typing import Any

import msgspec
import strawberry

_DATE = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}")


def _text(value: Any) -> str:
    """As the gateway renders it: text as it is, dates as msgspec writes them, decimals without an exponent."""
    if isinstance(value, decimal.Decimal):
        return format(value, "f")
    return value if isinstance(value, str) else str(msgspec.to_builtins(value))


def _decimal(value: Any) -> decimal.Decimal:
    number = decimal.Decimal(value)
    if not number.is_finite():
        raise ValueError("a Decimal is finite")
    return number


def _date(value: Any) -> datetime.date:
    if not isinstance(value, str) or _DATE.fullmatch(value) is None:
        raise ValueError("a Date is written as `2026-09-30`")
    return datetime.date.fromisoformat(value)


SCALARS: dict[object, Any] = {
    decimal.Decimal: strawberry.scalar(
        name="Decimal",
        description="A finite decimal number, as a JSON string, so that no digit is lost.",
        serialize=_text,
        parse_value=_decimal,
    ),
    datetime.date: strawberry.scalar(
        name="Date",
        description="A calendar date, `YYYY-MM-DD`.",
        serialize=_text,
        parse_value=_date,
    ),
    datetime.datetime: strawberry.scalar(
        name="DateTime",
        description="A date and time of day with its offset from UTC (RFC 3339).",
        serialize=_text,
        parse_value=datetime.datetime.fromisoformat,
    ),
}
"""How the contract's own scalars are written and read."""


@strawberry.type(description="Facts of the record itself; they come with every record and need no further permission.")
class RecordMeta:
    id: str = strawberry.field(description="The record's id in its dataset.")
    version: str = strawberry.field(description="Changes whenever the record does.")
    dataset: str = strawberry.field(description="The dataset's id in the catalogue.")
    source: str = strawberry.field(description="The department that holds the record and answers for its accuracy.")
    document: str | None = strawberry.field(description="The judgment, decision or document that the record rests on.")
    effective: datetime.date | None = strawberry.field(description="The day from which the record counts.")
    display_until: datetime.date | None = strawberry.field(
        description="The last day on which the record is shown; it may not be used after that."
    )
    disputed: bool = strawberry.field(description="Whether the subject's objection to the record is open.")
    mitigation: str | None = strawberry.field(
        description="Circumstances that the law asks to be taken into account, such as a disaster or minor fault."
    )


@strawberry.interface(description="A record of any dataset.")
class Record:
    record: RecordMeta = strawberry.field(description="Facts of the record itself.")


@strawberry.type(
    description="Whether one field of a dataset would be answered to you, for one purpose and subject kind."
)
class Permission:
    subject: str = strawberry.field(description="`organisation` or `person`.")
    dataset: str = strawberry.field(description="The dataset's id in the catalogue.")
    field: str = strawberry.field(description="The field's GraphQL name.")
    permitted: bool = strawberry.field(description="With a verified case and no consent.")
    reason: str | None = strawberry.field(description="The code of the denial.")
    rule: str | None = strawberry.field(description="The rule that decided.")
    articles: list[str] = strawberry.field(description="The articles of law that the rule rests on.")
    advice: str | None = strawberry.field(description="What you can do about a denial.")
    needs: list[str] = strawberry.field(description="What else it would take.")


@strawberry.type(description="A law that a dataset rests on.")
class Basis:
    law: str = strawberry.field(description="The law's name.")
    article: str | None = strawberry.field(description="The article of that law.")


@strawberry.type(description="How long the records of a dataset are shown.")
class Display:
    min: str | None = strawberry.field(description="The shortest display, an ISO 8601 period.")
    max: str | None = strawberry.field(description="The longest display, an ISO 8601 period.")
    from_: str = strawberry.field(name="from", description="The date of the record from which the period counts.")


@strawberry.type(description="A field of a dataset.")
class DatasetField:
    name: str = strawberry.field(description="The field's GraphQL name.")
    type: str = strawberry.field(description="The field's GraphQL type.")
    title: str = strawberry.field(description="What the field holds.")


@strawberry.type(name="Dataset", description="A published dataset: what may be asked for, and on what law it rests.")
class DatasetEntry:
    id: str = strawberry.field(description="The dataset's id.")
    title: str = strawberry.field(description="What the dataset holds.")
    department: str = strawberry.field(description="The department that holds it.")
    subjects: list[str] = strawberry.field(description="The kinds of subject it is about.")
    information: str = strawberry.field(description="`public` or `non_public`.")
    disclosure: str = strawberry.field(description="`open`, `shared` between authorities, or `authorised` inquiry.")
    nature: str = strawberry.field(description="`adverse`, `favourable` or `neutral` to the subject.")
    basis: list[Basis] = strawberry.field(description="The laws that the dataset rests on.")
    display: Display | None = strawberry.field(description="How long its records are shown, where that is limited.")
    restorable: bool = strawberry.field(description="Whether a corrected subject may apply for restoration.")
    fields: list[DatasetField] = strawberry.field(description="The fields that can be asked for.")


@strawberry.type(description="A named property of an obligation.")
class Property:
    name: str = strawberry.field(description="The property's name.")
    value: str = strawberry.field(description="The property's value.")


@strawberry.type(description="What the recipient of an answer must do with it.")
class Obligation:
    id: str = strawberry.field(description="The obligation's id.")
    type: str = strawberry.field(description="`purpose-only`, `no-onward-disclosure` or `delete-by`.")
    properties: list[Property] = strawberry.field(description="The details of the obligation.")


@strawberry.type(description="What the recipient of a record must know, selected or not.")
class Caution:
    dataset: str = strawberry.field(description="The record's dataset.")
    record: str = strawberry.field(description="The record's id.")
    disputed: bool = strawberry.field(description="Whether an objection to the record is open.")
    mitigation: str | None = strawberry.field(description="What mitigates the record, if anything does.")


@strawberry.type(description="One of your own past inquiries, as in its answer's `extensions.inquiry`.")
class InquiryReceipt:
    id: str = strawberry.field(description="The inquiry's id.")
    receipt: str = strawberry.field(description="The signed proof of the inquiry's ledger entry.")
    obligations: list[Obligation] = strawberry.field(description="What you must do with the answer.")
    cautions: list[Caution] = strawberry.field(description="The records that were disputed or had mitigation.")
    rule_set: str = strawberry.field(description="The digest of the rules that decided.")
    time: datetime.datetime = strawberry.field(description="When the inquiry was answered.")
    cursor: str = strawberry.field(description="Give it as `after` to continue after this inquiry.")
