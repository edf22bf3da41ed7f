"""A draft tried on past inquiries, in a process of its own: it takes long, and rests on files that are a stranger's.

`python -m gateway.drafts.trial_child` reads a `Trying` from its standard input. It writes lines of JSON: how far it is
(`done`, `of` how many entries, seconds that are `left`), about once a second, and at last the `result`. It ends where
nobody reads them any more, and comes after all others that want the processor.
"""

from __future__ import annotations

import datetime
import os
import sys
from collections.abc import Mapping

import msgspec

from gateway.bounds.children import bound

MOST_MEMORY = 2 * 1024**3
MOST_CPU = 3_600
"""Bytes, and seconds, that a simulation may take; then its process ends."""
TELL_EVERY = 1.0
NICE = 10


class Trying(msgspec.Struct, frozen=True):
    """What is tried: the archives of the candidate and of the active set, on inquiries of the store at `url`.

    `key` is the path of the key file that its rows are sealed by, where they are; or `command` what was asked for that
    key, and `handed` what it printed.
    """

    candidate: bytes
    active: bytes
    issuers: Mapping[str, str]
    url: str
    since: datetime.datetime
    until: datetime.datetime
    key: str = ""
    command: tuple[str, ...] = ()
    handed: bytes = b""


def main() -> int:
    """Simulate what comes on the standard input."""
    if sys.argv[1:]:
        print(main.__doc__)
        return 0
    bound(MOST_MEMORY, MOST_CPU)
    os.nice(NICE)
    from gateway.drafts.trial_run import lines

    for line in lines(msgspec.msgpack.decode(sys.stdin.buffer.read(), type=Trying)):
        sys.stdout.buffer.write(line + b"\n")
        sys.stdout.buffer.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
