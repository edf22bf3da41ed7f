"""Why a request does not say who asks: the one outcome of every check of a token, a proof or a certificate."""

from __future__ import annotations


class Unfit(Exception):
    """The message is for the requester; it quotes no claim's value.

    `error` is the code of RFC 6750 or 9449. `scheme` is the one to use where another was used. `nonce` is one to use,
    where that was missing. `retryable`: the same request may succeed later.
    """

    def __init__(
        self,
        message: str,
        error: str = "invalid_token",
        *,
        scheme: str | None = None,
        nonce: str | None = None,
        retryable: bool = False,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.error = error
        self.scheme = scheme
        self.nonce = nonce
        self.retryable = retryable
