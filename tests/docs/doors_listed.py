"""The list of doors in `gateway/DOORS.md`, what is no door, and what is wrong with a list."""

from __future__ import annotations

import functools
import re

import pytest

from gateway import app
from tests.docs import doors_in_code, doors_served
from tests.docs.doors_in_code import (
    COMMANDS,
    DEMO,
    FILES,
    HIDDEN,
    OUTGOING,
    PROCESSES,
    ROUTES,
    SOCKETS,
    Found,
    search,
)
from tests.docs.doors_served import FIELDS
from tests.docs.reading import ROOT, code, missing, table

PAGE = ROOT / "gateway" / "DOORS.md"
COLUMNS = ("door", "key", "entry", "size", "rate", "time", "test")
KINDS = {
    "Routes": ROUTES, "Webhooks": ROUTES, "Routes of a witness": ROUTES, "Management routes": SOCKETS,
    "Root fields": FIELDS, "Commands": COMMANDS,
    "Outgoing connections": OUTGOING, "Processes": PROCESSES, "Listening sockets": SOCKETS,
    "Files that are written": FILES, "The demo": DEMO,
}  # fmt: skip
"""The sections of the page, and the kind of door that each lists."""

NO_DOORS = {
    Found(OUTGOING, "connectors/http/bounded.py::bounded_client"): "the way that others ask by: each caller is a door",
    Found(OUTGOING, "connectors/http/bounded.py::handle_async_request"): "the same",
    Found(FILES, "gateway/files.py::replace_file"): "the way that others write by: each of its callers is a door",
    Found(FILES, "gateway/files.py::new_file"): "the same",
    Found(FILES, "gateway/files.py::temporary_of"): "the same",
    Found(
        OUTGOING, "gateway/web/listen.py::hindrance"
    ): "takes an address and lets it go: nobody is listened or spoken to",
    Found(OUTGOING, "gateway/storage/migrations/planning.py::plan"): "a database in memory, where steps are tried",
    Found(FILES, "connectors/delivered/sftp.py::_open"): "opens a file of the server's, to be read",
    Found(FILES, "gateway/cli.py::main"): "the null device, for a command that was started without an output",
    Found(FILES, "gateway/cli.py::_drop_output"): "the null device, for a reader that left",
    Found(FILES, "gateway/ledger/erasure/blockers.py::found_open"): "`Blocker.open` makes a query",
    Found(FILES, "gateway/ledger/erasure/erase.py::make"): "the same",
    Found(FILES, "gateway/ledger/export/package_check.py::read"): "reads a member of a zip file",
    Found(HIDDEN, "gateway/inquiry/document/projection.py::_compiled"): "evaluates text of our own, without builtins",
    Found(HIDDEN, "connectors/mapping/generated.py::finisher"): "runs text of our own",
    Found(
        HIDDEN, "gateway/connecting/conforming/system.py::own_kind"
    ): "the module that the account's own command names",
    Found(HIDDEN, "gateway/activation/making.py::_receive"): "takes what a process of its own wrote",
    Found(
        HIDDEN, "gateway/catalogue/identifiers.py::validator"
    ): "modules of python-stdnum only, and of them `validate`",
}
"""What looks like a door and is none, and why."""

