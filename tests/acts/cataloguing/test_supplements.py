"""How a dataset comes into the catalogue: consulted on, approved by two people, published, retired; on both stores."""

from __future__ import annotations

import datetime

import msgspec
import pytest

from gateway.acts.cataloguing import steps, supplements
from gateway.catalogue import definitions
from gateway.catalogue.model import Catalogue, Status
from gateway.documents import MOST_BYTES
from gateway.errors import Refusal, VerificationFailed
from gateway.ledger.entry import entries
from gateway.ledger.verify.store import verify_store
from gateway.rules.files.calendar import Terms
from gateway.storage.recall import recalls
from tests.acts.cataloguing.bureau import DATASET, LONG, Bureau, definition, refused, text
from tests.ledger.support import VERIFIERS


def served(bureau: Bureau, *files: str) -> Catalogue:
    """A catalogue that publishes what these files have, and nothing else."""
    found = [msgspec.structs.replace(definition(bureau.desk, each), status=Status.PUBLISHED) for each in files]
    return Catalogue({each.id: each for each in found}, {}, {}, "")


def unapproved(bureau: Bureau, *files: str) -> list[str]:
    with bureau.desk.store.engine.connect() as connection:
        found = definitions.unapproved(served(bureau, *files).published.values(), steps.published(connection))
    return [each.why for each in found]


async def test_the_whole_way_is_entered_and_only_its_end_lets_a_set_publish(bureau: Bureau) -> None:
    assert unapproved(bureau, text()) != []
    first = await bureau.consult("t.weber")
    assert first["state"] == "consultation"
    assert unapproved(bureau, text()) != []
    bureau.later()
    assert (await bureau.move("approve", "t.weber"))["state"] == "awaits-confirmation"
    assert (await bureau.move("approve", "t.nowak", reason=None))["state"] == "approved"
    assert unapproved(bureau, text()) != []
    assert (await bureau.move("publish", "t.nowak", reason=None))["state"] == "published"
    assert unapproved(bureau, text()) == []
    await bureau.retire("t.weber")
    assert bureau.states() == ["retired"]
    assert unapproved(bureau, text()) != []
    done = bureau.desk.acts()
    assert [each.what for each in done] == [
        "catalogue-consulted", "catalogue-approval-asked", "catalogue-approved", "catalogue-published",
        "catalogue-retired",
    ]  # fmt: skip
    digest = definitions.digest(definition(bureau.desk, text()))
    assert {(each.dataset, each.digest, each.matter) for each in done} == {(DATASET, digest, first["id"])}
    assert (done[0].words, done[0].days) == ("Read it, and answer by then.", LONG)
    assert done[0].due is not None
    assert done[0].due.isoformat() == first["until"]
    assert verify_store(bureau.desk.store, VERIFIERS)
    proved = bureau.desk.proved(0)
    assert isinstance(proved.told, entries.Acted)
    assert proved.told.what == "catalogue-consulted"


async def test_an_approval_waits_for_the_last_day_and_takes_two_people(bureau: Bureau) -> None:
    told = await bureau.consult("t.weber")
    assert await refused(bureau.move("approve", "t.weber")) == "STATE"
    last = datetime.datetime.fromisoformat(f"{told['until']}T12:00:00+02:00")
    bureau.desk.now = last
    assert await refused(bureau.move("approve", "t.weber")) == "STATE"
    bureau.desk.now = last + datetime.timedelta(hours=12)
    assert await refused(bureau.move("publish", "t.weber")) == "STATE"
    assert await refused(bureau.move("approve", "t.weber", reason=None)) == "ARGUMENT"
    await bureau.move("approve", "t.weber")
    assert await refused(bureau.move("approve", "t.weber")) == "SECOND_PERSON"
    assert await refused(bureau.move("publish", "t.weber")) == "STATE"
    await bureau.move("approve", "t.nowak")
    assert await refused(bureau.move("approve", "t.nowak")) == "STATE"
    await bureau.move("publish", "t.weber")
    assert await refused(bureau.consult("t.weber")) == "STATE"


async def test_a_year_that_is_listed_later_counts(bureau: Bureau) -> None:
    """A consultation that was counted without the holidays of a year is as long as with them."""
    listed = bureau.desk.rules.calendar
    now = bureau.desk.now.date()
    holidays = frozenset(now + datetime.timedelta(days=each) for each in range(1, 40))
    told = await bureau.consult("t.weber")
    calendar = msgspec.structs.replace(listed, holidays=listed.holidays | holidays)
    bureau.desk.rules.calendar = calendar
    try:
        bureau.desk.now = datetime.datetime.fromisoformat(f"{told['until']}T23:59:59+00:00") + datetime.timedelta(1)
        assert await refused(bureau.move("approve", "t.weber")) == "STATE"
        bureau.later()
        await bureau.move("approve", "t.weber")
    finally:
        bureau.desk.rules.calendar = listed


