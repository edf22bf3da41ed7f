"""Where a request came from: what proxies say counts, and nobody else's word."""

from __future__ import annotations

import ipaddress

import pytest

from gateway.bounds.address import came_from

PROXIES = (ipaddress.ip_network("10.0.0.0/8"),)


@pytest.mark.parametrize(
    ("peer", "said", "found"),
    [
        ("192.0.2.1", [b"198.51.100.7"], "192.0.2.1"),  # it is no proxy: forged
        ("10.0.0.1", [b"198.51.100.7"], "198.51.100.7"),
        ("::ffff:10.0.0.1", [b"198.51.100.7"], "198.51.100.7"),
        ("10.0.0.1", [b"203.0.113.9, 198.51.100.7"], "198.51.100.7"),  # the first is the client's own word
        ("10.0.0.1", [b"203.0.113.9", b"198.51.100.7, 10.2.2.2"], "198.51.100.7"),  # two proxies
        ("10.0.0.1", [b"198.51.100.7, nonsense"], "10.0.0.1"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", [b"10.9.9.9"], "10.0.0.1"),
        ("", [b"198.51.100.7"], ""),
    ],
)
def test_the_last_address_that_is_no_proxy_s(peer: str, said: list[bytes], found: str) -> None:
    headers = [(b"host", b"gateway"), *((b"X-Forwarded-For", each) for each in said)]
    assert came_from(peer, headers, PROXIES) == found


def test_without_proxies_the_header_counts_for_nothing() -> None:
    assert came_from("10.0.0.1", [(b"x-forwarded-for", b"198.51.100.7")], ()) == "10.0.0.1"
