"""Drafts as they are kept: whose they are, what they hold, what is refused, and when they go."""

from __future__ import annotations

import datetime

import pytest

from gateway.activation import archive
from gateway.drafts.keeping import LASTS, MOST_DRAFTS, Drafts, packed_of
from gateway.errors import Refusal
from gateway.storage.rules import drafts as rows
from tests.proposals.room import Room
from tests.proposals.room import archive as shipped

CALENDAR = "calendar.yaml"


def refused(work: object, *given: object) -> str:
    """How something is refused: the code, or the reason where it has one."""
    with pytest.raises(Refusal) as raised:
        work(*given)  # type: ignore[operator]
    return str(raised.value.extensions.get("reason", raised.value.code))


async def test_a_draft_begins_as_what_is_active_and_changes_file_by_file(room: Room) -> None:
    drafts, olsen = Drafts(room.desk.office), room.officer()
    id_ = drafts.begin(olsen).id
    kept = drafts.one(olsen, id_)
    assert (kept.row.base, kept.files) == (room.active, archive.unpacked(shipped()))

    file = drafts.file(olsen, id_, CALENDAR)
    again = drafts.put(olsen, id_, CALENDAR, file.text.replace("objection: 7", "objection: 5"), file.seen)
    assert drafts.file(olsen, id_, CALENDAR) == again
    assert "objection: 5" in again.text
    drafts.put(olsen, id_, "rules/new.cedar", "permit (\r\n\r\n);\r\n", "")
    assert drafts.file(olsen, id_, "rules/new.cedar").text == "permit (\n\n);\n", "a line ends as it does in files"
    drafts.drop(olsen, id_, "rules/new.cedar", drafts.file(olsen, id_, "rules/new.cedar").seen)
    assert refused(drafts.file, olsen, id_, "rules/new.cedar") == "MATTER_NOT_FOUND"
    assert drafts.one(olsen, id_).row.version == 4
    assert room.desk.acts()[-1].what != "rules-proposed", "nothing is entered of a draft"


async def test_it_is_its_officers_alone(room: Room) -> None:
    drafts, olsen, costa = Drafts(room.desk.office), room.officer(), room.officer("costa")
    id_ = drafts.begin(olsen).id
    assert [each.id for each in drafts.of(olsen)] == [id_]
    assert list(drafts.of(costa)) == []
    for work, more in (
        (drafts.one, ()), (drafts.remove, ()), (drafts.file, (CALENDAR,)), (drafts.put, (CALENDAR, "", "")),
        (drafts.drop, (CALENDAR, "")),
    ):  # fmt: skip
        assert refused(work, costa, id_, *more) == "MATTER_NOT_FOUND"
        assert refused(work, olsen, "0" * 32, *more) == "MATTER_NOT_FOUND"
        assert refused(work, olsen, "../x", *more) == "MATTER_NOT_FOUND"
    drafts.remove(olsen, id_)
    assert list(drafts.of(olsen)) == []


async def test_nothing_is_written_over_that_its_writer_did_not_see(room: Room) -> None:
    drafts, olsen = Drafts(room.desk.office), room.officer()
    id_ = drafts.begin(olsen).id
    file = drafts.file(olsen, id_, CALENDAR)
    drafts.put(olsen, id_, CALENDAR, file.text + "# mine\n", file.seen)
    assert refused(drafts.put, olsen, id_, CALENDAR, file.text + "# theirs\n", file.seen) == "STATE"
    assert refused(drafts.put, olsen, id_, CALENDAR, "# as if it were new\n", "") == "STATE"
    assert refused(drafts.put, olsen, id_, "rules/gone.cedar", "x", file.seen) == "STATE"
    assert refused(drafts.drop, olsen, id_, CALENDAR, file.seen) == "STATE"
    assert drafts.file(olsen, id_, CALENDAR).text == file.text + "# mine\n"

    before = drafts.one(olsen, id_).row
    with room.store.engine.begin() as connection:  # two at the same moment: of one, the other's is what is kept
        assert rows.change(connection, before, shipped(), before.used)
        assert not rows.change(connection, before, shipped(), before.used)


NO_NAMES = [
    "../x.cedar",
    "rules/../x.cedar",
    "rules/x.yaml",
    "/etc/passwd",
    "rules/.x.cedar",
    "x.yaml",
    "rules/",
    "",
    "\0",
]


async def test_a_name_is_one_of_a_rule_sets(room: Room) -> None:
    drafts, olsen = Drafts(room.desk.office), room.officer()
    id_ = drafts.begin(olsen).id
    for name in NO_NAMES:
        assert refused(drafts.put, olsen, id_, name, "x", "") == "ARGUMENT", name


async def test_what_is_too_much_is_refused(room: Room) -> None:
    drafts, olsen = Drafts(room.desk.office), room.officer()
    id_ = drafts.begin(olsen).id
    assert refused(drafts.put, olsen, id_, "rules/big.cedar", "x" * (archive.MOST_FILE + 1), "") == "ARGUMENT"
    many = {f"rules/r{number}.cedar": b"" for number in range(archive.MOST_FILES + 1)}
    assert refused(packed_of, many) == "LIMIT"
    for _ in range(MOST_DRAFTS - 1):
        drafts.begin(olsen)
    assert refused(drafts.begin, olsen) == "LIMIT"
    drafts.begin(room.officer("costa"))


async def test_one_that_nobody_uses_goes(room: Room) -> None:
    drafts, olsen = Drafts(room.desk.office), room.officer()
    id_ = drafts.begin(olsen).id
    day = datetime.timedelta(days=1)
    room.desk.now += LASTS - day
    assert drafts.one(olsen, id_).row.id == id_, "to look at it is to use it"
    room.desk.now += 2 * day
    assert [each.id for each in drafts.of(olsen)] == [id_]
    room.desk.now += LASTS
    assert list(drafts.of(olsen)) == []
    assert refused(drafts.one, olsen, id_) == "MATTER_NOT_FOUND"
    drafts.begin(olsen)
    with room.store.engine.connect() as connection:
        assert rows.count(connection) == 1, "whoever begins one lets go of those that are over"
