"""Values that are hard to take, drawn from a generator."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    import random

NUMBERS: Final[list[Any]] = [
    0, 1, -1, 2, 3, 8, 255, 256, 2**31 - 1, 2**31, 2**53 + 1, 2**63 - 1, 2**63, 2**64,
    -(2**63) - 1, 10**30, 10**400, 0.0, -0.0, 0.5, 1e-320, 1e308, -1e308, float("nan"),
    float("inf"), float("-inf"), 1.5, 1e-9, 360.0, 1_000_000, 10**9,
]  # fmt: skip
NAMES: Final = [
    "run.zarr", "run.zarr::f", "", " ", "..", "../..", "/", "a\x00b", "a\nb", "~", "~nobody", "::",
    "a::", "::a", "file:///nothing", "memory://nothing", "nope://x", "*", "[", "**", "a" * 300,
    "a" * 5000, "\x1b[2J", "\u202e", "\ud800", "é", "http://[::1", "zip://a::b", "simplecache::x",
    "/dev/null", "/proc/self/mem", "/dev", "f.nc", "s3:", "reference::x", "%2e%2e",
]  # fmt: skip
DTYPES: Final = [
    "f8", "f8", "f8", "f4", "f2", "i8", "i4", "u1", "u8", "M8[ns]", "M8[D]", "m8[s]", "U8", "S4",
    "O", "?", "c16", ">f8", "g",
]  # fmt: skip
KEYS: Final = [
    "shape", "chunks", "dtype", "fill_value", "filters", "compressor", "order",
    "dimension_separator", "zarr_format", "node_type", "data_type", "chunk_grid", "codecs",
    "chunk_key_encoding", "attributes", "dimension_names", "_ARRAY_DIMENSIONS", "scale_factor",
    "add_offset", "_FillValue", "units", "calendar", "coordinates", "bounds", "grid_mapping", "id",
    "name", "configuration", "chunk_shape", "missing_value", "valid_range", "dtype", "_Unsigned",
    "storage_transformers", "must_understand", "separator", "../../x", "/etc",
    "consolidated_metadata", "metadata", "dhess_complete", "dhess_job",
]  # fmt: skip
HOSTILE: Final[list[Any]] = [
    "|O", "<f8", "<f4", "<c16", "<M8[ns]", "|V8", "<U9", "int8", "float64", "float16",
    "complex128", "string", "NaN", "Infinity", "-Infinity", "0x7fc00000", "days since 1970-01-01",
    "days since 0000-00-00", "seconds since 99999-01-01", "days", "360_day", "none", "C", "F", "/",
    ".", "pickle", "blosc", "gzip", "zstd", "bytes", "transpose", "sharding_indexed", "vlen-utf8",
    "numcodecs.delta", "group", "array", {"id": "pickle"},
    {"id": "blosc", "cname": "none", "clevel": 99, "shuffle": -1}, {"id": "zlib", "level": 99},
    {"id": "nothing"}, [{"id": "delta", "dtype": "|O"}],
    [{"name": "gzip", "configuration": {"level": 9}}],
    {"name": "regular", "configuration": {"chunk_shape": [0, -1]}}, [[["<f8"]]], ["x", "x"],
    ["y", "x"], ["x"], [None, "x"], [8, 9], [10**18, 10**18], [2**62], [2**63, 2], [0, 9], [8],
    [-1, 9], [1, 1], [8.5, 9], [10**9, 9], [1] * 40, [[4, 4], 9], "x y", "f", "t",
]  # fmt: skip


def anything(rng: random.Random, depth: int = 0) -> Any:
    """Return a value of JSON."""
    kind = rng.randrange(9 if depth < 3 else 6)
    if kind == 0:
        return rng.choice(NUMBERS)
    if kind == 1:
        return rng.choice(NAMES)
    if kind in (2, 3):
        return rng.choice(HOSTILE)
    if kind == 4:
        return rng.choice([None, True, False, [], {}, ""])
    if kind == 5:
        return rng.choice([1, 2, 0.5, "slope", "x", {"x": 1.0}, ["x", "y"], [0, 3], {"x": [0, 3]}])
    if kind == 6:
        return [anything(rng, depth + 1) for _ in range(rng.randrange(4))]
    if kind == 7 and depth == 0 and rng.random() < 0.1:
        return nested(rng.choice([50, 500]))
    keys = ["x", "y", "", *KEYS]
    return {rng.choice(keys): anything(rng, depth + 1) for _ in range(rng.randrange(4))}


def nested(depth: int) -> Any:
    """Return a list in a list, and so on."""
    found: Any = 1
    for _ in range(depth):
        found = [found]
    return found


def mutated(rng: random.Random, found: Any) -> Any:
    """Return metadata of which something is otherwise."""
    places = list(_places(found, ()))
    for _ in range(rng.randrange(1, 3)):
        *path, last = rng.choice(places) if places else ("shape",)
        table = found
        try:
            for key in path:
                table = table[key]
            table[last]
        except (LookupError, TypeError):
            continue
        if not isinstance(table, dict | list):
            continue
        at: Any = last
        how = rng.random()
        if isinstance(table, dict) and how < 0.15:
            del table[last]
        elif isinstance(table, dict) and how < 0.3:
            table[rng.choice([*KEYS, *NAMES])] = table.pop(last) if how < 0.22 else anything(rng)
        elif how < 0.6 and last in _USUAL:
            table[at] = rng.choice(_USUAL[last])
        else:
            table[at] = anything(rng)
    return found


_USUAL: Final[dict[Any, list[Any]]] = {
    "shape": [
        [10**18, 9], [2**62, 2**62], [0, 9], [-8, 9], [8], [], [8, 9, 1], [10**6, 10**6],
        [8, 10**9],
    ],
    "chunks": [[1, 1], [0, 9], [-4, 9], [10**12, 10**12], [4], [], [1, 2**63], [3, 2]],
    "chunk_shape": [[1, 1], [0, 9], [-4, 9], [10**12, 10**12], [4], [], [1, 2**63], [3, 2]],
    "dtype": [
        "|O", "<f4", "<i2", "<M8[ns]", "|S5", "<c16", "|V16", "|b1", ">f8", "<f2", "<U1000000000",
    ],
    "data_type": [
        "int8", "float16", "string", "complex64", "bool", "uint64", "r64", "variable_length_bytes",
    ],
    "fill_value": [None, "NaN", 1e400, 10**400, "x", [1], {}, "-Infinity", True],
    "_ARRAY_DIMENSIONS": [
        ["x", "x"], ["x"], [], ["y", "x", "z"], [1, 2], "yx", ["", "x"], ["f", "x"],
    ],
    "units": [
        "days since 1970-01-01", "days since 0000", "fortnights", "K\x1b[2J", 5, ["m"], "m/0",
        "days",
    ],
}  # fmt: skip


def _places(found: Any, at: tuple[Any, ...]) -> Any:
    items = (
        found.items()
        if isinstance(found, dict)
        else enumerate(found)
        if isinstance(found, list)
        else ()
    )
    for key, value in items:
        yield (*at, key)
        yield from _places(value, (*at, key))


def damaged(rng: random.Random, data: bytes) -> bytes:
    """Return bytes of which a few are others, or that end too early."""
    found = bytearray(data)
    how = rng.random()
    if how < 0.15:
        return bytes(found[: rng.randrange(len(found) + 1)])
    if how < 0.25:
        start = rng.randrange(len(found) + 1)
        del found[start : start + rng.randrange(1, 64)]
        return bytes(found)
    for _ in range(rng.choice([1, 1, 1, 2, 4, 16])):
        if found:
            found[rng.randrange(len(found))] = rng.choice([0, 255, 127, 128, rng.randrange(256)])
    return bytes(found)


_ODD: Final = [
    "\x00", "\x1b[2J", "\u202e", "{", "]", '"', "=", "\n", "\\", "é", "\t", "9" * 5000, "::",
    "[" * 50_000, '{"a":' * 50_000,
]  # fmt: skip
_ODD_TOML: Final = [
    "1979-05-27T07:32:00Z", "99999-99-99", "07:32:00", "0x" + "f" * 400, "1e999", "+nan", "1_0_0",
    "9" * 5000,
]  # fmt: skip


def text(rng: random.Random, given: str) -> str:
    """Return text of which something is otherwise."""
    where = rng.randrange(len(given) + 1)
    odd = rng.choice(
        [
            "\x00",
            "\x1b[2J",
            "\u202e",
            "{",
            "]",
            '"',
            "=",
            "\n",
            "\\",
            "é",
            "\t",
            "9" * 5000,
            "::",
            "[" * 50_000,
            '{"a":' * 50_000,
        ]
    )
    return given[:where] + odd + given[where + rng.randrange(3) :]


def toml(rng: random.Random, given: dict[str, Any]) -> str:
    """Return a table as TOML, as far as that can say it; dates and huge numbers among it."""
    [
        "1979-05-27T07:32:00Z",
        "99999-99-99",
        "07:32:00",
        "0x" + "f" * 400,
        "1e999",
        "+nan",
        "1_0_0",
        "9" * 5000,
    ]
    lines = []
    for key, value in given.items():
        if rng.random() < 0.15:
            said = rng.choice(_ODD_TOML)
        else:
            said = (
                json.dumps(value)
                .replace("null", "0")
                .replace("NaN", "nan")
                .replace("Infinity", "inf")
            )
            said = said.replace('":', '"=')
        lines.append(f"{json.dumps(key)} = {said}")
    return "\n".join(lines)


def axis(rng: random.Random) -> Any:
    """Return a coordinate: usual ones, and such as no derivative can be taken along."""
    size = rng.choice([1, 2, 3, 5, 9, 9, 17, 17])
    start, step = (
        rng.choice([0.0, 1.0, -1e3, 1e6, 1e300, 1e17]),
        rng.choice([1.0, 0.1, 1e-3, 1e-300, 1e300, -1.0]),
    )
    with np.errstate(all="ignore"):
        values: Any = start + step * np.arange(size)
        how = rng.randrange(10)
        if how == 0:
            values = values + step * np.cumsum([rng.random() for _ in range(size)])
        elif how == 1:
            values[rng.randrange(size)] = rng.choice([np.nan, np.inf, -np.inf])
        elif how == 2:
            rng.shuffle(values)
        elif how == 3:
            values[rng.randrange(size)] = values[0]
        elif how == 4:
            values = np.sort(
                [rng.uniform(-1, 1) * 10.0 ** rng.randrange(-9, 9) for _ in range(size)]
            )
        elif how == 5:
            values = np.geomspace(1e-3, rng.choice([1.0, 1e6, 1e300]), size)
        elif how == 6:
            values = values.astype("f4")
    return values
