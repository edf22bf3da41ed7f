"""A proposed rule set, examined in a process of its own: its files are a stranger's, and may be made to take for ever.

`python -m gateway.proposals.examination` reads an `Asked` from its standard input and writes an `Examined`. It loads
both sets from their archives, runs the candidate's tests, builds its GraphQL schema, and compares the two matrices.
Nothing of it reaches the process that serves but plain words, names and digests.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping

import msgspec

from gateway.bounds.children import bound

MOST_MEMORY = 2 * 1024**3
MOST_CPU = 120
"""Bytes, and seconds, that an examination may take; then its process ends."""
MOST_TOLD = 200
"""Problems, failures and changes that are told, of each."""
MOST_TABLE = 8 * 1024**2
"""Characters of a comparison as a table."""


class Asked(msgspec.Struct, frozen=True):
    """Archives of the candidate and, where there is one, of its base; how names of `gateway.yaml` are read.

    `since` are those that were active between, where the candidate was active before. `table`: only the whole
    comparison is wanted.
    """

    candidate: bytes
    base: bytes | None
    issuers: Mapping[str, str]
    registries: tuple[str, ...] | None
    since: tuple[bytes, ...] = ()
    table: bool = False


class Difference(msgspec.Struct, frozen=True, rename="camel"):
    """One thing that differs: its `effect` (`widens`, `narrows`, `differs`, `surprises`), a sentence, and why it is so.

    `moved`: it is of the matrix, so that a field opens or closes; `heading` says the same in a word or two. `people`
    and `non_public` mark what opens of data about people, and of data that is not public.
    """

    effect: str
    moved: bool
    heading: str
    text: str
    people: bool = False
    non_public: bool = False
    why: str = ""

    @property
    def line(self) -> str:
        """All of it in a line."""
        marks = [mark for mark, holds in ((" [people]", self.people), (" [not public]", self.non_public)) if holds]
        return " ".join(filter(None, [f"{self.heading}: {self.text}{''.join(marks)}", self.why]))


class Cells(msgspec.Struct, frozen=True, rename="camel"):
    """How many fields open and close, each for one requester, purpose and kind of subject; of what opens, how many are
    about people, and how many are not public."""

    open: int = 0
    close: int = 0
    people: int = 0
    not_public: int = 0


class Examined(msgspec.Struct, frozen=True):
    """What came of it. `problems` of the files: then there is nothing else, and no `digest`.

    `failures` are of its own tests, of which `tests` ran. `widens` names the departments whose data of people, or not
    public, it opens more than its base. `purposes` and `published` datasets are those that it has, by their
    `definitions`; of these, those `since` retired are `reopened`. `schema` is the digest of its GraphQL schema,
    `breaks` what of it breaks clients; `differences` is all that differs from its base, in words, and `left_out` how
    many differences and breaks were too many to be told; `cells` counts them all. `table` is all of it as CSV, where
    that was asked for.
    """

    digest: str = ""
    problems: tuple[str, ...] = ()
    tests: int = 0
    failures: tuple[str, ...] = ()
    widens: tuple[str, ...] = ()
    differences: tuple[Difference, ...] = ()
    breaks: tuple[str, ...] = ()
    left_out: int = 0
    cells: Cells = Cells()
    schema: str = ""
    purposes: tuple[str, ...] = ()
    published: tuple[str, ...] = ()
    reopened: tuple[str, ...] = ()
    definitions: tuple[bytes, ...] = ()
    table: str = ""

    @property
    def changes(self) -> list[str]:
        """The differences, a line each."""
        return [each.line for each in self.differences]


def main() -> int:
    """Examine what comes on the standard input."""
    if sys.argv[1:]:
        print(main.__doc__)
        return 0
    bound(MOST_MEMORY, MOST_CPU)
    from gateway.proposals.examined import examined

    asked = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=Asked)
    sys.stdout.buffer.write(msgspec.msgpack.encode(examined(asked)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
