"""The root fields of acts: what a subject sees of itself, the pages of others, and every mutation.

Which of them is served, and to whom, is decided elsewhere (`gateway.acts`, `gateway.inquiry.beside.scopes`).
"""

from __future__ import annotations

import datetime
from typing import Any

import strawberry

from gateway.catalogue.graphql import act_types as acts
from gateway.catalogue.graphql import oversight_types as oversight
from gateway.catalogue.graphql import recall_types as recalls
from gateway.catalogue.graphql.making import Argument, asked, made_type

MOST_ITEMS = 100
"""Rows that one page may have."""

_REASON = Argument(str, "Why, in plain words: at most 4,000 characters.")
_REFERENCE = Argument(
    str | None, "Makes it repeatable for 24 hours: the same again under the same reference is done once."
)
_PAPERS = Argument(list[acts.PaperInput] | None, "The papers that it rests on.")
_AFTER = Argument(str | None, "The page's `next` before.")
_STATE = Argument(acts.MatterState | None, "Only those that are so far.")
_MATTER = Argument(strawberry.ID, "The matter's id.")
_WAITS = Argument(strawberry.ID, "The id of the matter, the change or the suspension.")
_OUTCOME = Argument(acts.Outcome, "The decision.")
_DATASET = Argument(strawberry.ID, "The dataset's id in the catalogue.")
_UNTIL = Argument(datetime.date, "The last day on which it counts: at most a year from now.")
_FIELDS = Argument(list[acts.ConsentFieldsInput], "Which fields, one by one.")


def _first(count: int) -> Argument:
    return Argument(int | None, f"How many, from 1 to {MOST_ITEMS}.", count)


def queries(scheme: Any) -> dict[str, Any]:
    """The fields of `Query` that an operation asks for alone; `scheme` is the enum of identifier schemes."""
    page = {"after": _AFTER, "first": _first(20)}
    return {
        "me": asked(_me(scheme), "What is held about you, who looked, and what you did about it."),
        "matters": asked(
            acts.MatterPage,
            "What was filed with your own department; for oversight, what is overdue anywhere.",
            state=_STATE,
            **page,
        ),
        "changes": asked(
            acts.ChangePage,
            "What your own department did with its records; those that wait for a second person come first.",
            state=_STATE,
            **page,
        ),
        "consentRequests": asked(acts.ConsentRequestPage, "The consents that you asked subjects for.", **page),
        "recalls": asked(
            recalls.RecallPage,
            "What you were recalled: data to use no more, or not as it is. Oldest first, until you have done it.",
            after=_AFTER,
            first=_first(50),
        ),
        "findings": asked(
            oversight.FindingPage,
            "What the watch found, for oversight: the oldest come first.",
            state=_STATE,
            detector=Argument(str | None, "Only what this found, such as `break-glass`."),
            **page,
        ),
        "suspensions": asked(
            recalls.SuspensionPage,
            "Your own grants' suspensions; for oversight those of all. The newest come first.",
            **page,
        ),
    }


def _me(scheme: Any) -> Any:
    fields: dict[str, tuple[Any, str]] = {
        "scheme": (scheme, "The kind of your identifier."),
        "value": (str, "Your identifier, in its canonical form."),
        "datasets": (list[acts.HeldDataset], "What is held about you, in every dataset that covers your kind."),
        "consents": (list[acts.Consent], "The consents that you gave."),
        "consentRequests": (list[acts.ConsentRequest], "The consents that you are asked for."),
        "matters": (list[acts.Matter], "What you filed."),
        "optOuts": (list[acts.OptOut], "The datasets whose favourable information you may keep back."),
    }
    words = "Who looked, and what became of your records."
    history = asked(
        acts.AccessHistory,
        words,
        after=_AFTER,
        first=_first(50),
        newest=Argument(bool | None, "Whether the newest come first; otherwise the oldest do."),
        id=Argument(strawberry.ID | None, "Only the row of this id, where it is shown to you."),
    )
    with_history = strawberry.type(type("_History", (), {"accessHistory": history}))
    return made_type("Me", "The subject whose own token this is.", fields, with_history)


def mutation(purpose: Any, identifier: Any) -> Any:
    """The type `Mutation`: every act is one of its fields, and an operation has one."""
    own = {**_of_subject(purpose, identifier), **_of_requester(purpose, identifier)}
    fields = {**own, **_of_steward(identifier), **_of_recipient(), **_of_oversight()}
    return strawberry.type(
        type("Mutation", (), fields), name="Mutation", description="What can be done, one at a time."
    )


