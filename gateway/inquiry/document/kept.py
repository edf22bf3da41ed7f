"""Which compiled documents are kept: those that are sent again, within what they weigh.

Whoever sends a new document each time would else push out everybody's, and fill memory with what nobody asks again:
hundreds of thousands of objects, which the garbage collector then walks while all wait. So a document that was seen
once is kept among few (`ONCE`), and of one that left these its name is remembered (`SEEN`): at its second sight it
comes among those that stay. What is made of a document weighs what its text has in characters: that bounds what it has.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, NamedTuple, TypeVar

from cachetools import LRUCache
from graphql import DocumentNode

ONCE = 16
SEEN = 16_384
LEAST = 1024
"""Characters that a text weighs at least."""
WEIGHT = 1024 * LEAST
"""What all that is kept may weigh; the longest unused leaves first."""

_T = TypeVar("_T")


class Sent(NamedTuple):
    """A document as it is sent, and which of its operations."""

    query: str
    operation_name: str | None


class Weighed(Generic[_T]):
    """Values by name, as many as their weight allows."""

    def __init__(self, most: int = WEIGHT) -> None:
        self._found: OrderedDict[Hashable, tuple[_T, int]] = OrderedDict()
        self._most, self._weight = most, 0

    def __contains__(self, name: Hashable) -> bool:
        return name in self._found

    def get(self, name: Hashable) -> _T | None:
        """The value of that name; None where there is none."""
        found = self._found.get(name)
        if found is None:
            return None
        self._found.move_to_end(name)
        return found[0]

    def all(self) -> list[_T]:
        """All values, those last that were used last; none counts as asked for by it."""
        return [value for value, _ in self._found.values()]

    def keep(self, name: Hashable, value: _T, characters: int) -> None:
        """Keep a value made from a text of so many characters, unless that alone is too much."""
        weight = max(LEAST, characters)
        if weight > self._most:
            return
        if name in self._found:
            self._weight -= self._found.pop(name)[1]
        self._found[name] = value, weight
        self._weight += weight
        while self._weight > self._most:
            self._weight -= self._found.popitem(last=False)[1][1]


def _itself(name: Hashable) -> Hashable:
    return name


class SentAgain(Generic[_T]):
    """Values by name; those that are asked for again stay. Not for two threads at once.

    Names of what was not asked for again are kept as `brief` makes them: there are many.
    """

    def __init__(
        self,
        brief: Callable[[Hashable], Hashable] = _itself,
        once: int = ONCE,
        seen: int = SEEN,
        weight: int = WEIGHT,
    ) -> None:
        self._brief = brief
        self._once: LRUCache[Hashable, tuple[_T, int]] = LRUCache(once)
        self._seen: LRUCache[Hashable, bool] = LRUCache(seen)
        self._again: Weighed[_T] = Weighed(weight)

    def get(self, name: Hashable) -> _T | None:
        """The value of that name, which is asked for again now; None where it is not kept."""
        value = self._again.get(name)
        if value is None and (found := self._once.pop(self._brief(name), None)) is not None:
            self._again.keep(name, *found)
            value = found[0]
        return value

    def staying(self) -> list[_T]:
        """The values that were asked for again."""
        return self._again.all()

    def stay(self, name: Hashable, value: _T, characters: int) -> None:
        """Keep a value as one that was asked for again."""
        self._again.keep(name, value, characters)

    def keep(self, name: Hashable, value: _T, characters: int) -> None:
        """Keep a value that was made from a text of so many characters."""
        brief = self._brief(name)
        if name in self._again or self._seen.pop(brief, False):
            self._again.keep(name, value, characters)
            return
        if brief not in self._once and len(self._once) == self._once.maxsize:
            self._seen[self._once.popitem()[0]] = True
        self._once[brief] = value, characters


def unlink(document: DocumentNode) -> None:
    """Let a parsed document go when nobody uses it any more: its tokens hold each other, both ways.

    Else they are left to the garbage collector, which stops everything while it walks to them.
    """
    token = document.loc.start_token if document.loc is not None else None
    while token is not None:
        following, token.prev, token.next = token.next, None, None
        token = following
