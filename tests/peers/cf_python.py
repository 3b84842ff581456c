"""cf-python: a derivative along longitudes that come round, issue #289."""

from __future__ import annotations

from typing import Any

import numpy as np

from .fact import Fact, array, ask

ISSUE = "issue #289"
LONGITUDE = 22.5 + 45 * np.arange(8)
HUMIDITY = array([0.007, 0.034, 0.003, 0.014, 0.018, 0.037, 0.024, 0.029], "lon", lon=LONGITUDE)
"""The first latitude of example_field(0)."""
V3_11_0 = np.array(
    [
        -1.85185185e-05, -4.44444444e-05, -2.22222222e-04, 1.66666667e-04,
        2.55555556e-04, 6.66666667e-05, -8.88888889e-05, 6.29629630e-05,
    ]
)  # fmt: skip
"""As the issue prints it for version 3.11.0."""
AROUND: dict[str, Any] = {"period": {"lon": 360.0}}

FACTS = (
    Fact(
        "cf-python", ISSUE, "humidity by longitude, away from the seam",
        ask(HUMIDITY, "gradient", row="lon", where={"lon": slice(1, -1)}, **AROUND),
        V3_11_0[1:-1], close=5e-13,
    ),
    Fact(
        "cf-python", ISSUE, "humidity by longitude, at the seam",
        ask(HUMIDITY, "gradient", row="lon", where={"lon": [0, -1]}, **AROUND),
        V3_11_0[[0, -1]], ours=[(0.034 - 0.029) / 90, (0.007 - 0.024) / 90],
        because="version 3.11.0 forgot the period, and divided by -270 in place of 90",
    ),
    Fact(
        "cf-python", ISSUE, "centred differences of the longitudes themselves",
        ask(
            array(np.ones((3, 1)) * np.sin(np.radians(LONGITUDE)), "lat lon", lon=LONGITUDE),
            "gradient", row="lon", dims="lon", where={"lat": 0}, **AROUND,
            then=lambda slope: 2 * np.cos(np.radians(LONGITUDE)) * np.sin(np.radians(45)) / slope,
        ),
        [90] * 8,
    ),
)  # fmt: skip
