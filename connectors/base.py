"""The interface between the gateway and a connector.

A connector speaks one department's protocol. It is handed the permitted part of an inquiry (`RecordRequest`) and
answers with typed records, or with a `Failure` per dataset. It never sees a requester or a rule, sees of an inquiry
only what is to be sent on (`Forwarded`), and never imports the gateway.

Invariants: only the fields of a `DatasetRequest` may be in what is sent to the source; a record that names another
subject, or none, fails its whole dataset; one with a value that cannot be used is given as `Faulty`, since it may be
one that must not be told of; a fault of the source is a `Failure`, never an exception, and carries nothing
of the source's own text.
"""

from __future__ import annotations

import datetime
import enum
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple, Protocol, runtime_checkable

import msgspec

from connectors.composing import COMPOSED, composed

SubjectKind = Literal["organisation", "person"]


class Subject(NamedTuple):
    """The organisation or person that records are about. `value` is in the canonical form of its scheme."""

    kind: SubjectKind
    scheme: str
    value: str


class FieldType(enum.StrEnum):
    """The types that a catalogue field may have; anything else from a source is invalid."""

    STRING = "String"
    INT = "Int"
    BOOLEAN = "Boolean"
    DECIMAL = "Decimal"
    DATE = "Date"
    DATETIME = "DateTime"


MOST_NAMED = 256
"""Characters of what names something: an id, a version, a number."""
_BETWEEN = " \n "
_PRINTED = bytes(range(ord(" "), ord("~") + 1))
"""All characters of ASCII that are printed."""
_UNNAMED = "an id, version or document is empty, longer than 256 characters, or has some that are not printed"


def named(said: str) -> str:
    """What names a record, its version or a document, in the one form in which it is kept, shown and compared.

    Trimmed and NFC, 1 to `MOST_NAMED` characters, all of them printed: none that controls, turns or is not seen.
    Raises `ValueError` for anything else, since nobody could name it in an act.
    """
    if said.isascii() and said.isprintable() and said.strip() is said and 0 < len(said) <= MOST_NAMED:
        return said
    said = said.strip()
    if len(said) <= MOST_NAMED * COMPOSED:  # what is longer stays too long
        said = composed(said).strip()
    if not said.isprintable() or not 0 < len(said) <= MOST_NAMED:
        raise ValueError(_UNNAMED)
    return said


def are_named(said: Sequence[str | int]) -> bool:
    """Whether each is already as `named` gives it, by one look at all; where it is False, each must be looked at."""
    try:
        text = f"\n {_BETWEEN.join(said)} \n"  # type: ignore[arg-type]  # a number is one of the reasons to look at each
    except TypeError:
        return False
    if not text.isascii() or "  " in text:  # so is one that is empty, or has space around it
        return False
    # What is not printed is then what stands between them, and nothing else.
    if text.encode().translate(None, _PRINTED) != b"\n" * (len(said) + 1):
        return False
    at, most = 0, MOST_NAMED + len(_BETWEEN)  # from one line's end to the next
    while at + most < len(text) - 1:
        at = text.rfind("\n", at + 1, at + most + 1)
        if at < 0:
            return False
    return True


def _document(given: str | int) -> str | None:
    text = given if type(given) is str else str(given)
    try:
        return named(text)
    except ValueError:
        if text.strip():
            raise
        return None  # blank is no document: an adverse record without one is withheld


class DatasetShape(msgspec.Struct, frozen=True):
    """What a connector must know of a dataset: its id and every catalogue field's type, by catalogue name.

    `schemes` has the identifier schemes that name its subjects, by kind; none where they are not known.
    """

    id: str
    fields: Mapping[str, FieldType]
    schemes: Mapping[SubjectKind, Sequence[str]] = {}


class Record(msgspec.Struct, kw_only=True):
    """One record as decoded from its source.

    Subclasses are generated per dataset and field list: each requested catalogue field `name` is the attribute
    `f_name`, typed, `None` where the source has none; a Decimal is text, with all its digits and no exponent. `m_*` are
    what the record says of itself. However a source writes id, version and document, here they are as `named` gives
    them, a blank document is none, and a record for which that cannot be is not made (`ValueError`): acts and what they
    restrain meet by these.
    """

    m_id: str
    m_version: str
    m_document: str | None = None
    m_effective: datetime.date | None = None
    m_mitigation: str | None = None

    decoded: ClassVar[bool] = False
    """Whether what made it looks at the types of its values; where not, whoever asked does."""

    def __post_init__(self) -> None:
        given: str | int = self.m_id
        if (said := named(given if type(given) is str else str(given))) is not given:
            self.m_id = said
        given = self.m_version
        if (said := named(given if type(given) is str else str(given))) is not given:
            self.m_version = said
        if self.m_document is not None:
            self.m_document = _document(self.m_document)


