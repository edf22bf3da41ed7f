"""What `ledger verify` takes of what is there: a store, its archive, a sample, and what earlier checks remember."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from gateway.config import settings
from gateway.config.store_key import StoreKey
from gateway.errors import ConfigurationError, Problem
from gateway.ledger.log import head_file
from gateway.ledger.proof import key_files
from gateway.ledger.verify.heads import Verified
from gateway.ledger.verify.kept import Kept
from gateway.ledger.verify.published import follower_state
from gateway.ledger.verify.sample import Sampled, found_with
from gateway.nouns import counted
from gateway.storage.archive.files import archive_at
from gateway.storage.store import Store, open_copy, open_to_read


def opened(named: str, file: str, archive: str | None, key: StoreKey | None, without: bool) -> Store:
    """The store of a URL, which `file` names, or of a SQLite file; and where its archived entries are.

    `without` a key, where its rows may be sealed.
    """
    if "://" in named:
        store = open_to_read(named, file, key, without=without)
    else:
        store = open_copy(Path(named), key, without=without)
    store.archive = archive_at(archive)
    return store


def sampled(found: list[Sampled]) -> list[Verified]:
    """Print what a sample found, and give its shards."""
    for shard, opened in found:
        print(f"sampled: {shard.origin}, {opened} of {counted(shard.size, 'entry')}, root {shard.root.hex()}")
    opened, size = sum(each.opened for each in found), sum(each.shard.size for each in found)
    least = found_with(opened, size)
    print(
        f"sampled: {opened} of {counted(size, 'entry')}, as they were signed"
        + (f"; were {least:.2%} of them broken, one would have been found with 95 %" if least else ", which are all")
    )
    return [each.shard for each in found]


@contextlib.contextmanager
def kept(file: Path | None, configured: settings.Settings | None) -> Iterator[Kept | None]:
    """What an earlier check found whole, in a file that only the configuration's key vouches for."""
    if file is None:
        yield None
        return
    if configured is None:
        fix = "`--resume` needs `--config`: the ledger's key vouches for what is in its file"
        raise ConfigurationError([Problem(str(file), 0, 0, "", fix)])
    kept = Kept(file, key_files.load(configured.ledger.key_file))
    try:
        yield kept
    finally:
        kept.close()


def remembered(configured: settings.Settings | None, state: Path | None) -> list[head_file.SeenOutside]:
    """What is known of the store's shards from outside it: the head file, and what an earlier run remembers."""
    found = []
    if configured is not None:
        found += head_file.HeadFile(configured.ledger.head_file).all()
    if state is not None:
        found += [head_file.SeenOutside(f"`{path}`", note) for path, note in follower_state.Memory(state).notes()]
    return found
