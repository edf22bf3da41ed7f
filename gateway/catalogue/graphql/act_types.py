"""The GraphQL types of what people do: a subject, a requester, a steward. As the contract names them.

They are types only, as those of `shared_types`. What depends on a catalogue is made in `act_fields`.
"""

# Annotations are no texts here: strawberry would evaluate each, two fifths of what its types take of a start.

import datetime
import enum

import strawberry

from gateway.catalogue.graphql.making import described
from gateway.catalogue.graphql.shared_types import Basis, DatasetEntry, RecordMeta

_NEXT = "Give it as `after` to continue; null at the end."


@described(
    "What a row of a subject's history records.",
    {
        "INQUIRY": "An inquiry that was answered.",
        "REFUSAL": "An inquiry that was refused.",
        "VIEW": "A look into the ledger.",
        "CHANGE": "A change of a record.",
        "RECALL": "A past recipient was notified of a change.",
        "OWN": "A look of the subject's own, or what a department's counter did for it.",
    },
)
class AccessKind(enum.StrEnum):
    INQUIRY = "INQUIRY"
    REFUSAL = "REFUSAL"
    VIEW = "VIEW"
    CHANGE = "CHANGE"
    RECALL = "RECALL"
    OWN = "OWN"


@described(
    "What a subject files with the department that holds a record.",
    {
        "OBJECTION": "The subject objects to a record, to its absence, or to a look.",
        "RESTORATION": "The subject applies for the restoration of a record that it has made good.",
    },
)
class MatterKind(enum.StrEnum):
    OBJECTION = "OBJECTION"
    RESTORATION = "RESTORATION"


@described(
    "How a steward decided.",
    {
        "UPHELD": "As it was asked: a record stays disputed until it is corrected; one to be restored is hidden once a"
        " second steward confirms it.",
        "PARTLY": "In part as it was asked. The whole record is treated as with `UPHELD`. The reason names the part"
        " that is right; the subject is informed of its remedy.",
        "REFUSED": "Not as it was asked; the subject is informed of its remedy.",
    },
)
class Outcome(enum.StrEnum):
    UPHELD = "UPHELD"
    PARTLY = "PARTLY"
    REFUSED = "REFUSED"


@described(
    "How far a matter, a consent request or a change is.",
    {
        "OPEN": "It waits for an answer.",
        "AWAITS_CONFIRMATION": "It waits for a second person.",
        "DECIDED": "It is decided, or done.",
        "WITHDRAWN": "Whoever filed it took it back.",
        "GRANTED": "The subject gave the consent.",
        "DECLINED": "The subject did not give the consent, or did not in time; or a steward turned the change down.",
    },
)
class MatterState(enum.StrEnum):
    OPEN = "OPEN"
    AWAITS_CONFIRMATION = "AWAITS_CONFIRMATION"
    DECIDED = "DECIDED"
    WITHDRAWN = "WITHDRAWN"
    GRANTED = "GRANTED"
    DECLINED = "DECLINED"


@described(
    "What became of a record.",
    {
        "CORRECTED": "Its content was corrected: it has a new version.",
        "WITHDRAWN": "It is not shown any more.",
        "RESTORED": "It is not shown any more, since the subject has made good.",
        "EXPIRED": "Its display ended.",
        "REINSTATED": "It is shown again.",
    },
)
class ChangeEvent(enum.StrEnum):
    CORRECTED = "CORRECTED"
    WITHDRAWN = "WITHDRAWN"
    RESTORED = "RESTORED"
    EXPIRED = "EXPIRED"
    REINSTATED = "REINSTATED"


@described(
    "What a department may report of its record.",
    {
        "CORRECTED": "Its content was corrected: it has a new version.",
        "WITHDRAWN": "It is not to be shown any more.",
        "REINSTATED": "It is to be shown again.",
    },
)
class ReportedEvent(enum.StrEnum):
    CORRECTED = "CORRECTED"
    WITHDRAWN = "WITHDRAWN"
    REINSTATED = "REINSTATED"


@strawberry.type(description="A paper that a matter rests on; the steward reads it at its issuer.")
class Paper:
    issuer: str = strawberry.field(description="Who issued it.")
    number: str = strawberry.field(description="Its number there.")
    date: datetime.date | None = strawberry.field(description="Its date.")


