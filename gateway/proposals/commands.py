"""`dutybound rules propose | show | approve | refuse | activate | rollback | status | bootstrap | verify-approval`.

What people decide is asked of a running gateway, as whoever the token in `--token-file` says. `bootstrap` and
`status --config` work on the store itself, and `verify-approval` on files alone. Exit codes: 0 done, 1 refused or found
wrong, 2 a wrong call.
"""

from __future__ import annotations

import argparse
import base64
import datetime
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from gateway.activation import archive
from gateway.activation.stored import BY_FOLDER
from gateway.command import options
from gateway.errors import CommandRefused, ConfigurationError, Problem, VerificationFailed, printable
from gateway.files import new_file
from gateway.proposals import statement
from gateway.proposals.statement import NONE, Statement
from gateway.rules import sshsig
from gateway.rules.files import officers
from gateway.saying import in_words
from gateway.web import calling

EXAMINING = 200.0
"""Seconds that the gateway may take where it examines a rule set."""
_USUAL = datetime.timedelta(days=7)
"""How long an approval counts that does not say, where it may."""
_COUNTS = "until when it counts, as `2026-12-10T00:00:00Z` (default: 7 days, or `expires` of officers.yaml if shorter)"
_ID = "the proposal's id, as `rules show` lists them"
_AGAIN = "make it again with `--statement`, and have that signed"


def register(parts: Any) -> None:
    """Add these to `dutybound rules`; each sets `run`: from the parsed arguments to the exit code."""
    _by_token(parts)
    _status_of(parts)
    _by_signatures(parts)


def _by_token(parts: Any) -> None:
    """Add the acts that a gateway is asked for."""
    propose = _asking(parts, "propose", "propose the rule set of a folder, over the one that is active")
    propose.add_argument("folder", type=Path, metavar="FOLDER", help="the policies to propose")
    propose.add_argument("--reason", required=True, metavar="TEXT", help="why; it is entered")
    propose.set_defaults(run=_propose)

    show = _asking(parts, "show", "a proposal: what it changes, who approved it, and what it lacks")
    show.add_argument("id", metavar="ID", nargs="?", help="of the proposal (default: the newest of all, in a list)")
    show.add_argument("--files", type=Path, metavar="FOLDER", help="write its files to a new folder, to compare them")
    show.set_defaults(run=_show)

    approve = _asking(parts, "approve", "approve a proposal, as an officer or as a steward whose data it opens")
    approve.add_argument("id", metavar="ID", help=_ID)
    approve.add_argument("--reason", metavar="TEXT", help="why; it is entered")
    approve.add_argument("--until", metavar="MOMENT", help=_COUNTS)
    _statement(approve, "approve nothing; write what is to be signed to a new file")
    approve.add_argument("--signed", type=Path, metavar="FILE", help="such a file, and its signature in `FILE.sig`")
    approve.set_defaults(run=_approve)

    refuse = _asking(parts, "refuse", "refuse a proposal, or take your own back: it can never be active")
    refuse.add_argument("id", metavar="ID", help=_ID)
    refuse.add_argument("--reason", required=True, metavar="TEXT", help="why; it is entered")
    refuse.set_defaults(run=lambda given: _act(given, f"{_proposal(given.id)}/refuse", {"reason": given.reason}))

    activate = _asking(parts, "activate", "activate an approved proposal, on every replica at once")
    activate.add_argument("id", metavar="ID", help=_ID)
    activate.set_defaults(run=lambda given: _act(given, f"{_proposal(given.id)}/activate", {}))

    back = _asking(parts, "rollback", "activate the rule set of an earlier epoch again, in one step")
    back.add_argument("epoch", type=int, metavar="EPOCH", help="as `rules status` lists them")
    back.add_argument("--reason", required=True, metavar="TEXT", help="why; it is entered, and oversight is notified")
    back.set_defaults(run=lambda given: _act(given, "/rules/rollback", {"epoch": given.epoch, "reason": given.reason}))


