"""What `kustomize` makes of `deploy/kubernetes/`, as objects."""

from __future__ import annotations

import functools
import subprocess
from collections.abc import Mapping
from typing import Any

from ruamel.yaml import YAML

from tests.deploy.files import DEPLOY

FOLDER = DEPLOY / "kubernetes"


@functools.cache
def built(name: str) -> Mapping[tuple[str, str], Any]:
    """The objects of an overlay, or another folder, by kind and name (of configurations without their hash)."""
    command = ["kustomize", "build", str(FOLDER / name)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    objects = YAML(typ="safe").load_all(done.stdout)
    return {(each["kind"], _plain(each)): each for each in objects}


def _plain(each: Any) -> str:
    name: str = each["metadata"]["name"]
    return name.rpartition("-")[0] if each["kind"] == "ConfigMap" else name
