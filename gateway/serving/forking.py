"""How a worker is forked: no signal comes between, for which it would still have the supervisor's handlers.

One that is to stop while it still starts then ends at once: it has answered nobody yet. With the supervisor's handlers
it would take the signal for its own, serve on, and be killed in the middle of what it serves by then.
"""

from __future__ import annotations

import signal
from collections.abc import Callable

STOPS = (signal.SIGINT, signal.SIGTERM)


def unheard(start: Callable[[], None]) -> None:
    """Fork by `start`: signals that come meanwhile wait, in this process and in the worker."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
    try:
        start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def anew() -> None:
    """Begin a worker's life, in its main thread: with no handler of the supervisor's, and hearing signals again."""
    for each in STOPS:
        signal.signal(each, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS)