@strawberry.type(description="One row of a subject's history: who looked, or what became of a record.")
class Access:
    id: strawberry.ID = strawberry.field(description="The row's id, as `fileObjection` takes it; it opens nothing.")
    at: datetime.datetime = strawberry.field(description="When it was.")
    what: AccessKind = strawberry.field(description="What it was.")
    department: str = strawberry.field(description="Whose doing it was.")
    purpose: str | None = strawberry.field(description="What it was for.")
    title: str | None = strawberry.field(description="What that purpose is called.")
    basis: list[Basis] = strawberry.field(description="The laws that it rested on.")
    for_case: bool = strawberry.field(description="Whether it was for a case.")
    fields: list[str] = strawberry.field(description="The fields that were disclosed, as `tax-arrears.amount`.")
    records: list[str] = strawberry.field(description="The records that were disclosed.")
    outcome: str = strawberry.field(description="How it ended, in words.")
    told: list[str] = strawberry.field(description="What else there is to know of it, in words.")


@strawberry.type(description="What a subject, or somebody for it, filed with a department.")
class Matter:
    id: strawberry.ID = strawberry.field(description="The matter's id; it opens nothing.")
    kind: MatterKind = strawberry.field(description="What was filed.")
    state: MatterState = strawberry.field(description="How far it is.")
    scheme: str = strawberry.field(description="The kind of the subject's identifier.")
    value: str = strawberry.field(description="The subject's identifier.")
    dataset: str | None = strawberry.field(description="The dataset's id in the catalogue.")
    record: str | None = strawberry.field(description="The record's id in its dataset.")
    version: str | None = strawberry.field(description="The version of the record that it is about.")
    access: strawberry.ID | None = strawberry.field(description="The row of the subject's history that it is about.")
    look: Access | None = strawberry.field(description="That row, as its subject is shown it now.")
    filed: datetime.datetime = strawberry.field(description="When it was filed.")
    filed_by: str | None = strawberry.field(description="Who filed it for the subject, where somebody did.")
    papers: list[Paper] = strawberry.field(description="The papers that it names.")
    due: datetime.date = strawberry.field(description="The last day to decide it.")
    provisional: bool = strawberry.field(description="Whether `due` may become earlier: holidays are not known so far.")
    correct_by: datetime.date | None = strawberry.field(
        description="The last day to correct the record, of an objection that was upheld; null once that is done."
    )
    overdue: bool = strawberry.field(description="Whether that day has passed without a decision.")
    reason: str = strawberry.field(description="Why it was filed, in the words of whoever did.")
    outcome: Outcome | None = strawberry.field(description="How it was decided.")
    decided: datetime.datetime | None = strawberry.field(description="When it was decided.")
    because: str | None = strawberry.field(
        description="Why it was decided so; to stewards, of an open one, why its confirmation was declined."
    )
    remedy: str | None = strawberry.field(description="What the subject can do about the decision.")


@strawberry.type(description="A page of matters.")
class MatterPage:
    items: list[Matter] = strawberry.field(description="The matters.")
    next: str | None = strawberry.field(description=_NEXT)


@strawberry.type(description="What a department did with a record, and why.")
class Change:
    id: strawberry.ID = strawberry.field(description="The change's id; it opens nothing.")
    state: MatterState = strawberry.field(description="Whether it counts, waits for a second person, or was declined.")
    event: ChangeEvent = strawberry.field(description="What became of the record.")
    scheme: str = strawberry.field(description="The kind of the subject's identifier.")
    value: str = strawberry.field(description="The subject's identifier.")
    dataset: str = strawberry.field(description="The dataset's id in the catalogue.")
    record: str = strawberry.field(description="The record's id in its dataset.")
    version: str | None = strawberry.field(description="The version that changed.")
    newVersion: str | None = strawberry.field(description="The version since, of a corrected record.")
    at: datetime.datetime = strawberry.field(description="When it was reported.")
    reason: str = strawberry.field(description="Why.")
    because: str | None = strawberry.field(description="Why it was declined, where it was.")


@strawberry.type(description="A page of changes.")
class ChangePage:
    items: list[Change] = strawberry.field(description="The changes.")
    next: str | None = strawberry.field(description=_NEXT)


@strawberry.type(description="The client system of a department.")
class RequesterName:
    issuer: str = strawberry.field(description="The issuer of its tokens.")
    client: str = strawberry.field(description="Its client id there.")
    department: str = strawberry.field(description="The department that it belongs to.")


@strawberry.type(description="Fields of one dataset.")
class ConsentFields:
    dataset: str = strawberry.field(description="The dataset's id in the catalogue.")
    fields: list[str] = strawberry.field(description="The fields' GraphQL names.")


