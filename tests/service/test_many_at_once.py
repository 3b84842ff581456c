"""Two hundred jobs handed in at once, over HTTP: each is there or was refused, and none is lost."""

from __future__ import annotations

import signal
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import httpx

from tests.stores import quartic, store

from .gateway import PATIENCE, Gateway

if TYPE_CHECKING:
    from pathlib import Path

NUMBER, LIMIT = 200, 120


def listed(gateway: Gateway) -> set[str]:
    """Return all jobs, page by page."""
    found: list[str] = []
    query = "limit=50"
    while True:
        page: dict[str, Any] = gateway.ask("GET", f"/v1/jobs?{query}").json()
        found += [each["id"] for each in page["jobs"]]
        if page["next"] is None:
            assert len(set(found)) == len(found)
            return set(found)
        query = f"limit=50&before={page['next']}"


def test_none_of_them_is_lost(tmp_path: Path) -> None:
    store(quartic().chunk(5), tmp_path / "run.zarr")
    nowhere = ["--scheduler", str(tmp_path / "nowhere.json")]
    options = [*nowhere, "--queued-per-submitter", str(LIMIT)]
    with Gateway(tmp_path, options) as gateway, ThreadPoolExecutor(NUMBER) as at_once:

        def hand_in(k: int) -> httpx.Response:
            job = {"source": "run.zarr", "k": k}
            return httpx.post(
                f"{gateway.url}/v1/jobs", json=job, timeout=PATIENCE, trust_env=False
            )  # fmt: skip

        answers = list(at_once.map(hand_in, range(1, NUMBER + 1)))
        assert {each.status_code for each in answers} == {201, 429}
        assert all(int(each.headers["retry-after"]) >= 1 for each in answers if each.is_error)
        taken = [each.json()["id"] for each in answers if each.is_success]
        assert len(taken) == len(set(taken))
        assert LIMIT <= len(taken) <= LIMIT + 2  # two have a place to run, and do not wait
        gateway.end(signal.SIGKILL)
        gateway.start()
        assert listed(gateway) == set(taken)
