"""The client at a stand-in of the gateway: what it reads, has done and answers, and what it never does."""

from __future__ import annotations

import datetime
import threading
import time
from pathlib import Path

import msgspec
import pytest

from gateway.recipient.doing import Done
from gateway.recipient.inbox import Recall
from gateway.recipient.register import Register
from gateway.recipient.tables import RegisterUnusable
from tests.recipient.kit import LEI, Desk, at_desk, receipt
from tests.recipient.standin import recall
from tests.waiting import until

OTHER = ("organisation", "LEI", "529900T8BM49AURSDO55")


@pytest.fixture
def desk(tmp_path: Path):  # type: ignore[no-untyped-def]
    with at_desk(tmp_path) as made:
        made.gateway.receipts.append(receipt())
        yield made


def records(desk: Desk) -> list[tuple[str, str, str | None]]:
    """Record, state and subject of everything in the register."""
    return desk.register._store.execute("SELECT record, state, value FROM received ORDER BY inquiry, place").fetchall()


def test_a_deletion_is_done_and_then_answered(desk: Desk) -> None:
    desk.gateway.add(recall("R-1", 1))
    desk.gateway.heard = lambda id_: events.append(f"answered {id_}")
    events: list[str] = []
    desk.doer.how = lambda asked: events.append(f"did {asked.recall}") or Done.DONE  # type: ignore[func-returns-value]
    assert desk.client.turn() == (1, 0, 0)
    assert events == ["did R-1", "answered R-1"]
    [asked] = desk.doer.asked
    assert (asked.action, asked.inquiry, asked.purpose) == ("DELETE", "I-1", "TENDER_QUALIFICATION")
    assert (asked.scheme, asked.value, asked.unknown) == (*LEI[1:], ())
    assert [(each.record, each.version, each.fields) for each in asked.records] == [("N-1", "1", ("period", "amount"))]
    assert desk.gateway.acknowledged == [("R-1", "APPLIED", None, ())]
    assert records(desk) == [("N-1", "deleted", None)]
    assert desk.client.turn() == (0, 0, 0)
    assert len(desk.doer.asked) == 1


def test_nobody_and_no_value_is_left_in_the_register_once_a_deletion_is_over(desk: Desk) -> None:
    desk.gateway.add(recall("R-1", 1))
    desk.client.turn()
    desk.register.close()
    held = desk.config.register.read_bytes()
    assert LEI[2].encode() not in held
    desk.register = Register(desk.config.register)


def test_what_no_receipt_names_is_deleted_all_the_same(desk: Desk) -> None:
    desk.gateway.receipts.clear()
    desk.gateway.add(recall("R-1", 1))
    assert desk.client.turn() == (1, 0, 0)
    assert desk.doer.asked[0].unknown == ("tax-arrears/N-1@1",)
    assert desk.doer.asked[0].purpose == ""


def test_receipts_are_read_once_and_again_for_an_inquiry_that_is_new(desk: Desk) -> None:
    desk.client.turn()
    desk.client.turn()
    assert desk.gateway.asked.count("receipts") == 2, "a page with one, and the end of them"
    desk.gateway.receipts.append(receipt("I-2"))
    desk.gateway.add(recall("R-2", 2, inquiry="I-2"))
    desk.client.turn()
    assert desk.doer.asked[0].unknown == ()
    asked = desk.gateway.asked.count("receipts")
    desk.doer.how = lambda asked: Done.FAILED
    desk.gateway.add(recall("R-3", 3, inquiry="I-3"))
    for _ in range(3):
        desk.client.turn()
    assert desk.gateway.asked.count("receipts") == asked + 1, "one that no receipt names is looked for once"


def test_a_receipt_that_cannot_be_read_keeps_no_other_out(desk: Desk) -> None:
    desk.gateway.receipts[:0] = ["nonsense"]
    assert desk.client.turn().failed == 1
    assert desk.said == ["a receipt cannot be read: it is no receipt: it does not begin with `c2sp.org/tlog-proof@v1`"
                         " and an `extra`"]  # fmt: skip
    assert records(desk) == [("N-1", "held", LEI[2])]


