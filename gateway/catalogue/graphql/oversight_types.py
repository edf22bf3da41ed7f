"""The GraphQL types of oversight: what the watch found, the inquiries behind it, and a person's verdict on them.

As the contract names them. They are types only, as those of `act_types`.
"""

# Annotations are no texts here: strawberry would evaluate each, two fifths of what its types take of a start.

import datetime
import enum

import strawberry

from gateway.catalogue.graphql.act_types import Access, MatterState
from gateway.catalogue.graphql.making import described


@described(
    "What a person found the inquiries behind a finding to be.",
    {
        "PROPER": "A duty stands behind every one of them.",
        "IMPROPER": "No duty stands behind some of them.",
        "UNCLEAR": "It can no longer be determined.",
    },
)
class Verdict(enum.StrEnum):
    PROPER = "PROPER"
    IMPROPER = "IMPROPER"
    UNCLEAR = "UNCLEAR"


@strawberry.type(description="What the watch found: inquiries that somebody has to look at. It is about no subject.")
class Finding:
    id: strawberry.ID = strawberry.field(description="The finding's id.")
    detector: str = strawberry.field(description="What found it.")
    words: str = strawberry.field(description="What was found.")
    purpose: str = strawberry.field(description="What its inquiries were for.")
    article: str = strawberry.field(description="The article that it rests on.")
    inquiries: int = strawberry.field(description="How many inquiries are behind it.")
    found: datetime.datetime = strawberry.field(description="When its last inquiry was made.")
    due: datetime.date | None = strawberry.field(description="The last day of its review, where it has one.")
    department: str = strawberry.field(description="The department whose inquiries they are.")
    state: MatterState = strawberry.field(description="Open, or decided.")
    verdict: str | None = strawberry.field(description="What they were found to be.")
    decided: datetime.datetime | None = strawberry.field(description="When they were.")
    by: str | None = strawberry.field(description="Who found them so.")
    because: str | None = strawberry.field(description="Why.")


@strawberry.type(description="A page of findings.")
class FindingPage:
    items: list[Finding] = strawberry.field(description="The findings, oldest first.")
    next: str | None = strawberry.field(description="Give it as `after` to go on; null at the end.")


@strawberry.type(description="A finding that was opened: that somebody looks is entered before anything is.")
class Opened:
    finding: Finding = strawberry.field(description="The finding.")
    inquiries: list[Access] = strawberry.field(
        description="What was asked and disclosed, a row for each subject; what was erased has none."
    )