class Faulty(Record):
    """A record of which a value cannot be used: what it shows of itself, and none of its fields.

    It is never released: its dataset is invalid where it would have to be, and otherwise it leaves no trace. `m_reason`
    names the check that failed, never a value; `unread` the attributes that cannot be read, which are as by default,
    `m_id` and `m_version` empty.
    """

    m_reason: str
    unread: frozenset[str] = frozenset()
    s_scheme: str = ""
    s_value: str = ""

    def __post_init__(self) -> None:
        unread = set(self.unread)
        for name, read, default in (("m_id", named, ""), ("m_version", named, ""), ("m_document", _document, None)):
            value = getattr(self, name)
            try:
                value = None if value is None else read(value)
            except ValueError:
                value = default
                unread.add(name)
            setattr(self, name, value)
        self.unread = frozenset(unread)


class DatasetRequest(NamedTuple):
    """One dataset for some subjects, and the catalogue names of exactly the fields to be asked for, sorted."""

    dataset: str
    fields: tuple[str, ...]
    subjects: tuple[Subject, ...]


class Forwarded(NamedTuple):
    """What a department is sent about an inquiry; None is never sent.

    `inquiry` is the id of its entry in the ledger, `purpose` the declared one, `case` the verified case, and `official`
    who stands behind it, as the token names them. `trace` is the W3C trace context of the question (`traceparent`),
    where the inquiry is traced.
    """

    inquiry: str | None = None
    purpose: str | None = None
    case: str | None = None
    official: str | None = None
    trace: str | None = None

    def only(self, names: Collection[str]) -> Forwarded:
        """These of the values, and no other."""
        return Forwarded(*[value if name in names else None for name, value in zip(FORWARDED, self, strict=True)])


FORWARDED = Forwarded._fields


class RecordRequest(msgspec.Struct, frozen=True):
    """All that one inquiry may ask of one department. `deadline` is on the event loop's clock, in seconds.

    `forwarded` is there for a `Forwarding` connector, and has nothing that it does not name.
    """

    datasets: tuple[DatasetRequest, ...]
    deadline: float
    forwarded: Forwarded | None = None


class Fault(enum.StrEnum):
    """Why a dataset could not be had; the values are the contract's error codes."""

    UNAVAILABLE = "SOURCE_UNAVAILABLE"
    TIMEOUT = "SOURCE_TIMEOUT"
    INVALID = "SOURCE_INVALID"


class Flaw(enum.StrEnum):
    """What is invalid of what a source answered: a record's value, whose a record is, how much it is, or all of it."""

    RECORD = "record"
    SUBJECT = "subject"
    SIZE = "size"
    ANSWER = "answer"


class Failure(NamedTuple):
    """A dataset that could not be had.

    `detail` is for the operator's log: it names the check that failed, never a value from the source. `flaw` counts
    where the fault is `INVALID`.
    """

    fault: Fault
    retryable: bool
    detail: str
    flaw: Flaw = Flaw.ANSWER


Outcome = Sequence[Record] | Failure
"""Of one subject and dataset: the records in the source's order, or why there are none."""

Answers = Mapping[tuple[Subject, str], Outcome]
"""The outcome of every (subject, dataset id) of a request."""


