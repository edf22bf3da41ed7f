"""What running processes report, by the management address of `gateway.yaml`."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from typing import Any

import httpx

from gateway.config.managing import ManageSettings
from gateway.saying import in_words
from gateway.status.lines import Line, trouble

_WITHIN = 5.0
_LOOPBACK = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - where to ask whoever listens at all addresses


def of_processes(settings: ManageSettings | None) -> Iterator[Line]:
    """A line for the whole, one for each process that is not ready, and one for each thing that is out of order."""
    if settings is None:
        yield Line("processes", "", "no `manage` in the configuration: what only processes know is not shown")
        return
    where = f"{settings.host}:{settings.port}"
    if settings.client_ca_file is not None:
        yield Line("processes", "", f"{where} asks for a client certificate: what only processes know is not shown")
        return
    try:
        found = _asked(settings)
    except httpx.HTTPError as error:
        yield trouble("processes", f"{where} does not answer ({in_words(error)}); does the gateway run?")
        return
    except ValueError:
        yield trouble("processes", f"{where} answers, but not as a gateway of this version")
        return
    processes, wanted = found["processes"], found["wanted"]
    ready = [each for each in processes if all(each["checks"].values())]
    facts = {"wanted": wanted, "ready": len(ready)}
    yield Line("processes", "serving", f"{len(ready)} of {wanted} ready", len(ready) >= wanted, facts)
    for each in processes:
        if failed := sorted(name for name, well in each["checks"].items() if not well):
            yield trouble("processes", f"not ready: {', '.join(failed)}", each["shard"])
    for each in found["troubles"]:
        yield trouble("out of order", each["why"], f"{each['part']} {each['name']}".strip())


def _asked(settings: ManageSettings) -> dict[str, Any]:
    """What `/health` has; raises `httpx.HTTPError`, `ValueError`."""
    host = _LOOPBACK.get(settings.host, settings.host)
    verify: ssl.SSLContext | bool = False
    if settings.cert_file is not None:  # asked on its own machine, by whatever address: its own certificate counts
        verify = ssl.create_default_context(cafile=str(settings.cert_file))
        verify.check_hostname = False
    scheme = "http" if settings.cert_file is None else "https"
    headers = {"Authorization": f"Bearer {settings.token}"} if settings.token else {}
    with httpx.Client(verify=verify, trust_env=False, timeout=_WITHIN) as client:
        answer = client.get(httpx.URL(scheme=scheme, host=host, port=settings.port, path="/health"), headers=headers)
    found = answer.json()
    if not isinstance(found, dict) or not {"processes", "wanted", "troubles"} <= found.keys():
        raise ValueError("not a health of a gateway")
    return found
