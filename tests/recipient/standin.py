"""A small stand-in of the gateway and its authorization server, over real HTTP: what the contract says of recalls.

Documents are validated and executed against the contract's schema, so that one which the gateway would refuse is
refused here. `Gateway.meanwhile` may break an answer: before it is made, or after it was and nobody hears it.
"""

from __future__ import annotations

import base64
import contextlib
import datetime
import json
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote_plus

from graphql import GraphQLError, build_schema, graphql_sync

from tests.ports import free_port

SDL = """
directive @inquiry(
  purpose: Purpose!, case: String, document: String, consent: ID, recall: ID, reference: String
) on QUERY
scalar Date
scalar DateTime
enum Purpose { TENDER_QUALIFICATION }
enum IdentifierScheme { LEI PIN }
input IdentifierInput { scheme: IdentifierScheme!  value: String! }
type Query {
  organisation(id: IdentifierInput!): Organisation
  recalls(after: String, first: Int = 50): RecallPage!
  receipts(after: String, first: Int): [Receipt!]!
}
type Organisation { name: String  taxArrears: [TaxArrears!] }
type TaxArrears { period: String  amount: String  record: RecordMeta! }
type RecordMeta { id: String! version: String! document: String effective: Date displayUntil: Date disputed: Boolean! }
type Receipt { id: ID!  receipt: String!  cursor: String! }
type RecallPage { items: [Recall!]!  next: String }
type Recall { id: ID!  sequence: Int!  at: DateTime!  inquiry: ID!  scheme: String!  value: String!
  records: [RecalledRecord!]!  action: RecallAction!  due: DateTime!  state: RecallState!
  outcome: AcknowledgementOutcome }
type RecalledRecord { dataset: String!  record: String!  version: String!  fields: [String!]! }
enum RecallAction { DELETE UPDATE MARK_DISPUTED CLEAR_DISPUTED }
enum RecallState { OPEN ACKNOWLEDGED OVERDUE }
enum AcknowledgementOutcome { APPLIED PASSED_ON REFUSED }
type Mutation {
  acknowledgeRecall(
    id: ID!, outcome: AcknowledgementOutcome!, reason: String, passedOnTo: [String!], reference: String
  ): Recall!
  acknowledgeRecalls(ids: [ID!]!, outcome: AcknowledgementOutcome!, reason: String, reference: String): [Recall!]!
  attestDeletion(until: Date!, reference: String): Boolean!
}
"""
SCOPES = {
    "recalls": "recalls", "receipts": "receipts", "organisation": "inquire", "acknowledgeRecall": "recalls",
    "acknowledgeRecalls": "recalls", "attestDeletion": "recalls",
}  # fmt: skip
SECRET = "client secret: + and %"
AT = datetime.datetime(2026, 11, 24, 12, tzinfo=datetime.UTC)


def recall(id_: str, sequence: int, action: str = "DELETE", **given: Any) -> dict[str, Any]:
    """A recall of record `N-1` of one answer, with what is `given` instead."""
    record = {"dataset": "tax-arrears", "record": "N-1", "version": "1", "fields": ["period", "amount"]}
    return {
        "id": id_, "sequence": sequence, "action": action, "at": AT.isoformat(), "inquiry": "I-1",
        "scheme": "LEI", "value": "5493001KJTIIGC8Y1R12", "records": [record],
        "due": (AT + datetime.timedelta(days=10)).isoformat(), "state": "OPEN", "outcome": None, **given,
    }  # fmt: skip


class Gateway:
    """What a recipient sees. `acknowledged` has each answer that was heard: id, outcome, reason, passed on to whom."""

    def __init__(self) -> None:
        self.inbox: dict[str, dict[str, Any]] = {}
        self.receipts: list[str] = []
        self.correct: dict[str, list[dict[str, Any]]] = {}
        self.acknowledged: list[tuple[str, str, str | None, tuple[str, ...]]] = []
        self.attested: list[str] = []
        self.asked: list[str] = []
        self.tokens: dict[str, set[str]] = {}
        self.given: list[dict[str, str]] = []
        self.meanwhile: Callable[[str, str], str | None] = lambda name, when: None
        self.heard: Callable[[str], None] = lambda id_: None
        self.lock = threading.RLock()
        self._schema = build_schema(SDL)
        self.receipt_of_correction: str = ""

    def add(self, *recalls: dict[str, Any]) -> None:
        with self.lock:
            self.inbox |= {each["id"]: each for each in recalls}

    # GraphQL

    def execute(self, scopes: set[str], query: str, variables: dict[str, Any]) -> dict[str, Any]:
        with self.lock:
            root = _Root(self, scopes, variables)
            done = graphql_sync(self._schema, query, root, variable_values=variables)
        told: dict[str, Any] = {"data": done.data}
        if done.errors:
            told["errors"] = [error.formatted for error in done.errors]
        if self.receipt_of_correction and "organisation" in (done.data or {}):
            told["extensions"] = {"inquiry": {"id": "I-2", "receipt": self.receipt_of_correction}}
        return told

    def token(self, form: dict[str, str], authorization: str) -> tuple[int, dict[str, Any]]:
        name, _, secret = base64.b64decode(authorization.removeprefix("Basic ")).decode().partition(":")
        if (unquote_plus(name), unquote_plus(secret)) != ("market-regulator", SECRET):
            return 401, {"error": "invalid_client"}
        self.given.append(form)
        token = f"token-{len(self.given)}"
        self.tokens[token] = set(form["scope"].split())
        return 200, {"access_token": token, "token_type": "Bearer", "expires_in": 3600}


