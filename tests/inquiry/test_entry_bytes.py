"""What an inquiry's entry keeps for later costs few bytes: of the demo's inquiries, and about 20 organisations."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from connectors.base import Subject
from deploy.demo.scenes import COURT, DENIED, TENDER
from gateway.ledger.entry import entries
from gateway.ledger.entry.parts import EntryParts, split
from tests.world import Ask, Case, Held, World, new_subject, opened, values

MOST = 1.15
"""How many times the bytes of before its entry may take."""
TWENTY = """query($ids: [IdentifierInput!]!) @inquiry(purpose: LICENCE_RENEWAL) {
  organisations(ids: $ids) { name taxRegistrations { status record { id } } businessLicences { number status } } }"""
ADVERSE = """query($ids: [IdentifierInput!]!, $case: String!) @inquiry(purpose: TENDER_QUALIFICATION, case: $case) {
  organisations(ids: $ids) { name taxArrears { period amount currency record { id } } } }"""
ASKED = {
    "tender": ("market-regulator", "m.ivanova", "market", TENDER, 1),
    "denied": ("market-regulator", "m.ivanova", "market", DENIED, 1),
    "court": ("civil-court", "j.okafor", "courts", COURT, 1),
    "twenty": ("environment-agency", "e.lind", "", TWENTY, 20),
    "twenty, of records that end": ("market-regulator", "m.ivanova", "market", ADVERSE, 20),
}


def size(made: EntryParts) -> int:
    return len(made.told) + len(made.oversight) + sum(len(each.told) + len(each.oversight) for each in made.subjects)


def before(told: entries.Inquiry, oversight: entries.Oversight) -> EntryParts:
    """The entry without what it keeps for later."""
    disclosed = [
        msgspec.structs.replace(
            each, datasets=[msgspec.structs.replace(one, until=[], since=[]) for one in each.datasets]
        )
        for each in told.disclosed
    ]
    return split(msgspec.structs.replace(told, disclosed=disclosed), msgspec.structs.replace(oversight, decided=[]))


def hold(world: World, subject: Subject, records: int) -> None:
    for dataset in world.catalogue.datasets.values():
        count = 1 if dataset.shape == "subject" else records
        held = [
            Held(f"{dataset.id[:2].upper()}-{subject.value[-6:]}-{at}", values(dataset, at), effective=world.today())
            for at in range(count)
        ]
        world.held[subject, dataset.id] = held


@pytest.mark.parametrize("records", [0, 1, 3])
@pytest.mark.parametrize("name", ASKED)
def test_it_costs_few_bytes(name: str, records: int) -> None:
    client, official, registry, query, count = ASKED[name]
    with opened() as world:
        subjects = [new_subject() for _ in range(count)]
        for subject in subjects:
            hold(world, subject, records)
        world.registries.known["C-2026-17"] = Case(registry, frozenset(subjects), frozenset([official]))
        named = [{"scheme": each.scheme, "value": each.value} for each in subjects]
        variables: dict[str, Any] = {"ids": named} if count > 1 else {"id": named[0]}
        if "$case" in query:
            variables["case"] = "C-2026-17"
        reply = world.ask(Ask(world.requester(client, official=official), query, variables))
        [entry] = reply.entries
        assert isinstance(entry.told, entries.Inquiry), reply.said
        assert name == "denied" or all(each.datasets for each in entry.told.disclosed)
        oversight = msgspec.structs.replace(entry.oversight, keys=b"")  # the ledger's own, in both
        was, now = size(before(entry.told, oversight)), size(split(entry.told, oversight))
        assert was < now <= MOST * was
