"""Whether what a person names may be a subject: an identifier that its scheme's check takes, or one that entries name.

Schemes are the policies', of which the ledger knows nothing: the command line hands their check in. What entries name
stays the subject that it is, whatever the check says of it today.
"""

from __future__ import annotations

from collections.abc import Callable

from gateway.config.settings import Settings
from gateway.ledger.erasure.erase import of_version_1
from gateway.ledger.export.select import Progress
from gateway.ledger.log.operator import ActRefused
from gateway.storage import destruction
from gateway.storage.port import Store

Written = Callable[[str, str], str]
"""From a scheme and a value to the value as entries have it; raises `ValueError`, that says what is wrong."""
Identifiers = Callable[[Settings], Written]
"""The check of a configuration's policies; raises `ConfigurationError`."""


def check(store: Store, subject: tuple[str, str], written: Callable[[], Written], progress: Progress) -> None:
    """Raises `ActRefused` where no entry names this subject, and its scheme's check does not take it as it is."""
    if destruction.keys_of(store.engine, *subject):
        return
    scheme, value = subject
    try:
        if (right := written()(scheme, value)) == value:
            return
        wrong = f"is written `{scheme}:{right}` in the ledger"
    except ValueError as error:
        wrong = str(error)
    if not of_version_1(store, subject, progress):
        raise ActRefused(f"no entry names `{scheme}:{value}`, and it {wrong}")