class _Root:
    """The root fields, for one token."""

    def __init__(self, gateway: Gateway, scopes: set[str], variables: dict[str, Any]) -> None:
        self._gateway, self._scopes, self._variables = gateway, scopes, variables

    def _may(self, field: str) -> None:
        self._gateway.asked.append(field)
        if SCOPES[field] not in self._scopes:
            raise refused("FORBIDDEN", f"The token has no scope for `{field}`.")
        if code := self._gateway.meanwhile(field, "before"):
            raise refused(code, "Not now.")

    def recalls(self, info: Any, first: int, after: str | None = None) -> dict[str, Any]:
        self._may("recalls")
        rows = [each for each in self._gateway.inbox.values() if each["state"] != "ACKNOWLEDGED"]
        rows = sorted((each for each in rows if int(after or 0) < each["sequence"]), key=lambda each: each["sequence"])
        return {"items": rows[:first], "next": str(rows[first - 1]["sequence"]) if len(rows) > first else None}

    def receipts(self, info: Any, first: int, after: str | None = None) -> list[dict[str, str]]:
        self._may("receipts")
        rows = [
            {"id": str(at), "receipt": text, "cursor": str(at)} for at, text in enumerate(self._gateway.receipts, 1)
        ]
        return [row for row in rows if int(row["cursor"]) > int(after or 0)][:first]

    def organisation(self, info: Any, id: dict[str, str]) -> dict[str, Any]:
        self._may("organisation")
        recall = self._gateway.inbox[self._variables["recall"]]
        assert id == {"scheme": recall["scheme"], "value": recall["value"]}
        return {"name": "Right now", "taxArrears": self._gateway.correct[recall["id"]]}

    def acknowledgeRecall(self, info: Any, id: str, outcome: str, **more: Any) -> dict[str, Any]:
        self._may("acknowledgeRecall")
        return self._answered(id, outcome, more.get("reason"), tuple(more.get("passedOnTo") or ()))

    def acknowledgeRecalls(self, info: Any, ids: list[str], outcome: str, **more: Any) -> list[dict[str, Any]]:
        self._may("acknowledgeRecalls")
        if len(ids) > 100:
            raise refused("MATTER_INVALID", "At most 100.")
        if unknown := [id_ for id_ in ids if id_ not in self._gateway.inbox]:
            raise refused("MATTER_NOT_FOUND", f"There is no recall {unknown[0]}.")
        return [self._answered(id_, outcome, None, ()) for id_ in ids]

    def attestDeletion(self, info: Any, until: str, **more: Any) -> bool:
        self._may("attestDeletion")
        self._gateway.attested.append(until)
        return True

    def _answered(self, id_: str, outcome: str, reason: str | None, whom: tuple[str, ...]) -> dict[str, Any]:
        if id_ not in self._gateway.inbox:
            raise refused("MATTER_NOT_FOUND", "There is no such recall.")
        self._gateway.heard(id_)
        self._gateway.acknowledged.append((id_, outcome, reason, whom))
        row = self._gateway.inbox[id_]
        row |= {"state": row["state"] if outcome == "REFUSED" else "ACKNOWLEDGED", "outcome": outcome}
        return row


def refused(code: str, message: str) -> GraphQLError:
    return GraphQLError(message, extensions={"code": code})


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        gateway = self.server.gateway
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.path == "/token":
            form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
            return self._send(*gateway.token(form, self.headers["authorization"]))
        scopes = gateway.tokens.get(self.headers["authorization"].removeprefix("Bearer "))
        if scopes is None:
            return self._send(401, {"errors": [{"message": "x", "extensions": {"code": "UNAUTHENTICATED"}}]})
        asked = json.loads(body)
        told = gateway.execute(scopes, asked["query"], asked["variables"])
        with contextlib.suppress(IndexError):
            if gateway.meanwhile(gateway.asked[-1], "after"):
                self.close_connection = True
                return self.connection.shutdown(socket.SHUT_RDWR)
        return self._send(200 if told["data"] is not None else 403, told)

    def _send(self, status: int, told: dict[str, Any]) -> None:
        body = json.dumps(told).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None: ...


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    gateway: Gateway

    def handle_error(self, request: Any, client_address: Any) -> None: ...


@contextlib.contextmanager
def standing(gateway: Gateway) -> Iterator[str]:
    """The stand-in at a free port; gives its address."""
    server = _Server(("127.0.0.1", free_port()), _Handler)
    server.gateway = gateway
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
