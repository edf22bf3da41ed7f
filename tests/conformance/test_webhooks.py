"""The reference library of Standard Webhooks signs a department's message, and the gateway takes it."""

from __future__ import annotations

import asyncio
import base64
import json
import threading
import time
from pathlib import Path
from typing import Any

from gateway.recipient.config import Webhook
from gateway.recipient.webhook import Listener
from tests import configured
from tests.acts.serving import served
from tests.conformance.conftest import Client
from tests.ports import free_port
from tests.world import new_subject

SECRETS = [f"whsec_{base64.b64encode(each * 24).decode()}" for each in (b"n", b"o")]


def message(record: str) -> str:
    subject = {"scheme": "LEI", "value": new_subject().value}
    data = {"subject": subject, "dataset": "tax-arrears", "record": record, "event": "withdrawn", "reason": "why"}
    return json.dumps({"type": "record.changed", "timestamp": "2026-11-24T09:30:00Z", "data": data})


async def test_a_message_signed_by_the_reference_library_is_taken(client: Client, tmp_path: Path) -> None:
    configured.secret(tmp_path / "tax.hook", "\n".join(SECRETS))
    async with served(tmp_path, tax="changes: {secret_file: tax.hook}") as gateway:

        async def send(body: str, secret: str = SECRETS[0], *, department: str = "tax", **more: Any) -> Any:
            url = f"{gateway.url}/hooks/changes/{department}"
            given = {"url": url, "secret": secret, "id": "msg_1", "at": time.time(), "body": body, **more}
            return await asyncio.to_thread(client, "webhook", given)

        body = message("N-1")
        first = await send(body)
        assert first["status"] == 202
        assert [each["state"] for each in first["body"]["items"]] == ["DECIDED"]
        assert await send(body, SECRETS[1]) == first, "sent again, and by the older secret"
        refused = [
            await send(body, sent=body.replace("N-1", "N-2")),
            await send(body, f"whsec_{base64.b64encode(b'x' * 24).decode()}"),
            await send(body, at=time.time() - 301),
            await send(body, at=time.time() + 310),
            await send(body, department="market"),
            await send(body, department="nobody"),
        ]
        assert [each["status"] for each in refused] == [401] * 6
        assert refused[1] == refused[4] == refused[5]
        other = await send(message("N-3"), id="msg_2")
        assert other["body"]["items"][0]["act"]["id"] != first["body"]["items"][0]["act"]["id"]


def test_a_nudge_signed_by_the_reference_library_makes_a_recipient_look(client: Client) -> None:
    nudges: list[int] = []
    secrets = tuple(base64.b64decode(each.removeprefix("whsec_")) for each in SECRETS)
    listener = Listener(Webhook("127.0.0.1", free_port(), "/recalls", secrets), lambda: nudges.append(1))
    threading.Thread(target=listener.serve_forever, args=(0.02,), daemon=True).start()
    body = json.dumps({"type": "recall.available", "timestamp": "2026-11-24T09:30:00Z", "data": {"recall": "R-1"}})
    given = {"url": f"http://127.0.0.1:{listener.server_port}/recalls", "secret": SECRETS[1], "id": "R-1", "body": body}
    try:
        for at, sent, status, times in (
            (time.time(), body, 204, 1),
            (time.time(), body, 204, 1),
            (time.time(), body.replace("R-1", "R-2"), 401, 1),
            (time.time() - 301, body, 401, 1),
        ):
            told = client("webhook", {**given, "at": at, "sent": sent, "raw": True})
            assert (told["status"], len(nudges)) == (status, times)
    finally:
        listener.shutdown()
        listener.server_close()