def test_an_update_gives_what_is_right_now_and_notes_what_came(desk: Desk) -> None:
    meta = {"id": "N-1", "version": "2", "document": "D-1", "effective": None, "displayUntil": None, "disputed": False}
    now = {"period": "2025", "amount": "7.50", "record": meta}
    desk.gateway.correct["R-1"] = [now]
    desk.gateway.receipt_of_correction = receipt("I-9", {LEI: {"tax-arrears": ["N-1@2"]}})
    desk.gateway.add(recall("R-1", 1, "UPDATE"))
    assert desk.client.turn() == (1, 0, 0)
    correction = desk.doer.asked[0].correction
    assert correction is not None
    assert correction.records == {"tax-arrears": [now]}
    assert records(desk) == [("N-1", "replaced", LEI[2]), ("N-1", "held", LEI[2])]
    assert b"7.50" not in desk.config.register.read_bytes()


def test_a_correction_that_cannot_be_had_now_waits_and_keeps_no_other_waiting(desk: Desk) -> None:
    desk.gateway.receipts.append(receipt("I-2"))
    desk.gateway.add(recall("R-1", 1, "UPDATE"), recall("R-2", 2, inquiry="I-2"))
    desk.gateway.meanwhile = lambda name, when: (
        "SOURCE_UNAVAILABLE" if (name, when) == ("organisation", "before") else None
    )
    assert desk.client.turn() == (1, 0, 1)
    assert [each[0] for each in desk.gateway.acknowledged] == ["R-2"]
    desk.gateway.meanwhile = lambda name, when: None
    desk.gateway.correct["R-1"] = []
    assert desk.client.turn() == (1, 0, 0)
    assert desk.doer.asked[-1].correction is not None
    assert desk.doer.asked[-1].correction.records == {"tax-arrears": []}, "it is shown no more"


def test_without_a_receipt_nothing_is_fetched_and_a_person_is_told_what_to_do(desk: Desk) -> None:
    desk.gateway.receipts.clear()
    desk.gateway.add(recall("R-1", 1, "UPDATE"))
    assert desk.client.turn() == (0, 0, 1)
    assert desk.said == [
        "R-1: no receipt shows what inquiry I-1 was for; note its answer with --received, or do what is asked by hand"
        " and give --done"
    ]
    assert desk.gateway.asked.count("organisation") == 0
    assert desk.doer.asked == []


def test_an_action_that_is_not_known_yet_is_handed_on_and_changes_nothing_here(desk: Desk) -> None:
    known = msgspec.convert(recall("R-1", 1), Recall)
    desk.client.turn()
    later = msgspec.structs.replace(known, action="SOMETHING_NEW")
    desk.register.take([later])
    assert desk.client.do(later) is Done.DONE
    assert [each.action for each in desk.doer.asked] == ["SOMETHING_NEW"]
    assert records(desk) == [("N-1", "held", LEI[2])]


def test_a_deletion_wins_whatever_comes_after_it(desk: Desk) -> None:
    desk.gateway.add(recall("R-2", 2))
    desk.client.turn()
    desk.gateway.add(recall("R-1", 1, "MARK_DISPUTED"), recall("R-3", 3, "UPDATE"))
    assert desk.client.turn() == (2, 0, 0)
    assert [each.recall for each in desk.doer.asked] == ["R-2"], "there is nothing left to mark or to replace"
    assert [each[:2] for each in desk.gateway.acknowledged[1:]] == [("R-1", "APPLIED"), ("R-3", "APPLIED")]


def test_of_marks_the_last_by_sequence_stays(desk: Desk) -> None:
    desk.gateway.add(recall("R-5", 5, "MARK_DISPUTED"))
    desk.client.turn()
    desk.gateway.add(recall("R-4", 4, "CLEAR_DISPUTED"))
    desk.client.turn()
    assert [each.recall for each in desk.doer.asked] == ["R-5"]
    desk.gateway.add(recall("R-6", 6, "CLEAR_DISPUTED"))
    desk.client.turn()
    assert [each.recall for each in desk.doer.asked] == ["R-5", "R-6"]
    assert len(desk.gateway.acknowledged) == 3


def test_a_record_of_two_subjects_is_deleted_for_each(desk: Desk) -> None:
    desk.gateway.receipts[:] = [receipt(given={LEI: {"tax-arrears": ["N-1@1"]}, OTHER: {"tax-arrears": ["N-1@1"]}})]
    desk.gateway.add(recall("R-1", 1))
    desk.client.turn()
    assert records(desk) == [("N-1", "deleted", None), ("N-1", "held", OTHER[2])]
    desk.gateway.add(recall("R-2", 2, value=OTHER[2]))
    desk.client.turn()
    assert [each.value for each in desk.doer.asked] == [LEI[2], OTHER[2]]


