"""One question to the gateway or to its authorization server, over HTTP: bounded in bytes and time, no redirects.

Two things can go wrong. `Unreachable`: nobody said no, so that it is asked again later. `Refused`: they said no, and
why; asking the same again would give the same.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import httpx
import msgspec

TIMEOUT = 30.0
"""Seconds for each wait, and for a whole answer twice that."""
MOST = 16 * 2**20
"""Bytes of an answer."""


class Unreachable(Exception):
    """There was no answer, or none that can be used; it can be asked again. The text is what happened."""


class Refused(Exception):
    """The answer was no. `code` is the gateway's (`extensions.code`), or OAuth's `error`."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


class Asking:
    """A client of HTTP that others ask by."""

    def __init__(self) -> None:
        self._http = httpx.Client(timeout=TIMEOUT, follow_redirects=False, trust_env=False)

    def close(self) -> None:
        self._http.close()

    def post(self, url: str, headers: Mapping[str, str], **content: Any) -> tuple[int, dict[str, Any]]:
        """The status and the JSON object of an answer; raises `Unreachable`."""
        end, body = time.monotonic() + 2 * TIMEOUT, bytearray()
        try:
            with self._http.stream("POST", url, headers=dict(headers), **content) as answer:
                for part in answer.iter_bytes():
                    body += part
                    if len(body) > MOST or time.monotonic() > end:
                        raise Unreachable(f"{url} gave more than can be taken, or took too long")
                status = answer.status_code
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            late = isinstance(error, httpx.TimeoutException)
            raise Unreachable(f"{url} {'does not answer in time' if late else 'cannot be reached'}") from error
        try:
            return status, msgspec.json.decode(bytes(body), type=dict[str, Any])
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise Unreachable(f"{url} answered {status} and no JSON object") from error
