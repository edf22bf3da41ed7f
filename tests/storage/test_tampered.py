"""What somebody does who has the database: each shape is named by `dutybound ledger verify`, with status 1, on both."""

from __future__ import annotations

import pytest

from gateway.ledger.entry.registry import COMMANDS, ROOT
from gateway.ledger.log import registrar
from gateway.ledger.proof import key_files
from gateway.storage.tables import SHARD_BITS
from tests.ledger.served import Files, published, serving
from tests.ledger.support import ORIGIN
from tests.storage.office import FINDING, LEI, SAID, Office, office, server

__all__ = ["office", "server"]

HOLD = ("ledger", "hold", "place", "--subject", LEI, *SAID)


def remove(office: Office, name: str) -> None:
    """Leave nothing of a shard, wherever its name or its number stands."""
    number = office.heads()[name][0]
    base, end = number << SHARD_BITS, (number + 1) << SHARD_BITS
    for table, column in (("looked", "entry"), ("received", "entry"), ("asked", "entry"), ("raced", "entry")):
        office.sql(f"DELETE FROM {table} WHERE {column} >= {base} AND {column} < {end}")
    office.sql(f"DELETE FROM entry_requester WHERE entry >= {base} AND entry < {end}")
    office.sql(f"DELETE FROM entry WHERE id >= {base} AND id < {end}")
    for table in ("subtree", "published", "period_key", "subject_key", "projected", "watch_cursor"):
        office.sql(f"DELETE FROM {table} WHERE shard = {number}")
    office.sql("DELETE FROM sealed WHERE name = :name", name=name)
    assert office.sql("DELETE FROM shard WHERE name = :name", name=name) == 1


def public(office: Office, *shards: str) -> str:
    """A file with these shards' public keys."""
    file = office.folder / "given.pub"
    key_files.write_verifiers(file, key_files.load(office.folder / "ledger.key"), ORIGIN, shards)
    return str(file)


@pytest.mark.parametrize("shard", ["1", COMMANDS[0]])
def test_a_whole_shard_that_was_removed_is_named(office: Office, shard: str) -> None:
    """What is registered is all there, or its removal is named, with the head file or without."""
    office.serve(1)
    office.ran(*HOLD)
    assert office.verify() == 0, office.err
    remove(office, shard)
    (office.folder / "heads.json").unlink()
    assert office.verify() == 1
    assert office.err == (
        f"shard `{shard}`: it is registered as `{ORIGIN}/{shard}`, and the store has nothing of it: the whole shard was"
        " removed\n"
    )
    assert "whole" not in office.out


def test_a_shard_that_was_removed_with_its_registration_is_named_by_the_head_file(office: Office) -> None:
    office.serve(1)
    remove(office, "1")
    remove(office, ROOT)
    assert office.verify() == 1
    assert "remembers 3" in office.err


def test_a_registry_that_was_removed_is_named_by_whoever_has_its_key(office: Office) -> None:
    office.serve(1)
    remove(office, ROOT)
    stored = ("--store", office.place.url)
    assert office.bare("ledger", "verify", *stored, "--key", public(office, ROOT)) == 1
    assert f"shard `{ROOT}`: `{ORIGIN}/{ROOT}` has a key, and the store has no registry: it was removed" in office.err


def served(office: Office) -> dict[str, Files]:
    """What a gateway on the store serves now."""
    store = office.place.open()
    content = registrar.document(store)
    assert content is not None
    return {name: published(store, name) for name in office.heads()} | {"registry": {"": content}}


def test_a_live_gateway_is_held_against_its_registry(office: Office) -> None:
    office.serve(1)
    office.ran(*HOLD)
    key = public(office, ROOT)
    with serving(served(office)) as url:
        assert office.bare("ledger", "verify", url, "--state", "seen", "--key", key) == 0, office.err
        assert f"whole: {ORIGIN}/{COMMANDS[0]}, 1 entry" in office.out
    remove(office, COMMANDS[0])
    with serving(served(office)) as url:
        assert office.bare("ledger", "verify", url, "--state", "elsewhere", "--key", key) == 1
        assert (
            f"`{ORIGIN}/{COMMANDS[0]}`: it is registered, and `{url}/ledger/{COMMANDS[0]}` serves nothing" in office.err
        )
        assert "the whole shard was removed" in office.err


