"""The Kubernetes manifests, and the pods that come of them."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest

yaml: Any = pytest.importorskip("yaml")

FOLDER = Path(__file__).parents[2] / "deploy" / "kubernetes"
Manifest = dict[str, Any]


@cache
def read(name: str) -> list[Manifest]:
    """Return what stands in a file."""
    return list(yaml.safe_load_all((FOLDER / name).read_text(encoding="utf-8")))


def files() -> list[str]:
    """Return the files that are applied."""
    return sorted(path.name for path in FOLDER.glob("*.yaml") if path.name != "kustomization.yaml")


def everything() -> list[Manifest]:
    """Return all manifests."""
    return [each for name in files() for each in read(name)]


def of_kind(kind: str) -> list[Manifest]:
    """Return the manifests of a kind."""
    return [each for each in everything() if each["kind"] == kind]


@cache
def dask_pods() -> list[Manifest]:
    """Return the pods that the operator makes, made by its own code, labels and all."""
    operator: Any = pytest.importorskip(
        "dask_kubernetes.operator.controller.controller",
        reason="needs dask-kubernetes, whose operator it asks",
    )
    found = []
    clusters = {each["metadata"]["name"]: each["spec"] for each in of_kind("DaskCluster")}
    for job in of_kind("DaskJob"):
        name = job["metadata"]["name"]
        clusters[name] = job["spec"]["cluster"]["spec"]
        found.append(
            operator.build_job_pod_spec(name, name, "dhess", job["spec"]["job"]["spec"], {}, {})
        )
    for name, spec in clusters.items():
        scheduler = operator.build_scheduler_deployment_spec(
            name, spec["scheduler"]["spec"], {}, {}
        )
        worker = operator.build_worker_deployment_spec(
            f"{name}-default", "dhess", name, "1", spec["worker"]["spec"], {}, {}
        )
        found += [_pod(each) for each in (scheduler, worker)]
    return found


def pods() -> list[Manifest]:
    """Return every pod that comes of the manifests."""
    return [*(_pod(each) for each in of_kind("Deployment")), *dask_pods()]


def containers(pod: Manifest) -> list[Manifest]:
    """Return its containers, those that run before the others too."""
    return [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]


def chosen(selector: Manifest, labels: dict[str, str]) -> bool:
    """Tell whether a selector chooses what has these labels."""
    same: bool = selector.get("matchLabels", {}).items() <= labels.items()
    for term in selector.get("matchExpressions", []):
        assert term["operator"] == "NotIn"
        same = same and labels.get(term["key"]) not in term["values"]
    return same


def _pod(deployment: Manifest) -> Manifest:
    template = deployment["spec"]["template"]
    metadata = {"name": deployment["metadata"]["name"], "labels": template["metadata"]["labels"]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}
