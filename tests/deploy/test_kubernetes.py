"""The manifests against the schemas of Kubernetes and of the Dask operator, and what must hold."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.deploy import manifests
from tests.deploy.manifests import Manifest, chosen, containers, of_kind, yaml

VERSIONS = ("1.27", "1.37")


def crd(kind: str) -> Any:
    """Return the operator's schema of a kind, in which unknown keys are refused."""
    package: Any = pytest.importorskip("dask_kubernetes", reason="needs dask-kubernetes")
    folder = Path(package.__file__).parent / "operator" / "customresources"
    text = (folder / f"{kind.lower()}.yaml").read_text(encoding="utf-8")
    templates = yaml.safe_load((folder / "templates.yaml").read_text(encoding="utf-8"))

    def resolved(node: Any) -> Any:
        if isinstance(node, list):
            return [resolved(each) for each in node]
        if not isinstance(node, dict):
            return node
        reference = node.get("$ref", "")
        name = reference.rpartition("/")[2]
        if "templates.yaml" in reference:
            return resolved(templates["definitions"][name])
        if reference:
            return {"type": "object"}  # of Kubernetes itself, and checked below
        whole = {key: resolved(value) for key, value in node.items()}
        if "properties" in whole and whole.get("type") == "object":
            whole["additionalProperties"] = False
        return whole

    whole = resolved(yaml.safe_load(text)["spec"]["versions"][0]["schema"]["openAPIV3Schema"])
    whole["properties"] |= {"apiVersion": {}, "kind": {}, "metadata": {}}
    if kind == "DaskJob":  # its cluster is one without a name
        whole["properties"]["spec"]["properties"]["cluster"]["properties"]["metadata"] = {}
    return whole


@pytest.mark.parametrize("kind", ["DaskCluster", "DaskAutoscaler", "DaskJob"])
def test_the_operator_takes_them(kind: str) -> None:
    jsonschema: Any = pytest.importorskip("jsonschema", reason="needs jsonschema")
    found = of_kind(kind)
    assert found
    for each in found:
        assert each["apiVersion"] == "kubernetes.dask.org/v1"
        jsonschema.Draft7Validator(crd(kind)).validate(each)


def test_a_wrong_key_is_noticed() -> None:
    jsonschema: Any = pytest.importorskip("jsonschema", reason="needs jsonschema")
    right = of_kind("DaskAutoscaler")[0]
    wrong = {**right, "spec": {**right["spec"], "maximun": 3}}
    with pytest.raises(jsonschema.ValidationError, match="maximun"):
        jsonschema.Draft7Validator(crd("DaskAutoscaler")).validate(wrong)


@pytest.mark.parametrize("version", VERSIONS)
def test_kubernetes_takes_them(version: str) -> None:
    validate: Any = pytest.importorskip("kubernetes_validate", reason="needs kubernetes-validate")
    plain = [each for each in manifests.everything() if "dask.org" not in each["apiVersion"]]
    specs = [each["spec"] for each in of_kind("DaskCluster")]
    specs += [each["spec"]["cluster"]["spec"] for each in of_kind("DaskJob")]
    services = [
        {"apiVersion": "v1", "kind": "Service", "spec": each["scheduler"]["service"]}
        for each in specs
    ]
    for each in [*plain, *services, *manifests.dask_pods()]:
        validate.validate(each, version, strict=True)


def test_pods_are_as_restricted_as_their_namespace_wants() -> None:
    [namespace] = of_kind("Namespace")
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    for pod in manifests.pods():
        spec = pod["spec"]
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["runAsUser"] == 10001
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert spec["automountServiceAccountToken"] is False
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(spec)
        assert not any("hostPath" in volume for volume in spec["volumes"])
        for container in containers(pod):
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }


def test_pods_are_sized_and_mount_what_they_have() -> None:
    for pod in manifests.pods():
        volumes = {volume["name"] for volume in pod["spec"]["volumes"]}
        for container in containers(pod):
            assert {"cpu", "memory"} <= set(container["resources"]["requests"])
            assert "memory" in container["resources"]["limits"]
            mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
            assert set(mounts) <= volumes
            assert mounts["tmp"] == "/tmp"
            assert container["args"][0] in {"dask", "dhess", "first-token"}


def test_each_part_has_its_own_key_only() -> None:
    for pod in manifests.pods():
        labels = pod["metadata"]["labels"]
        part = labels.get("dask.org/component", "gateway").replace("job-runner", "gateway")
        secrets = [v["secret"]["secretName"] for v in pod["spec"]["volumes"] if "secret" in v]
        assert secrets == [f"dhess-tls-{part}"]


def test_the_scheduler_is_reached_behind_tls() -> None:
    for pod in manifests.dask_pods():
        [container] = pod["spec"]["containers"]
        environment = {each["name"]: each["value"] for each in container["env"]}
        assert environment["DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION"] == "true"
        cluster = pod["metadata"]["labels"]["dask.org/cluster-name"]
        if pod["metadata"]["labels"]["dask.org/component"] == "scheduler":
            assert "--protocol=tls" in container["args"]
            assert "--no-dashboard" in container["args"]
        else:
            address = environment["DASK_SCHEDULER_ADDRESS"]
            assert address == f"tls://{cluster}-scheduler:8786"


