"""Canaille itself, with clients as an operator would enter them; run by the Python that has it (`canaille.txt`).

One line of JSON in: `{"lifetime": seconds, "clients": {<id>: {"secret": ..., "scope": [...], "audience": [...]}}}`,
and one out: `{"issuer": ...}`. Its tokens are in memory, and gone with the process.
"""

from __future__ import annotations

import json
import sys
import threading

from canaille import create_app
from canaille.app import models
from canaille.backends import Backend
from werkzeug.serving import make_server


def main() -> None:
    """Serve until standard input ends."""
    asked = json.loads(sys.stdin.readline())
    server = make_server("127.0.0.1", 0, lambda environ, start: app(environ, start), threaded=True)
    place = f"127.0.0.1:{server.server_port}"
    app = create_app(
        {
            "SECRET_KEY": "a secret of this test",
            "SERVER_NAME": place,
            "PREFERRED_URL_SCHEME": "http",
            "CANAILLE": {"DATABASE": "memory", "LOGGING": None},
            "CANAILLE_OIDC": {},
            "OAUTH2_TOKEN_EXPIRES_IN": {"client_credentials": asked["lifetime"]},
        }
    )
    with app.app_context(), Backend.instance.session():
        made = {}
        for name, each in asked["clients"].items():
            client = models.Client(
                client_id=name,
                client_secret=each["secret"],
                client_name=name,
                scope=each["scope"],
                grant_types=["client_credentials"],
                token_endpoint_auth_method="client_secret_basic",
            )
            Backend.instance.save(client)
            made[name] = client
        for name, each in asked["clients"].items():
            made[name].audience = [made[one] for one in each["audience"]]
            Backend.instance.save(made[name])
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(json.dumps({"issuer": f"http://{place}"}), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
