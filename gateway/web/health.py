"""Whether this process is ready: a number of named checks, each of which must hold.

A check that raises does not hold. It is told to the log by its name and its exception when it begins to fail, and not
at every poll. Neither the answer nor the log says more than that: checks may have met a subject's data.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

Check = Callable[[], bool | Awaitable[bool]]


class Readiness:
    """The checks by name (`ledger`, `rules`, `clock`, ...); `failed` is called for one that raises."""

    def __init__(self, checks: Mapping[str, Check], failed: Callable[[str, Exception], None]) -> None:
        self._checks, self._failed = checks, failed
        self._raising: dict[str, type[Exception]] = {}

    async def results(self) -> dict[str, bool]:
        """Each check's name, and whether it holds now."""
        return {name: await self._holds(name, check) for name, check in self._checks.items()}

    async def _holds(self, name: str, check: Check) -> bool:
        try:
            said = check()
            holds = said if isinstance(said, bool) else await said
        except Exception as error:
            if self._raising.get(name) is not type(error):
                self._raising[name] = type(error)
                self._failed(name, error)
            return False
        self._raising.pop(name, None)
        return holds
