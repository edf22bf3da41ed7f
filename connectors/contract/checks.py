"""All checks of the contract, in the order in which they are run and reported."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping

from connectors.contract import answers, failing
from connectors.contract.model import Broken, Check, Found, NotTried, Result, System

CHECKS: Mapping[str, Check] = {
    "whole": answers.whole,
    "nothing": answers.nothing,
    "whose": answers.whose,
    "alike": answers.alike,
    "types": answers.types,
    "fields": answers.fields,
    "named": answers.named,
    "stable": answers.stable,
    "at once": answers.at_once,
    "deadline": failing.deadline,
    "bounded": failing.bounded,
    "unmapped": failing.unmapped,
    "credentials": failing.credentials,
    "encrypted": failing.encrypted,
}


async def run(system: System) -> AsyncIterator[Found]:
    """Each check and how it ended, one after the other, so that none is another's load."""
    for name, check in CHECKS.items():
        demands = f"{(check.__doc__ or '').strip()}."
        try:
            why = tuple(await check(system))
        except NotTried as reason:
            yield Found(name, demands, Result.NOT_TRIED, (str(reason),))
        except Broken as reason:
            yield Found(name, demands, Result.FAILED, (str(reason),))
        except Exception as error:  # of a connector that somebody else wrote
            yield Found(name, demands, Result.FAILED, (f"it raised `{type(error).__name__}` as it was made or closed",))
        else:
            yield Found(name, demands, Result.FAILED if why else Result.PASSED, why)
