"""The `dutybound ledger` and `dutybound keys` commands.

Exit codes: 0 all well, 1 something does not verify or cannot be read (said in one sentence), 2 a wrong call.
"""

from __future__ import annotations

import argparse
import base64
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from gateway.errors import ConfigurationError, Problem, VerificationFailed
from gateway.ledger.commands import archive, erase, export, hold, prune, rebuild, rotate, verify, witness
from gateway.ledger.commands.receipt_files import check_presented, read
from gateway.ledger.entry import describe, entries
from gateway.ledger.entry.receipt import LEFT_OUT, Proved, check_data, check_extension, read_file
from gateway.ledger.entry.registry import Registry, first, read_document
from gateway.ledger.erasure.blockers import BLOCKERS, Blocker
from gateway.ledger.erasure.named import Identifiers
from gateway.ledger.export import sheet, titles
from gateway.ledger.proof import key_files
from gateway.ledger.proof.note import Verifier
from gateway.ledger.verify.published import tile_client
from gateway.ledger.verify.published.assurance import published
from gateway.nouns import counted
from gateway.storage.sealing import key_file


def register(
    subparsers: argparse._SubParsersAction[Any],
    identifiers: Identifiers,
    rule_set: export.RuleSet | None = None,
    blockers: Sequence[Blocker] = BLOCKERS,
) -> Any:
    """Add `ledger` and `keys` with their commands; each sets `run`: from the parsed arguments to the exit code.

    `identifiers` is the check of a configuration's identifiers, for who names a subject. `rule_set` tells which rule
    set a configuration's policies are, so that an evidence package can hold their text, and what ids are called.
    `blockers` is what keeps a subject from being erased. Gives the commands of `ledger`, to which others add.
    """
    ledger = subparsers.add_parser("ledger", help="verify and show what the ledger proves")
    parts = ledger.add_subparsers()

    verify.register(
        parts.add_parser(
            "verify", help="check a live ledger by its URL, a store, a copy of either, or an evidence package"
        )
    )

    _receipts(parts)
    export.register(
        parts.add_parser("export", help="evidence of a subject, a case or a period, with its proofs"), rule_set
    )

    erase.register(
        parts.add_parser("erase", help="erase what the ledger has about a subject; takes two people"),
        identifiers,
        blockers,
    )
    hold.register(
        parts.add_parser("hold", help="keep what the ledger has about a subject for some matter"), identifiers
    )

    rebuild.register(parts.add_parser("rebuild", help="delete and rebuild the ledger's projections"))

    prune.register(parts.add_parser("prune", help="make the contents of entries past their retention unreadable"))

    archive.register(
        parts.add_parser("archive", help="put old entries into files; with `--remove` their rows leave the store")
    )

    witness.register(parts.add_parser("witness", help="run an independent witness that cosigns checkpoints"))

    _keys(subparsers.add_parser("keys", help="the keys that sign the ledger, and messages to others").add_subparsers())
    return parts


def _receipts(parts: Any) -> None:
    """Add the commands of one receipt."""
    receipt = parts.add_parser("verify-receipt", help="check a receipt offline, and what it proves")
    _key(receipt, "the shard's public key, one per line where there are several", required=True)
    receipt.add_argument("--published", type=Path, metavar="CHECKPOINT_FILE", help="a checkpoint that was published")
    receipt.add_argument("--log", metavar="URL", help="where the gateway, or the shard, publishes its log")
    receipt.add_argument(
        "--registry",
        type=Path,
        metavar="FILE",
        help="what `/ledger/registry` served: keys of every shard, old ones too",
    )
    _receipt(receipt)
    receipt.set_defaults(run=_verify_receipt)

    show = parts.add_parser("show", help="a receipt as a sheet to read and file")
    _key(show, "the public key; without it the sheet states that nothing was verified")
    show.add_argument("--answer", type=Path, metavar="FILE", help="the answer (JSON) whose data to check against it")
    show.add_argument(
        "--catalogue", type=Path, metavar="FILE", help="what `/open/catalogue` served as JSON: what ids are called"
    )
    show.add_argument("--html", action="store_true", help="as an HTML page that needs nothing from elsewhere")
    _receipt(show)
    show.set_defaults(run=_show)


