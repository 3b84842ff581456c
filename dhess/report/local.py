"""What ``dhess at`` tells: the local model of a field, for each point of its batch dimensions."""

from __future__ import annotations

from importlib.metadata import version
from itertools import product
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field
from rich.console import Group, RenderableType
from rich.text import Text

from dhess.options import Settings
from dhess.report.base import Coordinate, Model, Number, plain_value, text
from dhess.report.layout import Column, columns, facts, head, number
from dhess.report.models import Kind, ReadReport, components

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    import xarray as xr

QUANTITIES = ("value", "gradient", "hessian", "eigenvalues", "radius")


class LocalAnswer(Model):
    """The model of one field at a place."""

    at: dict[str, Coordinate]
    """The place; of a batch dimension the point of it."""
    index: dict[str, int]
    """Of the nearest point of the grid."""
    value: Number
    gradient: dict[str, Number]
    hessian: tuple[tuple[Number, ...], ...]
    """Rows and columns in the order of `AtReport.differentiated`."""
    eigenvalues: tuple[Number, ...]
    """Ascending."""
    directions: tuple[tuple[Number, ...], ...]
    """The unit vector of each of them, by row."""
    radii: tuple[Number, ...]
    """1/λ of each of them; none where it is infinite."""
    kind: Kind
    value_error: Number
    """Estimates: how far the model of the next order is from this one."""
    gradient_error: dict[str, Number]
    hessian_error: tuple[tuple[Number, ...], ...]


class AtReport(ReadReport):
    """What ``dhess at`` prints."""

    report: Literal["at"] = "at"
    source: str
    options: dict[str, Coordinate]
    dims: tuple[str, ...]
    differentiated: tuple[str, ...]
    units: dict[str, str]
    """Where known: of each dimension, and of "value", "gradient", "hessian", "eigenvalues" and
    "radius"."""
    component_units: dict[str, dict[str, str]] = Field(default_factory=dict)
    """Of "gradient" and "hessian" by row ("x") or by row and column ("y,x"), where they differ."""
    smoothed: str | None = None
    note: str | None = None
    points: int
    """Points of the grid that were read."""
    nan_points: int
    """Those among them that are NaN."""
    answers: tuple[LocalAnswer, ...]

    @classmethod
    def from_dataset(cls, model: xr.Dataset) -> AtReport:
        """Read the report from what :func:`dhess.local_model` returns.

        Examples
        --------
        >>> import xarray as xr, dhess
        >>> f = xr.DataArray([0.0, 1.0, 4.0, 9.0, 16.0], dims="x")
        >>> report = AtReport.from_dataset(dhess.local_model(f, {"x": 2.5}))
        >>> report.answers[0].value, report.answers[0].gradient
        (6.25, {'x': 5.0})
        """
        attrs = dict(model.attrs)
        batch = model["value"].dims
        named = [str(dim) for dim in model["dim"].values]
        units = {
            name: str(model[name].attrs["units"])
            for name in (*named, *QUANTITIES)
            if name in model.variables and "units" in model[name].attrs
        }
        by_row = {name: components(model[name].attrs) for name in ("gradient", "hessian")}
        sizes = [range(model.sizes[name]) for name in batch]
        return cls(
            dhess_version=str(attrs.pop("dhess_version", version("dhess"))),
            source=str(attrs.pop("source", "")),
            points=int(attrs.pop("points", 0)),
            nan_points=int(attrs.pop("nan_points", 0)),
            missing_chunks=int(attrs.pop("missing_chunks", 0)),
            smoothed=text(attrs.pop("smoothed", None)),
            note=text(attrs.pop("note", None)),
            options={name: plain_value(value) for name, value in attrs.items()},
            dims=tuple(named),
            differentiated=tuple(str(dim) for dim in model["row"].values),
            units=units,
            component_units={name: each for name, each in by_row.items() if each},
            answers=tuple(
                _answer(model, dict(zip(batch, index, strict=True)), named)
                for index in product(*sizes)
            ),
        )


