"""The policies that come with the gateway: in a checkout its `policies`, in a wheel a copy of that beside this file."""

from __future__ import annotations

from pathlib import Path

_HERE = Path(__file__).parent


def policies() -> Path:
    """The folder of the demo's policies, of which every other set has the base rules."""
    packed = _HERE / "policies"
    return packed if packed.is_dir() else _HERE.parents[1] / "policies"
