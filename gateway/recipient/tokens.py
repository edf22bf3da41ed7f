"""Access tokens by client credentials (RFC 6749, 4.4), kept until shortly before they end."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable
from urllib.parse import quote_plus

from gateway.recipient.asking import Asking, Refused, Unreachable
from gateway.recipient.config import Token

EARLY = 30.0
"""Seconds before its end from which a token is not used any more."""


class Tokens:
    """A token for each set of scopes, so that what reads the inbox cannot ask about anybody."""

    def __init__(self, asking: Asking, config: Token, now: Callable[[], float] = time.monotonic) -> None:
        self._asking, self._config, self._now = asking, config, now
        self._kept: dict[str, tuple[str, float]] = {}

    def get(self, what: str) -> str:
        """A token for `recalls`, `receipts` or `inquiry`; raises `Unreachable` and `Refused`."""
        scope = self._config.scopes[what]
        token, until = self._kept.get(scope, ("", 0.0))
        if self._now() >= until:
            token, lasts = self._asked(scope)
            self._kept[scope] = (token, self._now() + max(lasts - EARLY, lasts / 2))
        return token

    def forget(self, what: str) -> None:
        """The gateway did not take it: the next one is a new one."""
        self._kept.pop(self._config.scopes[what], None)

    def _asked(self, scope: str) -> tuple[str, float]:
        config = self._config
        name = f"{quote_plus(config.client_id)}:{quote_plus(config.secret)}"  # RFC 6749, 2.3.1
        headers = {"authorization": f"Basic {base64.b64encode(name.encode()).decode()}", "accept": "application/json"}
        form = {**config.parameters, "grant_type": "client_credentials", "scope": scope}
        status, said = self._asking.post(config.url, headers, data=form)
        if status in (400, 401, 403):
            told = said.get("error_description") or "the authorization server gives no token"
            raise Refused(str(said.get("error") or status), f"{told} (scope `{scope}`)")
        token, lasts = said.get("access_token"), said.get("expires_in", 60)
        if status != 200 or not isinstance(token, str) or not token.isascii() or not token.isprintable():
            raise Unreachable(f"{config.url} answered {status} and no token")
        return token, float(lasts) if isinstance(lasts, int) and not isinstance(lasts, bool) and lasts > 0 else 60.0