def _answer(model: xr.Dataset, index: dict[Any, int], dims: list[str]) -> LocalAnswer:
    one = model.isel(index)
    rows = [str(row) for row in model["row"].values]
    near = dict(zip(dims, model["index"].values.tolist(), strict=True)) | index
    return LocalAnswer(
        at={
            dim: plain_value(one[dim].values[()]) if dim in one.coords else index[dim]
            for dim in dims
        },
        index=near,
        value=one["value"].item(),
        gradient=dict(zip(rows, one["gradient"].values.tolist(), strict=True)),
        hessian=one["hessian"].values.tolist(),
        eigenvalues=one["eigenvalues"].values.tolist(),
        directions=one["direction"].values.tolist(),
        radii=one["radius"].values.tolist(),
        kind=one["kind"].item(),
        value_error=one["value_error"].item(),
        gradient_error=dict(zip(rows, one["gradient_error"].values.tolist(), strict=True)),
        hessian_error=one["hessian_error"].values.tolist(),
    )


def at_table(report: AtReport) -> RenderableType:
    """Return the facts of one model, or a row for each of several."""
    body = _one(report) if len(report.answers) == 1 else columns(*several_columns(report))
    return Group(body, "", *map(Text, at_notes(report)))


def _one(report: AtReport) -> RenderableType:
    (answer,), units = report.answers, report.units
    value = facts(
        *((head(dim, units.get(dim)), number(answer.at[dim], digits=8)) for dim in report.dims),
        (head("value", units.get("value")), off(answer.value, answer.value_error)),
        ("kind", answer.kind),
    )
    tensors = columns(*tensor_columns(report, answer))
    return Group(value, "", tensors, "", columns(*principal_columns(report, answer)))


def tensor_columns(report: AtReport, answer: LocalAnswer) -> list[Column]:
    """Return gradient and Hessian, each number with its estimated error."""
    units, names = report.units, report.differentiated
    slopes = [off(answer.gradient[row], answer.gradient_error[row]) for row in names]
    return [
        Column("row", "left", names),
        Column(head("gradient", units.get("gradient")), "right", slopes),
        *(
            Column(
                head(f"Hessian, {col}", units.get("hessian")), "right",
                [off(answer.hessian[k][l], answer.hessian_error[k][l]) for k in range(len(names))],
            )
            for l, col in enumerate(names)
        ),
    ]  # fmt: skip


def principal_columns(report: AtReport, answer: LocalAnswer) -> list[Column]:
    """Return the curvatures along the principal directions, and these."""
    units = report.units
    return [
        Column(head("eigenvalue", units.get("eigenvalues")), "right", _each(answer.eigenvalues)),
        Column(head("radius", units.get("radius")), "right", _each(answer.radii)),
        *(
            Column(f"along {row}", "right", [number(part[k]) for part in answer.directions])
            for k, row in enumerate(report.differentiated)
        ),
    ]


def several_columns(report: AtReport) -> list[Column]:
    """Return a row for each model."""
    units, answers = report.units, report.answers
    return [
        *(
            Column(
                head(dim, units.get(dim)), "right", [number(a.at[dim], digits=8) for a in answers]
            )
            for dim in report.dims
        ),
        Column(head("value", units.get("value")), "right", [number(a.value) for a in answers]),
        *(
            Column(f"slope along {row}", "right", [number(a.gradient[row]) for a in answers])
            for row in report.differentiated
        ),
        Column("eigenvalues", "left", [", ".join(_each(a.eigenvalues)) for a in answers]),
        Column("kind", "left", [a.kind for a in answers]),
    ]


def _each(numbers: tuple[float | None, ...]) -> list[str]:
    return [number(each) for each in numbers]


def off(value: float | None, error: float | None) -> str:
    """Write a number with its estimated error."""
    return number(value) if error is None else f"{number(value)} ± {error:.1g}"


def at_notes(report: AtReport) -> Iterator[str]:
    """Say what was asked for beside the defaults, and what is to be known of the answer."""
    nans = f"{report.nan_points:,}" if report.nan_points else "none"
    source = f"; source {report.source}" if report.source else ""
    yield f"from {report.points:,} points around the place, {nans} of them NaN{source}"
    usual = Settings().describe(report.differentiated, np.dtype(np.float64))
    usual["dims"] = ",".join(report.dims)
    asked = [
        f"{name} {value}" for name, value in report.options.items() if value != usual.get(name)
    ]
    if report.smoothed:
        asked.append(f"smoothed by {report.smoothed}")
    if asked:
        yield "with " + "; ".join(asked)
    if report.component_units:
        for name, each in report.component_units.items():
            yield f"units of the {name}: " + "; ".join(f"{row}: {u}" for row, u in each.items())
    if report.missing_chunks:
        yield f"the store lacks {report.missing_text}"
    if report.note:
        yield f"note: {report.note}"