def test_an_export_verifies_with_the_root_key_alone(office: Office) -> None:
    """The demo's own key file did not verify the demo's own export."""
    office.serve(1)
    office.ran("ledger", "export", "--subject", LEI, *SAID, "--out", "evidence")
    assert office.bare("ledger", "verify", "evidence", "--key", public(office, ROOT)) == 0, office.err
    assert office.bare("ledger", "verify", "evidence", "--key", public(office, "1")) == 0, "it is the same key"
    (office.folder / "evidence" / "registry.json").write_bytes(b"{}")
    assert office.bare("ledger", "verify", "evidence", "--key", public(office, ROOT)) == 1
    other = key_files.generate(office.folder / "other.key")
    key_files.write_verifiers(office.folder / "other.pub", other, ORIGIN, [ROOT])
    assert office.bare("ledger", "verify", "evidence", "--key", office.folder / "other.pub") == 1


SHAPES: dict[str, tuple[str, str]] = {
    "looked thinned": ("DELETE FROM looked", "it is missing from the projection `looked`"),
    "received thinned": ("DELETE FROM received", "it is missing from the projection `received`"),
    "asked thinned": ("DELETE FROM asked", "it is missing from the projection `asked`"),
    "received altered": ("UPDATE received SET shares = 'null'", "it is missing from the projection `received`"),
    "looked made up": (
        "INSERT INTO looked (subject, at, entry) SELECT subject + 1, at, entry FROM looked",
        "the projection `looked` holds",
    ),
    "looked of no entry": (
        "INSERT INTO looked (subject, at, entry) SELECT subject, at, entry + 999 FROM looked",
        "the projection `looked` holds",
    ),
    "asked made up": (
        "INSERT INTO asked (requester, purpose, at, entry) SELECT requester, 'OTHER', at, entry FROM asked",
        "the projection `asked` holds",
    ),
    "position put ahead": (
        "UPDATE projected SET next = 99 WHERE projection = 'looked'",
        "the projection `looked` claims to have 99 entries",
    ),
    "hold removed": ("DELETE FROM hold WHERE value IS NOT NULL", "its row was removed"),
    "hold lifted": (
        "UPDATE hold SET scheme = NULL, value = NULL, lifted_at = 1, lifted_by = 'x'",
        "its row is not what its entries record",
    ),
    "hold on another": (
        "UPDATE hold SET value = 'x' WHERE value IS NOT NULL",
        "its row is not what its entries record",
    ),
    "hold made up": (
        "INSERT INTO hold (id, scheme, value, at, by, reason) VALUES ('made-up', 'LEI', 'x', 1, 'x', 'x')",
        "hold `made-up`: it has a row, but no entry records it: it was made up",
    ),
    "erasure removed": ("DELETE FROM erasure", "its row was removed"),
    "erasure said to be done": (
        "UPDATE erasure SET state = 'done', scheme = NULL, value = NULL, decided_at = 1, decided_by = 'x'",
        "its row is not what its entries record",
    ),
    "erasure requested by another": ("UPDATE erasure SET by = 'x'", "its row is not what its entries record"),
    "erasure made up": (
        "INSERT INTO erasure (id, scheme, value, at, by, account, reason, state)"
        " VALUES ('made-up', 'LEI', 'x', 1, 'x', 'x', 'x', 'requested')",
        "erasure `made-up`: it has a row, but no entry records it",
    ),
    "verdict removed": ("DELETE FROM verdict", f"review of finding `{FINDING}`: entries record it"),
    "verdict altered": ("UPDATE verdict SET verdict = 'improper'", "its row is not what its entries record"),
    "verdict made up": (
        "INSERT INTO verdict (finding, at, by, verdict, reason) VALUES ('made-up', 1, 'x', 'proper', 'x')",
        "review of finding `made-up`: it has a row, but no entry records it",
    ),
    "entries behind a finding": (
        "DELETE FROM finding_entry",
        f"review of finding `{FINDING}`: its row is not what its entries record",
    ),
    "fact removed": ("DELETE FROM fact WHERE change = 1", "facts: 4 changes were numbered, and 2 stand"),
    "fact in force again": ("UPDATE fact SET ended = NULL, ended_at = NULL", "facts: 4 changes were numbered, and 3"),
    "facts cut off": (
        "DELETE FROM fact; UPDATE fact_head SET change = 0",
        "an entry was decided from those of change 2, and the table `fact` ends at 0",
    ),
    "fact made up": (
        "INSERT INTO fact (change, id, kind, scheme, value, dataset, at)"
        " VALUES (9, 'x', 'opt-out', 'LEI', 'x', 'd', 1)",
        "facts: 4 changes were numbered, and 5 stand",
    ),
    "entry removed": ("DELETE FROM entry WHERE id = (SELECT min(id) FROM entry)", "entry 0 is missing"),
    "leaf altered": ("UPDATE entry SET leaf = (SELECT leaf FROM entry ORDER BY id LIMIT 1)", "its payload is not what"),
    "index thinned": ("DELETE FROM entry_requester", "it is missing from the index of its requester"),
}