class Config(Protocol):
    """One value of a file that people write, and where it stands: what a connector reads its configuration from.

    A getter that finds a mistake tells it with file, line and column, and gives something of its type: reading goes on,
    so that one run tells everything, and what was built is never used. A key that is not written leads to a value too,
    which gives the `default`; without one it is told as missing.
    """

    @property
    def folder(self) -> Path:
        """The file's folder, where relative paths start."""

    @property
    def is_mapping(self) -> bool:
        """Whether it is a mapping, where either that or a word can stand."""

    def problem(self, message: str) -> None:
        """Report that this value is wrong; `message` has the problem and the fix."""

    def mapping(
        self, required: Iterable[str] = (), optional: Iterable[str] = (), *, any_key: bool = False
    ) -> Mapping[str, Config]:
        """The entries by key; any key can be looked up. What is missing, unknown or there twice is reported."""

    def plain(self) -> Any:
        """The value as JSON has it: objects, lists, texts, whole numbers, `true`, `false` and `null`."""

    def items(self) -> Sequence[Config]:
        """The elements of a list; none where it is not written."""

    def text(self, default: str | None = None, *, pattern: str | None = None, what: str = "text") -> str:
        """Text that is not blank and matches `pattern` whole; `what` describes what it must be."""

    def choice(self, known: Iterable[str], what: str = "one of", default: str | None = None) -> str:
        """One of the `known` words; the first where it is none of them."""

    def integer(self, minimum: int = 0, maximum: int = 2**31 - 1, default: int | None = None) -> int:
        """A whole number."""

    def boolean(self, default: bool | None = None) -> bool:
        """`true` or `false`."""

    def duration(self, default: float | None = None, *, zero: bool = False, most: float = float("inf")) -> float:
        """Seconds, of a duration such as `2s`; more than none unless `zero`."""

    def size(self, default: int | None = None, *, most: int = 2**40) -> int:
        """Bytes, of a size such as `64KiB`."""

    def url(self, plain: bool | None = None) -> str:
        """An https URL; http to loopback, or where `plain`: what `allow_plain_http` has, if there is such a key."""

    def existing_file(self) -> Path:
        """A file that is there."""

    def private_file(self) -> Path:
        """A file that is there and that its owner alone may read."""

    def existing_folder(self) -> Path:
        """A folder that is there."""

    def secret(self) -> str:
        """What the file that is named here holds: one line of text. Secrets stand in no other way."""


class Connector(Protocol):
    """One department's system."""

    async def fetch(self, request: RecordRequest) -> Answers:
        """Give an `Outcome` for every (subject, dataset id) of the request. Never raises for a fault of the source."""
        ...

    async def close(self) -> None:
        """Release connections; called once, when the gateway stops."""
        ...


class UnreachedError(Exception):
    """What a department delivers cannot be read now; the message has the reason, and the fix where there is one."""


@runtime_checkable
class Forwarding(Protocol):
    """A connector that sends something about the inquiry to its department, as configured."""

    forwards: Collection[str]
    """The names of `Forwarded` that it sends; often none."""


@runtime_checkable
class Examined(Protocol):
    """A connector or a case registry that can look at its system before anybody asks: `dutybound check --connect`."""

    async def examine(self) -> Sequence[str]:
        """What the first question would run into, in words for the operator. No subject and no case is asked about."""


class Mismatch(NamedTuple):
    """One way in which a department's system and its part of `sources.yaml` do not fit.

    `key` leads from the department's entry to the key to look at, such as `("datasets", "awards", "fields", "title")`.
    `what` is for the department's engineer: names of fields, columns and types, never a value of a record. `row` is the
    first record that shows it, from 1, and `rows` how many do; 0 where it is not of records. `address` is where it was
    asked, with what identifies the subject left out. `ending` is what still works, and will not for long; `refused`
    is a delivery that was not taken in, and `vanished` are records that a delivery no longer has.
    """

    key: tuple[str, ...]
    what: str
    kind: Literal["wrong", "slow", "unbounded", "unstable", "ending", "refused", "vanished"] = "wrong"
    row: int = 0
    rows: int = 0
    address: str = ""
    status: int = 0


@runtime_checkable
class Explained(Protocol):
    """A connector that can explain why an answer of its system does not fit: `dutybound source test`.

    One that cannot is tried all the same: then its `Failure.detail` and `Faulty.m_reason` are all that is known.
    """

    async def explain(self, request: RecordRequest) -> Sequence[Mismatch]:
        """Ask once, past retries and breaker, and give all that does not fit in what comes; never raises for that.

        The subjects are nobody's, or the department's own test subjects. It ends by `request.deadline`, or soon after.
        """
        ...


class Case(NamedTuple):
    """What a registry reports of one case: whether it is open, which (scheme, value) it names, and whose it is."""

    open: bool
    subjects: frozenset[tuple[str, str]]
    officials: frozenset[str]


class CaseRegistry(Protocol):
    """One department's register of its cases."""

    async def find(self, case: str, seconds: float) -> Case | None:
        """The case, or None where the registry has none of that name.

        Raises an `Exception`, whose text is told to nobody, where there is no such answer within so many `seconds`.
        """
        ...

    async def close(self) -> None:
        """Release connections; called once, when the gateway stops."""
        ...


CASE_KEYS = ("kind", "timeout", "cache", "webhook")
"""What every kind of case registry can have beside its own keys."""
