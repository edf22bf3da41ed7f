"""`dutybound demo`: start the region and the gateway, play the scenes, write down how scripts join in, stay until
Ctrl-C.

`main` is the whole demo; `token` is the second terminal's help. Nothing is left running or told when `main` is over,
and nothing survives it where it is killed.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import FrameType
from typing import Any

import httpx

from deploy.demo.client import TokenRefused, curl
from deploy.demo.client import token as access_token
from deploy.demo.configuration import FREE, USUAL
from deploy.demo.processes import NotReady
from deploy.demo.scenes import TENDER, Scenes
from deploy.demo.stage import WIDTH, SceneFailed, Stage
from deploy.demo.supervisor import AlreadyRunning, Region

VAR = Path("var")
"""In the folder where the demo is started, as for whoever joins in."""


class _Stopped(Exception):
    """SIGINT or SIGTERM came."""


def _say(line: str) -> None:
    print(line, flush=True)


def main(once: bool, var: Path = VAR, say: Callable[[str], None] = _say, usual: Mapping[str, int] = USUAL) -> int:
    """Run the demo over the folder `var`; with `once` it ends after the scenes. Gives the exit status.

    Of each server, `usual` is the port that it has where it is free.

    0: every scene showed what it promises. 1: a scene or a server failed. 130: ended before the last scene.
    """
    before = {number: signal.signal(number, _stop) for number in (signal.SIGINT, signal.SIGTERM)}
    played = False
    try:
        say("Dutybound's demo: an invented region on this machine. All names and numbers in it are made up.")
        with Region(var, say, usual) as region:
            Scenes(region, region.facts(), Stage(say)).play()
            told, played = region.tell(), True
            if not once:
                _stay(region, told, say)
        say("every scene showed what it promises; everything is stopped")
    except _Stopped:
        say("everything is stopped")
        return 0 if played else 130
    except (SceneFailed, NotReady, AlreadyRunning) as error:
        say(f"the demo failed: {error}")
        return 1
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return 0


def _stop(number: int, frame: FrameType | None) -> None:
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.SIG_IGN)  # the end is under way; a second Ctrl-C must not cut it short
    raise _Stopped


def _stay(region: Region, told: dict[str, Any], say: Callable[[str], None]) -> None:
    bearer = access_token(told, "market-regulator", "m.ivanova")
    case = next(name for name, one in told["cases"].items() if one["registry"] == "market")
    variables = {"id": told["subjects"]["ordinary"], "case": case}
    say("")
    say("--- It is your turn ".ljust(WIDTH, "-"))
    say(f"The pages of everybody, with one click each: {told['issuer']}/")
    say(f"A playground in the browser: {told['gateway']}/graphql")
    say(f"What a script needs to know: {region.place.told}")
    say("A token for another terminal: dutybound demo token market-regulator --official m.ivanova --scope inquire")
    say("The first question again, ready to paste (its token is good for an hour):")
    say("")
    say(curl(told, bearer, TENDER, variables))
    say("")
    say("Ctrl-C ends everything.")
    gone: set[str] = set()
    while True:
        time.sleep(0.5)
        for name in region.ended():
            if name not in gone:
                say(f"{name} has ended, and stays down; its log is {region.children[name].log}. The others go on.")
            gone.add(name)


def token(client: str, official: str | None, scope: str | None, var: Path = VAR, **more: str) -> int:
    """Print an access token for `client` of the running demo; gives the exit status. `more` are the server's own."""
    try:
        told = json.loads((var / "demo.json").read_text())
    except FileNotFoundError:
        print(
            "no demo was started in this folder: start one with `dutybound demo`, and wait until it prints that it is"
            " your turn",
            file=sys.stderr,
        )
        return 1
    if client not in told["clients"]:
        print(f"`{client}` is no client of the demo; there are {', '.join(told['clients'])}", file=sys.stderr)
        return 1
    try:
        print(access_token(told, client, official, scope, **more))
    except TokenRefused as refused:
        officials = ", ".join(told["clients"][client]["officials"]) or "none"
        print(f"no token: {refused} (officials: {officials})", file=sys.stderr)
        return 1
    except httpx.HTTPError:
        print(
            f"the authorization server at {told['issuer']} does not answer; is the demo still running?", file=sys.stderr
        )
        return 1
    return 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Dutybound's demo, in a folder of its own.")
    parser.add_argument("--once", action="store_true", help="end after the scenes")
    parser.add_argument("--var", type=Path, default=VAR, help="the folder to write to")
    parser.add_argument("--free-ports", action="store_true", help="ports that nobody usually has")
    options = parser.parse_args()
    sys.exit(main(options.once, options.var, usual=FREE if options.free_ports else USUAL))
