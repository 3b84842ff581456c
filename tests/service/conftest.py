"""Gateways that many tests share; none of these ends or changes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.service.gateway import Gateway, add_token
from tests.stores import quartic, store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import httpx


class Tokens(NamedTuple):
    """One of each scope, and two that may submit."""

    ada: str
    eve: str
    viewer: str
    admin: str


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the shared gateway: ``run.zarr`` in it can be read, ``../secret.zarr`` not."""
    outer = tmp_path_factory.mktemp("service")
    folder = outer / "inside"
    folder.mkdir()
    store(quartic().chunk(5), folder / "run.zarr")
    store(quartic(), outer / "secret.zarr")
    return folder


@pytest.fixture(scope="session")
def tokens(place: Path) -> Tokens:
    data = place / "data"
    return Tokens(
        add_token(data, "ada", "submit"),
        add_token(data, "eve", "submit"),
        add_token(data, "viewer", "read"),
        add_token(data, "root", "admin"),
    )


@pytest.fixture(scope="session")
def gateway(place: Path, tokens: Tokens) -> Iterator[Gateway]:
    """A gateway that asks for tokens; requests are ada's if nothing else is said."""
    options = ["--workers", "1", "--memory-limit", "1GB"]
    with Gateway(place, options, token=tokens.ada) as running:
        yield running


@pytest.fixture(scope="session")
def open_gateway(gateway: Gateway, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway without tokens, on the cluster of the other one."""
    folder = tmp_path_factory.mktemp("open")
    store(quartic().chunk(5), folder / "run.zarr")
    with Gateway(folder, gateway.cluster_options) as running:
        yield running


@pytest.fixture(scope="session")
def idle_gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway without tokens, whose cluster never answers: jobs wait, and no more than two."""
    folder = tmp_path_factory.mktemp("idle")
    store(quartic().chunk(5), folder / "run.zarr")
    nowhere = ["--scheduler", str(folder / "nowhere.json")]
    with Gateway(folder, [*nowhere, "--queued-per-submitter", "2"]) as running:
        yield running


@pytest.fixture(scope="session")
def done(gateway: Gateway) -> str:
    """A search that has ended."""
    job = gateway.submit(source="run.zarr::f", measure="hessian_norm", k=2)
    assert gateway.wait(job)["state"] == "done"
    return job


def sentence(answer: httpx.Response, status: int) -> str:
    """Return the one sentence of an answer that is an error of this status."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    found = answer.json()
    assert list(found) == ["detail"]
    assert "\n" not in found["detail"]
    return str(found["detail"])
