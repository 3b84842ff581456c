"""A local model and a sampled callable where the blocks are computed by other processes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import xarray as xr

import dhess
from tests.stores import quartic, store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    with dhess.local_cluster(2, memory_limit="400MB") as client:
        yield client


AT = {"y": 0.123, "x": -0.456}


@pytest.mark.usefixtures("client")
def test_a_model_from_a_store(tmp_path: Path) -> None:
    path = store(quartic().chunk(8), tmp_path / "f.zarr")
    one, other = (dhess.local_model(da, AT) for da in (dhess.open(str(path)), quartic()))
    one.attrs["source"] = ""
    xr.testing.assert_identical(one, other)


@pytest.mark.usefixtures("client")
def test_a_model_from_a_graph() -> None:
    xr.testing.assert_identical(
        dhess.local_model(quartic().chunk(3), AT), dhess.local_model(quartic(), AT)
    )


@pytest.mark.usefixtures("client")
def test_a_callable_goes_to_the_workers() -> None:
    def failing(y: Any, x: Any) -> Any:  # here, since workers cannot import tests
        if x.max() > 5:
            raise OverflowError("too far")
        return x + y

    coords = {"y": np.arange(4.0), "x": np.arange(8.0)}
    f = dhess.sample(failing, coords, chunks=4)
    np.testing.assert_array_equal(f[:, :4], np.arange(4)[:, None] + np.arange(4))
    sentence = "func failed on the block y=0.0 to 3.0, x=4.0 to 7.0: OverflowError: too far"
    with pytest.raises(dhess.InputError, match=sentence):
        f.compute()
