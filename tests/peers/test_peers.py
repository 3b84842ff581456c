"""Every published fact of the peers: dhess agrees, or the row says why it differs.

`pytest tests/peers -s -k table` prints the table.
"""

from __future__ import annotations

import numpy as np
import pytest

from . import (
    cf_python,
    findiff_,
    kornia_,
    metpy_,
    numdifftools_,
    numpy_,
    qgis,
    scikit_image,
    scipy_,
    xarray_,
    xdem_,
    xgcm_,
)
from .fact import Fact, answer, near, table

FACTS: tuple[Fact, ...] = (
    *metpy_.FACTS,
    *xarray_.FACTS,
    *numpy_.FACTS,
    *findiff_.FACTS,
    *scikit_image.FACTS,
    *kornia_.FACTS,
    *xdem_.FACTS,
    *qgis.FACTS,
    *scipy_.FACTS,
    *numdifftools_.FACTS,
    *xgcm_.FACTS,
    *cf_python.FACTS,
)


@pytest.mark.parametrize("fact", FACTS, ids=lambda f: f"{f.peer}: {f.what}")
def test_fact(fact: Fact) -> None:
    got = answer(fact)
    if fact.refused is not None:
        assert isinstance(got, fact.refused)
        return
    if isinstance(got, Exception):
        raise got
    expected = fact.expected
    assert got.shape == expected.shape
    np.testing.assert_allclose(got, expected, rtol=fact.close, atol=fact.close, equal_nan=True)


@pytest.mark.parametrize(
    "fact", [f for f in FACTS if not f.agrees], ids=lambda f: f"{f.peer}: {f.what}"
)
def test_a_difference_is_one_and_has_a_reason(fact: Fact) -> None:
    assert fact.ours is not None
    if fact.refused is None and not isinstance(fact.theirs, str):
        assert not near(fact.theirs, fact.ours, max(fact.close, 1e-6))


def test_the_table_is_large_and_every_row_has_a_source() -> None:
    print("\n" + table(FACTS))
    agree = sum(f.agrees for f in FACTS)
    peers = {f.peer for f in FACTS}
    print(f"\n{len(FACTS)} rows of {len(peers)} peers: {agree} agree, {len(FACTS) - agree} differ")
    assert len(FACTS) >= 40
    assert len(peers) >= 8
    assert all(f.source and f.what for f in FACTS)
    assert all(f.ours is None or f.refused for f in FACTS if f.agrees)
    assert len({(f.peer, f.what) for f in FACTS}) == len(FACTS)
