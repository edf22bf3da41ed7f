"""Messages go to public addresses and to networks that the operator named, wherever a name leads at each connect."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import ssl
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import given

from gateway.config.outgoing import WebhookSettings
from gateway.values import Network
from gateway.web.messages.addresses import Addresses, AddressRefused
from gateway.web.messages.sending import Sender, Taken
from tests.connectors.certificates import Authority

NAMED = (ipaddress.ip_network("127.0.0.2/32"),)

REFUSED = [
    "127.0.0.1", "127.255.255.254", "0.0.0.0", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1",
    "169.254.169.254", "100.64.0.1", "100.100.100.200", "168.63.129.16", "192.0.0.192", "198.18.0.1", "224.0.0.1",
    "239.1.1.1",
    "255.255.255.255",
    "::", "::1", "fe80::1", "fe80::1%1", "fc00::1", "fd00:ec2::254", "ff02::1", "fec0::1", "2001:db8::1", "100::1",
    "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "::ffff:0:127.0.0.1", "64:ff9b::127.0.0.1",
    "64:ff9b::10.0.0.1", "64:ff9b:1::7f00:1", "2002:7f00:1::", "2002:a9fe:a9fe::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "localhost", "", "1.2.3",
]  # fmt: skip


@pytest.mark.parametrize("text", REFUSED)
def test_an_address_that_is_not_public_is_refused(text: str) -> None:
    assert not Addresses().may(text)


@pytest.mark.parametrize("text", ["93.184.216.34", "8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8"])
def test_a_public_address_is_not(text: str) -> None:
    assert Addresses().may(text)


@given(st.ip_addresses())
def test_what_is_not_global_is_never_reached(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    mapped = getattr(address, "ipv4_mapped", None) or address
    assert not Addresses().may(str(address)) or (mapped.is_global and not mapped.is_multicast)


@given(st.ip_addresses(v=4))
def test_an_address_inside_another_is_judged_as_itself(inside: ipaddress.IPv4Address) -> None:
    for prefix in ("::ffff:", "64:ff9b::"):
        assert Addresses().may(f"{prefix}{inside}") is Addresses().may(str(inside))


@pytest.mark.parametrize(
    ("network", "text", "may"),
    [
        ("10.20.0.0/16", "10.20.9.9", True),
        ("10.20.0.0/16", "10.21.0.1", False),
        ("10.20.0.0/16", "::ffff:10.20.0.1", True),
        ("10.20.0.0/16", "64:ff9b::10.20.0.1", True),
        ("fd12::/16", "fd12::1", True),
        ("fd12::/16", "fd13::1", False),
        ("::/0", "10.0.0.1", False),
    ],
)
def test_a_named_network_opens_itself_alone(network: str, text: str, may: bool) -> None:
    assert Addresses([ipaddress.ip_network(network)]).may(text) is may


class Heard:
    """A server on some of this machine's addresses that says what came to which."""

    def __init__(self) -> None:
        self.came: list[tuple[str, bytes]] = []

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.came.append((writer.get_extra_info("sockname")[0], head))
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        with contextlib.suppress(OSError):
            await writer.drain()
        writer.close()


@contextlib.asynccontextmanager
async def heard(hosts: Sequence[str], tls: ssl.SSLContext | None = None) -> AsyncIterator[tuple[Heard, int]]:
    """Listening at the same port of each address."""
    made, servers, port = Heard(), [], 0
    for host in hosts:
        servers.append(await asyncio.start_server(made.answer, host, port, ssl=tls))
        port = servers[0].sockets[0].getsockname()[1]
    try:
        yield made, port
    finally:
        for server in servers:
            server.close()


class Moving:
    """A name whose addresses are others each time that it is looked up."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers, self.asked = list(answers), 0

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked += 1
        return self.answers[min(self.asked, len(self.answers)) - 1]


def sender(lookup: Moving, networks: Sequence[Network] = NAMED, ca_file: Path | None = None) -> Sender:
    return Sender(WebhookSettings(ca_file=ca_file), Addresses(networks, lookup))


async def test_a_name_that_is_moved_after_it_was_judged_leads_nowhere_else() -> None:
    async with heard(["127.0.0.2", "127.0.0.1"]) as (server, port):
        name = Moving(["127.0.0.2"], ["127.0.0.1"])
        sending = sender(name)
        url = f"http://localhost:{port}/"
        assert (await sending.send(url, b"{}", {})).outcome is Taken.TAKEN
        assert [where for where, _ in server.came] == ["127.0.0.2"]
        tried = await sending.send(url, b"{}", {})
        assert (tried.outcome, "webhooks.networks" in tried.why) == (Taken.AWAY, True)
        assert [where for where, _ in server.came] == ["127.0.0.2"]
        assert name.asked == 2, "each connect has one look, which it goes by"
        await sending.close()


async def test_of_several_addresses_the_first_that_may_be_and_answers_is_taken() -> None:
    async with heard(["127.0.0.2", "127.0.0.1"]) as (server, port):
        networks = [ipaddress.ip_network("127.0.0.2/31")]
        sending = sender(Moving(["127.0.0.1", "10.0.0.1", "127.0.0.3", "127.0.0.2"]), networks)
        assert (await sending.send(f"http://localhost:{port}/", b"{}", {})).outcome is Taken.TAKEN
        assert [where for where, _ in server.came] == ["127.0.0.2"]
        await sending.close()


async def test_a_judge_that_hands_on_the_name_is_led_elsewhere() -> None:
    class Careless(Addresses):
        async def resolve(self, host: str, port: int) -> Sequence[str]:
            await super().resolve(host, port)
            return [host]

    async with heard(["127.0.0.2", "127.0.0.1"]) as (server, port):
        sending = Sender(WebhookSettings(), Careless(NAMED, Moving(["127.0.0.2"])))
        assert (await sending.send(f"http://localhost:{port}/", b"{}", {})).outcome is Taken.TAKEN
        assert [where for where, _ in server.came] == ["127.0.0.1"], "as ours would, did it not hand on the address"
        await sending.close()


@pytest.mark.parametrize("host", ["127.0.0.1", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]", "[::1]", "localhost"])
async def test_this_machine_is_refused_however_it_is_written(host: str) -> None:
    async with heard(["127.0.0.1"]) as (server, port):
        sending = Sender(WebhookSettings())
        tried = await sending.send(f"http://{host}:{port}/", b"{}", {})
        assert (tried.outcome, server.came) == (Taken.AWAY, [])
        await sending.close()


async def test_tls_and_host_are_of_the_name(tmp_path: Path) -> None:
    authority = Authority(tmp_path, "authority")
    certificate, key = authority.issue("server", names=["recipient.example"])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    async with heard(["127.0.0.2"], context) as (server, port):
        sending = sender(Moving(["127.0.0.2"]), ca_file=authority.ca_file)
        assert (await sending.send(f"https://recipient.example:{port}/", b"{}", {})).outcome is Taken.TAKEN
        assert f"host: recipient.example:{port}".encode() in server.came[0][1].lower()
        other = await sending.send(f"https://other.example:{port}/", b"{}", {})
        assert (other.outcome, len(server.came)) == (Taken.AWAY, 1)
        await sending.close()


async def test_nothing_to_reach_is_told_as_refused() -> None:
    with pytest.raises(AddressRefused, match="no address that is public"):
        await Addresses(lookup=Moving([])).resolve("recipient.example", 443)
