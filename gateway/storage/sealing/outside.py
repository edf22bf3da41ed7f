"""The key outside a store, wherever it is: read from its file each time, or asked of its command once."""

from __future__ import annotations

from pathlib import Path

from gateway.config.store_key import KeyAway, StoreKey
from gateway.errors import ConfigurationError, Problem
from gateway.storage.sealing import key_file
from gateway.storage.sealing.key_file import NO_KEYS, KeyFile


def load(key: StoreKey, file: str, *, again: bool = False) -> KeyFile:
    """The keys; raises `ConfigurationError` with the fix. `file` is the configuration, `again` asks a command anew."""
    if isinstance(key, Path):
        return key_file.load(key)
    try:
        return key_file.decoded(key.printed(again=again))
    except KeyAway as error:
        why = (
            f"{shown(key)} {error}: the key of the store is missing. Nothing was changed; run the command yourself, as"
            " the gateway's account, to see why, and try again"
        )
    except ValueError as error:
        why = f"what {shown(key)} printed {NO_KEYS}: {error}"
    raise ConfigurationError([Problem(file, 0, 0, setting(key), why)])


def setting(key: StoreKey | None) -> str:
    """Which key of `gateway.yaml` names it."""
    return "store_key_file" if key is None or isinstance(key, Path) else "store_key_command"


def shown(key: StoreKey) -> str:
    """What to call it: the file, or the command's program. Arguments may be secret."""
    return f"`{key if isinstance(key, Path) else key.words[0]}`"
