"""What numbers a peer sends costs no more than their bytes: nothing is made of those that nobody asked for."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from connectors.http.auth import ClientCredentials
from connectors.http.transport import TransportOptions
from connectors.mapping import duplicate_keys, numbers
from gateway.inquiry.http import request
from tests.connectors.servers import always, answer, serve
from tests.connectors.test_mapping import ROW, decode

ROOT = Path(__file__).parents[2]
WRITTEN = [b"1e300", b"1.5e300", b"1e23", b"-1E+308", b"1e400", b"1e999999999", b"1." + b"7" * 5000, b"1" * 700 + b"e9"]


def floats(value: Any) -> int:
    """How many numbers with a point or an exponent were made."""
    if isinstance(value, dict):
        return floats(list(value.values()))
    return sum(map(floats, value)) if isinstance(value, list) else isinstance(value, float)


@pytest.mark.parametrize("number", WRITTEN)
def test_no_number_is_made_of_what_is_only_looked_through(number: bytes) -> None:
    """`1e300` took the decoder 25 microseconds, with the lock that everybody needs: 4 seconds per megabyte."""
    body = b'{"a": {"b": [' + number + b", " + number + b"]}}"
    assert floats(duplicate_keys._decode(body)) == 0
    assert duplicate_keys.check(body) is None
    assert duplicate_keys.check(b'{"a": 1, "a": ' + number + b"}") == "duplicate keys"


@pytest.mark.parametrize("number", WRITTEN)
def test_what_nobody_asked_for_may_be_any_number(number: bytes) -> None:
    body = json.dumps({"items": [ROW]}).encode()
    assert isinstance(decode(body[:-1] + b', "z": [' + number + b"]}"), list)


def test_numbers_are_the_same_by_the_quick_reading() -> None:
    assert [numbers.finite(text) for text in ("1e300", "-2.5", "1E-400")] == [1e300, -2.5, 0.0]
    got = request.read("POST", [(b"content-type", b"application/json")], b'{"query": "{a}", "variables": {"a": 1e300}}')
    assert got.variables == {"a": 1e300}
    with pytest.raises(ValueError, match="out of range"):
        numbers.finite("1e999")


def test_every_reading_without_a_type_is_the_quick_one() -> None:
    """msgspec's own is the slow one, so that no bytes of a peer may come to it."""
    slow = []
    for path in sorted([*(ROOT / "gateway").rglob("*.py"), *(ROOT / "connectors").rglob("*.py")]):
        for call in ast.walk(ast.parse(path.read_text())):
            if not isinstance(call, ast.Call) or ast.unparse(call.func) not in (
                "msgspec.json.decode",
                "msgspec.json.Decoder",
            ):
                continue
            given = {keyword.arg for keyword in call.keywords}
            typed = "type" in given or (call.args and ast.unparse(call.func).endswith("Decoder"))
            if not typed and "float_hook" not in given:
                slow.append(f"{path.relative_to(ROOT)}:{call.lineno}")
    assert slow == []


@pytest.mark.parametrize("lasts", ["1e999", "1e300", "-1", "1" + "0" * 400, "1e10", '"60"', "null"])
async def test_a_token_that_lasts_for_ever_is_none(lasts: str, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("s")
    granted = f'{{"access_token": "abc", "token_type": "bearer", "expires_in": {lasts}}}'.encode()
    async with serve(always(answer(granted))) as server:
        auth = ClientCredentials(server.url, "gateway", secret, None, TransportOptions(timeout=5.0))
        failed = await auth._ask()
        assert failed is not None
        assert "`expires_in` is no number of seconds" in failed.detail or "no JSON object" in failed.detail
        await auth.close()


digits = st.text("0123456789", max_size=33)
decimals = st.builds(
    "{}{}{}{}".format, st.sampled_from(["", "-", "+", " "]), digits, st.sampled_from(["", ".", "e", "_"]), digits
)
"""Decimals, and what is nearly one."""
raws = st.one_of(
    st.just("null"),
    decimals.map(lambda text: f'"{text}"'),
    decimals.filter(lambda text: is_number(text)),
    st.sampled_from(['"-0"', "-0", "0.50", "-0.5", "1e2", '"1e300"', '"\\u0031"', '"\u0661"', '"NaN"', '"1,2"', '""']),
)


def is_number(text: str) -> bool:
    """Whether it is a number as JSON has it."""
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


@given(written=st.lists(raws, max_size=6))
@example(written=["1" * 30 + "." + "9" * 30, f'"-{"0" * 30}.{"0" * 29}1"'])
def test_numbers_that_are_read_together_are_those_that_are_read_alone(written: list[str]) -> None:
    given = [msgspec.Raw(text.encode()) for text in written]
    try:
        alone = [numbers.of_json(raw) for raw in given]
    except ValueError:
        with pytest.raises(ValueError, match=numbers.WRONG):
            numbers.all_of_json(given)
    else:
        assert numbers.all_of_json(given) == alone


@given(texts=st.lists(decimals | st.sampled_from(["1,2", ",", "", "\u0661", "0.50", None]), max_size=6))
@example(texts=["1" * 30 + "." + "9" * 30, f"-0.{'0' * 29}1"])
@example(texts=["1,2"])
def test_texts_that_are_looked_at_together_are_plain_each(texts: list[str | None]) -> None:
    if numbers.are_plain(texts):
        assert [numbers.of_text(text) for text in texts if text is not None] == texts
        assert numbers.all_of_text(texts) == texts


def test_usual_texts_need_no_second_look() -> None:
    assert numbers.are_plain(["12.50", "-0.5", "0", "1" * 30])
    assert not numbers.are_plain(["12.50", "07"])
    assert not numbers.are_plain(["12.50", None])


@pytest.mark.parametrize(
    ("number", "written"),
    [
        ("12345678901234567890.10", "12345678901234567890.10"),
        ("1E-7", "0.0000001"),
        ("-2.50E-9", "-0.00000000250"),
        ("1E+5", "100000"),
        ("0E-8", "0.00000000"),
        ("-0", "-0"),
    ],
)
def test_a_decimal_has_no_exponent_and_never_loses_a_digit(number: str, written: str) -> None:
    raws = [msgspec.Raw(number.encode()), msgspec.Raw(f'"{number}"'.encode())]
    assert numbers.all_of_json(raws) == [written, written]
    assert numbers.of_text(number) == written


def test_a_text_with_zeros_before_its_digits_is_written_without_them() -> None:
    assert numbers.all_of_json([msgspec.Raw(b'"007.50"'), msgspec.Raw(b"null")]) == ["7.50", None]
