"""The values that pass between the steps of an inquiry. Pure: no I/O, no clock, no randomness."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from connectors.base import Failure, Record, Subject, SubjectKind
from gateway.ledger.entry.entries import Duty, Notice
from gateway.rules.model import Cell, Flag, Grant
from gateway.storage.subjects.kinds import SubjectFacts


class Narrowing(msgspec.Struct, frozen=True):
    """One RFC 9396 `authorization_details` entry of type `subject-inquiry`; `None` leaves that part open."""

    purpose: str | None = None
    case: str | None = None
    datasets: frozenset[str] | None = None
    identifier: tuple[str, str] | None = None


class Requester(msgspec.Struct, frozen=True):
    """Who asks: a registered client and the official behind it, as in the token; who is allowed what comes later.

    `expires` is in seconds since the epoch. `scopes` are the token's. `acr` is the RFC 9470 class, where given.
    `actors` acted before the outermost one (RFC 8693), the latest first: they decide nothing, and oversight is told.
    `scheme` is the one of HTTP authentication that the token came by. `auth_time` is when its human signed in, in
    seconds since the epoch. `person` is that human, by the issuer's `person_claim`; where it has none, by the `sub` of
    a subject's own token.
    `department`, `roles`, `grants`, `registry` and `reports_changes` come from the rule set in force; empty for an
    unregistered client.
    """

    issuer: str
    client: str
    official: str | None
    scopes: frozenset[str]
    expires: float
    department: str = ""
    roles: frozenset[str] = frozenset()
    grants: tuple[Grant, ...] = ()
    registry: str | None = None
    acr: str | None = None
    narrowing: tuple[Narrowing, ...] = ()
    identifier: tuple[str, str] | None = None
    actors: tuple[str, ...] = ()
    scheme: str = "Bearer"
    reports_changes: bool = False
    auth_time: float | None = None
    person: str | None = None

    @property
    def who(self) -> tuple[str, str]:
        """Whose share of the gateway it uses, and whose past inquiries it sees: the client, at its issuer."""
        return self.issuer, self.client

    @property
    def is_subject(self) -> bool:
        """Whether this is a subject's own token, whatever else it opens."""
        return "self" in self.scopes

    @property
    def people(self) -> frozenset[tuple[str, str]]:
        """Each name, at its issuer, of the human behind it. Two that share one are one human; one without is nobody."""
        return frozenset((self.issuer, name) for name in (self.official, self.person) if name is not None)

    def signed_in(self, since: float) -> bool:
        """Whether its human is known to have signed in at that moment or later, in seconds since the epoch."""
        return self.auth_time is not None and self.auth_time >= since


class Declaration(msgspec.Struct, frozen=True):
    """What the operation declares, by `@inquiry` or the `Inquiry` header.

    `request` tells a retry from another question under the same reference; empty without one.
    """

    purpose: str
    case: str | None = None
    document: str | None = None
    consent: str | None = None
    reference: str | None = None
    request: bytes = b""
    recall: str | None = None


class Facts(msgspec.Struct, frozen=True):
    """One snapshot for the named subjects, read after the request arrived, with its change number.

    `break_glass`: the purpose is an emergency's, and the requester may use it now. `suspended` has the purposes and
    datasets for which the requester's grant is suspended, and the recall that it has to answer first. `epoch` is that
    of the rule set that was active in the snapshot.
    """

    change: int
    subjects: Mapping[Subject, SubjectFacts]
    break_glass: bool = False
    suspended: Mapping[tuple[str, str], str] = {}
    epoch: int = 0

    def settled(self, *, case_verified: bool, break_glass: bool) -> Facts:
        """These facts, with what their store does not know of the inquiry itself."""
        if not case_verified and not break_glass:
            return self
        subjects = self.subjects
        if case_verified:
            subjects = {each: msgspec.structs.replace(known, case_verified=True) for each, known in subjects.items()}
        return Facts(self.change, subjects, break_glass, self.suspended, self.epoch)