def _status_of(parts: Any) -> None:
    text = "which rule set is active, and which process serves it since when, or why not"
    status = parts.add_parser("status", help=text)
    status.add_argument("--gateway", metavar="URL", help="where the gateway is, such as its public URL")
    status.add_argument("--token-file", type=Path, metavar="FILE", help="the access token of whoever asks")
    options.config(status, None, "; without --gateway its store is asked")
    status.set_defaults(run=_status)


def _by_signatures(parts: Any) -> None:
    """Add what rests on signed files alone."""
    text = "activate the first rule set that people approve, by two officers' SSH signatures; once for a store"
    bootstrap = parts.add_parser("bootstrap", help=text)
    options.config(bootstrap)
    bootstrap.add_argument(
        "--policies", type=Path, metavar="FOLDER", help="the files (default: `policies` of the configuration)"
    )
    bootstrap.add_argument("--reason", metavar="TEXT", help="why, in the statement")
    bootstrap.add_argument("--until", metavar="MOMENT", help=_COUNTS)
    _statement(bootstrap, "activate nothing; write what is to be signed to a new file")
    bootstrap.add_argument("--signed", type=Path, metavar="FILE", help="such a file")
    bootstrap.add_argument(
        "--signature", type=Path, action="append", default=[], metavar="FILE", help="a signature over it; give two"
    )
    bootstrap.set_defaults(run=_bootstrap)

    text = "verify a signed approval by files alone: whose signature it is, and over what"
    verified = parts.add_parser("verify-approval", help=text)
    verified.add_argument("statement", type=Path, metavar="STATEMENT", help="the file that was signed")
    verified.add_argument("signature", type=Path, metavar="SIGNATURE", help="what `ssh-keygen -Y sign` made of it")
    options.policies(verified)
    verified.set_defaults(run=_verify)


