"""What replicas share beside the store: a quota that both count, and proofs of possession that count once at either.

`Shared` is one client of its own. It asks at one gateway and the other in turn, about one subject after the other, for
a purpose that allows `MOST` subjects an hour; and it shows one gateway a proof (DPoP) that the other has taken.
"""

from __future__ import annotations

import contextlib
import http.client
import itertools
import json
from collections.abc import Sequence
from pathlib import Path

from joserfc.jwk import ECKey

from tests.bench import data, world
from tests.oauth.authority import proof
from tests.waiting import until

GROUP = data.GROUPS["800"]
FEW = "BENCH_FEW"
MOST = 12


def adjust(config: Path) -> None:
    """Have the purpose with the small quota beside the bench's own: the same in all else."""
    policies = config.with_name("policies")
    purposes = (policies / "purposes.yaml").read_text()
    quotas = "requester: {hour: 1000000, day: 1000000}"
    assert quotas in purposes
    few = purposes.replace(world.PURPOSE, FEW).replace(quotas, f"requester: {{hour: {MOST}, day: {MOST}}}")
    (policies / "purposes.yaml").write_text(purposes + few)
    requesters = (policies / "requesters.yaml").read_text()
    grant = requesters[requesters.index("\n      - purpose:") : requesters.index("The bench") + len("The bench")]
    more = grant.replace(world.PURPOSE, FEW)
    (policies / "requesters.yaml").write_text(requesters.replace(grant, grant + more))
    rule = world.RULE.replace(world.PURPOSE, FEW).replace("bench-check", "bench-few")
    (policies / "rules" / "bench-few.cedar").write_text(rule)


class Shared:
    """`answered` are the subjects that it was answered about, `refused` the ports where it was refused for its quota,
    `twice` how often a proof counted a second time."""

    def __init__(self, folder: Path, ports: Sequence[int], issuer: world.Issuer, issuer_url: str) -> None:
        self._ports, self._url = list(ports), f"http://127.0.0.1:{ports[0]}/graphql"
        key = ECKey.generate_key("P-256")
        name = world.client(0)
        self._token = issuer.token(issuer_url, name)
        self._bound = issuer.token(issuer_url, name, cnf={"jkt": key.thumbprint()})
        self._key = key
        written = world.bodies(folder / "few", GROUP, f"@inquiry(purpose: {FEW})").read_bytes().splitlines()
        self._bodies = itertools.cycle(enumerate(written))
        self._once = world.bodies(folder / "once", GROUP, world.DIRECTIVE).read_bytes().splitlines()[0]
        self._shown = ""
        self.answered: set[int] = set()
        self.refused: set[int] = set()
        self.twice = 0

    def ask(self, port: int, body: bytes, authorization: str, shown: str = "") -> tuple[int, bytes, str]:
        """The status, the body and the nonce of one reply."""
        headers = {
            "content-type": "application/json",
            "accept": "application/graphql-response+json",
            "authorization": authorization,
            **({"dpop": shown} if shown else {}),
        }
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
            connection.request("POST", "/graphql", body, headers)
            response = connection.getresponse()
            return response.status, response.read(), response.getheader("dpop-nonce", "")

    def use(self, subjects: int) -> None:
        """Ask about so many more subjects, at each gateway in turn; until it is answered, or refused for the quota."""
        for number, body in itertools.islice(self._bodies, subjects):
            port = self._ports[number % len(self._ports)]

            def asked(port: int = port, body: bytes = body) -> tuple[int, bytes, str] | None:
                reply = self.ask(port, body, f"Bearer {self._token}")
                return None if reply[0] == 503 else reply

            status, content, _ = until("an answer or a refusal", asked, despite=(OSError, http.client.HTTPException))
            if status == 200 and json.loads(content).get("data"):
                self.answered.add(number)
            elif b'"requester-' in content:
                self.refused.add(port)
            else:
                raise AssertionError(f"neither an answer nor a refusal for the quota: {status} {content!r}")

    def prove(self) -> None:
        """Take a nonce from one gateway to the other with a proof, which then counts nowhere again."""
        one, other = self._ports[0], self._ports[-1]
        authorization = f"DPoP {self._bound}"
        _, _, nonce = self.ask(one, self._once, authorization, proof(self._key, self._bound, url=self._url))
        self._shown = proof(self._key, self._bound, url=self._url, nonce=nonce)
        status, content, _ = self.ask(other, self._once, authorization, self._shown)
        if status != 200:
            raise AssertionError(f"a nonce of one gateway does not count at the other: {status} {content!r}")
        self.again()

    def again(self) -> None:
        """Show the proof again, at each."""
        for port in self._ports:
            status, _, _ = self.ask(port, self._once, f"DPoP {self._bound}", self._shown)
            self.twice += status != 401
