"""Types of columns whose values stand sealed in a store that has a key, and as they are in one that has none.

Whoever asks by SQLAlchemy sees plain values in both: a type finds the vault of a store by the dialect of its engine,
which is the engine's own. What runs on a driver directly is given its values, and its rows, through the same types
(`gateway.storage.statement`).

A column that is compared with a value has a `Name`; two columns that are compared with each other have one purpose.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from sqlalchemy import Engine, LargeBinary, Text
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine

from gateway.errors import StoreUnavailable
from gateway.storage.sealing.vault import Vault

_T = TypeVar("_T")
_VAULTS: WeakKeyDictionary[Dialect, Vault] = WeakKeyDictionary()


def keep(engine: Engine, vault: Vault) -> None:
    """Have the values of an engine's store sealed and opened by a vault."""
    _VAULTS[engine.dialect] = vault


def vault_of(dialect: Dialect) -> Vault | None:
    """The vault of a store, by the dialect of its engine; None where its values stand as they are."""
    return _VAULTS.get(dialect)


class Sealed(TypeDecorator[_T]):
    """A value for a purpose."""

    impl = Text
    cache_ok = True

    def __init__(self, purpose: str) -> None:
        super().__init__()
        self.purpose = purpose

    def sealed(self, vault: Vault, value: Any) -> Any:
        """A value as it stands in the store."""
        raise NotImplementedError

    def opened(self, vault: Vault, value: Any) -> Any:
        """The value that stands there; raises `StoreUnavailable` where it does not open."""
        raise NotImplementedError

    def newest(self, vault: Vault, value: Any) -> bool:
        """Whether it stands there sealed, by the newest key."""
        raise NotImplementedError

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        vault = _VAULTS.get(dialect)
        return value if vault is None or value is None else self.sealed(vault, value)

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        vault = _VAULTS.get(dialect)
        return value if vault is None or value is None else self.opened(vault, value)


class Name(Sealed[str]):
    """What rows are found by: the same value stands there the same."""

    cache_ok = True

    def sealed(self, vault: Vault, value: Any) -> Any:
        return vault.name(self.purpose, value)

    def opened(self, vault: Vault, value: Any) -> Any:
        return vault.name_opened(self.purpose, value)

    def newest(self, vault: Vault, value: Any) -> bool:
        return vault.newest_name(value)


class Words(Sealed[str]):
    """Text that no row is found by."""

    cache_ok = True

    def sealed(self, vault: Vault, value: Any) -> Any:
        return vault.words(self.purpose, value)

    def opened(self, vault: Vault, value: Any) -> Any:
        return vault.words_opened(self.purpose, value)

    def newest(self, vault: Vault, value: Any) -> bool:
        return vault.newest_words(value)


class Secret(Sealed[bytes]):
    """Bytes that no row is found by, as a key."""

    impl = LargeBinary  # type: ignore[assignment]
    cache_ok = True

    def sealed(self, vault: Vault, value: Any) -> Any:
        return vault.secret(self.purpose, value)

    def opened(self, vault: Vault, value: Any) -> Any:
        if not isinstance(value, (bytes, memoryview)):
            raise StoreUnavailable(f"a value of the store (`{self.purpose}`) is of another type: it was altered")
        return vault.secret_opened(self.purpose, bytes(value))

    def newest(self, vault: Vault, value: Any) -> bool:
        return vault.newest_secret(bytes(value))


Places = Sequence[tuple[int, Sealed[Any]]]
"""Which values of a row are sealed, and how."""


def places(types: Iterable[TypeEngine[Any]]) -> Places:
    """The places in a row of these types."""
    return [(place, each) for place, each in enumerate(types) if isinstance(each, Sealed)]


def sealed(vault: Vault | None, at: Places, row: Sequence[Any]) -> Sequence[Any]:
    """A row as it stands in the store."""
    if vault is None or not at:
        return row
    made = list(row)
    for place, type_ in at:
        if made[place] is not None:
            made[place] = type_.sealed(vault, made[place])
    return made


def opened(vault: Vault | None, at: Places, rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Rows as they were; raises `StoreUnavailable` where one does not open."""
    if vault is None or not at:
        return rows
    found, known = [], dict[tuple[int, Any], Any]()
    for row in rows:
        made = list(row)
        for place, type_ in at:
            if made[place] is not None:
                key = place, made[place]
                if key not in known:  # entries of one day have one key
                    known[key] = type_.opened(vault, made[place])
                made[place] = known[key]
        found.append(tuple(made))
    return found