def _asking(parts: Any, name: str, text: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = parts.add_parser(name, help=text)
    calling.add_arguments(parser)
    return parser


def _statement(parser: argparse.ArgumentParser, text: str) -> None:
    parser.add_argument("--statement", type=Path, metavar="FILE", help=f"{text}, for `ssh-keygen -Y sign`")


def _proposal(id_: str) -> str:
    return f"/rules/proposals/{quote(id_, safe='')}"


def _act(given: argparse.Namespace, path: str, body: Mapping[str, Any]) -> int:
    told = calling.called(given, "POST", path, body, within=EXAMINING)
    calling.show({**told, "act": {name: told["act"][name] for name in ("id", "at")}})
    return 0


def _propose(given: argparse.Namespace) -> int:
    files = base64.b64encode(archive.packed(given.folder)).decode()
    told = calling.called(given, "POST", "/rules/proposals", {"files": files, "reason": given.reason}, within=EXAMINING)
    calling.show(told["proposal"])
    if BY_FOLDER in told["proposal"]["lacks"]:
        print(BY_FOLDER, file=sys.stderr)
    if told["proposal"]["failures"]:
        print("its tests fail: it stays a draft, and nobody can approve it", file=sys.stderr)
        return 1
    return 0


def _show(given: argparse.Namespace) -> int:
    if given.id is None:
        calling.show(calling.called(given, "GET", "/rules/proposals")["items"])
        return 0
    calling.show(calling.called(given, "GET", _proposal(given.id), within=EXAMINING))
    if given.files is not None:
        told = calling.called(given, "GET", f"{_proposal(given.id)}/files")
        _write(given.files, base64.b64decode(told["files"]))
    return 0


def _write(folder: Path, files: bytes) -> None:
    """A proposal's files in a new folder."""
    try:
        found = archive.unpacked(files)
        folder.mkdir()
        for name, content in found.items():
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_bytes(content)
    except (OSError, archive.NotPacked) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise CommandRefused(f"its files cannot be written to `{folder}` ({why}); name a new folder") from None


def _approve(given: argparse.Namespace) -> int:
    signature = ""
    if given.signed is not None:
        said = _read_statement(given.signed)
        signature = _text(given.signed.with_name(f"{given.signed.name}.sig"))
    else:
        row = calling.called(given, "GET", _proposal(given.id), within=EXAMINING)
        said = _said(given, row["ledger"], row["digest"], row["base"], statement.moment(row["you"]["until"]))
    if given.statement is not None:
        return _written(given.statement, said)
    body = {
        "digest": said.digest, "base": said.base, "until": said.until.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "reason": said.reason, "signature": signature,
    }  # fmt: skip
    return _act(given, f"{_proposal(given.id)}/approve", body)


def _said(given: argparse.Namespace, origin: str, digest: str, base: str, latest: datetime.datetime) -> Statement:
    """What is approved, by what was typed; an approval counts until `latest` at most."""
    if given.reason is None:
        raise CommandRefused("give a reason: `--reason`")
    usual = datetime.datetime.now(datetime.UTC).replace(microsecond=0) + _USUAL
    try:
        until = min(usual, latest) if given.until is None else statement.moment(given.until)
        return Statement(origin, digest, base, until, statement.reason_of(given.reason))
    except ValueError as error:
        raise CommandRefused(f"{error}") from None


def _written(file: Path, said: Statement) -> int:
    try:
        new_file(file, said.text.encode())
    except OSError as error:
        raise CommandRefused(f"`{file}` cannot be written ({error.strerror}); name a new file") from None
    print(f"{file}: sign it with `ssh-keygen -Y sign -n {sshsig.NAMESPACE} -f KEY {file}`")
    return 0


def _text(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except (OSError, ValueError) as error:
        raise CommandRefused(f"`{file}` cannot be read ({in_words(error)})") from None


def _read_statement(file: Path) -> Statement:
    try:
        return statement.read(_text(file))
    except VerificationFailed as error:
        raise CommandRefused(f"`{file}`: {error}; {_AGAIN}") from None


def _status(given: argparse.Namespace) -> int:
    if given.config is not None or given.gateway is None:
        from gateway.proposals.bootstrap import status

        calling.show(status(given.config or options.CONFIG))
        return 0
    if given.token_file is None:
        raise CommandRefused("`--gateway` takes `--token-file` too; without both the store of `--config` is asked")
    told = calling.called(given, "GET", "/rules/status")
    calling.show(told)
    differ = len({each["sources"] for each in told["replicas"] if each["serves"]} - {None}) > 1
    if differ:
        print("not all processes use the same `sources.yaml`: see `sources` of each", file=sys.stderr)
    return 0 if all(each["serves"] for each in told["replicas"]) and not differ else 1


def _bootstrap(given: argparse.Namespace) -> int:
    from gateway.proposals import bootstrap

    if given.signed is None:
        if given.statement is None:
            raise CommandRefused(
                "first `--statement FILE`, which two officers sign; then `--signed FILE --signature ...`"
            )
        with bootstrap.first(given.config, given.policies) as place:
            if wrong := bootstrap.signed_by_nobody(place):
                raise CommandRefused(wrong)
            now = datetime.datetime.now(datetime.UTC)
            latest = now.replace(microsecond=0) + place.longest
            said = _said(given, place.origin, place.rules.digest, place.base or NONE, latest)
            if wrong := statement.wrong_until(said.until, now, place.longest):
                raise CommandRefused(wrong)
            return _written(given.statement, said)
    said = _read_statement(given.signed)
    signatures = [_text(file) for file in given.signature]
    with bootstrap.first(given.config, given.policies) as place:
        names, epoch = bootstrap.activate(place, said, signatures)
    print(f"rule set {said.digest} is active since epoch {epoch}, approved by {' and '.join(names)}")
    return 0


def _verify(given: argparse.Namespace) -> int:
    problems: list[Problem] = []
    known = officers.load(given.policies, None, problems)
    if problems:
        raise ConfigurationError(problems)
    words, signature = _text(given.statement), _text(given.signature)
    said = statement.read(words)
    officer = known.by_key(sshsig.read(signature).key)
    if officer is None:
        raise VerificationFailed(f"the signature is by a key that no officer of `{given.policies}` has")
    sshsig.verify(signature, words.encode(), officer.key)
    print(f"{officer.name} approved rule set {said.digest}")
    print(f"  over      {said.base}")
    print(f"  at        {said.origin}")
    print(f"  until     {said.until.isoformat()}")
    print(f"  because   {printable(said.reason)}")
    if said.until < datetime.datetime.now(datetime.UTC):
        print("  it has ended, and no longer counts")
    return 0
