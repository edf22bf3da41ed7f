"""`python -m gateway.recipient`: the client by itself, where the rest of the gateway is not installed."""

from __future__ import annotations

import argparse
import sys

from gateway.recipient.commands import arguments, run


def main(argv: list[str] | None = None) -> int:
    """Run the client; returns the exit status."""
    parser = argparse.ArgumentParser(prog="recipient", description="a reference recipient of recalls")
    arguments(parser)
    return run(parser.parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())
