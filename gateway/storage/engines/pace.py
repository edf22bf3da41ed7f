"""How fast the disk is, by the commits of a process, and so who commits (`gateway/adr/0001-group-commit.md`)."""

import sys

_COUNTED = 4
"""Times the limit that one commit counts at most: what takes longer most often waits for a core, not for the disk."""


class Pace:
    """The running mean, over eight, of how long a commit takes, held against `limit`. All in seconds.

    A negative limit leaves all commits to a thread.
    """

    def __init__(self, limit: float) -> None:
        self._limit, self._mean = limit, 0.0

    @property
    def is_fast(self) -> bool:
        return self._mean <= self._limit

    def count(self, seconds: float) -> None:
        """A commit of the loop's."""
        self._mean += (max(0.0, min(seconds, _COUNTED * self._limit)) - self._mean) / 8

    def count_in_thread(self, seconds: float) -> None:
        """A commit of the thread's. Up to a switch interval of it was a wait for the interpreter's lock."""
        self.count(seconds - sys.getswitchinterval())
