"""How a process stops: it reports that first, then answers what it has, then closes.

On SIGTERM `/health/ready` turns 503 at once while inquiries are still taken, so that a load balancer has `notice`
seconds to send them elsewhere. Then the server is told to stop (SIGINT, which its own handler takes), and accepts no
more. What is under way is waited for, and only then may the ledger commit the last entries and give its shard up.
SIGINT from outside skips the notice.
"""

from __future__ import annotations

import asyncio
import os
import signal


class Drain:
    """What is under way in this process, and whether it is about to stop. Belongs to one event loop."""

    def __init__(self) -> None:
        self.begun = False
        self.busy = 0
        """Inquiries under way: whoever serves one counts it up and down."""

    def listen(self, notice: float) -> None:
        """Take SIGTERM over from the server that runs this process; call it in the main thread, in the loop."""
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self._begin, notice)

    def _begin(self, notice: float) -> None:
        if not self.begun:
            self.begun = True
            asyncio.get_running_loop().call_later(notice, os.kill, os.getpid(), signal.SIGINT)

    async def quiet(self, within: float) -> None:
        """Return once nothing is under way, or after `within` seconds."""
        self.begun = True
        until = asyncio.get_running_loop().time() + within
        while self.busy and asyncio.get_running_loop().time() < until:  # noqa: ASYNC110 - cheaper for every inquiry than to tell
            await asyncio.sleep(0.005)
