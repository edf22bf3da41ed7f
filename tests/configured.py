"""`gateway.yaml` as tests write it: all that must be in it, and what a test wants otherwise."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

ORIGIN = "gateway.example/ledger"
URL = "http://127.0.0.1:8080"


def write(folder: Path, **changes: Any) -> Path:
    """Write it, a key a line (JSON is YAML), with the policies and sources that it names where they are not there yet.

    `changes` are keys to add or replace; a mapping is laid over the one that is there, and `None` takes a key out.
    """
    url = changes.get("public_url", URL)
    keys: dict[str, Any] = {
        "listen": "127.0.0.1:8080",
        "public_url": url,
        "store": "sqlite:///ledger.db",
        "policies": "policies",
        "sources": "sources.yaml",
        "ledger": {"origin": ORIGIN, "key_file": "ledger.key"},
        "oauth": {"audience": url, "issuers": [{"issuer": "http://127.0.0.1:9", "name": "login"}]},
    }
    for key, value in changes.items():
        keys[key] = {**keys.get(key, {}), **value} if isinstance(value, dict) else value
    (folder / keys["policies"]).mkdir(parents=True, exist_ok=True)
    if not (folder / keys["sources"]).exists():
        (folder / keys["sources"]).write_text("departments: {}\n")
    file = folder / "gateway.yaml"
    file.write_text("".join(f"{key}: {json.dumps(value)}\n" for key, value in keys.items() if value is not None))
    return file


def by_folder(config: Path) -> Path:
    """Have a demo's configuration go by the folder, as that of a store in which nobody activated anything."""
    text = config.read_text("utf-8")
    assert "rules: activated\n" in text
    config.write_text(text.replace("rules: activated\n", "rules: files\n"), "utf-8")
    return config


def secret(file: Path, text: str) -> Path:
    """Write a file that holds a secret, for its owner alone."""
    file.touch(mode=0o600)
    file.write_text(text, "utf-8")
    return file