def _keys(parts: Any) -> None:
    """Add the commands of `keys`."""
    new = parts.add_parser("generate", help="a new private key, and the public keys of a ledger's shards")
    new.add_argument("--origin", required=True, metavar="NAME", help="as `ledger.origin`: `gateway.example/ledger`")
    new.add_argument(
        "--out",
        type=Path,
        default=Path("ledger.key"),
        metavar="FILE",
        help="the private key's new file (default: ledger.key)",
    )
    new.add_argument(
        "--public",
        type=Path,
        metavar="FILE",
        help="the public keys' file (default: the private key's name with `.pub`)",
    )
    new.add_argument(
        "--shards",
        type=int,
        default=8,
        metavar="N",
        help="for shards 1 to N, one for each process, and its commands (default: 8)",
    )
    new.set_defaults(run=_generate)
    text = "a key that signs messages about recalls, and its public key for the recipients"
    signing = parts.add_parser("webhooks", help=text)
    signing.add_argument(
        "--out", type=Path, default=Path("webhooks.key"), metavar="FILE", help="its new file (default: webhooks.key)"
    )
    shown = "print the public key of the key in this file, and make none"
    signing.add_argument("--show", type=Path, metavar="FILE", help=shown)
    signing.set_defaults(run=_webhooks)
    secrets = parts.add_parser(
        "secrets", help="a new secret for sessions, nonces and counts; in a file, also the next one"
    )
    secrets.add_argument(
        "--out", type=Path, default=Path("secrets.key"), metavar="FILE", help="its file (default: secrets.key)"
    )
    secrets.add_argument(
        "--next", action="store_true", help="put a new secret before the present one, which still opens what it sealed"
    )
    secrets.set_defaults(run=_secrets)
    rotate.register(
        parts.add_parser("rotate", help="give the ledger another key; old receipts still verify, by the registry")
    )


def _key(parser: argparse.ArgumentParser, text: str, *, required: bool = False) -> None:
    parser.add_argument("--key", type=Path, required=required, metavar="PUBLIC_KEY_FILE", help=text)


