"""The configurations of `deploy/`, laid out as containers have them, but for the folder that they stand in."""

from __future__ import annotations

from pathlib import Path

from gateway.config import settings
from gateway.config.settings import Settings
from gateway.ledger.proof import key_files
from tests.configured import secret
from tests.deploy.kubernetes import built

RUN, STATE = "/run/dutybound", "/var/lib/dutybound"


def by_kubernetes(folder: Path) -> Settings:
    """The settings of a pod of the production overlay."""
    return _placed(folder, built("overlays/production")["ConfigMap", "gateway-config"]["data"])


def _placed(folder: Path, files: dict[str, str]) -> Settings:
    (folder / "run" / "policies").mkdir(parents=True)
    (folder / "state").mkdir()
    key_files.generate(folder / "run" / "ledger.key")
    secret(folder / "run" / "store.key", "")
    secret(folder / "run" / "manage-token", "0123456789abcdef0123456789abcdef\n")
    for name, text in files.items():
        placed = text.replace(f"{RUN}/", f"{folder}/run/").replace(f"{STATE}/", f"{folder}/state/")
        (folder / name).write_text(placed, "utf-8")
    return settings.load(folder / "gateway.yaml", {})
