"""What a job is asked to do: a closed, versioned model, read from TOML, JSON or keywords."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
    ValidationError,
)

from dhess import critical
from dhess.errors import InputError, line, suggest
from dhess.fields.quantity import quantity_named
from dhess.measures import find_measure
from dhess.options import Options, settings
from dhess.regions import check_options as check_regions
from dhess.sink import check_apart
from dhess.source import is_url, location_of, split_source

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

Number = StrictInt | StrictFloat
Lengths = dict[StrictStr, Number]
Count = Annotated[StrictInt, Field(ge=1, lt=2**63)]
Task = Literal["find", "field", "regions", "critical"]
Pair = Annotated[list[StrictInt | None], Field(min_length=2, max_length=2)]


# An embedded cluster or one that runs already: who names one means not the other.
_EITHER = (
    ("scheduler", ("workers", "memory_limit")),
    ("workers", ("scheduler",)),
    ("memory_limit", ("scheduler",)),
)


_OF_TASK: Final = {
    "measure": ("find", "field", "regions"),
    "k": ("find", "regions", "critical"),
    "exclude_edges": ("find",),
    **dict.fromkeys(("threshold", "quantile", "connectivity", "min_size"), ("regions",)),
    "tolerance": ("critical",),
}
"""Keys that not every task has."""


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Resources(_Model):
    """Where a job runs, and in what portions. What comes out does not depend on it."""

    workers: Count | None = Field(None, description="Processes of the embedded cluster.")
    memory_limit: StrictStr | None = Field(
        None, description="Memory of each of them, as 4GB.", examples=["4GB"]
    )
    scheduler: StrictStr | None = Field(
        None,
        description="A scheduler that runs already: its address, or its file.",
        examples=["tcp://127.0.0.1:8786"],
    )
    tls_ca: StrictStr | None = Field(None, description="PEM file of its certificate authority.")
    tls_cert: StrictStr | None = Field(None, description="PEM file of our certificate.")
    tls_key: StrictStr | None = Field(None, description="PEM file of our key.")
    window: Count | None = Field(
        None,
        description="Blocks of a window: what is recorded together, and done again after a "
        "failure. 4 blocks of a search and 1 of a field by default.",
    )


class JobSpec(_Model):
    """A search or a field, as it can be handed in, kept and resumed.

    Examples
    --------
    >>> spec = JobSpec.read({"source": "run.zarr::T", "measure": "slope", "k": 3})
    >>> spec.task, spec.count, spec.options
    ('find', 3, {})
    """

    # Raised when a key changes its name or meaning; a new key alone does not raise it.
    version: Literal[1] = Field(1, description="Of this format.")
    task: Task = Field(
        "find",
        description="find: where the measure is smallest. field: write it as a Zarr store. "
        "regions: the connected regions where it is below a threshold. critical: minima, maxima "
        "and saddles of the data, found between its points.",
    )
    source: StrictStr | list[StrictStr] = Field(
        description="PATH or PATH::VARIABLE of a Zarr store or NetCDF file, local or an fsspec "
        "URL, a pattern, or a list of files.",
        examples=["run.zarr::temperature"],
    )
    variable: StrictStr | None = Field(None, description="Variable of the source.")
    chunks: Literal["auto"] | StrictInt | dict[StrictStr, StrictInt] = Field(
        "auto", description="Size of the blocks."
    )
    sel: dict[StrictStr, StrictInt | Pair] = Field(
        default_factory=dict,
        description="One index, or [start, stop], by dimension.",
        examples=[{"time": [0, 10]}],
    )
    smooth: Lengths | None = Field(
        None,
        description="Standard deviations of a Gaussian that comes first, in coordinate units.",
        examples=[{"x": 90.0, "y": 90.0}],
    )
    measure: StrictStr = Field(
        "hessian_norm",
        description="What is searched for or written; a field may also be gradient, hessian or "
        "eigenvalues. Critical points have none.",
    )
    k: Count | None = Field(
        None,
        description="How many points to find, 1 by default; how many regions or critical points, "
        "all by default.",
    )
    exclude_edges: StrictBool = Field(
        False, description="Leave out points where the stencil is one-sided."
    )
    threshold: Number | None = Field(None, description="What the measure of a region is below.")
    quantile: Number | None = Field(
        None, description="Instead of a threshold: the share of all points, from 0 to 1."
    )
    connectivity: StrictStr | None = Field(
        None, description="faces, or full: points that touch at a corner are neighbours too."
    )
    min_size: Count | None = Field(None, description="Points of the smallest region that is told.")
    tolerance: Number | None = Field(
        None, description="Of the places of critical points, in steps of the grid; 1e-9 by default."
    )
    dims: list[StrictStr] | None = Field(
        None, description="Dimensions to differentiate; all by default."
    )
    order: StrictInt | None = Field(None, description="Order of accuracy: 2, 4, 6 or 8.")
    scheme: StrictStr | None = Field(None, description="direct or iterated.")
    period: Lengths | None = Field(
        None, description="Length after which an axis starts over.", examples=[{"lon": 360.0}]
    )
    spacing: Lengths | None = Field(None, description="Of dimensions without a coordinate.")
    scale: Lengths | StrictStr | None = Field(
        None, description="How much of an axis counts as one, or span."
    )
    nan: StrictStr | None = Field(None, description="propagate or adapt.")
    geometry: StrictStr | None = Field(None, description="cartesian or sphere.")
    latitude: StrictStr | None = Field(None, description="Dimension that is the latitude.")
    longitude: StrictStr | None = Field(None, description="Dimension that is the longitude.")
    radius: Number | None = Field(None, description="Of the sphere.")
    datetime_unit: StrictStr | None = Field(None, description="Unit along times: D, h, min, s, …")
    dtype: StrictStr | None = Field(None, description="float32 or float64, of the result.")
    output: StrictStr | None = Field(
        None,
        description="Where the result goes: a .json or .nc file of a search, a Zarr store of a "
        "field.",
        examples=["flattest.json"],
    )
    overwrite: StrictBool = Field(False, description="Replace an output that exists.")
    resources: Resources = Field(default_factory=lambda: Resources.model_validate({}))

    @classmethod
    def read(cls, given: Mapping[str, Any]) -> Self:
        """Check what was given, and make paths absolute.

        Raises
        ------
        InputError
            For an unknown key, a value of the wrong type, and options that exclude each other.
        """
        _check_keys(given, cls, "")
        resources = given.get("resources", {})
        if isinstance(resources, dict):
            _check_keys(resources, Resources, "resources.")
        try:
            spec = cls.model_validate(dict(given))
        except ValidationError as error:
            raise InputError(_sentence(error)) from error
        spec._check()
        whole = spec.model_copy(update={"source": spec._located(), "output": spec._placed()})
        whole._check_apart()
        return whole

    def with_resources(self, given: Mapping[str, Any]) -> Self:
        """Return the job with other resources.

        Raises
        ------
        InputError
            For an unknown one, or a value that it cannot take.
        """
        kept = self.resources.model_dump(exclude_none=True)
        for one, others in _EITHER:
            if one in given:
                kept = {name: value for name, value in kept.items() if name not in others}
        _check_keys(given, Resources, "resources.")
        try:
            resources = Resources.model_validate(kept | dict(given))
        except ValidationError as error:
            raise InputError(_sentence(error)) from error
        return self.model_copy(update={"resources": resources})

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read a file: JSON if its name ends so, or else TOML. Its paths are relative to it.

        Raises
        ------
        InputError
            If there is no such file, it cannot be parsed, or its job is wrong.
        """
        place = Path(path)
        try:
            text = place.read_text(encoding="utf-8")
            given = json.loads(text) if place.suffix == ".json" else tomllib.loads(text)
        except (OSError, UnicodeDecodeError) as error:
            told = getattr(error, "strerror", None) or "it is no text"
            raise InputError(
                f"job file {str(path)!r} cannot be read: {told}; check the path"
            ) from error
        except (ValueError, RecursionError) as error:
            kind = "JSON" if place.suffix == ".json" else "TOML"
            raise InputError(
                f"job file {str(path)!r} is not valid {kind}: {line(error)}; correct it there"
            ) from error
        if not isinstance(given, dict):
            raise InputError(f"job file {str(path)!r} holds no table of keys; write source = …")
        return cls.read(_beside(given, place.parent.absolute()))

    @property
    def options(self) -> dict[str, Any]:
        """The options of the derivatives that are not left to their defaults."""
        given = {name: getattr(self, name) for name in Options.__optional_keys__}
        return {name: value for name, value in sorted(given.items()) if value is not None}

    @property
    def selection(self) -> dict[str, int | slice]:
        """What is selected, as xarray takes it."""
        return {k: slice(*v) if isinstance(v, list) else v for k, v in self.sel.items()}

    @property
    def count(self) -> int:
        """How many points to find."""
        return self.k or 1

    def canonical(self) -> str:
        """Return the text that is the same for jobs that ask for the same."""
        plain = self.model_dump(exclude={"resources", "overwrite"}, exclude_none=True)
        if self.task in ("find", "field"):
            plain.setdefault("k", 1)
        plain["options"] = {name: plain.pop(name) for name in self.options}
        return json.dumps(plain, sort_keys=True, separators=(",", ":"))

    def _check(self) -> None:
        """Refuse what can be seen without the data."""
        settings(**self.options)
        quantity_named(self.measure) if self.task == "field" else find_measure(self.measure)
        self._check_task()
        if self.task == "field" and self.output is None:
            raise InputError("a field needs an output; write output = 'field.zarr'")
        if self.task != "field" and self.output is not None:
            suffix = Path(self.output).suffix
            if suffix not in (".json", ".nc") or is_url(self.output):
                raise InputError(
                    f"output {self.output!r} of a search must be a local file that ends in .json "
                    "or .nc"
                )
        files = [self.resources.tls_ca, self.resources.tls_cert, self.resources.tls_key]
        if 0 < files.count(None) < 3:
            raise InputError("TLS needs all of tls_ca, tls_cert and tls_key; one is missing")

    def _check_task(self) -> None:
        """Refuse keys that are for another task."""
        for name, tasks in _OF_TASK.items():
            # One that is as it is by default comes with a job that was written out.
            given = getattr(self, name) != type(self).model_fields[name].default
            if given and self.task not in tasks:
                others = " or ".join(map(repr, tasks))
                raise InputError(f"{name} is for task = {others}, not {self.task!r}; leave it out")
        if self.task == "regions":
            connectivity = self.connectivity or "faces"
            check_regions(self.threshold, self.quantile, connectivity, self.min_size or 1, self.k)
        if self.task == "critical":
            tolerance = critical.TOLERANCE if self.tolerance is None else self.tolerance
            critical.check_options(tolerance, self.scheme or "direct", self.k)

    def _check_apart(self) -> None:
        """Refuse an output that is its own source, or becomes a part of it."""
        if self.output is None:
            return
        sources = [self.source] if isinstance(self.source, str) else self.source
        paths = [split_source(s)[0] if self.variable is None else s for s in sources]
        check_apart(self.output, paths)

    def _located(self) -> str | list[str]:
        if isinstance(self.source, str):
            return _absolute(self.source, named=self.variable is None)
        return [_absolute(each, named=self.variable is None) for each in self.source]

    def _placed(self) -> str | None:
        return None if self.output is None else location_of(self.output)


