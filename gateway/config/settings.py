"""`gateway.yaml` and the environment -> `Settings`, once, when a process starts.

Every key of the file can be given as `DUTYBOUND_<KEY>` instead, nested by a double underscore
(`DUTYBOUND_OAUTH__AUDIENCE`, `DUTYBOUND_OAUTH__ISSUERS__0__JWKS_URL`); the environment wins. Invariants: an unknown key
is refused; relative paths resolve against the file's folder; a secret stands in a file of its own or in the
environment, never in `gateway.yaml`; plain http is for loopback only. All problems are told at once, with file, line
and column, or the variable's name. What is in the files that the settings point at is for others to check.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
from ruamel.yaml.error import StringMark
from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from gateway import documents
from gateway.config.incoming import OpenSettings, read_open
from gateway.config.ledger import LedgerSettings, read_ledger
from gateway.config.managing import ManageSettings, read_listen, read_manage
from gateway.config.oauth import OAuthSettings, TLSSettings, read_oauth, read_tls
from gateway.config.outgoing import AlertSettings, WebhookSettings, read_alerts, read_webhooks
from gateway.config.source_watch import SourceWatch, read_source_watch
from gateway.config.store_key import StoreKey, read_store_key
from gateway.config.tracing import TracingSettings, read_tracing
from gateway.documents import Node
from gateway.errors import ConfigurationError, Problem

PREFIX = "DUTYBOUND_"


class Limits(msgspec.Struct, frozen=True):
    """Bounds of one request: `body` in bytes, `deadline` and `patience` in seconds, the others counts.

    `deadline` is the departments'; an answer that could not leave within `patience` is not released.
    """

    body: int = 64 * 1024
    depth: int = 8
    aliases: int = 30
    tokens: int = 2000
    organisations: int = 20
    records: int = 2000
    deadline: float = 5.0
    patience: float = 25.0


class Settings(msgspec.Struct, frozen=True):
    """Every setting that a process has at its start. `store` and `valkey` may hold a password: never log them.

    `rules` is `files`, where a start activates what stands in the folder `policies`, or `activated`, where that folder
    is only what files with secrets are seen from. `drain` is for how many seconds a process that stops tells so.
    `single_node` is `durability: single-node`: one PostgreSQL server is enough, without a synchronous standby.
    `secrets_file` has what sessions, nonces and counts are keyed by, else the ledger's key makes that.
    `store_key` has the key that the store's rows are sealed by; `texts` the pages' texts, where not in English.
    `root` is the file with the variables over it, for those who read parts of it that are theirs (`case_registries`).
    """

    file: Path
    host: str
    port: int
    public_url: str
    store: str
    valkey: str | None
    policies: Path
    sources: Path
    ledger: LedgerSettings
    oauth: OAuthSettings
    tls: TLSSettings
    limits: Limits
    root: Node
    rules: str = "files"
    single_node: bool = False
    drain: float = 1.0
    manage: ManageSettings | None = None
    webhooks: WebhookSettings = WebhookSettings()
    alerts: AlertSettings | None = None
    open: OpenSettings = OpenSettings()
    texts: Path | None = None
    source_watch: SourceWatch | None = None
    tracing: TracingSettings | None = None
    store_key: StoreKey | None = None
    secrets_file: Path | None = None


def load(path: Path, environ: Mapping[str, str]) -> Settings:
    """Read `path` and the `DUTYBOUND_*` variables of `environ`; raises `ConfigurationError` with every problem."""
    problems: list[Problem] = []
    settings = read(path, environ, problems)
    if problems or settings is None:
        raise ConfigurationError(problems)
    return settings


def read(path: Path, environ: Mapping[str, str], problems: list[Problem]) -> Settings | None:
    """As `load`, with what is wrong in `problems`: where there are any, what it gives is for finding more of them.

    There a path that is missing or wrong is `NOWHERE`, and a missing text empty.
    """
    found = True
    with contextlib.suppress(OSError):  # what may not be looked at is refused below, in the system's word
        found = path.exists()
    if not found:
        message = "does not exist; name the file with `--config`, or have `dutybound init` write one"
        problems.append(Problem(str(path), 0, 0, "", message))
        return None
    root = documents.read(path, problems)
    if root is None:
        return None
    return _settings(_overlaid(root, environ), path)


@contextlib.contextmanager
def placing(settings: Settings) -> Iterator[None]:
    """Give what is refused here, and reported by its key in `gateway.yaml` alone, its line or its variable's name."""
    try:
        yield
    except ConfigurationError as error:
        raise ConfigurationError([_placed(settings, problem) for problem in error.problems]) from error


def _placed(settings: Settings, problem: Problem) -> Problem:
    if problem.line or Path(problem.file).resolve() != settings.file:
        return problem
    at = settings.root.at(problem.path.split("."))
    path = "" if at.variable else problem.path
    return Problem(at.file, max(at.line, 0), at.column if at.line else 0, path, problem.message)


def _overlaid(root: Node, environ: Mapping[str, str]) -> Node:
    """The document with the variables written over it, each with a mark that names it."""
    names = sorted(name for name in environ if name.startswith(PREFIX))
    root = root.own() if names else root
    for name in names:
        mark = StringMark(name, 0, -1, -1, None, None)
        raw: Any = root._raw
        parts = name.removeprefix(PREFIX).split("__")
        for depth, part in enumerate(parts):
            found = _step(raw, part)
            if found is None:
                root.problems.append(Problem(name, 0, 0, "", f"leads nowhere at `{part}`"))
                break
            key, child = found
            if depth == len(parts) - 1:
                child = ScalarNode("tag:yaml.org,2002:str", environ[name], mark, mark)
                _put(raw, key, child, mark)
            elif child is None or (isinstance(child, ScalarNode) and child.value in ("", "~", "null")):
                child = MappingNode("tag:yaml.org,2002:map", [], mark, mark)
                _put(raw, key, child, mark)
            raw = child
    return root


