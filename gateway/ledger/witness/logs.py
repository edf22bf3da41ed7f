"""Which logs a witness knows, and by which keys.

Of a ledger of which it was given the root shard's key, they are those that the registry names: the ledger submits the
registry when something in it is new to the witness. Of any other they are those whose own keys it was given. So a shard
that is not registered is not cosigned, nor one that was sealed or signs with a key that was given up; and a new shard
or key needs nothing from whoever runs the witness.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gateway.errors import VerificationFailed
from gateway.ledger.entry.registry import ROOT, Registry, read_document
from gateway.ledger.proof.note import Checkpoint, Verifier, log_key
from gateway.nouns import counted


class Logs:
    """The logs of a witness. `given` are the keys that it was given, `documents` registries by their root's origin."""

    def __init__(self, given: Sequence[Verifier], documents: Mapping[str, bytes]) -> None:
        """Raises `VerificationFailed` where a registry does not verify by the keys that were given."""
        self._given = [key for key in given if not key.cosigns]
        self.documents = {
            root: content for root, content in documents.items() if any(key.name == root for key in self._given)
        }
        self._registries = {root: self.read(content) for root, content in self.documents.items()}

    def read(self, content: bytes) -> Registry:
        """A registry that one of the given root keys vouches for; raises `VerificationFailed`."""
        return read_document(content, [key for key in self._given if key.name.endswith(f"/{ROOT}")])

    def following(self, content: bytes, registry: Registry) -> Logs:
        """The same, with a registry that was verified."""
        made = Logs(self._given, {})
        made.documents = self.documents | {registry.root: content}
        made._registries = self._registries | {registry.root: registry}
        return made

    def keys(self, origin: str) -> list[Verifier]:
        """The keys that may have signed a log; raises `LookupError` with the reason where there is none."""
        root = f"{origin.rpartition('/')[0]}/{ROOT}"
        own = [key for key in self._given if key.name == origin]
        if origin != root and any(key.name == root for key in self._given):
            registry = self._registries.get(root)
            if registry is None:
                raise LookupError(f"the registry of `{root}` was not submitted yet")
            if origin not in registry.shards:
                raise LookupError(f"the log `{origin}` is not in the registry of `{root}`")
            return list(registry.shards[origin].every)
        if origin == root and (registry := self._registries.get(root)) is not None:
            listed = registry.shards[root]
            return [listed.key, *(key for key in own if key not in listed.every)]
        if not own:
            raise LookupError(f"the log `{origin}` is not known here")
        return own

    def check_signed(self, checkpoint: Checkpoint, signers: Sequence[Verifier]) -> None:
        """Whether the registry lets the key sign that tree; raises `VerificationFailed`."""
        root = f"{checkpoint.origin.rpartition('/')[0]}/{ROOT}"
        registry, key = self._registries.get(root), log_key(signers, checkpoint.origin)
        if key is None:
            raise VerificationFailed(
                f"the log's own key did not sign its checkpoint of {counted(checkpoint.size, 'entry')}"
            )
        if registry is not None and checkpoint.origin != root:
            registry.check_signed(checkpoint, key)
