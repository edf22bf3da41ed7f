"""One gateway at a time on a SQLite file."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator

from sqlalchemy.engine import make_url

from gateway.config.settings import Settings
from gateway.storage.store import open_file, refusal, sqlite_path


@contextlib.contextmanager
def served_alone(settings: Settings, patience: float = 3.0) -> Iterator[None]:
    """See that a SQLite store is served by one gateway at a time; on PostgreSQL any number may serve.

    `patience` is how many seconds the workers of one that was killed may take to end. Raises `ConfigurationError`.
    """
    if make_url(settings.store).get_backend_name() == "postgresql":
        yield
        return
    path = sqlite_path(settings.store, str(settings.file))
    end = time.monotonic() + patience
    with contextlib.closing(open_file(path, str(settings.file), settings.store_key)) as store:
        while (lock := store.lock("serve")) is None:
            if time.monotonic() >= end:
                raise refusal(
                    str(settings.file),
                    f"`{path}` is served by another `dutybound serve`; stop it, or put several gateways on PostgreSQL",
                )
            time.sleep(0.05)
    try:
        yield
    finally:
        os.close(lock)