OPENING = {
    "_thread", "alembic", "alembic.command", "alembic.config", "alembic.context", "alembic.op", "alembic.script",
    "argparse", "asyncio", "asyncpg",
    "asyncssh",
    "concurrent.futures", "concurrent.futures.process",
    "fcntl",
    "http.server", "httpcore", "httptools", "httpx",
    "opentelemetry.exporter.otlp.proto.http.trace_exporter", "requests",
    "importlib", "importlib.resources", "io", "logging", "lzma",
    "multiprocessing", "obstore", "obstore.store", "os",
    "pickle", "select",
    "pathlib", "psycopg", "pyarrow", "pyarrow.compute", "pyarrow.parquet", "pyarrow.types",
    "pymysql.converters", "resource", "selectors", "shutil", "signal", "socket", "socketserver",
    "sqlalchemy",
    "sqlalchemy.dialects", "sqlalchemy.dialects.mysql", "sqlalchemy.dialects.postgresql",
    "sqlalchemy.dialects.postgresql.asyncpg", "sqlalchemy.dialects.postgresql.psycopg",
    "sqlalchemy.dialects.sqlite", "sqlalchemy.dialects.sqlite.pysqlite", "sqlalchemy.engine",
    "sqlalchemy.engine.interfaces", "sqlalchemy.event", "sqlalchemy.exc", "sqlalchemy.ext.compiler",
    "sqlalchemy.orm", "sqlalchemy.util",
    "sqlalchemy.pool", "sqlalchemy.sql", "sqlalchemy.sql.cache_key", "sqlalchemy.sql.compiler",
    "sqlalchemy.sql.functions", "sqlalchemy.types",
    "sqlite3", "ssl", "starlette.applications", "starlette.concurrency", "starlette.requests", "starlette.responses",
    "starlette.routing", "subprocess", "tarfile", "tempfile", "threading", "uvicorn",
    "uvicorn._subprocess",
    "uvicorn.protocols.http.httptools_impl", "uvicorn.supervisors.multiprocess", "uvloop",
    "valkey.asyncio", "valkey.exceptions", "zipfile",
}  # fmt: skip
"""Modules that can open a door: `doors_in_code` knows what of them does, and finds each place."""

HARMLESS = {
    "pymysql.constants", "pymysql.constants.FIELD_TYPE",
    "cryptography.x509.oid", "cryptography.hazmat.primitives.asymmetric",
    "cryptography.hazmat.primitives.asymmetric.ec",
    "__future__", "array", "authlib.oauth2.rfc6749.parameters", "authlib.oauth2.rfc7523", "authlib.oauth2.rfc7636",
    "authlib.oidc.core", "jinja2", "markupsafe", "starlette.datastructures", "starlette.exceptions",
    "starlette.types", "tomllib", "weakref", "base64", "binascii", "bisect",
    "cachetools", "cedarpy",
    "collections", "collections.abc", "contextlib", "contextvars", "copy", "cryptography",
    "cryptography.exceptions",
    "cryptography.hazmat.primitives",
    "cryptography.hazmat.primitives.asymmetric.ed25519", "cryptography.hazmat.primitives.ciphers.aead",
    "cryptography.hazmat.primitives.hashes", "cryptography.hazmat.primitives.kdf.hkdf",
    "cryptography.hazmat.primitives.keywrap",
    "cryptography.hazmat.primitives.serialization",
    "cryptography.x509", "csv", "datetime", "decimal", "difflib", "email.utils", "enum",
    "errno", "fnmatch", "functools", "gc", "getpass", "graphql", "graphql.language", "graphql.language.ast",
    "graphql.language.visitor", "graphql.pyutils", "graphql.validation.validation_context", "hashlib",
    "heapq", "hmac", "holidays", "html", "http_sfv.dictionary", "http_sfv.item",
    "http_sfv.types", "importlib.metadata", "importlib.util",
    "inspect", "ipaddress", "itertools", "joserfc", "joserfc.errors",
    "joserfc.jwk", "joserfc.jws", "joserfc.jwt", "opentelemetry.context", "opentelemetry.sdk.resources",
    "opentelemetry.sdk.trace", "opentelemetry.sdk.trace.export", "opentelemetry.sdk.trace.sampling",
    "opentelemetry.trace", "opentelemetry.trace.propagation.tracecontext", "json", "math", "msgspec",
    "msgspec.structs", "operator", "prometheus_client", "prometheus_client.core",
    "prometheus_client.registry", "random", "re", "re._constants", "re._parser",
    "ruamel.yaml", "ruamel.yaml.error", "ruamel.yaml.nodes", "ruamel.yaml.scanner",
    "ruamel.yaml.tokens", "secrets", "setproctitle", "stat", "statistics", "strawberry", "strawberry.directive",
    "strawberry.federation", "strawberry.federation.schema_directives", "strawberry.federation.types",
    "strawberry.schema.config", "string", "struct", "sys", "textwrap", "time", "types", "typing", "unicodedata",
    "urllib.parse", "uuid", "warnings", "zlib", "zoneinfo", "xml.etree.ElementTree", "defusedxml.common",
    "defusedxml.ElementTree",
}  # fmt: skip
"""Modules that somebody looked at, and that open none. One that is in neither list is found."""

