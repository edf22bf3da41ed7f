"""PostgreSQL over TLS: every session is verified in full, and a certificate that does not fit is told with its fix."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.errors import ConfigurationError, StoreUnavailable
from gateway.ledger.verify.store import verify_store
from gateway.storage.store import examine_store, open_store
from tests.connectors.certificates import Authority
from tests.ledger.support import AT, BY, VERIFIERS, opened, refused
from tests.services import Postgres
from tests.storage.tls import Front, front


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"), "state-ca")


@pytest.fixture(scope="module")
def tls(authority: Authority, server: Postgres) -> Iterator[Front]:
    with front(authority.server_context(), server.port) as running:
        yield running


def url(port: int, database: str, host: str = "127.0.0.1", **parameters: object) -> str:
    query = "&".join(f"{name}={value}" for name, value in {"sslmode": "verify-full", **parameters}.items())
    return f"postgresql+asyncpg://postgres@{host}:{port}/{database}?{query}"


async def test_every_session_is_encrypted_and_verified(authority: Authority, server: Postgres, tls: Front) -> None:
    store = open_store(url(tls.port, server.database(), sslrootcert=authority.ca_file))
    made = tls.served
    assert made > 0
    async with opened(store) as ledger:
        held = tls.served
        assert held > made, "the session that commits is another one"
        for number in range(3):
            await refused(ledger, number)
        assert ledger.healthy
    facts = store.facts()
    reading = facts.read([("LEI", "5493001KJTIIGC8Y1R12")])
    assert not isinstance(reading, list)
    assert len(await reading) == 1  # type: ignore[misc]
    assert tls.served > held
    facts.close()
    assert [shard.size for shard in verify_store(store, VERIFIERS)] == [3]
    store.close()


def said(store: str) -> str:
    messages = []
    for attempt in (open_store, lambda store: examine_store(store, "gateway.yaml", single_node=True)):
        with pytest.raises(ConfigurationError) as error:
            attempt(store)
        messages.append(str(error.value))
    assert messages[0] == messages[1]
    assert messages[0].count("\n") <= 1
    return messages[0]


def test_a_wrong_authority_is_refused_with_the_fix(server: Postgres, tls: Front, tmp_path: Path) -> None:
    other = Authority(tmp_path, "another-ca")
    before = tls.served
    message = said(url(tls.port, server.database(), sslrootcert=other.ca_file))
    assert "certificate verify failed" in message
    assert f"`{other.ca_file}` is not the authority of the server's certificate" in message
    assert "`sslrootcert`" in message
    assert tls.served == before


@pytest.mark.parametrize("file", ["nowhere.pem", None])
def test_a_missing_authority_is_refused_with_the_fix(
    server: Postgres, tls: Front, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str | None
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    named = {"sslrootcert": tmp_path / file} if file else {}
    message = said(url(tls.port, server.database(), **named))
    assert "name the file of the authority's certificate with `sslrootcert`" in message


def test_another_hosts_certificate_is_refused_with_the_fix(authority: Authority, server: Postgres, tls: Front) -> None:
    message = said(url(tls.port, server.database(), host="localhost", sslrootcert=authority.ca_file))
    assert "does not match host name" in message
    assert "name the server as its certificate does" in message


def test_a_server_without_tls_is_refused_with_the_fix(authority: Authority, server: Postgres) -> None:
    message = said(url(server.port, server.database(), sslrootcert=authority.ca_file))
    assert "the server has no TLS: set `ssl = on` there" in message


async def test_a_certificate_that_is_changed_while_it_serves_refuses_entries(
    authority: Authority, server: Postgres, tls: Front, tmp_path: Path
) -> None:
    trusted = tmp_path / "trusted.pem"
    trusted.write_bytes(authority.ca_file.read_bytes())
    store = open_store(url(tls.port, server.database(), sslrootcert=trusted))
    async with opened(store) as ledger:
        await ledger.append(b"before", b"", AT, BY)
        trusted.write_bytes(Authority(tmp_path, "another-ca").ca_file.read_bytes())
        with pytest.raises(StoreUnavailable, match=r"CERTIFICATE_VERIFY_FAILED|certificate verify failed"):
            await store.hold("2")
        trusted.write_bytes(authority.ca_file.read_bytes())
        assert (await ledger.append(b"after", b"", AT, BY)).index == 1
    store.close()
