"""Arguments that many commands have, so that each is called, described and left out the same everywhere."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from gateway.errors import CommandRefused

CONFIG = Path("gateway.yaml")
"""The configuration that is meant where none is named: in the folder where the command is run."""
POLICIES = Path("policies")
"""The policies that are meant where none are named."""


def config(parser: argparse.ArgumentParser, default: Path | None = CONFIG, also: str = "") -> None:
    """Add `--config`; `default` is None where something else may be named instead, and `also` names it."""
    text = f"the gateway's configuration (default: {CONFIG}{also})"
    parser.add_argument("--config", type=Path, default=default, metavar="FILE", help=text)


def policies(parser: argparse.ArgumentParser) -> None:
    """Add `--policies`."""
    text = f"the folder of the policies (default: {POLICIES})"
    parser.add_argument("--policies", type=Path, default=POLICIES, metavar="FOLDER", help=text)


def see_policies(folder: Path | None) -> None:
    """See that a folder of policies is there, where one is meant; raises `CommandRefused`."""
    if folder is not None and not folder.is_dir():
        raise CommandRefused(f"`{folder}` is no folder; name the folder of the policies")


def since(parser: argparse.ArgumentParser, text: str, **more: Any) -> None:
    """Add `--since`: a day, or a time; `--from` is what some commands called it before."""
    parser.add_argument("--since", "--from", dest="since", metavar="DAY", help=text, **more)


def until(parser: argparse.ArgumentParser, text: str, **more: Any) -> None:
    """Add `--until`: the last day, or a time."""
    parser.add_argument("--until", metavar="DAY", help=text, **more)


def department(parser: argparse.ArgumentParser) -> None:
    """Add the department that is meant."""
    parser.add_argument("department", metavar="DEPARTMENT", help="its id, as `sources.yaml` has it")