VARIABLES = {"DUTYBOUND_STORE", "DUTYBOUND_VALKEY"}
"""Of the environment."""

_MISSING = re.compile(r"missing(?: \((?:(?:9|10)\.\d+(?:, (?:9|10)\.\d+)*|11)\)|: \w[^.;]{10,})")
_PATH = re.compile(r"(gateway|connectors|deploy|policies|tests)/[\w./]+(::\w+)?")


# What is held against what


def problems(text: str, found: set[Found], named: set[str]) -> list[str]:
    """What is wrong with a list, where these doors were `found`, and these constants are `named` in the code."""
    listed, wrong = _listed(text, frozenset(named))
    told = list(wrong)
    told += (f"{door} is not listed under {kind}" for kind, door in sorted(found - listed - NO_DOORS.keys()))
    told += (f"{door} is listed under {kind}, and there is none" for kind, door in sorted(listed - found))
    return told


@functools.cache
def _listed(text: str, named: frozenset[str]) -> tuple[frozenset[Found], tuple[str, ...]]:
    """The doors that a list has, and what is wrong with its words."""
    wrong: list[str] = []
    listed: set[Found] = set()
    parts = re.split(r"^## (.*)$", text, flags=re.MULTILINE)
    sections = dict(zip(parts[1::2], parts[2::2], strict=True))
    if list(sections) != list(KINDS):
        wrong.append(f"the sections are {', '.join(KINDS)}")
    for heading in sections.keys() & KINDS.keys():
        head = next((line for line in sections[heading].splitlines() if line.startswith("|")), "")
        if [cell.strip() for cell in head.strip("|").split("|")] != list(COLUMNS):
            wrong.append(f"{heading}: the columns are {', '.join(COLUMNS)}")
        for row in table(sections[heading]):
            listed |= {Found(KINDS[heading], door) for door in code(row[0])}
            wrong += (f"{heading}: {row[0]}: {each}" for each in _row(row, named))
    return frozenset(listed), tuple(wrong)


def _row(row: list[str], named: frozenset[str]) -> list[str]:
    wrong = [f"`{column}` is empty" for column, cell in zip(COLUMNS, row, strict=True) if not cell]
    if not code(row[0]):
        wrong.append("the door has no name that a test could find")
    for cell in row:
        spans, prose = code(cell), re.sub("`[^`]*`", "", cell)
        if prose.count("missing") != len(_MISSING.findall(prose)):
            wrong.append(f"{cell}: write `missing (9.1)`, or `missing:` and what")
        if cell is not row[0]:
            wrong += (f"`{name}` does not exist" for name in missing([each for each in spans if _PATH.fullmatch(each)]))
        constants = [each for each in spans if re.fullmatch(r"_?[A-Z][A-Z0-9]*(_[A-Z0-9]+)*", each)]
        wrong += (f"no constant is called `{name}`" for name in constants if name not in named | VARIABLES)
    tests = [each for each in code(row[-1]) if "::test_" in each]
    if not tests and "missing" not in row[-1]:
        wrong.append("no test attacks it, and it does not say that one is missing")
    return wrong


@functools.cache
def _tree() -> dict[str, str]:
    return doors_in_code.sources(ROOT)


@functools.cache
def _in_code() -> set[Found]:
    """Looked for once, however many modules ask."""
    return search(_tree())


@pytest.fixture(scope="module")
def tree() -> dict[str, str]:
    return _tree()


@pytest.fixture(scope="module")
def in_code() -> set[Found]:
    return _in_code()


@pytest.fixture(scope="module")
def named(tree: dict[str, str]) -> set[str]:
    return doors_in_code.constants(tree)


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> app.Gateway:
    return doors_served.built(tmp_path_factory.mktemp("gateway"))


@pytest.fixture(scope="module")
def served(gateway: app.Gateway, tmp_path_factory: pytest.TempPathFactory) -> set[Found]:
    return doors_served.found(gateway, tmp_path_factory.mktemp("witness"))
