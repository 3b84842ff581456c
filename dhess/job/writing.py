"""A field as a job: each window is some blocks of the output, whole stored chunks, on the disk."""

from __future__ import annotations

import json
import secrets
import shutil
from dataclasses import dataclass, replace
from functools import partial
from itertools import accumulate, pairwise, product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dask
import numpy as np

from dhess import fields
from dhess.budget import MOST
from dhess.errors import OutputError
from dhess.fields.quantity import TENSORS
from dhess.job.work import digest, groups
from dhess.sink import check_output, publish
from dhess.sink.blocks import layers, open_array, optimized, write_block, writing
from dhess.sink.layout import complete, lay_out, prepared
from dhess.sink.store import DurableStore
from dhess.source import is_url, public

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Iterator, Sequence

    import dask.array as da
    import xarray as xr
    from dask.delayed import Delayed

    from dhess.job.spec import JobSpec
    from dhess.ledger import Window
    from dhess.tables import Array, Range


@dataclass(frozen=True)
class Target:
    """The array of a store that blocks are written to, opened where it is needed."""

    place: str
    name: str

    @property
    def store(self) -> Any:
        """What Zarr writes through."""
        if is_url(self.place):
            from zarr.storage import FsspecStore

            return FsspecStore.from_url(self.place)
        return DurableStore(Path(self.place))

    def open(self) -> Any:
        """Return the Zarr array."""
        return open_array(self.store, self.name)

    def keys(self, array: Any, ranges: tuple[Range, ...]) -> Iterator[str]:
        """Yield the keys of the chunks that hold some ranges."""
        near = (range(a // c, -(-b // c)) for (a, b), c in zip(ranges, array.chunks, strict=True))
        for place in product(*near):
            yield f"{self.name}/{array.metadata.encode_chunk_key(place)}"


def write_checked(block: Array, target: Target, ranges: tuple[Range, ...]) -> str:
    """Write whole chunks; return their checksum once they are on the disk."""
    write_block(block, target.open(), ranges)
    return checksum(block)


def checksum(block: Array) -> str:
    """Return the checksum of a block's bytes, little-endian in C order."""
    plain = np.ascontiguousarray(block, block.dtype.newbyteorder("<"))
    return digest([plain.reshape(-1).view("u1").data])


@dataclass(frozen=True)
class Own:
    """By what a job knows an output as its own."""

    job: str
    """Its id."""
    written: str
    """The attempt whose store was published last; empty before that."""
    note: Callable[[str], None]
    """Records the attempt, just before its store appears."""


class Writing:
    """A field on its data."""

    def __init__(
        self, spec: JobSpec, data: xr.DataArray, own: Own, layout: dict[str, Any] | None = None
    ) -> None:
        self.spec = spec
        self.own = own
        self.id = own.job
        # The id is that of an earlier attempt too, whose store may stand at the output.
        self.attempt = str(layout.get("attempt", "")) if layout else ""
        self.overwrite = spec.overwrite or bool(layout and layout.get("replaces"))
        assert spec.output is not None
        self.output = spec.output
        function = getattr(fields, spec.measure, None) if spec.measure in TENSORS else None
        make = function or partial(fields.measure, name=spec.measure)
        dataset = prepared(make(data, **spec.options), None)
        ((variable, field),) = dataset.data_vars.items()
        if layout is not None:
            blocks = dict(zip(field.dims, layout["block"], strict=True))
            dataset[variable] = field.chunk(blocks)
            dataset[variable].encoding["chunks"] = tuple(layout["stored"])
        # Coordinates are written with the metadata, and are small beside the field.
        self.dataset = dataset.assign_coords({k: v.compute() for k, v in dataset.coords.items()})
        self.field = self.dataset[variable]
        self.values: da.Array = self.field.data
        self.stored: tuple[int, ...] = tuple(self.field.encoding["chunks"])
        self.target = Target(self.output, str(variable))
        place = layout["place"] if layout else self._place()
        self.target = replace(self.target, place=place)
        self.per_window = int(layout["window"]) if layout else spec.resources.window or 1
        self.name = f"field-{spec.measure}"
        self.blocks = int(np.prod(self.values.numblocks))
        self.nbytes = int(data.nbytes)
        self.windows = -(-self.blocks // self.per_window)
        self._bounds = [list(pairwise(accumulate(c, initial=0))) for c in self.values.chunks]
        order = layers(self.values.numblocks)
        self._indices, self._layers = list(order), list(order.values())

    def _place(self) -> str:
        """Return where the field is written: at its name, unless something is replaced there."""
        target = Path(self.output)
        if is_url(self.output) or not target.exists() or self._is_begun(self.output):
            return self.output
        return str(target.with_name(f".{target.name}.partial-{self.id}"))

    def layout(self) -> dict[str, Any]:
        """Return the blocks, the stored chunks, and where they are written."""
        return {
            "block": [sizes[0] for sizes in self.values.chunks],
            "stored": list(self.stored),
            "place": self.target.place,
            "window": self.per_window,
            "attempt": self.attempt,
            "replaces": self.overwrite,
        }

    def start(self) -> None:
        """Write the metadata, in place of those of an attempt that recorded nothing."""
        import zarr

        hidden = self.target.place != self.output
        if self._is_begun(self.target.place) or (hidden and self._is_of_job(self.target.place)):
            self._remove()
        stands = self._stands(self.output) or {}
        attempt = stands.get("dhess_attempt", "")
        if stands.get("dhess_job") == self.id and attempt in (self.own.written.split() or [""]):
            self.overwrite = True  # its own, and started over
        check_output(self.output, overwrite=self.overwrite, kind="store")
        if is_url(self.output) and self._stands(self.output) is not None:
            raise OutputError(
                f"output {public(self.output)!r} exists, and a job replaces local stores only; "
                "remove it or choose another name"
            )
        self.target = replace(self.target, place=self._place())
        if not is_url(self.target.place):
            Path(self.target.place).mkdir()
        # Whose it is stands in the first file, so that a later attempt knows it.
        self.attempt = secrets.token_hex(4)
        own = {"dhess_job": self.id, "dhess_attempt": self.attempt}
        marks: dict[str, Any] = {**own, "dhess_complete": False}
        zarr.open_group(self.target.store, mode="w-", zarr_format=3, attributes=marks)
        marked = self.dataset.assign_attrs(own)
        lay_out(marked, self.target.store, public(self.output), mode="a")

    def _stands(self, place: str) -> dict[str, Any] | None:
        """Return the attributes of the store at a place; none where there is no store."""
        import zarr

        target = replace(self.target, place=place)
        try:
            group = zarr.open_group(target.store, mode="r", use_consolidated=False)
        except Exception:  # noqa: BLE001  (nothing there, or nothing that Zarr can open)
            return None
        return dict(group.attrs)

    def _is_begun(self, place: str) -> bool:
        """Tell whether what stands at a place was begun by this job, and not finished."""
        attrs = self._stands(place)
        if attrs is not None:
            return attrs.get("dhess_job") == self.id and not attrs.get("dhess_complete")
        folder = Path(place)
        if is_url(place) or not folder.is_dir():
            return False
        return all(each.suffix == ".partial" for each in folder.iterdir())

    def _is_of_job(self, place: str) -> bool:
        return (self._stands(place) or {}).get("dhess_job") == self.id

    def _is_published(self) -> bool:
        """Tell whether the output is there, whole and of this attempt."""
        attrs = self._stands(self.output) or {}
        return self._is_mine(attrs) and bool(attrs.get("dhess_complete"))

    def _is_mine(self, attrs: dict[str, Any]) -> bool:
        known = attrs.get("dhess_job"), attrs.get("dhess_attempt", "")
        return known == (self.id, self.attempt)

    def _remove(self) -> None:
        if is_url(self.target.place):
            from fsspec.core import url_to_fs

            files, root = url_to_fs(self.target.place)
            files.rm(root, recursive=True)
        else:
            shutil.rmtree(self.target.place)

    def resume(self, done: Iterable[Window], *, verify: bool) -> set[int]:
        """Return the windows whose chunks are not there; with ``verify`` also damaged ones."""
        windows = list(done)
        if self._is_published():
            if not verify:
                return set()
            self.target = replace(self.target, place=self.output)
        try:
            array = self.target.open()
            attrs = self._stands(self.target.place) or {}
            fits = self._is_mine(attrs) and array.shape == self.values.shape
        except Exception:  # noqa: BLE001  (whatever is wrong with it, it has to be written again)
            fits = False
        if not fits:
            self.start()
            return {each.number for each in windows}
        return {each.number for each in windows if not self._is_sound(array, each, verify=verify)}

    def _is_sound(self, array: Any, window: Window, *, verify: bool) -> bool:
        for place, known in json.loads(window.result):
            ranges = self._ranges(tuple(place))
            if not is_url(self.target.place):
                folder = Path(self.target.place)
                if not all((folder / key).exists() for key in self.target.keys(array, ranges)):
                    return False
            if verify and self._checksum(array, ranges) != known:
                return False
        return True

    @staticmethod
    def _checksum(array: Any, ranges: tuple[Range, ...]) -> str | None:
        """Return the checksum of what is stored; none where it cannot be decoded."""
        try:
            return checksum(array[tuple(slice(a, b) for a, b in ranges)])
        except Exception:  # noqa: BLE001  (each codec has errors of its own)
            return None

    def _ranges(self, place: tuple[int, ...]) -> tuple[Range, ...]:
        return tuple(row[i] for row, i in zip(self._bounds, place, strict=True))

    def batches(self, done: Container[int]) -> Iterator[list[tuple[int, Delayed]]]:
        """Yield windows of up to some thousand blocks at a time."""
        windows = enumerate(groups(self._indices, self.per_window))
        missing = [(n, indices) for n, indices in windows if n not in done]
        if not missing:
            return
        values = optimized(self.values)
        for batch in groups(missing, max(1, MOST // self.per_window)):
            yield self._tasks(values, batch)

    def _tasks(
        self, values: da.Array, batch: Sequence[tuple[int, Sequence[tuple[int, ...]]]]
    ) -> list[tuple[int, Delayed]]:
        indices = [index for _, several in batch for index in several]
        writes = iter(writing(values, indices, write_checked, self.target, self.name))
        gather = dask.delayed(list)
        return [(n, gather([next(writes) for _ in several])) for n, several in batch]

    def layer(self, number: int) -> int:
        """Return which layer of the sweep a window begins in."""
        return self._layers[number * self.per_window]

    def recorded(self, number: int, result: list[str]) -> tuple[str, str]:
        """Return which blocks were written, with the checksum of each."""
        first = number * self.per_window
        text = json.dumps(
            [[self._indices[first + i], each] for i, each in enumerate(result)],
            separators=(",", ":"),
        )
        return text, digest(each.encode() for each in result)

    def finish(self, done: Iterable[Window]) -> xr.DataArray:
        """Mark the store as complete, and give it its name."""
        blocks = sum(len(json.loads(each.result)) for each in done)
        if blocks != self.blocks:
            raise AssertionError(f"{blocks} of {self.blocks} blocks are recorded")
        if not self._is_published():
            if not is_url(self.target.place):
                for each in Path(self.target.place).rglob(".*.partial"):
                    each.unlink(missing_ok=True)  # chunks that killed processes did not finish
            before = (self._stands(self.output) or {}).get("dhess_attempt", "")
            self.own.note(f"{before} {self.attempt}")  # whoever dies in between finds the old one
            complete(self.target.store)
            if self.target.place != self.output:
                publish(Path(self.target.place), Path(self.output), overwrite=self.overwrite)
        self._sweep()
        return self.field

    def _sweep(self) -> None:
        """Remove stores that were put aside, or begun by an attempt that was started over."""
        if is_url(self.output):
            return
        output = Path(self.output)
        if output.exists():
            begun = output.with_name(f".{output.name}.partial-{self.id}")
            for each in (begun, *output.parent.glob(f".{output.name}.replaced-*")):
                shutil.rmtree(each, ignore_errors=True)

    def best(self) -> tuple[float | None, tuple[int, ...]]:
        """Return nothing: a field looks for no value."""
        return None, ()