def test_each_shape_of_tampering_is_named(office: Office) -> None:
    """Projections, rows of people's acts and facts, and what was found before: one shape at a time, on a copy."""
    office.populate()
    assert office.verify() == 0, office.err
    place = office.place
    for shape, (statements, said) in SHAPES.items():
        office.move(place.copy())
        for statement in statements.split("; "):
            assert office.sql(statement), shape
        assert office.verify() == 1, shape
        assert said in office.err, (shape, office.err)
        assert office.err.count("\n") == 1, office.err


def test_evidence_is_as_thick_as_the_ledger(office: Office) -> None:
    """Rows deleted from what is made of the ledger left 1 entry of 8, and a package that was whole."""
    office.populate()
    export = ("ledger", "export", "--subject", LEI, *SAID, "--out")
    office.ran(*export, "before")
    for table in ("looked", "received", "asked"):
        assert office.sql(f"DELETE FROM {table}"), table
    assert "written: 8 entries" in office.ran(*export, "after"), "as before, and the view of before"
    assert "the projection `looked` lacks 6 of these entries" in office.err
    assert office.bare("ledger", "verify", "after", "--key", public(office, ROOT)) == 0, office.err
    assert f"searched: every entry so far (2 of 1, 7 of {COMMANDS[0]}, 3 of {ROOT})" in office.out
    assert office.sql("DELETE FROM entry WHERE id = (SELECT min(id) FROM entry)")
    assert "shard `1`: its entries do not give its head" in office.refused(*export, "thin")
    assert not (office.folder / "thin").exists()


@pytest.mark.parametrize(
    ("what", "statement"),
    [
        ("hold", "DELETE FROM hold"),
        ("hold", "UPDATE hold SET scheme = NULL, value = NULL, lifted_at = 1, lifted_by = 'x'"),
        ("review", "INSERT INTO verdict SELECT id, 1, 'x', 'proper', 'x' FROM finding"),
    ],
)
def test_what_keeps_a_subject_is_looked_up_in_the_entries(office: Office, what: str, statement: str) -> None:
    """A hold that was deleted by SQL let the erasure through."""
    office.serve(1)
    if what == "hold":
        office.ran(*HOLD)
    else:
        office.find()
    id_ = office.ran("ledger", "erase", "request", "--subject", LEI, *SAID).split()[2].rstrip(",")
    assert office.sql(statement)
    refused = office.refused("ledger", "erase", "approve", id_, "--by", "B. Judge")
    assert f"{what} `" in refused
    assert "is open by its entry, but its row was removed or altered" in refused