async def test_an_approval_is_of_exactly_one_definition(bureau: Bureau) -> None:
    wider = text("      floor: {type: String, title: Floor of the building}\n")
    await bureau.consult("t.weber")
    bureau.later()
    assert await refused(bureau.move("approve", "t.weber", wider)) == "STATE"
    await bureau.move("approve", "t.weber")
    await bureau.move("approve", "t.nowak")
    await bureau.move("publish", "t.nowak")
    [why] = unapproved(bureau, wider)
    assert "`floor` is new" in why
    await bureau.published(wider)
    assert (unapproved(bureau, wider), unapproved(bureau, text())) == ([], [])
    assert verify_store(bureau.desk.store, VERIFIERS)


async def test_a_new_consultation_takes_the_place_of_what_was_on_its_way(bureau: Bureau) -> None:
    wider = text("      floor: {type: String, title: Floor of the building}\n")
    await bureau.consult("t.weber")
    assert await refused(bureau.consult("t.nowak")) == "STATE"
    await bureau.consult("t.nowak", wider)
    assert bureau.states() == ["withdrawn", "consultation"]
    bureau.later()
    assert await refused(bureau.move("approve", "t.weber")) == "STATE"
    await bureau.move("approve", "t.weber", wider)
    await bureau.consult("t.nowak")
    assert bureau.states() == ["withdrawn", "withdrawn", "consultation"]
    await bureau.retire("t.weber")
    assert bureau.states() == ["withdrawn", "withdrawn", "withdrawn"]
    assert await refused(bureau.retire("t.weber")) == "STATE"


async def test_another_departments_steward_is_told_as_of_one_that_is_not_there(bureau: Bureau) -> None:
    await bureau.consult("t.weber")
    bureau.later()
    given = supplements.Moved(definition=definitions.digest(definition(bureau.desk, text())), reason="x")
    other = bureau.desk.official("market", "m.petrov")
    for dataset in (DATASET, "no-such"):
        told = []
        for what in ("approve", "publish"):
            with pytest.raises(Refusal) as raised:
                await getattr(bureau.acts, what)(other, dataset, given)
            told.append((raised.value.code, raised.value.message))
        with pytest.raises(Refusal) as raised:
            await bureau.retire("m.petrov", dataset, department="market")
        told.append((raised.value.code, raised.value.message))
        assert set(told) == {("MATTER_NOT_FOUND", "there is no matter of this id for you")}
    assert await refused(bureau.consult("m.petrov", department="market")) == "MATTER_NOT_FOUND"
    theirs = text(department="market")
    assert await refused(bureau.consult("m.petrov", theirs, department="market")) == "ARGUMENT"
    assert bureau.states() == ["consultation"]


async def test_who_is_no_steward_is_refused(bureau: Bureau) -> None:
    given = supplements.Consulted(text=text(), notice="x", days=LONG)
    for who in (
        bureau.desk.official("tax", "t.weber", "counter"),
        bureau.desk.who("tax-stewards", "steward"),
        bureau.desk.who("oversight", "oversight", official="o.ivanov"),
    ):
        assert await refused(bureau.acts.consult(who, DATASET, given)) == "FORBIDDEN"
    assert bureau.desk.acts() == []


WILL_NOT_DO = [
    ("department: [", "is not YAML"),
    (text().replace("nature: neutral", "nature: bad"), "tax.yaml:11:13"),
    (text(title="Religion of payers"), "religion"),
    (text().replace("{dataset}", DATASET).replace("    fields:", "    extra: 1\n    fields:"), "unknown key"),
    (text(dataset="tax-arrears2"), "has no dataset"),
    ("a: &x 1\nb: *x\n", "anchors"),
    (text("      office: {type: String, title: Again}\n"), "twice"),
]


async def test_a_file_that_will_not_do_is_refused_with_its_lines(bureau: Bureau) -> None:
    for file, said in WILL_NOT_DO:
        with pytest.raises(Refusal) as raised:
            await bureau.consult("t.weber", file, named="tax.yaml")
        assert raised.value.extensions["reason"] == "ARGUMENT"
        told = [raised.value.message, *raised.value.extensions.get("problems", [])]
        assert any(said in each for each in told), told
        assert bureau.states() == []


OUT_OF_BOUNDS = [0, LONG - 1, 261, -5]


async def test_a_term_is_within_its_bounds(bureau: Bureau) -> None:
    for days in OUT_OF_BOUNDS:
        assert await refused(bureau.consult("t.weber", days=days)) == "ARGUMENT", days


async def test_the_least_term_is_the_policies(bureau: Bureau) -> None:
    listed = bureau.desk.rules.calendar
    bureau.desk.rules.calendar = msgspec.structs.replace(listed, terms=Terms(consultation=2))
    try:
        assert (await bureau.consult("t.weber", days=2))["state"] == "consultation"
    finally:
        bureau.desk.rules.calendar = listed