def test_who_has_it_from_here_is_told_and_named(desk: Desk) -> None:
    desk.client.turn()
    desk.register.pass_on("I-1", "Port Authority")
    desk.register.pass_on("I-1", "Customs")
    desk.gateway.add(recall("R-1", 1))
    desk.client.turn()
    assert desk.doer.asked[0].passed_on == ("Customs", "Port Authority")
    assert desk.gateway.acknowledged == [("R-1", "PASSED_ON", None, ("Customs", "Port Authority"))]


def test_a_refusal_is_a_persons_and_can_still_become_done(desk: Desk) -> None:
    desk.doer.how = lambda asked: Done.WAITS
    desk.gateway.add(recall("R-1", 1))
    assert desk.client.turn() == (0, 1, 0)
    kept = desk.register.recall("R-1")
    assert kept is not None
    desk.register.refuse(kept, "Archives Act, Art. 4")
    assert desk.client.turn() == (1, 0, 0)
    assert desk.gateway.acknowledged == [("R-1", "REFUSED", "Archives Act, Art. 4", ())]
    assert desk.client.turn() == (0, 0, 0), "it stays in the inbox, and is not asked for again"
    again = desk.register.recall("R-1")
    assert again is not None
    desk.register.settle(again)
    assert desk.client.answer() == (1, 0)
    assert desk.gateway.acknowledged[-1] == ("R-1", "APPLIED", None, ())
    assert desk.register.recall("R-1") is None


def test_many_are_answered_a_hundred_at_once(desk: Desk) -> None:
    desk.gateway.add(*(recall(f"R-{number}", number) for number in range(1, 251)))
    assert desk.client.turn() == (250, 0, 0)
    assert desk.gateway.asked.count("acknowledgeRecalls") == 3
    assert desk.gateway.asked.count("recalls") == 3


def test_one_that_is_not_known_there_any_more_keeps_no_other_from_being_answered(desk: Desk) -> None:
    desk.gateway.add(recall("R-1", 1), recall("R-2", 2))
    desk.gateway.meanwhile = lambda name, when: (
        "LEDGER_UNAVAILABLE" if name.startswith("acknowledge") and when == "before" else None
    )
    assert desk.client.turn() == (0, 0, 2)
    desk.gateway.meanwhile = lambda name, when: None
    del desk.gateway.inbox["R-1"]
    assert desk.client.answer() == (1, 1)
    assert [each[0] for each in desk.gateway.acknowledged] == ["R-2"]
    assert "R-1: it cannot be answered: MATTER_NOT_FOUND: There is no recall R-1." in desk.said
    assert desk.client.turn() == (0, 0, 0), "what the inbox does not have wants no answer"


def test_what_somebody_else_answered_is_said_and_what_comes_back_is_taken_up(desk: Desk) -> None:
    desk.doer.how = lambda asked: Done.WAITS
    desk.gateway.add(recall("R-1", 1))
    desk.client.turn()
    gone = desk.gateway.inbox.pop("R-1")
    desk.client.turn()
    assert desk.said == ["R-1: it is not in the inbox any more; somebody else answered it"]
    assert desk.register.open_recalls() == []
    desk.gateway.add(gone)
    desk.doer.how = lambda asked: Done.DONE
    assert desk.client.turn() == (1, 0, 0)


def test_an_answer_that_the_gateway_lost_is_given_again(desk: Desk) -> None:
    desk.gateway.add(recall("R-1", 1))
    desk.client.turn()
    desk.gateway.add(recall("R-1", 1))  # as after the restore of an older backup
    assert desk.client.turn() == (1, 0, 0)
    assert len(desk.doer.asked) == 1
    assert [each[:2] for each in desk.gateway.acknowledged] == [("R-1", "APPLIED")] * 2


def test_without_an_inbox_what_is_known_is_done_and_answered_later(desk: Desk) -> None:
    desk.gateway.add(recall("R-1", 1))
    desk.gateway.meanwhile = lambda name, when: (
        "DECISION_UNAVAILABLE" if name.startswith("ack") and when == "before" else None
    )
    desk.doer.how = lambda asked: Done.FAILED
    assert desk.client.turn() == (0, 0, 1)
    desk.gateway.meanwhile = lambda name, when: "DECISION_UNAVAILABLE" if when == "before" else None
    desk.doer.how = lambda asked: Done.DONE
    assert desk.client.turn() == (0, 0, 2)
    assert desk.said[-2:] == [
        "the inbox cannot be read: the gateway answers DECISION_UNAVAILABLE",
        "recalls cannot be answered now: the gateway answers DECISION_UNAVAILABLE",
    ]
    desk.gateway.meanwhile = lambda name, when: None
    assert desk.client.turn() == (1, 0, 0)


