"""A real Chromium, and gateways whose page it looks at."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import xarray as xr

from tests.browser import chromium
from tests.service.gateway import Gateway
from tests.stores import quartic, store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, BrowserContext, Page

SLOW = 120_000
"""Milliseconds for what takes some hundred on a machine that does nothing else."""


@dataclass
class Watched:
    """A page, and what it should not do."""

    page: Page
    origin: str
    complaints: list[str] = field(default_factory=list)
    """Errors on its console, and errors that nobody caught."""
    foreign: list[str] = field(default_factory=list)
    """Requests that left the gateway."""

    def watch(self) -> None:
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", self._request)

    def _console(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def _request(self, request: Any) -> None:
        if not request.url.startswith((f"{self.origin}/", f"blob:{self.origin}/", "data:")):
            self.foreign.append(request.url)

    def is_quiet(self, *but: str) -> bool:
        """Tell whether there was no error but those with such words, and no foreign request."""
        known = [each for each in self.complaints if any(words in each for words in but)]
        assert self.complaints == known
        assert self.foreign == []
        return True


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """One Chromium for the tests of this folder, headless."""
    with chromium() as found:
        yield found


@pytest.fixture
def look(browser: Browser) -> Iterator[Callable[..., Watched]]:
    """Open the page of a gateway: ``look(url, **options of the browser)``."""
    contexts: list[BrowserContext] = []

    def opened(url: str, **options: Any) -> Watched:
        context = browser.new_context(**options)
        contexts.append(context)
        context.set_default_timeout(SLOW)
        origin = "/".join(url.split("/")[:3])
        watched = Watched(context.new_page(), origin)
        watched.watch()
        watched.page.goto(url)
        return watched

    yield opened
    for context in contexts:
        context.close()


def many_windows(path: Path) -> Path:
    """Write a store whose search takes some seconds in small blocks: flattest at its index 20."""
    axis = np.linspace(-1, 1, 64)
    powers = (axis - axis[20]) ** 4
    values = powers[:, None, None] + powers[:, None] + powers
    coords = {name: (name, axis, {"units": "m"}) for name in ("z", "y", "x")}
    da = xr.DataArray(values, coords, ("z", "y", "x"), "f", {"units": "K", "long_name": "Warmth"})
    return store(da.chunk(8), path)


@pytest.fixture
def own_gateway(tmp_path: Path) -> Iterator[Gateway]:
    """A gateway without tokens and jobs, with a cluster of its own, that a test may kill."""
    many_windows(tmp_path / "long.zarr")
    with Gateway(tmp_path, ["--workers", "1", "--memory-limit", "1GB"]) as running:
        yield running


@pytest.fixture
def empty_gateway(gateway: Gateway, tmp_path: Path) -> Iterator[Gateway]:
    """A gateway without tokens and jobs, on the cluster that others use too."""
    many_windows(tmp_path / "long.zarr")
    store(quartic().chunk(5), tmp_path / "run.zarr")
    with Gateway(tmp_path, gateway.cluster_options) as running:
        yield running
