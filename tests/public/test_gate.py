"""Whose turn it is: of one address, of all, and of one day."""

from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway.config.incoming import OpenSettings
from gateway.public.gate import AT_ONCE, Gate


class At:
    """A clock."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_an_address_has_so_many_at_once_and_then_one_a_second() -> None:
    at = At()
    gate = Gate(1000, at)
    assert [gate.wait("192.0.2.1") for _ in range(int(AT_ONCE))] == [0.0] * int(AT_ONCE)
    assert gate.wait("192.0.2.1") == 1.0
    assert gate.wait("192.0.2.2") == 0.0
    at.now = 1.0
    assert gate.wait("192.0.2.1") == 0.0
    assert gate.wait("192.0.2.1") == 1.0


def test_a_network_of_64_bits_is_one_address_and_so_is_an_ipv4_address_written_as_ipv6() -> None:
    gate = Gate(1000, At())
    for number in range(int(AT_ONCE)):
        assert gate.wait(f"2001:db8::{number:x}") == 0.0
    assert gate.wait("2001:db8::ffff") > 0
    assert gate.wait("2001:db8:0:1::1") == 0.0
    for _ in range(int(AT_ONCE)):
        assert gate.wait("192.0.2.9") == 0.0
    assert gate.wait("::ffff:192.0.2.9") > 0


def test_all_addresses_together_have_so_many_a_second() -> None:
    at = At()
    gate = Gate(20, at)
    assert [gate.wait(f"192.0.2.{n}") for n in range(20)] == [0.0] * 20
    assert gate.wait("192.0.2.200") > 0
    at.now = 0.5
    assert sum(gate.wait(f"198.51.100.{n}") == 0.0 for n in range(20)) == 10


@settings(max_examples=25)  # each is thousands of calls, and what matters is the share of a process alone
@given(st.integers(1, 300), st.integers(1, 64))
@example(300, 1)
@example(1000, 64)
def test_processes_that_share_the_bound_serve_no_more_together(per_second: int, processes: int) -> None:
    """After what each may have saved; and none is shut for good, however small its share is."""
    at, seconds = At(), 20
    rate = OpenSettings(per_second=per_second).among(processes).per_second
    gate = Gate(rate, at)
    served = 0
    for second in range(seconds):
        at.now = float(second)
        served += sum(gate.wait(f"2001:db8:{second}:{n}::") == 0.0 for n in range(int(rate) + 2))
    assert served <= max(1.0, rate) + rate * (seconds - 1) + 1e-6
    at.now += 2 / rate
    assert gate.wait("198.51.100.1") == 0.0


def test_who_is_held_back_takes_nothing_from_the_others() -> None:
    gate = Gate(20, At())
    for _ in range(1000):
        gate.wait("192.0.2.1")
    assert sum(gate.wait(f"198.51.100.{n}") == 0.0 for n in range(20)) == 20 - AT_ONCE


def test_so_many_are_answered_at_once() -> None:
    gate = Gate(20, At(), together=2)
    gate.busy = 2
    assert gate.wait("192.0.2.1") > 0
    gate.busy = 1
    assert gate.wait("192.0.2.1") == 0.0


def test_addresses_are_remembered_under_another_key_each_day_and_never_as_they_are() -> None:
    at = At()
    gate = Gate(20, at)
    gate.wait("192.0.2.1")
    (first,) = gate._addresses
    assert b"192" not in first
    at.now = 86_400.0
    gate.wait("192.0.2.1")
    (second,) = gate._addresses
    assert first != second
