"""Finds duplicate keys in a source's JSON, which msgspec (as most decoders) silently lets the last one win.

Two readers of one document must not see two values. The quick proof that there is none: every key is followed by one
colon, so a document has at least as many colons as keys; where it has exactly as many colons as a decode found distinct
keys, no key stood twice and no colon stood in a text. Where texts hold colons (times, addresses), a colon straight
after a quote counts instead, provided that no escape could blur it. Whatever neither proves is read again, slowly and
exactly. The same pass refuses invalid UTF-8 in parts that nobody asked for.
"""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn

import msgspec

_decode = msgspec.json.Decoder(float_hook=len).decode
"""Makes no number of what has a point or an exponent: `1e300` takes msgspec a thousand times as long as most."""
_TEXT = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"')
_MANY = 64
"""Levels of nesting that the quick count follows; deeper documents are read slowly."""


class _DuplicateError(ValueError):
    """A key stood twice in one object."""


def _unique(pairs: list[tuple[str, Any]]) -> None:
    if len({key for key, _ in pairs}) != len(pairs):
        raise _DuplicateError


def _no_constant(_: str) -> NoReturn:
    raise ValueError("NaN and Infinity are not JSON")


def _keys(value: Any, depth: int = 0) -> int:
    """How many distinct keys the objects in `value` have, all together; far below zero where it is too deep to tell."""
    if depth > _MANY:
        return -1_000_000_000
    count = 0
    if type(value) is dict:
        count = len(value)
        value = value.values()
    for child in value:
        if type(child) is dict or type(child) is list:
            count += _keys(child, depth + 1)
    return count


def _shallow_keys(value: Any) -> int:
    """A part of `_keys(value)`, counted quickly: all of it where flat records stand in a list."""
    count = 0
    if type(value) is dict:
        count = len(value)
        value = value.values()
    for child in value:
        if type(child) is list:
            for grandchild in child:
                if type(grandchild) is dict:
                    count += len(grandchild)
        elif type(child) is dict:
            count += len(child)
    return count


def proves_unique(body: bytes, keys: int) -> bool:
    """Whether the bytes prove that a well-formed document has no key twice, if it has `keys` distinct ones or more.

    With K keys and `keys` <= K: colons number at least K, so `keys` colons mean K = `keys`. Without an escape no text
    holds a quote, so a quote that a colon follows, once space is gone, ends a key, or opens a text; that too numbers K
    or more.
    """
    return body.count(b":") == keys or (b"\\" not in body and body.translate(None, b" \t\n\r").count(b'":') == keys)


def slow_check(body: bytes) -> str | None:
    """Read every object, key by key. Gives what is wrong, or nothing."""
    try:
        json.loads(
            body.decode(), object_pairs_hook=_unique, parse_constant=_no_constant, parse_int=len, parse_float=len
        )
    except _DuplicateError:
        return "duplicate keys"
    except UnicodeDecodeError:
        return "not UTF-8"
    except (ValueError, RecursionError):
        return "not JSON"
    return None


def check(body: bytes) -> str | None:
    """What makes a document unfit to be read twice alike: duplicate keys, not UTF-8, not JSON; or nothing."""
    try:
        value = _decode(body)
    except UnicodeDecodeError:
        return "not UTF-8"
    except (ValueError, RecursionError):
        # A number of too many digits is JSON still: the slow reading decides.
        return slow_check(body)
    if type(value) is not dict and type(value) is not list:
        return None
    if body.count(b":") == _shallow_keys(value):
        return None
    keys = _keys(value)
    # Between texts every colon follows a key, so what is left of them when the texts are gone numbers K exactly.
    if proves_unique(body, keys) or _TEXT.sub(b"", body).count(b":") == keys:
        return None
    return slow_check(body)