def _receipt(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("receipt", type=Path, metavar="RECEIPT_FILE", help="a receipt, or a whole answer (JSON)")


def _guard(run: Callable[[], int]) -> int:
    """Run a command that checks; whatever is wrong is one sentence on standard error, and status 1."""
    try:
        return run()
    except (ConfigurationError, VerificationFailed) as error:
        print(error, file=sys.stderr)
        return 1


def _verify_receipt(arguments: argparse.Namespace) -> int:
    def run() -> int:
        verifiers = key_files.read_verifiers(arguments.key)
        registry = _registry(verifiers, arguments)
        proved, checked = check_presented(read_file(read(arguments.receipt)), verifiers, registry)
        if arguments.published is not None or arguments.log is not None:
            known = [*registry.verifiers, *verifiers] if registry else verifiers
            proved, why = _published(proved, known, arguments)
            if why:
                print(why, file=sys.stderr)
        told = proved.told
        print(f"{proved.assurance}: entry {proved.index} of {proved.origin}, in a tree of {proved.size}")
        if proved.witnesses:
            print(f"witnessed by {', '.join(proved.witnesses)}")
        if isinstance(told, entries.Refused):
            print(f"inquiry {told.id}: refused at {told.at.isoformat()} with {told.code}; nothing was disclosed")
            return 0
        if not isinstance(told, entries.Inquiry):
            said, at = describe.deed(told), told.at.isoformat()
            if isinstance(told, entries.Done):
                why = f": {said.why}" if said.why else ""
                print(f"{describe.tag(told)} {told.id}: {said.by} {said.happened}, {at}{why}")
            else:
                print(f"{describe.kind(told)}, {at}: {said.happened}")
            return 0
        count = sum(len(dataset.records) for subject in told.disclosed for dataset in subject.datasets)
        print(
            f"inquiry {told.id}: {told.requester.client} asked at {told.at.isoformat()} for"
            f" {told.declaration.purpose} and received {counted(count, 'record')}"
        )
        print("data: exactly what was disclosed" if checked else "data: not presented, so not checked")
        if proved.left_out:
            print(f"left out: {LEFT_OUT}")
        return 0

    return _guard(run)


def _registry(verifiers: list[Verifier], arguments: argparse.Namespace) -> Registry | None:
    """The registry, as a file or served, that follows from the keys that were given."""
    content = read(arguments.registry) if arguments.registry is not None else None
    if content is None and arguments.log is not None:
        with tile_client.http_client() as client:
            content = tile_client.from_url(client, tile_client.ledger_url(arguments.log)).find_registry()
    return None if content is None else read_document(content, verifiers)


def _published(proved: Proved, verifiers: list[Verifier], arguments: argparse.Namespace) -> tuple[Proved, str]:
    note = None
    if arguments.published is not None:
        try:
            note = read(arguments.published).decode()
        except UnicodeDecodeError as error:
            raise VerificationFailed(f"`{arguments.published}` is not UTF-8, so no checkpoint") from error
    with tile_client.http_client() as client:
        url = tile_client.shard_url(arguments.log, proved.shard) if arguments.log else None
        return published(proved, verifiers, note, tile_client.from_url(client, url) if url else None)


def _show(arguments: argparse.Namespace) -> int:
    def run() -> int:
        presented = read_file(read(arguments.receipt))
        verifiers = None if arguments.key is None else key_files.read_verifiers(arguments.key)
        proved, checked = check_presented(presented, verifiers)
        refused = presented.refused
        if arguments.answer is not None:
            answer = read_file(read(arguments.answer))
            refused = answer.refused
            if answer.data is None:
                raise VerificationFailed(f"`{arguments.answer}` is no answer: it has no `data`")
            if answer.inquiry is not None:
                check_extension(proved, answer.inquiry)
            check_data(proved, answer.data)
            checked = isinstance(proved.told, entries.Inquiry)
        named = titles.NONE if arguments.catalogue is None else titles.read(read(arguments.catalogue))
        beside = sheet.Beside(named, refused if checked else ())
        sys.stdout.write((sheet.as_html if arguments.html else sheet.as_text)(proved, checked, beside))
        return 0

    return _guard(run)


def _generate(arguments: argparse.Namespace) -> int:
    def run() -> int:
        public = arguments.public or arguments.out.with_suffix(".pub")
        if not arguments.origin or "+" in arguments.origin or any(map(str.isspace, arguments.origin)):
            name = (
                f"`{arguments.origin}` is no name of a ledger: it has no spaces and no `+`, as `gateway.example/ledger`"
            )
            print(f"--origin: {name}", file=sys.stderr)
            return 2
        if not 1 <= arguments.shards <= 64:
            print(f"--shards: a ledger has 1 to 64 shards, not {arguments.shards}", file=sys.stderr)
            return 2
        if public.exists():
            raise ConfigurationError([Problem(str(public), 0, 0, "", "exists already; name another with `--public`")])
        private = key_files.generate(arguments.out)
        key_files.write_verifiers(public, private, arguments.origin, first(arguments.shards))
        print(f"private key: {arguments.out} (keep it secret, and keep a copy)")
        print(f"public keys: {public} (give it to whoever verifies receipts)")
        return 0

    return _guard(run)


def _webhooks(arguments: argparse.Namespace) -> int:
    def run() -> int:
        if arguments.show is not None:
            private = key_files.load(arguments.show, key_files.OF_WEBHOOKS)
        else:
            private = key_files.generate(arguments.out)
            print(f"private key: {arguments.out} (keep it secret; name it with `webhooks.key_file`)")
        public = private.public_key().public_bytes_raw()
        print(f"public key: {key_files.WEBHOOKS}{base64.b64encode(public).decode()} (give it to every recipient)")
        return 0

    return _guard(run)


def _secrets(arguments: argparse.Namespace) -> int:
    def run() -> int:
        if not arguments.next:
            key_file.generate(arguments.out)
            print(f"secrets: {arguments.out} (keep it secret; name it with `secrets_file`, for every gateway the same)")
            return 0
        before = key_file.load(arguments.out, key_file.OF_SECRETS)
        key_file.replace(arguments.out, before.first_alone().followed_by_its_next())
        print(f"secrets: {arguments.out} (start the gateways again, one after the other; what was sealed before opens)")
        return 0

    return _guard(run)
