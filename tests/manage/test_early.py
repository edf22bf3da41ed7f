"""A process that is forked early begins when it is let, is called what its module is, and never outlives its parent."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from tests.waiting import until

FORKED = """
import os, sys, threading, time
from gateway.manage.early import early

def work(arguments):
    words = open("/proc/self/cmdline").read().split("\\0")[0].split()
    print(os.getppid() == int(arguments[1]), words[1:], os.environ.get("_DUTYBOUND_SUPERVISOR"), flush=True)
    time.sleep(float(arguments[3]))
    return 3

with early("gateway.some.worker", work) as one:
    print(one._process.pid, flush=True)
"""


def started(further: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", FORKED + further]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def ended(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def test_it_begins_with_what_it_is_given_and_its_status_is_seen() -> None:
    further = """
    os.environ["_DUTYBOUND_SUPERVISOR"] = "/links"
    with one.begin(["--parent", str(os.getpid()), "--for", "0"]):
        pass
    print(one.poll(), one.returncode)
"""
    with started(further) as process:
        said, _ = process.communicate()
    words = ["-m", "gateway.some.worker", "--parent", str(process.pid), "--for", "0"]
    assert said.splitlines()[1:] == [f"True {words} /links", "3 3"]
    assert process.returncode == 0


def test_it_is_called_by_its_modules_name_before_it_begins_and_ends_unless_it_may() -> None:
    with started("    sys.stdin.readline()") as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        until("its name", lambda: b"-m gateway.some.worker" in Path(f"/proc/{pid}/cmdline").read_bytes())
        assert not ended(pid)
        process.communicate("\n")
    assert ended(pid)
    assert process.returncode == 0


def test_it_ends_with_a_parent_that_is_killed() -> None:
    with started("    sys.stdin.readline()") as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        process.send_signal(signal.SIGKILL)
    until("it to end", lambda: ended(pid))


def test_where_it_is_told_to_end_while_it_works_the_signal_is_its_status() -> None:
    further = """
    one.begin(["--parent", str(os.getpid()), "--for", "100"])
    sys.stdin.readline()
    one.terminate()
    one.wait(60)
    print(one.returncode)
"""
    with started(further) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert process.stdout.readline().startswith("True")
        said, _ = process.communicate("\n")
    assert said == f"{-signal.SIGTERM}\n"


def test_none_is_forked_beside_a_thread() -> None:
    threaded = """
import threading
from gateway.manage.early import early

waiting = threading.Event()
threading.Thread(target=waiting.wait).start()
with early("gateway.some.worker", len) as one:
    print(one)
waiting.set()
"""
    done = subprocess.run([sys.executable, "-c", threaded], capture_output=True, text=True, check=True)
    assert done.stdout == "None\n"