class Wanted(NamedTuple):
    """What an operation selects of one dataset: catalogue fields, and whether `record` or `__typename` too (`bare`)."""

    fields: frozenset[str]
    bare: bool


class Selected(msgspec.Struct, frozen=True, eq=False):
    """All that an operation selects, per subject kind and dataset, over schema coordinates; hashed by identity."""

    kinds: Mapping[SubjectKind, Mapping[str, Wanted]]


class Permit(NamedTuple):
    """Leave to fetch the named fields (sorted) of one dataset for one subject. Made only by `decide`."""

    subject: Subject
    dataset: str
    fields: tuple[str, ...]


class Basis(msgspec.Struct, frozen=True, eq=False):
    """What a subject's decision rests on, beside the rule set, the requester, the purpose and the day.

    Its entry keeps this, so that the decision can be made again. `selected` is what is asked of its kind of subject.
    `flags` are those that hold for all of it: case, official, step-up, break-glass; `alive`: the token had time left.
    Of the datasets selected, no scope covers the `unscoped`, the token's narrowing leaves the `narrowed` out, and
    consents cover the `consented`: these fields, or all (`None`). For the `suspended` the grant is inactive until the
    recall that is named is answered.
    """

    selected: Mapping[str, Wanted]
    flags: Flag
    alive: bool = True
    unscoped: frozenset[str] = frozenset()
    narrowed: frozenset[str] = frozenset()
    consented: Mapping[str, frozenset[str] | None] = {}
    suspended: Mapping[str, str] = {}


class SubjectDecision(msgspec.Struct, frozen=True, eq=False):
    """The decision for one subject: table and guards together. Interned: equal keys give the same object.

    `cells` has every published field of every wanted dataset; `denied` are the selected ones that are not
    permitted, and all of a `bare` dataset of which nothing is. `permitted` has, per wanted dataset, all its permitted
    fields, selected or not. `fetch` lists what to ask for: per dataset the permitted selected fields, sorted; a dataset
    is in it where a selected field is permitted, or where it is `bare` and any of its fields is permitted. `basis` is
    what it rests on.
    """

    cells: Mapping[tuple[str, str], Cell]
    permitted: Mapping[str, frozenset[str]]
    fetch: tuple[tuple[str, tuple[str, ...]], ...]
    denied: tuple[tuple[str, str], ...] = ()
    basis: Basis | None = None


class Decision(msgspec.Struct, frozen=True):
    """Permit or deny per subject, dataset and field. `permits` is all that may be fetched."""

    grant: Grant | None
    subjects: Mapping[Subject, SubjectDecision]
    permits: tuple[Permit, ...]


class Denial(NamedTuple):
    """A denied selection: the response path without list indices, and the cell with the reason."""

    path: tuple[str, ...]
    cell: Cell


class Released(msgspec.Struct):
    """What one subject's dataset gives to the answer: records in order, and each one's end of display and dispute.

    `from_others`, of a subject's look at itself: the restraints by which others are not shown each of them.
    """

    records: Sequence[Record]
    display_until: list[datetime.date | None]
    disputed: list[bool]
    from_others: Sequence[tuple[str, ...]] = ()


class Withheld(msgspec.Struct, frozen=True):
    """A record that a restraint held back, and why; only oversight may see it, and that it is `faulty`, where it is.

    In a subject's look at itself it was held back from others only: the subject is shown it.
    """

    subject: Subject
    dataset: str
    record: str
    version: str
    restraint: str
    faulty: bool = False


Caution = Notice
"""What the recipient of a record must know, selected or not (Arts. 33, 45): as its entry has it."""

Obligation = Duty
"""What the recipient must do with an answer; depends on the purpose, never on the records."""


class Answer(NamedTuple):
    """What leaves: an HTTP status, headers and the bytes of the body.

    `unsent` is told where the answer of an inquiry does not leave after all.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    unsent: Callable[[], Coroutine[Any, Any, None]] | None = None


Outcome = Released | Failure
