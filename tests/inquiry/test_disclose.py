"""Step 9: what an entry says, and that nothing is answered without one."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from connectors.base import Failure, Fault, Record, Subject
from gateway.errors import Code, LedgerUnavailable, Refusal
from gateway.inquiry import disclose
from gateway.inquiry.types import (
    Caution,
    Decision,
    Declaration,
    Obligation,
    Outcome,
    Released,
    Requester,
    SubjectDecision,
    Withheld,
)
from gateway.ledger.entry import entries
from gateway.ledger.entry.parts import EntryParts, read_oversight, read_told, split
from gateway.ledger.proof import tlog_proof
from gateway.ledger.proof.leaf import Part, Side, data_digest, open_extra
from gateway.ledger.proof.note import Signer
from gateway.ledger.proof.tlog_proof import Receipt, parse
from gateway.rules.model import Cell, Grant, Reason
from tests.ledger.support import AT, KEY, opened, store_in

ACME = Subject("organisation", "LEI", "5493001KJTIIGC8Y1R12")
OTHER = Subject("organisation", "LEI", "529900T8BM49AURSDO55")
GRANT = Grant("tax-service/LICENCE", "LICENCE", frozenset(), datetime.date.min, datetime.date.max, "")
REQUESTER = Requester("https://login.example", "tax-service", "p.sorel", frozenset(["inquire"]), 0.0, "tax")
DECIDED = SubjectDecision(
    cells={
        ("tax-arrears", "amount"): Cell(True, rules=("arrears",)),
        ("tax-arrears", "currency"): Cell(False, Reason.NO_RULE),
        ("tax-awards", "title"): Cell(False, Reason.SCOPE_MISSING, "scopes"),
        ("permits", "number"): Cell(True, rules=("permits",)),
    },
    permitted={"tax-arrears": frozenset(["amount"]), "permits": frozenset(["number"])},
    fetch=(("permits", ("number",)), ("tax-arrears", ("amount",))),
    denied=(("tax-arrears", "currency"), ("tax-awards", "title")),
)
DUTIES = (Obligation("LICENCE/delete-by", "delete-by", {"date": "2027-01-01"}),)
SALT = bytes(range(32))
DATA = b'{"organisation":{"taxArrears":[]}}'


def records(*ids: str) -> Released:
    found = [Record(m_id=id_, m_version="3") for id_ in ids]
    return Released(found, [None] * len(found), [False] * len(found))


def entry(**changes: Any) -> disclose.Entry:
    made = disclose.Entry("i-1", REQUESTER, "sha256:rules", Declaration("LICENCE", case="C-7"), (ACME,), 12)
    made.decision = Decision(GRANT, {ACME: DECIDED}, ())
    made.obligations = DUTIES
    for name, value in changes.items():
        setattr(made, name, value)
    return made


def side(general: bytes, subjects: list[bytes]) -> Side:
    return Side(Part(SALT, general), tuple(Part(SALT, body) for body in subjects))


def told_of(made: EntryParts) -> entries.Told:
    return read_told(side(made.told, [each.told for each in made.subjects]))


def oversight_of(made: EntryParts) -> entries.Oversight:
    return read_oversight(side(made.oversight, [each.oversight for each in made.subjects]))


def parts(made: disclose.Entry, got: dict[tuple[Subject, str], Outcome], **changes: Any) -> EntryParts:
    values = {"data": DATA, "codes": (), "salt": SALT, "at": AT, **changes}
    return disclose.answer_parts(made, got, **values)


NOTHING: dict[tuple[Subject, str], Outcome] = {(ACME, "permits"): records(), (ACME, "tax-arrears"): records()}


def test_what_the_requester_is_told_is_exactly_this() -> None:
    got: dict[tuple[Subject, str], Outcome] = {
        (ACME, "tax-arrears"): records("b", "a"),
        (ACME, "permits"): Failure(Fault.TIMEOUT, True, "read"),
    }
    cautions = (Caution("tax-arrears", "a", True, None),)
    made = parts(entry(cautions=cautions), got, codes=("SOURCE_TIMEOUT",))
    digest = msgspec.json.encode(data_digest(SALT, DATA)).decode()
    assert made.told.decode() == (
        '{"kind":"inquiry","v":2,"id":"i-1","at":"2026-11-24T09:30:00Z",'
        '"requester":{"issuer":"https://login.example","client":"tax-service","department":"tax"},'
        '"grant":"tax-service/LICENCE","declaration":{"purpose":"LICENCE"},"rule_set":"sha256:rules",'
        '"obligations":[{"id":"LICENCE/delete-by","type":"delete-by","properties":{"date":"2027-01-01"}}],'
        '"errors":["SOURCE_TIMEOUT"]}'
    )
    (of_acme,) = made.subjects
    assert of_acme[:2] == ACME[1:]
    assert of_acme.told.decode() == (
        '{"kind":"organisation","scheme":"LEI","value":"5493001KJTIIGC8Y1R12","case":"C-7","datasets":['
        '{"dataset":"permits","fields":["number"],"failure":"SOURCE_TIMEOUT"},'
        '{"dataset":"tax-arrears","fields":["amount"],"records":["tax-arrears/b@3","tax-arrears/a@3"]}],'
        '"cautions":[{"dataset":"tax-arrears","record":"a","disputed":true,"mitigation":null}],'
        '"data":{"salt":"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=","sha256":' + digest + "}}"
    )


def test_what_only_oversight_may_open_is_exactly_this() -> None:
    withheld = (Withheld(ACME, "tax-arrears", "z", "9", "display-ended"),)
    made = parts(entry(withheld=withheld), NOTHING)
    assert made.oversight.decode() == '{"v":2,"official":"p.sorel","facts":12}'
    (of_acme,) = made.subjects
    assert of_acme.oversight.decode() == (
        '{"withheld":[{"record":"tax-arrears/z@9","restraint":"display-ended"}],'
        '"denied":[{"dataset":"tax-arrears","field":"currency","reason":"NO_RULE"},'
        '{"dataset":"tax-awards","field":"title","reason":"SCOPE_MISSING","rule":"scopes"}]}'
    )


def test_withheld_records_leave_no_trace_in_what_is_told() -> None:
    withheld = (Withheld(ACME, "tax-arrears", "z", "9", "display-ended"),)
    one, other = parts(entry(withheld=withheld), NOTHING), parts(entry(), NOTHING)
    assert (one.told, one.oversight) == (other.told, other.oversight)
    assert [each.told for each in one.subjects] == [each.told for each in other.subjects]
    assert [each.oversight for each in one.subjects] != [each.oversight for each in other.subjects]


def test_what_was_encoded_is_read_back() -> None:
    made = parts(entry(subjects=(ACME, OTHER), decision=Decision(GRANT, {ACME: DECIDED, OTHER: DECIDED}, ())), {
        **NOTHING, (OTHER, "permits"): records("p"), (OTHER, "tax-arrears"): records()
    })  # fmt: skip
    told = told_of(made)
    assert isinstance(told, entries.Inquiry)
    assert [subject.value for subject in told.disclosed] == [ACME.value, OTHER.value]
    assert [len(subject.datasets) for subject in told.disclosed] == [2, 2]
    assert split(told, oversight_of(made)) == made


def test_each_of_two_subjects_has_what_is_its_own() -> None:
    made = parts(
        entry(
            subjects=(ACME, OTHER),
            decision=Decision(GRANT, {ACME: DECIDED, OTHER: SubjectDecision({}, {}, DECIDED.fetch)}, ()),
            cautions=(Caution("tax-arrears", "a", True, None), Caution("permits", "p", False, "storm")),
            withheld=(
                Withheld(ACME, "permits", "z", "9", "display-ended"),
                Withheld(OTHER, "permits", "y", "8", "restored"),
            ),
            consents=((OTHER, "c-2"), (ACME, "c-1")),
        ),
        {
            (ACME, "permits"): records(),
            (ACME, "tax-arrears"): records("a"),
            (OTHER, "permits"): records("p"),
            (OTHER, "tax-arrears"): records(),
        },
    )
    of_acme, of_other = made.subjects
    assert [msgspec.json.decode(each.told)["cautions"] for each in made.subjects] == [
        [{"dataset": "tax-arrears", "record": "a", "disputed": True, "mitigation": None}],
        [{"dataset": "permits", "record": "p", "disputed": False, "mitigation": "storm"}],
    ]
    assert of_acme.oversight.decode() == (
        '{"withheld":[{"record":"permits/z@9","restraint":"display-ended"}],'
        '"denied":[{"dataset":"tax-arrears","field":"currency","reason":"NO_RULE"},'
        '{"dataset":"tax-awards","field":"title","reason":"SCOPE_MISSING","rule":"scopes"}],"consents":["c-1"]}'
    )
    assert of_other.oversight.decode() == (
        '{"withheld":[{"record":"permits/y@8","restraint":"restored"}],"consents":["c-2"]}'
    )
    told = told_of(made)
    assert isinstance(told, entries.Inquiry)
    assert [caution.record for caution in told.cautions] == ["a", "p"]
    general = made.told + made.oversight
    assert not [
        word for word in (ACME.value, OTHER.value, "C-7", "c-1", "permits/", "storm") if word.encode() in general
    ]


@pytest.mark.parametrize("code", ["IDENTIFIER_INVALID", "GRAPHQL_VALIDATION_FAILED", "GRAPHQL_VARIABLES_INVALID"])
def test_an_identifier_that_was_not_understood_is_not_entered_where_it_could_not_be_erased(code: str) -> None:
    refusal = Refusal(Code(code), "`8001011234-` is not a valid personal number")
    parts = disclose.refusal_parts(disclose.Entry("i", REQUESTER, "5ec0de"), refusal, AT)
    told = told_of(parts)
    assert isinstance(told, entries.Refused)
    assert (told.code, told.message, parts.subjects) == (code, "", ())
    named = disclose.refusal_parts(entry(), refusal, AT)
    assert b"8001011234-" not in named.told
    assert b"8001011234-" in named.subjects[0].told


def test_a_refusal_is_entered_with_what_was_known_by_then() -> None:
    early = disclose.Entry("i-2", REQUESTER, "sha256:rules")
    refusal = Refusal(Code.INQUIRY_REQUIRED, "say why you ask: `@inquiry(purpose: ...)`")
    told = told_of(disclose.refusal_parts(early, refusal, AT))
    assert isinstance(told, entries.Refused)
    assert (told.code, told.declaration, told.subjects) == ("INQUIRY_REQUIRED", None, [])
    late = disclose.refusal_parts(entry(), Refusal(Code.QUOTA_EXCEEDED, "enough"), AT)
    told = told_of(late)
    assert isinstance(told, entries.Refused)
    assert told.subjects == [entries.Named(*ACME)]
    assert (told.grant, told.message) == (GRANT.id, "enough")
    assert oversight_of(late).facts == 12


@pytest.mark.parametrize("part", [b"", b"[]", b'{"kind":"other","v":1}', b'{"kind":"inquiry","v":1}', b"\xff"])
def test_an_unknown_entry_is_no_traceback(part: bytes) -> None:
    with pytest.raises(ValueError, match="does not know"):
        entries.read_told(part)


def test_an_entry_of_a_later_version_is_named() -> None:
    later = disclose.refusal_parts(entry(), Refusal(Code.INTERNAL, "x"), AT).told.replace(b'"v":2', b'"v":3')
    with pytest.raises(ValueError, match="version 3"):
        entries.read_told(later)


async def test_the_receipt_opens_what_was_told_and_nothing_else(tmp_path: Path) -> None:
    async with opened(store_in(tmp_path)) as ledger:
        made = entry(withheld=(Withheld(ACME, "tax-arrears", "z", "9", "display-ended"),))
        receipt = await disclose.disclose(ledger, made, NOTHING, DATA, (), AT)
        extra = parse(receipt.text).extra
        told = read_told(open_extra(extra).told)
        assert isinstance(told, entries.Inquiry)
        assert told.data.sha256 == data_digest(told.data.salt, DATA)
        assert b"p.sorel" not in extra
        extension = msgspec.json.decode(disclose.extension(made, receipt))
        assert extension == {
            "id": "i-1",
            "receipt": receipt.text,
            "obligations": [{"id": "LICENCE/delete-by", "type": "delete-by", "properties": {"date": "2027-01-01"}}],
            "cautions": [],
            "ruleSet": "sha256:rules",
        }
        (own,) = ledger.own("https://login.example", "tax-service")
        assert (read_told(own.told), own.receipt) == (told, receipt)
        refused = await disclose.refuse(ledger, entry(), Refusal(Code.QUOTA_EXCEEDED, "enough"), AT)
        assert refused.index == 1
        _, past = ledger.own("https://login.example", "tax-service")
        assert isinstance(read_told(past.told), entries.Refused)


@given(st.text(st.characters(exclude_categories=["C", "Z"], exclude_characters="+"), min_size=1))
@example('quo"ted\\')
def test_a_receipt_in_json_is_its_text(name: str) -> None:
    checkpoint = Signer(name, KEY).checkpoint(1, bytes(32))
    receipt = Receipt("1", 0, tlog_proof.write(b"extra", 0, tlog_proof.path_line(b"", bytes(32)), checkpoint.encode()))
    assert parse(receipt.text).checkpoint == checkpoint
    assert msgspec.json.decode(disclose.extension(entry(), receipt))["receipt"] == receipt.text


class Closed:
    """A ledger that is out of reach."""

    async def append(self, *parts: object, **more: object) -> Receipt:
        raise LedgerUnavailable("the store is out of reach (unable to open database file)")


async def test_without_a_ledger_nothing_may_leave() -> None:
    for attempt in (
        disclose.disclose(Closed(), entry(), NOTHING, DATA, (), AT),
        disclose.refuse(Closed(), entry(), Refusal(Code.QUOTA_EXCEEDED, "enough"), AT),
    ):
        with pytest.raises(Refusal) as refused:
            await attempt
        assert refused.value.code is Code.LEDGER_UNAVAILABLE
        assert refused.value.extensions == {"retryable": True}  # as its message has it: ask again later
        assert "database" not in refused.value.message