def services() -> list[tuple[str, Manifest]]:
    """Name and spec of every Service, those of the operator too."""
    found = [(each["metadata"]["name"], each["spec"]) for each in of_kind("Service")]
    specs = {each["metadata"]["name"]: each["spec"] for each in of_kind("DaskCluster")}
    specs |= {
        each["metadata"]["name"]: each["spec"]["cluster"]["spec"] for each in of_kind("DaskJob")
    }
    return found + [(f"{name}-scheduler", s["scheduler"]["service"]) for name, s in specs.items()]


def test_services_find_their_pods_and_ports() -> None:
    for name, spec in services():
        found = [
            p
            for p in manifests.pods()
            if spec["selector"].items() <= p["metadata"]["labels"].items()
        ]
        assert len(found) == 1, name
        ports = {port["name"] for c in found[0]["spec"]["containers"] for port in c["ports"]}
        assert {port["targetPort"] for port in spec["ports"]} <= ports
        assert spec["type"] == "ClusterIP"


def allowed(sender: dict[str, str], receiver: dict[str, str], port: int) -> bool:
    """Tell whether the policies let a pod of the namespace connect to another."""

    def through(direction: str, mine: dict[str, str], other: dict[str, str]) -> bool:
        key = {"Ingress": "from", "Egress": "to"}[direction]
        about = [
            p["spec"] for p in of_kind("NetworkPolicy")
            if chosen(p["spec"]["podSelector"], mine) and direction in p["spec"]["policyTypes"]
        ]  # fmt: skip
        assert about, f"nothing is denied to {mine}"
        rules = [rule for spec in about for rule in spec.get(direction.lower(), [])]
        return any(
            port in [p["port"] for p in rule["ports"]] and any(
                chosen(peer["podSelector"], other) if "podSelector" in peer
                else peer.get("namespaceSelector") == {}
                for peer in rule[key]
            )
            for rule in rules
        )  # fmt: skip

    return through("Egress", sender, receiver) and through("Ingress", receiver, sender)


def test_policies_let_through_what_is_needed_and_nothing_else() -> None:
    labels: dict[str, dict[str, str]] = {}
    for pod in manifests.pods():
        name = pod["metadata"]["labels"].get("dask.org/component", "gateway")
        labels.setdefault(name, pod["metadata"]["labels"])
    ports = (8765, 8786, 8787, 8788, 8789, 8790)
    open_ = {
        (a, b, port)
        for a in labels for b in labels for port in ports
        if allowed(labels[a], labels[b], port)
    }  # fmt: skip
    assert open_ == {
        ("gateway", "scheduler", 8786),
        ("job-runner", "scheduler", 8786),
        ("worker", "scheduler", 8786),
        ("scheduler", "worker", 8788),
        ("scheduler", "worker", 8789),
        ("worker", "worker", 8788),
    }


def test_every_policy_is_about_pods_that_exist() -> None:
    found = manifests.pods()
    for policy in of_kind("NetworkPolicy"):
        selector = policy["spec"]["podSelector"]
        assert any(chosen(selector, pod["metadata"]["labels"]) for pod in found)


def test_one_gateway_at_a_time_owns_the_ledger() -> None:
    [gateway] = of_kind("Deployment")
    assert gateway["spec"]["replicas"] == 1
    assert gateway["spec"]["strategy"] == {"type": "Recreate"}
    claims = {each["metadata"]["name"]: each["spec"] for each in of_kind("PersistentVolumeClaim")}
    assert claims["dhess-state"]["accessModes"] == ["ReadWriteOnce"]
    for pod in manifests.pods():
        for volume in pod["spec"]["volumes"]:
            if "persistentVolumeClaim" in volume:
                assert volume["persistentVolumeClaim"]["claimName"] in claims


def test_the_job_that_it_ships_is_one() -> None:
    from dhess.job import JobSpec

    tomllib: Any = pytest.importorskip("tomllib")
    [config] = of_kind("ConfigMap")
    spec = JobSpec.read(tomllib.loads(config["data"]["job.toml"]))
    assert spec.resources.scheduler == "tls://flattest-scheduler:8786"
    [job] = of_kind("DaskJob")
    assert job["spec"]["job"]["spec"]["restartPolicy"] == "OnFailure"


def test_the_list_of_what_is_applied_is_complete() -> None:
    [listed] = manifests.read("kustomization.yaml")
    assert set(listed["resources"]) == set(manifests.files()) - {"job.yaml"}
    assert {each["metadata"].get("namespace") for each in manifests.everything()} == {"dhess", None}


def test_certificates_become_secrets(tmp_path: Path) -> None:
    """With a kubectl that writes down what it is asked."""
    asked = tmp_path / "asked"
    kubectl = tmp_path / "kubectl"
    kubectl.write_text(
        f'#!/bin/sh\nif [ "$1" = create ]; then echo "$@" >>{asked}; ls "${{7#--from-file=}}" '
        f">>{asked}; else cat >/dev/null; fi\n"
    )
    kubectl.chmod(0o755)
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    subprocess.run(
        ["sh", manifests.FOLDER / "certificates.sh", "elsewhere"],
        env=environment, check=True, capture_output=True,
    )  # fmt: skip
    lines = asked.read_text().splitlines()
    names = [line.split()[3] for line in lines if line.startswith("create")]
    assert names == ["dhess-tls-scheduler", "dhess-tls-worker", "dhess-tls-gateway"]
    assert lines.count("key.pem") == lines.count("cert.pem") == lines.count("ca.pem") == 3
    assert not [line for line in lines if "ca.key" in line]
