"""A process that has ended is known to have ended, whoever waited for it."""

from __future__ import annotations

import multiprocessing
import os
import time

from gateway.serving.forking import alive


def test_a_process_whose_end_another_thread_took_has_ended() -> None:
    process = multiprocessing.get_context("fork").Process(target=time.sleep, args=(600,))
    process.start()
    assert alive(process)
    process.kill()
    assert process.pid is not None
    os.waitpid(process.pid, 0)  # as another thread does
    assert process.is_alive(), "what is mended: it does not know yet"
    assert not alive(process)
