"""Five departments and an authorization server's static pages, in one process, as cheap as they can be.

Scaffolding of the bench, not a server to copy: it answers precomputed bytes from one epoll loop, so that the
departments do not bound what is measured. It understands just what the gateways under test send: keep-alive HTTP/1.1,
`GET /subjects/LEI/<value>/notices` and `POST /graphql` for one subject, by the root field or by `_entities`.
Anything else is answered 400, and counted; the bench fails a run with such a count.
"""

from __future__ import annotations

import datetime
import json
import re
import select
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.bench import data

ISSUER = "issuer"


def _http(body: bytes, status: str = "200 OK") -> bytes:
    head = f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


BAD = _http(b'{"error":"not what the bench serves"}', "400 Bad Request")


def _dump(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


class Department:
    """The precomputed answers of one department."""

    def __init__(self, name: str, today: datetime.date, groups: Sequence[data.Group]) -> None:
        self.rest: dict[bytes, bytes] = {}
        self.root: dict[bytes, bytes] = {}
        self.entities: dict[bytes, bytes] = {}
        self.field, self._first = data.graphql_name(name).encode(), name == data.DEPARTMENTS[0]
        for group in groups:
            for subject in data.subjects(group):
                items = [data.source_record(name, subject, index, today) for index in range(group.records)]
                told = [data.values(name, subject, index, today) for index in range(group.records)]
                organisation = {
                    "__typename": "Organisation",
                    "scheme": "LEI",
                    "value": subject,
                    data.graphql_name(name): told,
                }
                key = subject.encode()
                self.rest[key] = _http(_dump({"items": items}))
                self.root[key] = _http(_dump({"data": {"organisation": organisation}}))
                self.entities[key] = _http(_dump({"data": {"_entities": [organisation]}}))

    def answer(self, request: bytes) -> bytes:
        if request.startswith(b"GET /subjects/LEI/"):
            return self.rest.get(request[18:38], BAD)
        start = request.find(b'"value":"')
        if start < 0 or request.find(b'"value":"', start + 1) > 0 or self.field not in request:
            return BAD
        table = self.entities if b"_entities" in request else self.root
        answer = table.get(request[start + 9 : start + 29], BAD)
        return self._renamed(request, answer) if self._first and data.ALIAS.encode() in request else answer

    def _renamed(self, request: bytes, answer: bytes) -> bytes:
        """The answer to a document that asks for a field under another name too."""
        told = json.loads(answer.partition(b"\r\n\r\n")[2])
        organisation = told["data"]["organisation"]
        records = organisation[self.field.decode()]
        for alias in set(re.findall(rb"\b" + data.ALIAS.encode() + rb"\d+", request)):
            organisation[alias.decode()] = [{data.ALL[0]: record[data.ALL[0]]} for record in records]
        return _http(_dump(told))


class Issuer:
    """Discovery and keys of the authorization server that signs the bench's tokens."""

    def __init__(self, port: int, jwks: bytes) -> None:
        url = f"http://127.0.0.1:{port}"
        about = {
            "issuer": url,
            "jwks_uri": f"{url}/jwks",
            "token_endpoint": f"{url}/token",
            "response_types_supported": ["token"],
        }
        self.about, self.jwks = _http(_dump(about)), _http(jwks)

    def answer(self, request: bytes) -> bytes:
        if request.startswith(b"GET /jwks"):
            return self.jwks
        return self.about if request.startswith(b"GET /.well-known/") else BAD


def _complete(request: bytes) -> int:
    """The length of the first whole request in `request`; 0 where it is not whole yet."""
    end = request.find(b"\r\n\r\n")
    if end < 0:
        return 0
    length = 0
    if not request.startswith(b"GET "):
        head = request[:end].lower()
        at = head.find(b"content-length:")
        length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
    return end + 4 + length if len(request) >= end + 4 + length else 0


def serve(listeners: dict[int, tuple[socket.socket, Department | Issuer]]) -> None:
    """Answer until the process is ended."""
    poll = select.epoll()
    for number in listeners:
        poll.register(number, select.EPOLLIN)
    connections: dict[int, tuple[socket.socket, Department | Issuer]] = {}
    partial: dict[int, bytes] = {}
    while True:
        for number, _ in poll.poll():
            if number in listeners:
                listener, owner = listeners[number]
                accepted, _ = listener.accept()
                accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connections[accepted.fileno()] = (accepted, owner)
                poll.register(accepted.fileno(), select.EPOLLIN)
                continue
            connection, owner = connections[number]
            try:
                received = connection.recv(65536)
            except ConnectionError:
                received = b""
            if not received:
                poll.unregister(number)
                del connections[number]
                partial.pop(number, None)
                connection.close()
                continue
            request = partial.pop(number) + received if number in partial else received
            while length := _complete(request):
                answer = owner.answer(request[:length])
                if answer is BAD:
                    sys.stderr.write(f"refused: {request[:length]!r}\n")
                    sys.stderr.flush()
                try:
                    connection.sendall(answer)
                except ConnectionError:
                    break
                request = request[length:]
            if request:
                partial[number] = request


def main(jwks_file: str, *names: str) -> None:
    """Open one port a department and one for the issuer, tell them as a line of JSON, and serve.

    `names` are the groups of subjects that they know; where there are none, all.
    """
    today, groups = datetime.date.today(), [data.GROUPS[name] for name in names or data.GROUPS]
    listeners: dict[int, tuple[socket.socket, Department | Issuer]] = {}
    ports = {}
    for name in (*data.DEPARTMENTS, ISSUER):
        listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        ports[name] = listener.getsockname()[1]
        owner = Issuer(ports[name], Path(jwks_file).read_bytes()) if name == ISSUER else Department(name, today, groups)
        listeners[listener.fileno()] = (listener, owner)
    print(json.dumps(ports), flush=True)
    serve(listeners)


if __name__ == "__main__":
    main(*sys.argv[1:])
