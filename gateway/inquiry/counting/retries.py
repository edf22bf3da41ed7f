"""What distinguishes a retry from another question: a keyed digest of its document, variables and declaration. Pure.

It stands in the entry, so that a process that starts knows which inquiries were retries. It is keyed, since variables
name subjects: whoever reads it cannot find the question by trying. An inquiry without a reference is no retry, and has
none.
"""

from __future__ import annotations

from hashlib import blake2b

import msgspec

from gateway.inquiry.http.request import GraphQLRequest
from gateway.inquiry.types import Declaration

_encode = msgspec.json.Encoder(order="sorted").encode


class Retries:
    """The digests of one ledger's requests; `secret` is its private key's bytes, from which their key is made."""

    def __init__(self, secret: bytes) -> None:
        self._key = blake2b(secret, key=b"retries", digest_size=32).digest()

    def named(self, declaration: Declaration, asked: GraphQLRequest) -> Declaration:
        """The declaration with its request's digest, where it has a reference."""
        if declaration.reference is None:
            return declaration
        question = _encode((asked.query, asked.operation_name, asked.variables, declaration))
        digest = blake2b(question, key=self._key, digest_size=16).digest()
        return msgspec.structs.replace(declaration, request=digest)
