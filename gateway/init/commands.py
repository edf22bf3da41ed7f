"""`dutybound init` writes the first folder of a gateway; `dutybound example` is what to try it with."""

from __future__ import annotations

import argparse
import datetime
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gateway.command import options
from gateway.errors import CommandRefused, ConfigurationError
from gateway.init import writing
from gateway.init.writing import Wanted

LISTEN = "127.0.0.1:8080"
EXAMPLE = "127.0.0.1:8081"
CLIENT = "licensing-office"


def register(subparsers: Any) -> None:
    """Add both; each sets `run`: from the parsed arguments to the exit code."""
    init = subparsers.add_parser("init", help="write a configuration that works, its keys and policies to start from")
    init.add_argument("--yes", action="store_true", help="ask nothing; take the default of what is not given")
    init.add_argument(
        "--out", type=Path, default=Path("."), metavar="FOLDER", help="the folder to write to (default: this folder)"
    )
    init.add_argument("--listen", metavar="HOST:PORT", help=f"where the gateway listens (default: {LISTEN})")
    init.add_argument(
        "--public-url", metavar="URL", help="the address that clients use (default: http://, and where it listens)"
    )
    init.add_argument("--issuer", metavar="URL", help="the authorization server (default: the example's)")
    init.add_argument("--client", metavar="ID", help=f"the client that may ask (default: {CLIENT})")
    init.add_argument("--department", metavar="URL", help="the department's REST interface (default: the example's)")
    init.add_argument(
        "--example",
        metavar="HOST:PORT",
        help=f"where `dutybound example` is to listen, on loopback (default: {EXAMPLE})",
    )
    init.set_defaults(run=_init)

    example = subparsers.add_parser(
        "example", help="an authorization server and a department to try the gateway with, on loopback"
    )
    options.config(example)
    example.set_defaults(run=_example)
    token = example.add_subparsers().add_parser(
        "token", help="an access token for the client that may ask, for ten minutes"
    )
    options.config(token)
    token.set_defaults(run=_token)


def _init(given: argparse.Namespace) -> int:
    if not given.yes and not sys.stdin.isatty():
        print("there is no terminal to ask at: add `--yes` to take the defaults", file=sys.stderr)
        return 2
    if empty := [name for name in _FLAGS if getattr(given, name) == ""]:
        raise CommandRefused(f"`--{empty[0].replace('_', '-')}` is empty; leave it out for the default")
    writing.refuse_where_there(given.out)
    try:
        wanted = _wanted(given, (lambda _question, usual: usual) if given.yes else _asked)
    except EOFError:
        raise CommandRefused("nothing was written") from None
    try:
        written = writing.write(wanted, given.out, datetime.datetime.now(datetime.UTC).date())
    except ConfigurationError as error:
        for problem in error.problems:
            print(problem, file=sys.stderr)
        print("nothing was written: call it again with other answers", file=sys.stderr)
        return 1
    for each in written:
        print(f"wrote {each}{'/' if each.is_dir() else ''}{_WHAT.get(each.name, '')}")
    if not wanted.example and wanted.department == _register(given):
        nobody = f"without the example's server nobody is at {wanted.department}"
        print(f"First, name your department in sources.yaml: {nobody}")
    print(_next(wanted, given.out))
    return 0


def _wanted(given: argparse.Namespace, ask: Callable[[str, str], str]) -> Wanted:
    listen = given.listen or ask("Where does the gateway listen?", LISTEN)
    public = given.public_url or ask("What do clients call it?", f"http://{listen}")
    example = f"http://{given.example or EXAMPLE}"
    issuer = given.issuer or ask(
        "Which authorization server issues access tokens? (the default is an example)", example
    )
    client = given.client or ask("Which client of it may ask?", CLIENT)
    department = given.department or ask(
        "Where is the department's REST interface? (the default is an example)", _register(given)
    )
    if example == f"http://{listen}" and example in (issuer, department.removesuffix("/register")):
        raise CommandRefused(
            f"gateway and example cannot both listen at `{listen}`; choose another one with `--listen` or `--example`"
        )
    if "[" in public:
        raise CommandRefused(
            f"the ledger is called by the host that clients call, and `{public}` has none; name one, such as"
            " `--public-url http://localhost:8080`"
        )
    return Wanted(listen, public.rstrip("/"), issuer, client, department, example=issuer == example)


def _register(given: argparse.Namespace) -> str:
    """Where the example's department is."""
    return f"http://{given.example or EXAMPLE}/register"


def _asked(question: str, usual: str) -> str:
    return input(f"{question} [{usual}] ").strip() or usual


_FLAGS = ("listen", "public_url", "issuer", "client", "department", "example")
_WHAT = {
    "example.key": ": signs the example's access tokens; for trying only",
    "gateway.yaml": ": the gateway's configuration",
    "ledger.key": ": signs the ledger; keep it secret, and keep a copy",
    "ledger.pub": ": the ledger's public keys, for whoever verifies receipts",
    "policies": ": one dataset, one requester, one purpose, one grant",
    "sources.yaml": ": where the department's records are",
    "store.key": ": seals what the store has about people; keep it secret, and keep a copy",
    "webhooks.key": ": signs the messages about recalls to recipients; keep it secret",
}


def _next(wanted: Wanted, out: Path) -> str:
    place = "" if out == Path(".") else f"  cd {out}\n"
    if not wanted.example:
        return f"Next:\n{place}  dutybound check --connect\n  dutybound serve"
    return (
        f"Next, each in a terminal of its own:\n{place}  dutybound example\n  dutybound serve\n"
        f"Then ask, and verify the receipt:\n{place}"
        f'  curl -s {wanted.public_url}/graphql -H "Authorization: Bearer $(dutybound example token)" \\\n'
        f"    -H 'Content-Type: application/json' -d '{{\"query\": \"{_QUERY}\"}}' > answer.json\n"
        "  dutybound ledger verify-receipt --key ledger.pub answer.json"
    )


_QUERY = (
    'query @inquiry(purpose: LICENCE_CHECK) { organisation(id: {scheme: LEI, value: \\"'
    + writing.SUBJECT
    + '\\"}) { businessLicences { number status validUntil } } }'
)


def _example(given: argparse.Namespace) -> int:
    from gateway.init.example_server import Example

    return Example(given.config).serve()


def _token(given: argparse.Namespace) -> int:
    from gateway.init.example_server import Example

    print(Example(given.config).token())
    return 0
