"""The manifests are Kubernetes' own, and keep what the gateway relies on: order, rights, and who reaches whom."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest

from gateway import cli
from tests.deploy.kubernetes import FOLDER, built
from tests.deploy.placed import by_kubernetes

BUILDS = [*sorted(f"overlays/{folder.name}" for folder in (FOLDER / "overlays").iterdir()), "migrate"]
OTHERS = {"Cluster"}
"""Kinds of operators, which Kubernetes has no schema of."""


def pods(build: str) -> dict[str, Any]:
    return {
        name: each["spec"]["template"]["spec"]
        for (kind, name), each in built(build).items()
        if kind in ("StatefulSet", "Job")
    }


@pytest.mark.parametrize("build", BUILDS)
def test_kubernetes_takes_them(build: str) -> None:
    for (kind, _), each in built(build).items():
        if kind not in OTHERS:
            kubernetes_validate.validate(each, "1.34", strict=True)


def test_a_field_that_there_is_not_is_found() -> None:
    wrong = {**built(BUILDS[0])["PodDisruptionBudget", "gateway"], "spec": {"maxUnavailble": 1}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, "1.34", strict=True)


@pytest.mark.parametrize("build", BUILDS)
def test_no_container_may_more_than_it_needs(build: str) -> None:
    """The names that the pod security standard `restricted` asks for, and a root that cannot be written to."""
    for name, pod in pods(build).items():
        assert pod["securityContext"]["runAsNonRoot"] is True, name
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert pod["automountServiceAccountToken"] is False, name
        for each in (*pod.get("initContainers", ()), *pod["containers"]):
            context = each["securityContext"]
            assert context["readOnlyRootFilesystem"] is True, each["name"]
            assert context["allowPrivilegeEscalation"] is False, each["name"]
            assert context["capabilities"] == {"drop": ["ALL"]}, each["name"]
            assert each["resources"]["limits"]["memory"], each["name"]
            assert "latest" not in each["image"].rpartition(":")[2]
            assert ":" in each["image"]


@pytest.mark.parametrize("build", BUILDS)
def test_secrets_are_files_and_no_variables(build: str) -> None:
    for pod in pods(build).values():
        for each in (*pod.get("initContainers", ()), *pod["containers"]):
            assert all("valueFrom" not in variable for variable in each.get("env", ()))
            assert "envFrom" not in each
    assert not any(kind == "Secret" for kind, _ in built(build)), "a secret stands in no repository"


def test_a_rolling_update_drains_and_leaves_most_in_service(tmp_path: Path) -> None:
    settings = by_kubernetes(tmp_path)
    objects = built("overlays/production")
    gateway = objects["StatefulSet", "gateway"]
    [container] = gateway["spec"]["template"]["spec"]["containers"]
    ready = container["readinessProbe"]
    assert settings.drain > ready["periodSeconds"] * ready["failureThreshold"] + ready["timeoutSeconds"]
    grace = gateway["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
    assert grace > settings.drain + 2 * settings.limits.deadline + 20
    assert gateway["spec"]["updateStrategy"]["type"] == "RollingUpdate"
    assert objects["PodDisruptionBudget", "gateway"]["spec"]["maxUnavailable"] < gateway["spec"]["replicas"]
    assert {container[f"{kind}Probe"]["httpGet"]["path"] for kind in ("startup", "liveness")} == {"/health/live"}
    assert ready["httpGet"]["path"] == "/health/ready"


@pytest.mark.parametrize("build", BUILDS)
def test_a_commit_is_on_two_databases(build: str) -> None:
    spec = built(build)["Cluster", "dutybound-db"]["spec"]
    assert spec["postgresql"]["synchronous"] == {"method": "any", "number": 1, "dataDurability": "required"}
    assert spec["instances"] > 1
    assert spec["postgresql"]["parameters"]["idle_session_timeout"] == "0"
    assert spec["postgresql"]["parameters"]["log_parameter_max_length"] == "0"
    assert spec["bootstrap"]["initdb"]["postInitApplicationSQL"] == ["GRANT pg_read_all_stats TO dutybound"]


@pytest.mark.parametrize("build", BUILDS)
def test_nobody_reaches_anybody_but_as_listed(build: str) -> None:
    policies = {name: each["spec"] for (kind, name), each in built(build).items() if kind == "NetworkPolicy"}
    assert policies["nobody"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    listed = {str(port["port"]) for rule in policies["valkey"]["ingress"] for port in rule["ports"]}
    assert listed == {"valkey"}
    for name in ("gateway", "valkey", "database"):
        assert all(rule["from"] for rule in policies[name]["ingress"]), f"{name}: from anywhere"


@pytest.mark.parametrize("build", BUILDS)
def test_a_pod_starts_a_command_that_there_is(build: str) -> None:
    for name in ("gateway", "migrate"):
        for each in pods(build).get(name, {"containers": []})["containers"]:
            cli._parser(each["args"][0]).parse_args(each["args"])


def test_the_configuration_is_the_gateways(tmp_path: Path) -> None:
    settings = by_kubernetes(tmp_path)
    assert settings.manage is not None
    assert settings.manage.token
    [container] = built("overlays/production")["StatefulSet", "gateway"]["spec"]["template"]["spec"]["containers"]
    ports = {each["name"]: each["containerPort"] for each in container["ports"]}
    assert ports == {"http": settings.port, "manage": settings.manage.port}
    mounted = {each["mountPath"]: each.get("readOnly", False) for each in container["volumeMounts"]}
    assert mounted["/var/lib/dutybound"] is False
    assert mounted["/etc/dutybound"] is mounted["/run/dutybound"] is True
