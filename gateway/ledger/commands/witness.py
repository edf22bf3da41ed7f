"""`dutybound ledger witness`: an independent witness, with a key and a state file of its own, and nothing else."""

from __future__ import annotations

import argparse
from pathlib import Path

from gateway.errors import ConfigurationError, Problem
from gateway.ledger.entry.registry import ROOT
from gateway.ledger.proof import key_files
from gateway.ledger.proof.note import Cosigner
from gateway.ledger.witness.server import Witness, application


def register(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("--name", required=True, metavar="NAME", help="its key's name, such as `witness.example/w1`")
    parser.add_argument(
        "--key", type=Path, required=True, metavar="FILE", help="its private key; made where there is none"
    )
    parser.add_argument(
        "--logs",
        type=Path,
        required=True,
        metavar="PUBLIC_KEY_FILE",
        help="public keys: a root shard's, whose registry then names the shards to witness, or those of shards",
    )
    parser.add_argument(
        "--state", type=Path, required=True, metavar="FILE", help="where the last checkpoint of each is kept"
    )
    parser.add_argument(
        "--listen", default="127.0.0.1:8090", metavar="HOST:PORT", help="where it listens (default: 127.0.0.1:8090)"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Serve until SIGINT or SIGTERM; raises `ConfigurationError` where it cannot."""
    import uvicorn

    from gateway.bounds.connections import OPTIONS

    host, _, port = arguments.listen.rpartition(":")
    if not host or not port.isdecimal():
        raise ConfigurationError([Problem("--listen", 0, 0, "", f"`{arguments.listen}` is no `host:port`")])
    logs = key_files.read_verifiers(arguments.logs)
    private = key_files.load(arguments.key) if arguments.key.exists() else key_files.generate(arguments.key)
    try:
        public = Cosigner(arguments.name, private).verifier
    except ValueError as error:
        raise ConfigurationError([Problem("--name", 0, 0, "", str(error))]) from error
    witness = Witness(arguments.name, private, logs, arguments.state)
    ledgers = {log.name.rpartition("/")[0] for log in logs if log.name.endswith(f"/{ROOT}")}
    named = {log.name for log in logs if log.name.rpartition("/")[0] not in ledgers}
    named |= {f"{ledger}/{ROOT} and what its registry names" for ledger in ledgers}
    print(f"witness key: {public}", flush=True)
    print(f"witnessing {', '.join(sorted(named))} on {host}:{port}", flush=True)
    try:
        uvicorn.run(
            application(witness), host=host.strip("[]"), port=int(port), log_level="warning", lifespan="off", **OPTIONS
        )
    finally:
        witness.close()
    return 0