@strawberry.type(description="What a subject agreed to, field by field, for one requester and one purpose.")
class Consent:
    id: strawberry.ID = strawberry.field(description="The consent's id, as `@inquiry` takes it; it opens nothing.")
    requester: RequesterName = strawberry.field(description="Who may ask.")
    title: str = strawberry.field(description="What the requester is called.")
    purpose: str = strawberry.field(description="What for.")
    fields: list[ConsentFields] = strawberry.field(description="Which fields, and no others.")
    until: datetime.date = strawberry.field(description="The last day on which it counts.")
    given: datetime.datetime = strawberry.field(description="When it was given.")
    revoked: datetime.datetime | None = strawberry.field(description="When it was revoked; it does not count since.")


@strawberry.type(description="A requester asks a subject for its consent.")
class ConsentRequest:
    id: strawberry.ID = strawberry.field(description="The request's id; it opens nothing.")
    requester: RequesterName = strawberry.field(description="Who asks.")
    title: str = strawberry.field(description="What the requester is called.")
    purpose: str = strawberry.field(description="What for.")
    fields: list[ConsentFields] = strawberry.field(description="Which fields it asks for.")
    until: datetime.date = strawberry.field(description="The last day on which the consent would count.")
    words: str = strawberry.field(description="Why, in the requester's plain words.")
    state: MatterState = strawberry.field(description="How far it is.")


@strawberry.type(description="A page of consent requests.")
class ConsentRequestPage:
    items: list[ConsentRequest] = strawberry.field(description="The requests.")
    next: str | None = strawberry.field(description=_NEXT)


@strawberry.type(description="Whether a subject keeps favourable information of one dataset back.")
class OptOut:
    dataset: str = strawberry.field(description="The dataset's id in the catalogue.")
    opted_out: bool = strawberry.field(description="Whether it is kept back from others.")
    since: datetime.datetime | None = strawberry.field(description="Since when.")


@strawberry.type(description="One value of a record.")
class HeldValue:
    field: str = strawberry.field(description="The field's GraphQL name.")
    title: str = strawberry.field(description="What the field holds.")
    value: str | None = strawberry.field(description="The value as text.")


@strawberry.type(description="A record about the subject, shown to others or not.")
class HeldRecord:
    record: RecordMeta = strawberry.field(description="Facts of the record itself.")
    values: list[HeldValue] = strawberry.field(description="Its values.")
    withheld_from_others: list[str] = strawberry.field(description="Why others are not shown it; empty where they are.")
    changes: list[Change] = strawberry.field(description="What became of it, and why.")
    restorable_from: datetime.date | None = strawberry.field(
        description="The day from which its restoration can be applied for; null where it never can."
    )


@strawberry.type(description="What is held about the subject in one dataset.")
class HeldDataset:
    dataset: DatasetEntry = strawberry.field(description="The dataset, and the laws that it rests on.")
    available: bool = strawberry.field(description="Whether the department could be had; if not, ask again later.")
    records: list[HeldRecord] | None = strawberry.field(
        description="The records; null where the department is out of reach."
    )


@strawberry.type(description="A page of a subject's history.")
class AccessHistory:
    items: list[Access] = strawberry.field(description="The rows.")
    next: str | None = strawberry.field(description=_NEXT)
    note: str = strawberry.field(description="What is disclosed later, or not here.")
    complete_until: datetime.datetime = strawberry.field(description="Up to when nothing is missing.")


@strawberry.input(description="Names the client system of a department.")
class RequesterInput:
    issuer: str = strawberry.field(description="The issuer of its tokens.")
    client: str = strawberry.field(description="Its client id there.")


@strawberry.input(description="Names a record.")
class RecordInput:
    dataset: strawberry.ID = strawberry.field(description="The dataset's id in the catalogue.")
    record: strawberry.ID = strawberry.field(description="The record's id in its dataset.")
    version: str | None = strawberry.field(description="The version that you mean.", default=strawberry.UNSET)


@strawberry.input(description="Names a paper; it is read at its issuer, not sent.")
class PaperInput:
    issuer: str = strawberry.field(description="Who issued it.")
    number: str = strawberry.field(description="Its number there.")
    date: datetime.date | None = strawberry.field(description="Its date.", default=strawberry.UNSET)


@strawberry.input(description="Names fields of one dataset.")
class ConsentFieldsInput:
    dataset: strawberry.ID = strawberry.field(description="The dataset's id in the catalogue.")
    fields: list[str] = strawberry.field(description="The fields' GraphQL names.")