def _absolute(source: str, *, named: bool) -> str:
    path, variable = split_source(source) if named else (source, None)
    return location_of(path) + (f"::{variable}" if variable else "")


def _beside(given: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Return keys whose relative paths are taken from a folder."""

    def there(path: Any) -> Any:
        if not isinstance(path, str) or not path or is_url(path) or path.startswith("~"):
            return path
        return str(folder / path)

    found = dict(given)
    if isinstance(found.get("source"), list):
        found["source"] = [there(each) for each in found["source"]]
    for name in ("source", "output"):
        if isinstance(found.get(name), str):
            found[name] = there(found[name])
    if isinstance(found.get("resources"), dict):
        files = {n: there(v) for n, v in found["resources"].items() if n.startswith("tls_")}
        scheduler = found["resources"].get("scheduler")
        if isinstance(scheduler, str) and scheduler.endswith(".json"):
            files["scheduler"] = there(scheduler)
        found["resources"] = {**found["resources"], **files}
    return found


def _check_keys(given: Mapping[str, Any], model: type[BaseModel], where: str) -> None:
    for name in given:
        if name not in model.model_fields:
            known = sorted(model.model_fields)
            raise InputError(
                f"unknown key {where + str(name)!r} in a job; {suggest(str(name), known)}"
            )


def _sentence(error: ValidationError) -> str:
    """Say what is wrong with the first key that is."""
    errors = error.errors(include_url=False)
    name = str(errors[0]["loc"][0])
    if name == "resources" and len(errors[0]["loc"]) > 1:
        name = f"resources.{errors[0]['loc'][1]}"
    # A value that fits none of several types has an error for each.
    told = sorted(
        {each["msg"].lower() for each in errors if str(each["loc"][0]) == name.split(".")[0]}
    )
    first = errors[0]
    if first["type"] == "missing":
        return f"a job needs {name!r}; write {name} = …"
    return f"{name}={_shown(first['input'])} of a job is wrong: {', or '.join(told)}"


def _shown(value: Any) -> str:
    """Return a value as it is written, cut where it is long."""
    try:
        said = repr(value)
    except (ValueError, RecursionError):  # Python writes no number of more than 4,300 digits
        return f"a {type(value).__name__} without end"
    return said if len(said) <= 200 else f"{said[:200]}…"
