"""Why an answer over HTTP does not count, by its status or by what became of the connection."""

from __future__ import annotations

import datetime
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

from cryptography import x509

from connectors.base import Failure
from connectors.explaining.noted import Noted
from connectors.explaining.reaching import reach
from connectors.http.calling import Caller, Tried
from connectors.http.transport import Response, TransportFault

SOON = datetime.timedelta(days=30)
"""So long before its end a certificate is to be renewed."""
SLOW = 0.5
"""The share of `limits.timeout` from which an answer is slow: twice the time, and it would not be whole."""


class Asked(NamedTuple):
    """Where was asked: the address, the key that it stands under, and the key of the look-up, of the department."""

    url: str
    base: str
    place: tuple[str, ...]


async def usable(
    caller: Caller, tried: Tried, asked: Asked, of_all: Noted, of_one: Noted, none: Collection[int] = ()
) -> Response | None:
    """The answer, where it has records to look at; else nothing, after noting why in one of the two.

    `of_all` is for what is the department's, `of_one` for what is the dataset's. A status in `none` means no records.
    """
    answer, timeout = tried.answer, caller.options.timeout
    if isinstance(answer, Failure):
        of_all.add((tried.key,), f"there is no answer: {answer.detail}")
        return None
    if not isinstance(answer, Response):
        await _fault(caller, answer, asked, of_all, of_one)
        return None
    if tried.seconds > SLOW * timeout:
        took = f"the answer took {tried.seconds:.1f} s, of {timeout:g} s that it may take (`limits.timeout`)"
        of_one.add(asked.place, took, kind="slow", status=answer.status)
    if answer.status == 200:
        return answer
    if answer.status not in none:
        _status(answer, asked, of_all, of_one)
    return None


def _status(answer: Response, asked: Asked, of_all: Noted, of_one: Noted) -> None:
    status = answer.status
    again = f"; it asks to come back in {answer.retry_after} s" if answer.retry_after.strip().isdigit() else ""
    match status:
        case 401:
            of_all.add(("auth",), "the department does not know the gateway (401); is the credential the right one?",
                       status=status)  # fmt: skip
        case 403:
            of_all.add(("auth",), "the department knows the gateway, but lets it not look here (403); ask it for the"
                       " right", status=status)  # fmt: skip
        case 429:
            of_all.add(("limits", "concurrency"), f"the department is asked too often (429){again}", status=status)
        case 404 | 410:
            what = "no such address; is the path right? Where this means no records, write it in `no_records`"
            of_one.add(asked.place, f"{what} ({status})", status=status)
        case 400 | 422:
            what = "the department does not understand the question; is the identifier in the form and place it wants?"
            of_one.add(asked.place, f"{what} ({status})", status=status)
        case 405:
            of_one.add(asked.place, "the address does not take this method (405)", status=status)
        case 406 | 415:
            of_all.add(("headers",), f"the department does not give or take JSON as it is asked ({status})",
                       status=status)  # fmt: skip
        case _ if status >= 500:
            of_one.add(asked.place, f"the department fails by itself ({status}){again}; see its own log",
                       status=status)  # fmt: skip
        case _:
            what = "counts as no answer; 200 is one, and 404 means no records unless `no_records` names others"
            of_one.add(asked.place, f"the status {status} {what}", status=status)


async def ending(caller: Caller, url: str, base: str, of_all: Noted) -> None:
    """Note a certificate of the department that ends soon; `base` is the key that the address stands under."""
    if of_all or not url.startswith("https:"):
        return
    _own_ending(caller.options.cert_file, of_all)
    found = await reach(url, base, caller.options, caller.options.timeout)
    left = None if found.ends is None else found.ends - datetime.datetime.now(datetime.UTC)
    if left is not None and found.ends is not None and left < SOON:
        what = f"the certificate ends on {found.ends:%Y-%m-%d}; the department has to renew it before"
        of_all.add((base,), what, kind="ending")


def _own_ending(file: Path | None, of_all: Noted) -> None:
    """Note a certificate of the gateway's own that ends soon."""
    if file is None:
        return
    try:
        ends = x509.load_pem_x509_certificate(file.read_bytes()).not_valid_after_utc
    except (OSError, ValueError):
        return  # no connection comes about with it, which is explained
    if ends - datetime.datetime.now(datetime.UTC) < SOON:
        what = f"the gateway's own certificate ends on {ends:%Y-%m-%d}; have it renewed before"
        of_all.add(("auth", "cert_file"), what, kind="ending")


async def _fault(caller: Caller, fault: TransportFault, asked: Asked, of_all: Noted, of_one: Noted) -> None:
    options = caller.options
    match fault:
        case TransportFault.TIMEOUT:
            found = await reach(asked.url, asked.base, options, min(options.timeout, 5.0))
            what = f"no whole answer within {options.timeout:g} s; make it quicker, or `limits.timeout` longer"
            if found.wrong:
                of_all.add((found.key,), found.wrong)
            else:
                of_one.add(asked.place, what, kind="slow")
        case TransportFault.CROWDED:
            what = f"no free place within {options.timeout:g} s for one more question; let more be asked at once"
            of_all.add(("limits", "concurrency"), what, kind="slow")
        case TransportFault.TOO_LARGE:
            what = (
                f"the answer has more than {options.max_bytes} bytes unpacked (`limits.max_bytes`), more than"
                f" {options.max_chunks} chunks (`limits.chunks`), or too many headers; use pages, or a closer question"
            )
            of_one.add(asked.place, what, kind="unbounded")
        case TransportFault.REDIRECT:
            what = "the address sends on to another one (a redirect), which is not followed; write where it leads"
            of_one.add(asked.place, what)
        case TransportFault.INVALID:
            what = "the answer breaks HTTP: a wrong length or status, a damaged gzip, or one that was not asked for"
            of_one.add(asked.place, what)
        case _:
            found = await reach(asked.url, asked.base, options, options.timeout)
            if found.wrong:
                of_all.add((found.key,), found.wrong)
            else:
                of_one.add(asked.place, "the connection ends before the answer is whole; it was cut off")
