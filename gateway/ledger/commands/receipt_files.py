"""Receipts as files: read, bounded, and checked with the answer around them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from gateway.errors import ConfigurationError, Problem
from gateway.ledger.entry import entries
from gateway.ledger.entry.receipt import Presented, Proved, check_data, check_extension, unverified, verify_receipt
from gateway.ledger.entry.registry import Registry
from gateway.ledger.proof.note import Verifier

MAX_FILE = 64 * 1024 * 1024


def read(path: Path) -> bytes:
    """A file's content; raises `ConfigurationError` where it cannot be read, or is far too large for a receipt."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE + 1)
    except OSError as error:
        raise ConfigurationError([Problem(str(path), 0, 0, "", f"cannot be read ({error.strerror})")]) from error
    if len(content) > MAX_FILE:
        raise ConfigurationError([Problem(str(path), 0, 0, "", "is over 64 MiB; that is no receipt")])
    return content


def check_presented(
    presented: Presented, verifiers: Sequence[Verifier] | None, registry: Registry | None = None
) -> tuple[Proved, bool]:
    """Verify a receipt (its signature where there are keys, `registry`'s too) and the answer around it.

    Also says whether data were there and are what was disclosed.
    """
    text = presented.text
    proved = unverified(text) if verifiers is None else verify_receipt(text, verifiers, registry)
    if presented.inquiry is not None:
        check_extension(proved, presented.inquiry)
    if presented.data is not None:
        check_data(proved, presented.data)
    return proved, presented.data is not None and isinstance(proved.told, entries.Inquiry)
