"""`GET /ledger/health`: the state of the ledger, as its store has it, for oversight. No key is needed, and no entry.

Of each shard: how much was entered, how much of it is published and since when, whether the checkpoint is signed by the
shard's own key, and which of the configured witnesses cosigned it. Behind it: how far each projection is. Whether the
entries are what was signed is for `dutybound ledger verify`, which reads all of them.
"""

from __future__ import annotations

import contextlib
from typing import Any

from gateway.acts.office import Office
from gateway.config.ledger import LedgerSettings
from gateway.errors import Code, Refusal, StoreUnavailable, VerificationFailed
from gateway.ledger.log.publish import read_published
from gateway.ledger.log.retire import all_sealed
from gateway.ledger.projections import positions
from gateway.ledger.proof.note import log_key, open_note, parse_checkpoint, parse_verifier
from gateway.ledger.stored.read import Head, heads
from gateway.storage.port import Reader
from gateway.storage.tables import moment


class Health:
    """The ledger of one configuration."""

    def __init__(self, office: Office, settings: LedgerSettings) -> None:
        self._office, self._settings = office, settings
        self._witnesses = {each.name: parse_verifier(each.key) for each in settings.witnesses}

    def now(self) -> dict[str, Any]:
        """All of it; blocks. Raises `Refusal`."""
        office, settings = self._office, self._settings
        at = office.now()
        try:
            with contextlib.closing(office.store.reader()) as reader:
                shards = [self._shard(reader, head) for head in heads(reader)]
                behind = positions.lags(reader)
                gone = {each.name: each for each in all_sealed(reader)}
        except (VerificationFailed, StoreUnavailable) as error:
            raise Refusal(
                Code.LEDGER_UNAVAILABLE, "the ledger's store cannot be read now; try again later",
                headers={"Retry-After": "1"},
            ) from error  # fmt: skip
        for each in shards:
            each["sealed"] = each["name"] in gone
        return {
            "at": at,
            "origin": settings.origin,
            "taking": office.writer.ledger.healthy,
            "shards": shards,
            "sealed": [{"name": each.name, "at": moment(each.at), "namedIn": each.named_in} for each in gone.values()],
            "projections": list(_projections(behind)),
            "witnesses": {"names": [each.name for each in settings.witnesses], "required": settings.require},
        }

    def _shard(self, reader: Reader, head: Head) -> dict[str, Any]:
        found = read_published(reader, head.name)
        note = found.checkpoint if found is not None else head.checkpoint
        signed, cosigned = self._signed(head, note)
        return {
            "name": head.name,
            "entries": head.size,
            "published": 0 if found is None else found.size,
            "publishedAt": None if found is None else found.at,
            "signed": signed,
            "cosigned": cosigned,
        }

    def _signed(self, head: Head, note: str) -> tuple[bool, list[str]]:
        """Whether the shard's key signed its checkpoint, and the witnesses that cosigned it."""
        try:
            own = parse_verifier(head.verifier)
            text, signers = open_note(note, [own, *self._witnesses.values()])
            by_own = log_key(signers, parse_checkpoint(text).origin) == own
        except ValueError:
            return False, []
        return by_own, [name for name, key in self._witnesses.items() if key in signers]


def _projections(behind: list[positions.Lag]) -> list[dict[str, Any]]:
    """Of each projection, over all shards: how many entries it lacks, and since when the first of them is there."""
    found: dict[str, tuple[int, int | None]] = {}
    for each in behind:
        entries, since = found.get(each.projection, (0, None))
        times = [at for at in (since, each.since) if at is not None]
        found[each.projection] = entries + each.entries, min(times, default=None)
    return [
        {"name": name, "behind": entries, "since": None if since is None else moment(since)}
        for name, (entries, since) in found.items()
    ]