def test_each_question_has_the_scope_that_it_needs_and_no_other(desk: Desk) -> None:
    desk.gateway.add(recall("R-1", 1, "UPDATE"))
    desk.gateway.correct["R-1"] = []
    desk.client.turn()
    desk.client.attest(datetime.date(2026, 12, 24))
    assert sorted(form["scope"] for form in desk.gateway.given) == ["inquire", "recalls", "receipts"]
    assert all(form["grant_type"] == "client_credentials" for form in desk.gateway.given)


def test_a_token_that_is_not_taken_is_renewed_once(desk: Desk) -> None:
    desk.client.turn()
    desk.gateway.tokens.clear()
    desk.gateway.add(recall("R-1", 1))
    assert desk.client.turn() == (1, 0, 0)


def test_who_lacks_a_scope_is_told_which(tmp_path: Path) -> None:
    with at_desk(tmp_path, scopes=", scopes: {recalls: inquire}") as desk:
        assert desk.client.turn() == (0, 0, 1)
        assert desk.said[0] == "the inbox cannot be read: FORBIDDEN: The token has no scope for `recalls`."
        assert "token-" not in " ".join(desk.said)


def test_a_gateway_that_is_away_is_said_and_asked_again(tmp_path: Path) -> None:
    with at_desk(tmp_path) as desk:
        desk.gateway.add(recall("R-1", 1))
        desk.gateway.meanwhile = lambda name, when: "x" if when == "after" else None
        assert desk.client.turn().failed == 1
        assert "cannot be reached" in desk.said[0]
        desk.gateway.meanwhile = lambda name, when: None
        assert desk.client.turn() == (1, 0, 0)


def test_deletion_is_attested_and_the_register_lets_go(desk: Desk) -> None:
    desk.client.turn()
    day = datetime.date(2026, 12, 24)
    assert desk.register.left(day - datetime.timedelta(days=1)) == []
    assert desk.register.left(day) == [("I-1", "tax-arrears", "N-1", "1")]
    desk.client.attest(day)
    assert desk.gateway.attested == ["2026-12-24"]
    assert desk.register.left(day) == []
    assert records(desk) == [("N-1", "deleted", None)]


def test_one_client_works_with_a_register_at_a_time(desk: Desk) -> None:
    other = Register(desk.config.register)
    with desk.register.alone(), pytest.raises(RegisterUnusable, match="another client works"), other.alone():
        pass
    with other.alone():
        assert desk.register.recall("R-1") is None
    other.close()


def test_a_register_is_its_owners(desk: Desk) -> None:
    assert desk.config.register.stat().st_mode & 0o777 == 0o600


def test_a_nudge_and_the_interval_both_make_it_look(tmp_path: Path) -> None:
    with at_desk(tmp_path) as desk:
        nudged, ended = threading.Event(), threading.Event()
        running = threading.Thread(target=_run, args=(desk, nudged, ended))
        running.start()
        try:
            desk.gateway.add(recall("R-1", 1))
            until("the interval", lambda: len(desk.gateway.acknowledged) == 1)
            slow = msgspec.structs.replace(desk.config, poll=3600.0)
            desk.client._config = slow
            until("a look after which nobody looks for an hour", lambda: _looks(desk))
            desk.gateway.add(recall("R-2", 2, inquiry="I-2"))
            until("a nudge", lambda: nudged.set() or len(desk.gateway.acknowledged) == 2)  # type: ignore[func-returns-value]
        finally:
            ended.set()
            nudged.set()
            running.join(60)
        assert not running.is_alive()


def _run(desk: Desk, nudged: threading.Event, ended: threading.Event) -> None:
    """In a thread of its own, which the register's connection has to be of."""
    desk.client._register = Register(desk.config.register)
    desk.client.run(nudged, ended)
    desk.client._register.close()


def _looks(desk: Desk) -> bool:
    before = len(desk.gateway.asked)
    time.sleep(1.5)
    return len(desk.gateway.asked) == before


def test_a_recall_as_the_contract_writes_it_is_read() -> None:
    read = msgspec.convert(recall("R-1", 1), Recall)
    assert (read.id, read.sequence, read.due.tzinfo is not None) == ("R-1", 1, True)
