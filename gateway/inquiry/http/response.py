"""An answer's bytes: `data` as rendered, the errors beside it, and `extensions.inquiry`. Pure.

`data` is joined, never encoded again: the bytes that the entry's digest speaks of are the bytes that leave.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import msgspec

from gateway.inquiry.http.request import Media
from gateway.inquiry.types import Answer

_HEADERS = {media: {"content-type": f"{media.value}; charset=utf-8"} for media in Media}
_encode = msgspec.json.Encoder().encode


def answered(
    data: bytes,
    errors: Sequence[dict[str, Any]],
    media: Media,
    extension: bytes | None = None,
    of: bytes = b"inquiry",
    unsent: Callable[[], Coroutine[Any, Any, None]] | None = None,
) -> Answer:
    """A 200 with `data` and what stands beside it; `extension` is the JSON of `extensions.inquiry`, or `of` an act.

    `unsent` as in `Answer`.
    """
    parts = [b'{"data":', data]
    if errors:
        parts += (b',"errors":', _encode(errors))
    if extension is not None:
        parts += (b',"extensions":{"', of, b'":', extension, b"}")
    parts.append(b"}")
    return Answer(200, _HEADERS[media], b"".join(parts), unsent)
