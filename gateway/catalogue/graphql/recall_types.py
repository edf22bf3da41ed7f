"""The GraphQL types of recalls: what a recipient is notified of, what it answers, and what follows where it does not.

As the contract names them. They are types only, as those of `act_types`.
"""

# Annotations are no texts here: strawberry would evaluate each, two fifths of what its types take of a start.

import datetime
import enum
from typing import Annotated

import strawberry

from gateway.catalogue.graphql.act_types import Change, Matter, MatterState, RequesterName
from gateway.catalogue.graphql.making import described

_NEXT = "Give it as `after` to go on; null at the end."


@described(
    "What a recipient has to do with the records that it received.",
    {
        "DELETE": "Use them no more, and delete them.",
        "UPDATE": "Fetch them anew, by `@inquiry(purpose:, recall:)`, and use the version before no more.",
        "MARK_DISPUTED": "Mark them as disputed, and use them with that in mind.",
        "CLEAR_DISPUTED": "Take that mark away.",
    },
)
class RecallAction(enum.StrEnum):
    DELETE = "DELETE"
    UPDATE = "UPDATE"
    MARK_DISPUTED = "MARK_DISPUTED"
    CLEAR_DISPUTED = "CLEAR_DISPUTED"


@described(
    "How far a recall is.",
    {
        "OPEN": "It waits for the recipient.",
        "ACKNOWLEDGED": "The recipient answered. One that was refused can still be applied.",
        "OVERDUE": "Its term is over, and the recipient has not applied it.",
    },
)
class RecallState(enum.StrEnum):
    OPEN = "OPEN"
    ACKNOWLEDGED = "ACKNOWLEDGED"
    OVERDUE = "OVERDUE"


@described(
    "What a recipient answers to a recall.",
    {
        "APPLIED": "It did what the recall asks for.",
        "PASSED_ON": "It did, and had passed the records on, to those that it names.",
        "REFUSED": "It does not: the reason names the law that it rests on. Oversight is notified, and the term"
        " continues.",
    },
)
class AcknowledgementOutcome(enum.StrEnum):
    APPLIED = "APPLIED"
    PASSED_ON = "PASSED_ON"
    REFUSED = "REFUSED"


@strawberry.type(description="A version of a record that the recipient received.")
class RecalledRecord:
    dataset: str = strawberry.field(description="The dataset's id in the catalogue.")
    record: str = strawberry.field(description="The record's id in its dataset.")
    version: str = strawberry.field(description="The version that was received.")
    fields: list[str] = strawberry.field(description="The fields that were.")


@strawberry.type(description="A recipient is notified that it may no longer use what it received, or not as it is.")
class Recall:
    id: strawberry.ID = strawberry.field(description="The recall's id, as `@inquiry` takes it; it opens nothing.")
    sequence: int = strawberry.field(description="Its number among the recipient's.")
    at: datetime.datetime = strawberry.field(description="When it was made.")
    inquiry: strawberry.ID = strawberry.field(description="The id of the inquiry whose answer had the records.")
    scheme: str = strawberry.field(description="The kind of the subject's identifier.")
    value: str = strawberry.field(description="The subject's identifier.")
    records: list[RecalledRecord] = strawberry.field(description="The records that it is about.")
    action: RecallAction = strawberry.field(description="What is to be done.")
    due: datetime.datetime = strawberry.field(description="By when it is to be answered.")
    state: RecallState = strawberry.field(description="How far it is.")
    outcome: AcknowledgementOutcome | None = strawberry.field(description="What the recipient answered.")


@strawberry.type(description="A page of recalls.")
class RecallPage:
    items: list[Recall] = strawberry.field(description="The recalls.")
    next: str | None = strawberry.field(description=_NEXT)


@strawberry.type(description="A grant is inactive for one dataset, until a recall that was not answered is.")
class Suspension:
    id: strawberry.ID = strawberry.field(description="The suspension's id; it opens nothing.")
    requester: RequesterName = strawberry.field(description="Whose grant it is.")
    purpose: str = strawberry.field(description="The grant's purpose.")
    dataset: str = strawberry.field(description="The dataset's id in the catalogue.")
    since: datetime.datetime = strawberry.field(description="Since when.")
    recall: strawberry.ID = strawberry.field(description="The recall that is to be answered first.")
    ended: datetime.datetime | None = strawberry.field(description="When it ended.")
    state: MatterState = strawberry.field(
        description="`OPEN`; `AWAITS_CONFIRMATION` of its end by a second person of oversight; `DECIDED` once it ended."
    )
    because: str | None = strawberry.field(description="For oversight: why its end is asked for.")


@strawberry.type(description="A page of suspensions.")
class SuspensionPage:
    items: list[Suspension] = strawberry.field(description="The suspensions.")
    next: str | None = strawberry.field(description=_NEXT)


Confirmed = Annotated[
    Change | Matter | Suspension,
    strawberry.union("Confirmed", description="What a second person confirmed or declined."),
]
