"""Whether a federating router takes the schema of a rule set: Apollo's own composition, on this machine.

It is a Node package (`@apollo/composition`) that the gateway neither has nor needs to serve, so whoever checks a
candidate names a folder in which it is installed. Nothing is asked of the network.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import msgspec

from gateway.rules.compare.clients import sdl
from gateway.rules.ruleset import RuleSet
from gateway.saying import in_words

PACKAGE = "@apollo/composition"
_PATIENCE = 60.0
_SCRIPT = f"""
import {{ composeServices }} from "{PACKAGE}";
import {{ parse }} from "graphql";
let sdl = "";
for await (const some of process.stdin) sdl += some;
const ours = {{ name: "dutybound", url: "https://gateway.invalid/graphql", typeDefs: parse(sdl) }};
const {{ errors = [] }} = composeServices([ours]);
process.stdout.write(JSON.stringify(errors.map(({{ message }}) => message)));
"""


class NotComposed(Exception):
    """Composition could not be tried; the message has the reason, and what to do."""


def refused(rule_set: RuleSet, folder: Path) -> list[str]:
    """What composition refuses of the schema, in its own words; nothing where it takes it.

    `folder` has the package in its `node_modules`. Raises `NotComposed`.
    """
    node = shutil.which("node")
    if node is None:
        raise NotComposed("Node is not installed; composition runs on it")
    if not (folder / "node_modules" / PACKAGE).is_dir():
        raise NotComposed(f"{folder} has no {PACKAGE}; run `npm install {PACKAGE} graphql` there")
    command = [node, "--input-type=module", "--eval", _SCRIPT]
    try:
        done = subprocess.run(  # noqa: S603 - our own script
            command, cwd=folder, input=sdl(rule_set).encode(), capture_output=True, timeout=_PATIENCE, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotComposed(f"composition did not end ({in_words(error)})") from error
    try:
        return msgspec.json.decode(done.stdout, type=list[str])
    except msgspec.DecodeError:
        last = (done.stderr.decode(errors="replace").strip().splitlines() or ["it printed nothing"])[-1]
        raise NotComposed(f"composition failed: {last[:200]}") from None
