"""Checks of what must fail: what is late, too large, not mapped, without credentials, or not who it claims to be."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from connectors.base import DatasetRequest, Failure, Fault, Outcome, Subject
from connectors.contract.impostor import impostor
from connectors.contract.model import (
    LATE,
    NotTried,
    System,
    ask,
    connected,
    each,
    of_records,
    records,
    request,
    some_come,
)

_SOON = 0.001
_AS_LITTLE = "1B"
_SECRETS = frozenset({"file", "client_secret_file"})
_ADDRESSES = ("base_url", "url", "security_server")


async def deadline(system: System) -> list[str]:
    """What comes too late is a fault by the deadline, and the next inquiry is answered"""
    dataset, subject, _ = _one(system)
    asked = request(system, dataset, subject)
    found: list[str] = []
    loop = asyncio.get_running_loop()
    async with connected(system) as connector:
        for within in (-1.0, _SOON):
            began = loop.time()
            outcome = (await ask(system, connector, asked, within=within))[subject, dataset]
            if within < 0 and not (isinstance(outcome, Failure) and outcome.fault is Fault.TIMEOUT):
                found.append(f"{dataset}: asked when the deadline is over, it is not {Fault.TIMEOUT.value}")
            if loop.time() - began > LATE:
                found.append(f"{dataset}: it continues after the deadline")
        outcome = (await ask(system, connector, asked))[subject, dataset]
        if isinstance(outcome, Failure):
            found.append(f"{dataset}: after an inquiry that ended too soon, the next is {outcome.fault.value}")
    return found


@of_records
async def bounded(system: System) -> list[str]:
    """An answer of more than `limits.max_bytes` is a fault, and not cut"""
    dataset, subject, _ = _one(system)
    limits = {**(system.config.get("limits") or {}), "max_bytes": _AS_LITTLE}
    async with connected(system, {**system.config, "limits": limits}) as connector:
        outcome = (await ask(system, connector, request(system, dataset, subject)))[subject, dataset]
    if isinstance(outcome, Failure) and outcome.fault is Fault.INVALID:
        return []
    return [f"{dataset}: with `limits.max_bytes` of {_AS_LITTLE} it is {_seen(outcome)}, not {Fault.INVALID.value}"]


async def unmapped(system: System) -> list[str]:
    """A dataset that is not mapped is a fault of its own, and the others come"""
    dataset, subject, _ = _one(system)
    other = "no-such-dataset"
    async with connected(system) as connector:
        asked = DatasetRequest(other, (), (subject,))
        outcomes = await ask(system, connector, asked, request(system, dataset, subject))
    found = []
    if not isinstance(outcomes[subject, other], Failure):
        found.append("a dataset that is not mapped has an answer")
    if isinstance(outcomes[subject, dataset], Failure):
        found.append(f"{dataset}: beside a dataset that is not mapped it is {_seen(outcomes[subject, dataset])}")
    return found


async def credentials(system: System) -> list[str]:
    """Without the gateway's credentials, or with others, the system answers nobody"""
    found: list[str] = []
    with _a_secret() as file:
        others = _with_others(system.config, file)
        await some_come(system)
        for way, config in others.items():
            async with connected(system, config) as connector:
                for dataset, subject, _ in each(system):
                    outcome = (await ask(system, connector, request(system, dataset, subject)))[subject, dataset]
                    if not isinstance(outcome, Failure):
                        found.append(f"{dataset}: {way} it is {_seen(outcome)}")
    return found


@contextmanager
def _a_secret() -> Iterator[str]:
    handle, name = tempfile.mkstemp(prefix="dutybound-")
    try:
        os.write(handle, b"not-the-secret-of-anybody-who-may-ask-here")
        os.close(handle)
        yield name
    finally:
        Path(name).unlink()


def _with_others(config: Mapping[str, Any], file: str) -> Mapping[str, Mapping[str, Any]]:
    """The configuration with other credentials, each by what it is in words; `file` has a wrong secret."""
    auth = config.get("auth") or {}
    found: dict[str, Mapping[str, Any]] = {}
    if auth.get("kind", "none") != "none":
        found["without credentials"] = {key: value for key, value in config.items() if key != "auth"}
    for key in _SECRETS & auth.keys():
        found["with a wrong secret"] = {**config, "auth": {**auth, key: file}}
    if "password_file" in config:
        found["with a wrong password"] = {**config, "password_file": file}
    if not found:
        raise NotTried("the configuration names no credentials (`auth` or `password_file`)")
    return found


async def encrypted(system: System) -> list[str]:
    """Who cannot prove to be the system, by its certificate, is sent nothing"""
    config = dict(system.config)
    keys = [key for key in _ADDRESSES if str(config.get(key, "")).startswith("https://")]
    if not keys:
        raise NotTried("the system is not asked over HTTPS; with a database TLS is the driver's")
    dataset, subject, _ = _one(system)
    async with impostor() as other:
        for key in keys:
            parts = urlsplit(str(config[key]))
            config[key] = urlunsplit(parts._replace(netloc=f"127.0.0.1:{other.port}"))
        async with connected(system, config) as connector:
            outcome = (await ask(system, connector, request(system, dataset, subject)))[subject, dataset]
    if other.received:
        return ["whoever stands at the address was sent a question, though nobody vouches for its certificate"]
    return [] if isinstance(outcome, Failure) else ["an answer came from who cannot be the system"]


def _one(system: System) -> tuple[str, Subject, int]:
    return next(one for one in each(system) if one[-1])


def _seen(outcome: Outcome) -> str:
    if isinstance(outcome, Failure):
        return outcome.fault.value
    count = len(records(outcome))
    return f"an answer of {count} record{'s' if count != 1 else ''}"