def _step(raw: Any, part: str) -> tuple[str, Any] | None:
    """The child that one part of a variable's name means: its key as written (or to be written), and it or `None`."""
    if isinstance(raw, MappingNode):
        for key, value in raw.value:
            if str(key.value).upper().replace("-", "_") == part:
                return str(key.value), value
        return (part.lower(), None) if part else None
    if isinstance(raw, SequenceNode) and part.isdecimal() and int(part) <= len(raw.value):
        return part, raw.value[int(part)] if int(part) < len(raw.value) else None
    return None


def _put(raw: Any, key: str, value: Any, mark: StringMark) -> None:
    if isinstance(raw, SequenceNode):
        raw.value[int(key) : int(key) + 1] = [value]
        return
    for index, (existing, _) in enumerate(raw.value):
        if str(existing.value) == key:
            raw.value[index] = (existing, value)
            return
    raw.value.append((ScalarNode("tag:yaml.org,2002:str", key, mark, mark), value))


def _settings(root: Node, path: Path) -> Settings:
    required = ("listen", "public_url", "store", "policies", "sources", "ledger", "oauth")
    optional = (
        "valkey", "rules", "tls", "limits", "case_registries", "durability", "drain", "manage", "webhooks", "alerts",
        "open", "texts", "source_watch", "tracing", "store_key_file",
        "store_key_command", "secrets_file",
    )  # fmt: skip
    keys = root.mapping(required, optional)
    host, port = read_listen(keys["listen"])
    return Settings(
        file=path.resolve(),
        host=host,
        port=port,
        public_url=keys["public_url"].url().rstrip("/"),
        store=_store(keys["store"]),
        valkey=None if keys["valkey"].is_null else _valkey(keys["valkey"]),
        policies=keys["policies"].existing_folder(),
        sources=keys["sources"].existing_file(),
        rules=keys["rules"].choice(("files", "activated"), default="files"),
        ledger=read_ledger(keys["ledger"]),
        oauth=read_oauth(keys["oauth"]),
        tls=read_tls(keys["tls"]),
        limits=_limits(keys["limits"]),
        root=root,
        single_node=keys["durability"].choice(("replicated", "single-node"), default="replicated") == "single-node",
        drain=keys["drain"].duration(1.0),
        manage=None if keys["manage"].is_null else read_manage(keys["manage"]),
        webhooks=read_webhooks(keys["webhooks"]),
        alerts=read_alerts(keys["alerts"]),
        open=read_open(keys["open"]),
        texts=None if keys["texts"].is_null else keys["texts"].existing_file(),
        source_watch=None if keys["source_watch"].is_null else read_source_watch(keys["source_watch"]),
        tracing=read_tracing(keys["tracing"]),
        store_key=read_store_key(keys["store_key_file"], keys["store_key_command"]),
        secrets_file=None if keys["secrets_file"].is_null else keys["secrets_file"].any_path(),
    )


def warnings(settings: Settings, processes: int) -> list[str]:
    """What a start of so many processes lets pass, and somebody should know."""
    if settings.valkey is not None:
        return []
    if processes > 1:
        return [
            f"{processes} processes without a `valkey`: each counts quotas, frequency and used proofs for itself, so"
            f" {processes} times what the rules allow can be asked; name a Valkey that they share"
        ]
    if not settings.store.startswith("sqlite"):
        return ["no `valkey`: a second process on this store would count for itself, and quotas would be twice as wide"]
    return []


def _store(node: Node) -> str:
    text = node.text()
    if not text:
        return ""
    try:
        parsed = make_url(text)
    except (ArgumentError, ValueError):
        node.problem("must be a database URL, as `sqlite:///var/dutybound.db` or `postgresql+asyncpg://host/name`")
        return ""
    if parsed.password and node.variable is None:
        node.problem(f"a password does not belong in this file; give the whole URL as `{PREFIX}STORE`")
    if parsed.get_backend_name() not in ("sqlite", "postgresql"):
        node.problem(f"unknown database `{parsed.drivername}`; must be sqlite or postgresql")
        return ""
    if parsed.get_backend_name() == "sqlite" and parsed.database and parsed.database != ":memory:":
        parsed = parsed.set(database=str(node.folder / parsed.database))
    return parsed.render_as_string(hide_password=False)


def _valkey(node: Node) -> str:
    text = node.text(pattern=r"(valkey|redis)s?://\S+", what="a URL, as `valkey://127.0.0.1:6379`")
    if "@" in text and node.variable is None:
        node.problem(f"a password does not belong in this file; give the whole URL as `{PREFIX}VALKEY`")
    return text


def _limits(node: Node) -> Limits:
    keys, usual = node.mapping((), Limits.__struct_fields__), Limits()
    counts = {
        key: keys[key].integer(1, 100_000, getattr(usual, key))
        for key in ("depth", "aliases", "tokens", "organisations", "records")
    }
    deadline, patience = (keys[key].duration(getattr(usual, key)) for key in ("deadline", "patience"))
    if patience <= deadline:
        keys["patience"].problem(
            "must be longer than `limits.deadline`, so that what departments answer last can leave"
        )
    return Limits(body=keys["body"].size(usual.body), deadline=deadline, patience=patience, **counts)
