"""From an entry of the ledger to a `Look`, its subjects' names made unreadable on the way. Pure.

Subjects who look at their own records, the open record, and whatever names no subject or purpose, are nobody's misuse
and give no look.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping

from gateway.ledger.entry import entries
from gateway.rules.files.requesters import PUBLIC
from gateway.rules.files.thresholds import Numbers
from gateway.watch.model import ANSWERED, DENIED, OUT_OF_REACH, Actor, Look, Seen


class Names:
    """Identifiers as opaque keys: equal for equal ones, under a secret that is forgotten with the process.

    `numbers` are the schemes whose identifiers count up.
    """

    def __init__(self, secret: bytes, numbers: Mapping[str, Numbers]) -> None:
        self._secret, self._numbers = secret, numbers

    def blind(self, scheme: str, value: str) -> bytes:
        """The opaque key of an identifier."""
        return hashlib.blake2b(f"{scheme}\0{value}".encode(), digest_size=16, key=self._secret).digest()

    def seen(self, scheme: str, value: str) -> Seen:
        """An identifier as the detectors see it."""
        return Seen(self.blind(scheme, value), scheme, self._ordinal(scheme, value))

    def _ordinal(self, scheme: str, value: str) -> int | None:
        counts = self._numbers.get(scheme)
        if counts is None:
            return None
        number = value[: len(value) - counts.check_digits]
        try:
            return int(number, 36 if counts.letters else 10)
        except ValueError:
            return None


class Projection:
    """Entries to looks. `ignored` purposes are those by which subjects ask about themselves."""

    def __init__(self, names: Names, ignored: Collection[str]) -> None:
        self._names, self._ignored = names, frozenset(ignored)

    def look(self, entry: int, said: entries.Told, oversight: entries.Oversight) -> Look | None:
        """The look that an entry is; `None` where it is none, or names nobody any more."""
        if isinstance(said, entries.Inquiry):
            subjects: Iterable[entries.Disclosed | entries.Named] = said.disclosed
            outcome = ANSWERED if any(each.datasets for each in said.disclosed) or DENIED not in said.errors else DENIED
        elif isinstance(said, entries.Refused):
            subjects = said.subjects
            outcome = OUT_OF_REACH if said.retryable else said.code
        else:
            return None
        subjects = [each for each in subjects if each.value]
        declared = said.declaration
        if declared is None or not subjects or said.requester.issuer == PUBLIC[0] or declared.purpose in self._ignored:
            return None
        return Look(
            entry,
            said.at,
            Actor(said.requester.issuer, said.requester.client, oversight.official),
            declared.purpose,
            declared.case,
            tuple(self._names.seen(each.scheme, each.value) for each in subjects),
            outcome,
        )
