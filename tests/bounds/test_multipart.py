"""Forms with a file: what browsers send is read, all else is refused, and nothing takes longer than its bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.bounds import multipart

KIND = "multipart/form-data; boundary=x"
CSRF = b'--x\r\nContent-Disposition: form-data; name="csrf"\r\n\r\nword\r\n'
_HEAD = b"--x\r\ncontent-disposition: form-data"


def test_what_a_browser_sends_is_read() -> None:
    head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a %22;b.txt"\r\nContent-Type: text/plain\r\n'
    body = CSRF + head + "\r\nzwölf\r\n--\r\n".encode() + b"\r\n" + CSRF + b"--x--\r\n"
    assert multipart.fields(KIND, body, 3) == {"csrf": ["word", "word"], "file": ["zwölf\r\n--\r\n"]}
    quoted = 'Multipart/Form-Data;boundary="x"'
    assert multipart.fields(quoted, CSRF + b"--x--", 1) == {"csrf": ["word"]}


@pytest.mark.parametrize(
    "body",
    [b"", b"--x--\r\n", b"--x", b"--x\r\n", CSRF, CSRF[2:] + b"--x--", b"before" + CSRF + b"--x--",
     CSRF + b"--x\r\n\r\nno name\r\n--x--", CSRF + b"--x--after", CSRF * 4 + b"--x--",
     CSRF + _HEAD + b";" * 60_000 + b"\r\n\r\n\r\n--x--", CSRF + _HEAD + b"; a=b" * 10_000 + b"\r\n\r\n\r\n--x--",
     CSRF + b"--x\r\n" + b"content-type: message/rfc822\r\n\r\n" * 1_500 + b"\r\n--x--",
     _HEAD + b'; name="a"\r\ncontent-disposition: form-data; name="b"\r\n\r\n\r\n--x--',
     _HEAD + b'; name="a"\r\n\r\n\xff\r\n--x--', _HEAD + b'; name="\xff"\r\n\r\n\r\n--x--'],
)  # fmt: skip
def test_whatever_is_no_form_of_a_browser_is_refused(body: bytes) -> None:
    if body == b"--x--\r\n":
        assert multipart.fields(KIND, body, 3) == {}
        return
    with pytest.raises(ValueError):  # noqa: PT011  # that of a decoder too
        multipart.fields(KIND, body, 3)


@pytest.mark.parametrize(
    "kind",
    ["multipart/form-data", "multipart/form-data; boundary=", 'multipart/form-data; boundary="', KIND + "; boundary=y",
     "multipart/form-data; " + "(" * 9_000 + "boundary=x", KIND + "y" * 70, "multipart/mixed; boundary=x"],
)  # fmt: skip
def test_a_boundary_is_told_as_browsers_tell_it(kind: str) -> None:
    with pytest.raises(ValueError, match="no multipart form"):
        multipart.fields(kind, CSRF + b"--x--", 3)


@given(st.lists(st.tuples(st.from_regex(r"[a-z_]{1,20}", fullmatch=True), st.text(max_size=50)), max_size=8))
def test_any_texts_come_back_as_they_were(given: list[tuple[str, str]]) -> None:
    mark = "-" * 20 + "a0b1c2d3e4"
    parts = [
        f'--{mark}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{text}\r\n'.encode() for name, text in given
    ]
    found = multipart.fields(f"multipart/form-data; boundary={mark}", b"".join(parts) + f"--{mark}--\r\n".encode(), 8)
    wanted: dict[str, list[str]] = {}
    for name, text in given:
        wanted.setdefault(name, []).append(text)
    assert found == wanted