async def test_what_is_recalled_is_not_retired(bureau: Bureau) -> None:
    await bureau.published()
    row = {
        "id": "r-1", "job": "j-1", "sequence": 1, "inquiry": "i-1", "place": 1, "dataset": DATASET, "action": "delete",
        "issuer": "i", "client": "c", "purpose": "P", "state": "open", "at": 1, "due": 1, "filed_in": 1,
    }  # fmt: skip
    with bureau.desk.store.engine.begin() as connection:
        there = {name: value for name, value in row.items() if name in recalls.recall.c}
        connection.execute(recalls.recall.insert().values(there))
    assert await refused(bureau.retire("t.weber")) == "STATE"
    with bureau.desk.store.engine.begin() as connection:
        connection.execute(recalls.recall.delete())
    await bureau.retire("t.weber")


async def test_a_repeat_is_the_same_act(bureau: Bureau) -> None:
    one = await bureau.consult("t.weber", reference="r-1")
    assert await bureau.consult("t.weber", reference="r-1") == one
    assert await refused(bureau.consult("t.weber", days=21, reference="r-1")) == "REFERENCE"
    bureau.later(0)
    assert len(bureau.desk.acts()) == 1


async def test_a_repeat_is_of_the_definition_wherever_its_file_is(bureau: Bureau) -> None:
    one = await bureau.consult("t.weber", reference="r-1")
    moved = f"# Of the Tax Service.\n{text()}"
    assert await bureau.consult("t.weber", moved, named="offices.yaml", reference="r-1") == one
    assert await refused(bureau.consult("t.weber", text(title="Offices"), reference="r-1")) == "REFERENCE"
    assert len(bureau.desk.acts()) == 1


NO_NAMES = ["", "catalogue/tax.yaml", "../tax.yaml", "tax", "Read this:\u202e.yaml", "x" * 200]


async def test_a_file_is_named_as_one_of_the_catalogue_is(bureau: Bureau) -> None:
    for named in NO_NAMES:
        assert await refused(bureau.consult("t.weber", named=named)) == "ARGUMENT", named
        assert bureau.desk.acts() == [], named


async def test_a_file_may_be_as_large_as_one_of_a_folder(bureau: Bureau) -> None:
    large = text() + "# as large as it may be\n" * 20_000
    assert 400_000 < len(large.encode()) < MOST_BYTES
    await bureau.consult("t.weber", large)
    with pytest.raises(Refusal, match="larger than 1024 KiB"):
        await bureau.consult("t.weber", text(title="Other") + "#" * MOST_BYTES)


async def test_what_a_folder_publishes_is_no_acts_to_retire(bureau: Bureau) -> None:
    with pytest.raises(Refusal, match="no act published `tax-arrears`, which a folder has") as raised:
        await bureau.retire("t.weber", "tax-arrears")
    assert raised.value.extensions["reason"] == "STATE"
    for dataset, department in (("tax-arrears", "market"), ("no-such", "tax")):
        assert await refused(bureau.retire("t.weber", dataset, department)) == "MATTER_NOT_FOUND"


async def test_no_row_has_what_people_wrote(bureau: Bureau) -> None:
    await bureau.published()
    with bureau.desk.store.engine.connect() as connection:
        told = str([list(row) for row in connection.exec_driver_sql("SELECT * FROM supplement_step")])
    for each in ("Read it", "nobody minded", "t.weber", "t.nowak"):
        assert each not in told


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("UPDATE supplement_step SET until = '2026-01-01' WHERE step = 'consulted'", "was altered"),
        ("UPDATE supplement_step SET step = 'published' WHERE step = 'approval-asked'", "was altered"),
        ("DELETE FROM supplement_step WHERE step = 'approved'", "its row is gone"),
        ("UPDATE definition SET dataset = 'other'", "another dataset's"),
        ("UPDATE supplement_step SET dataset = 'other'", "was altered"),
    ],
)
async def test_a_row_that_was_altered_is_named(bureau: Bureau, change: str, said: str) -> None:
    await bureau.published()
    assert verify_store(bureau.desk.store, VERIFIERS)
    with bureau.desk.store.engine.begin() as connection:
        connection.exec_driver_sql(change)
    with pytest.raises(VerificationFailed, match=said):
        verify_store(bureau.desk.store, VERIFIERS)


async def test_a_definition_that_was_altered_is_named(bureau: Bureau) -> None:
    await bureau.published()
    wider = definitions.canonical(
        definition(bureau.desk, text("      floor: {type: String, title: Floor of the building}\n"))
    )
    with bureau.desk.store.engine.begin() as connection:
        connection.execute(supplements.rows.definition.update().values(body=wider))
    with pytest.raises(VerificationFailed, match="not what its digest is of"):
        verify_store(bureau.desk.store, VERIFIERS)