def _of_subject(purpose: Any, identifier: Any) -> dict[str, Any]:
    """What a subject does for itself, or a department's counter for a person who came there."""
    behalf = made_type(
        "OnBehalfInput",
        "The person or organisation that a department's counter acts for.",
        {
            "subject": (identifier, "Who came in person, or is represented."),
            "proof": (str, "How that was established, such as the kind and number of a document."),
        },
        is_input=True,
    )
    ends = {
        "onBehalf": Argument(behalf | None, "For whom, where a department's counter acts."),
        "reference": _REFERENCE,
    }
    record = "The record, and the version of it that you mean."
    return {
        "grantConsent": asked(
            acts.Consent,
            "Let one requester ask for these fields, for one purpose. Your sign-in must be of the last 10 minutes.",
            requester=Argument(acts.RequesterInput, "Who may ask."),
            purpose=Argument(purpose, "What for."),
            fields=_FIELDS,
            until=_UNTIL,
            request=Argument(strawberry.ID | None, "The consent request that this answers."),
            **ends,
        ),
        "revokeConsent": asked(
            acts.Consent, "Take a consent back, at once.", id=Argument(strawberry.ID, "The consent's id."), **ends
        ),
        "declineConsentRequest": asked(
            acts.ConsentRequest, "Give no consent.", id=Argument(strawberry.ID, "The request's id."), **ends
        ),
        "fileObjection": asked(
            acts.Matter,
            "Object to a record, to a look, or to what is missing in a dataset: name one of the three.",
            record=Argument(acts.RecordInput | None, record),
            access=Argument(strawberry.ID | None, "The row of your history."),
            dataset=Argument(strawberry.ID | None, "The dataset in which something is missing."),
            reason=_REASON,
            papers=_PAPERS,
            **ends,
        ),
        "applyForRestoration": asked(
            acts.Matter,
            "Apply for a record not to be shown any more, since you have made good.",
            record=Argument(acts.RecordInput, record),
            reason=_REASON,
            papers=_PAPERS,
            **ends,
        ),
        "withdrawMatter": asked(acts.Matter, "Take back what you filed.", id=_MATTER, **ends),
        "setOptOut": asked(
            acts.OptOut,
            "Keep favourable information of a dataset back, or end that.",
            dataset=_DATASET,
            optedOut=Argument(bool, "Whether it is kept back from others."),
            **ends,
        ),
    }


def _of_requester(purpose: Any, identifier: Any) -> dict[str, Any]:
    return {
        "requestConsent": asked(
            acts.ConsentRequest,
            "Ask a subject for its consent. One request per subject, department and purpose is open at a time.",
            subject=Argument(identifier, "Whom."),
            purpose=Argument(purpose, "What for."),
            fields=_FIELDS,
            until=_UNTIL,
            words=Argument(str, "Why, in words that the subject understands: at most 4,000 characters."),
            reference=_REFERENCE,
        ),
    }


def _of_steward(identifier: Any) -> dict[str, Any]:
    decide = {"id": _MATTER, "outcome": _OUTCOME, "reason": _REASON, "reference": _REFERENCE}
    return {
        "reportChange": asked(
            acts.Change,
            "Report what became of a record of your own department.",
            subject=Argument(identifier, "Whom the record is about."),
            record=Argument(acts.RecordInput, "The record, and the version of it that changed."),
            event=Argument(acts.ReportedEvent, "What became of it."),
            newVersion=Argument(str | None, "Its version since, where it was corrected."),
            reason=_REASON,
            reference=_REFERENCE,
        ),
        "decideObjection": asked(acts.Matter, "Decide an objection.", **decide),
        "decideRestoration": asked(
            acts.Matter,
            "Decide an application for restoration; a second steward confirms one that is upheld.",
            **decide,
        ),
        "confirm": asked(
            recalls.Confirmed,
            "Confirm, as the second person, what another one reported or decided.",
            id=_WAITS,
            reference=_REFERENCE,
        ),
        "decline": asked(
            recalls.Confirmed,
            "Turn down what waits for a second person, or take your own part of it back. A change never counts then; an"
            " application for restoration is open again.",
            id=_WAITS,
            reason=_REASON,
            reference=_REFERENCE,
        ),
    }


def _of_recipient() -> dict[str, Any]:
    answer = {
        "outcome": Argument(recalls.AcknowledgementOutcome, "What you did."),
        "reason": Argument(str | None, "Where you refuse, the law that this rests on; else anything to be added."),
        "reference": _REFERENCE,
    }
    return {
        "acknowledgeRecall": asked(
            recalls.Recall,
            "Answer a recall. Twice is once; names, or a law, that were not given before are added.",
            id=Argument(strawberry.ID, "The recall's id."),
            passedOnTo=Argument(list[str] | None, "To whom you had passed the records on."),
            **answer,
        ),
        "acknowledgeRecalls": asked(
            list[recalls.Recall],
            f"Answer up to {MOST_ITEMS} recalls alike: all of them, or none.",
            ids=Argument(list[strawberry.ID], "The recalls' ids."),
            **answer,
        ),
        "attestDeletion": asked(
            bool,
            "Report that you deleted all that was due by then; this also answers recalls of it as applied.",
            until=Argument(datetime.date, "The last day by which it was to be deleted: today at the latest."),
            reference=_REFERENCE,
        ),
    }


def _of_oversight() -> dict[str, Any]:
    finding = Argument(strawberry.ID, "The finding's id.")
    return {
        "openFinding": asked(
            oversight.Opened,
            "See the inquiries behind a finding; that you do is entered before you see any.",
            id=finding,
            reason=_REASON,
            reference=_REFERENCE,
        ),
        "endReview": asked(
            oversight.Finding,
            "End the review of a finding; nobody does of their own inquiries. Your sign-in must be of the last 10"
            " minutes.",
            id=finding,
            verdict=Argument(oversight.Verdict, "What the inquiries were."),
            reason=_REASON,
            reference=_REFERENCE,
        ),
        "endSuspension": asked(
            recalls.Suspension,
            "End a suspension although the recall is not answered; a second person of oversight confirms it.",
            id=Argument(strawberry.ID, "The suspension's id."),
            reason=_REASON,
            reference=_REFERENCE,
        ),
    }
