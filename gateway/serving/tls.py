"""A server for connections that end here and show client certificates, on uvicorn.

granian, which serves otherwise, does not tell an application which certificate a client showed. Here each request's
scope has ASGI's TLS extension (https://asgi.readthedocs.io/en/latest/specs/tls.html) with it. Invariants: TLS 1.3 only;
a certificate is asked for and not demanded (a bearer token needs none); one that `client_ca_file` does not vouch for
ends the connection; no header says where a request came from.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import socket
import ssl
from collections.abc import Callable
from pathlib import Path

import uvicorn
from uvicorn._subprocess import subprocess_started
from uvicorn.supervisors.multiprocess import Multiprocess, Process

from gateway.bounds.connections import OPTIONS, BoundedProtocol
from gateway.config import store_key
from gateway.manage.alone import listening
from gateway.serving.forking import anew, unheard

_FORK = multiprocessing.get_context("fork")


class CertificateProtocol(BoundedProtocol):
    """HTTP/1.1 whose scopes have the certificate that the connection's client showed."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Read the certificate, once a connection."""
        super().connection_made(transport)
        shown = transport.get_extra_info("ssl_object")
        der = shown.getpeercert(binary_form=True) if shown is not None else None
        chain: object = (ssl.DER_cert_to_PEM_cert(der),) if der else ()
        self._tls = {
            "server_cert": None,
            "client_cert_chain": chain,
            "client_cert_name": None,
            "client_cert_error": None,
        }

    def on_message_begin(self) -> None:
        """Begin a request's scope."""
        super().on_message_begin()
        self.scope["extensions"] = {"tls": self._tls}  # type: ignore[dict-item]


def _modern(config: uvicorn.Config, made: Callable[[], ssl.SSLContext]) -> ssl.SSLContext:
    del config
    context = made()
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    return context


class _Config(uvicorn.Config):
    """With what a command printed as the key of the store, for workers that are no forks of this process: SIGHUP's."""

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "handed": store_key.handed()}

    def __setstate__(self, state: dict[str, bytes]) -> None:
        store_key.take(state.pop("handed"))
        self.__dict__.update(state)


class _Worker(Process):
    """A worker that is forked, as granian's are: it has what the supervisor imported, read and checked."""

    def __init__(self, config: uvicorn.Config, sockets: list[socket.socket]) -> None:
        super().__init__(config, sockets)
        self.process = _FORK.Process(target=self._forked, args=(sockets,))  # type: ignore[assignment]

    def start(self) -> None:
        """Fork it."""
        unheard(super().start)

    def _forked(self, sockets: list[socket.socket]) -> None:
        anew()
        subprocess_started(self.config, self.target, sockets, None)


class _Workers(Multiprocess):
    """Replaces a worker however often it ends, as granian's server does; uvicorn gives up where one cannot start."""

    def init_processes(self) -> None:
        """Start the workers."""
        self.processes = [_Worker(self.config, self.sockets) for _ in range(self.processes_num)]
        for each in self.processes:
            each.start()

    def keep_subprocess_alive(self) -> None:
        """Replace workers that ended, or hang. One that cannot start costs a start per second."""
        for index, process in enumerate(self.processes):
            if self.should_exit.is_set() or process.is_alive(self.config.timeout_worker_healthcheck):
                continue
            process.kill()
            process.join()
            if not self.should_exit.wait(1):
                self.processes[index] = _Worker(self.config, self.sockets)
                self.processes[index].start()


def server(
    application: str, address: socket.socket, workers: int, cert_file: Path, key_file: Path, client_ca_file: Path
) -> Multiprocess:
    """What serves the application that the factory `application` (`module:function`) makes, until SIGINT or SIGTERM.

    However few the workers, each is a process below this one.
    """
    config = _Config(
        application,
        factory=True,
        workers=workers,
        **{**OPTIONS, "http": CertificateProtocol},
        loop="uvloop",
        interface="asgi3",
        lifespan="on",
        proxy_headers=False,
        server_header=False,
        access_log=False,
        log_config=None,
        log_level="warning",
        timeout_graceful_shutdown=30,
        ssl_certfile=cert_file,
        ssl_keyfile=key_file,
        ssl_ca_certs=client_ca_file,
        ssl_cert_reqs=ssl.CERT_OPTIONAL,
        ssl_context_factory=_modern,
    )
    listening(address)
    address.set_inheritable(True)
    return _Workers(config, [address])
