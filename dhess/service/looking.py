"""A child of the gateway: opens sources, which may hang, lie, or want all the memory there is."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import distributed  # noqa: F401  (takes long, and is done before anybody waits)

from dhess.errors import ChangedError, DhessError, line
from dhess.job import JobSpec
from dhess.job.identity import fingerprint, identity
from dhess.planning import plan
from dhess.report import InfoReport, PlanReport
from dhess.report.layout import amount
from dhess.service.errors import Refused, ServiceError
from dhess.service.places import Places
from dhess.service.speaking import Gateway, limit_memory, memory
from dhess.source import open as open_source
from dhess.source.prepared import census, select, shaped

if TYPE_CHECKING:
    import xarray as xr


class Looker:
    """Answers questions about sources below the roots."""

    def __init__(self, places: Places) -> None:
        self.places = places

    def ping(self, _: dict[str, Any]) -> bool:
        """Tell that somebody is here."""
        return True

    def info(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Describe a source."""
        source = self.places.placed(asked["source"], asked["variable"])
        chunks = "auto" if asked["chunks"] is None else asked["chunks"]
        data = self._opened(source, asked["variable"], chunks)
        report = InfoReport.from_array(data, source=_named(source))
        return report.model_dump(mode="json")

    def plan(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Tell what a job would take."""
        spec = JobSpec.model_validate(asked["spec"])
        data = self._of(spec)
        report = PlanReport.from_plan(self._planned(spec, data, asked["team"]))
        return report.model_dump(mode="json")

    def identify(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Return what a job is known by, if it may be handed in and can begin."""
        spec = JobSpec.model_validate(asked["spec"])
        data = self._of(spec)
        _check_size(select(data, spec.selection), asked["max_blocks"], asked["max_bytes"])
        told = fingerprint(data)
        seen = census(data, spec.selection)
        cost = self._planned(spec, data, asked["team"])
        return {
            "job": identity(spec, told),
            "fingerprint": told,
            "seen": "" if seen is None else seen.text(),
            "of_blocks": cost.blocks,
            "of_nbytes": cost.nbytes,
        }

    def _of(self, spec: JobSpec) -> xr.DataArray:
        if spec.output is not None:
            self.places.check_output(spec.output)
        return self._opened(spec.source, spec.variable, spec.chunks)

    def _opened(self, source: Any, variable: str | None, chunks: Any) -> xr.DataArray:
        # Right before it is opened: a link may have been changed since anybody looked last.
        self.places.check_source(source, variable)
        return open_source(source, variable, chunks=chunks)

    def _planned(self, spec: JobSpec, data: xr.DataArray, team: dict[str, Any]) -> Any:
        options = spec.options
        chosen = shaped(data, options, spec.selection, spec.smooth)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return plan(chosen, spec.measure, task=spec.task, k=spec.count, **team, **options)


def _named(source: str | list[str]) -> str:
    return source if isinstance(source, str) else source[0]


def _check_size(data: xr.DataArray, max_blocks: int, max_bytes: int | None) -> None:
    blocks = data.data.npartitions
    if blocks > max_blocks:
        raise Refused(
            f"what is chosen has {blocks:,} blocks, and a job of this service may have "
            f"{max_blocks:,}; choose larger blocks with chunks, or a part with sel"
        )
    if max_bytes is not None and data.nbytes > max_bytes:
        raise Refused(
            f"what is chosen holds {amount(data.nbytes)}, and a job of this service may read "
            f"{amount(max_bytes)}; choose a part of it"
        )


def answer(looker: Looker, asked: dict[str, Any]) -> dict[str, Any]:
    """Answer a question, or say in a sentence why not."""
    try:
        return {"answer": getattr(looker, asked["what"])(asked)}
    except ServiceError as error:
        return {"error": str(error), "kind": type(error).__name__}
    except ChangedError as error:
        return {"error": str(error), "kind": "Conflict"}
    except DhessError as error:
        return {"error": str(error), "kind": "InputError"}
    except (MemoryError, RecursionError) as error:
        name = type(error).__name__
        return {"error": f"the source cannot be looked at: {name}", "kind": "InputError"}
    except Exception as error:  # noqa: BLE001  (readers of files have errors of all kinds)
        said = f"the source cannot be looked at: {type(error).__name__}: {line(error)}"
        return {"error": said, "kind": "InputError"}


def main() -> None:
    """Answer one question after the other, until the gateway is gone."""
    gateway = Gateway()
    asked = gateway.read()
    if asked is None:
        return
    looker = Looker(Places(asked["roots"], asked["output_roots"], Path(asked["data"])))
    gateway.die_with_it()
    limit_memory()
    gateway.tell(ready=True)
    while True:
        gateway.tell(**answer(looker, gateway.next()), memory=memory(1))


if __name__ == "__main__":
    main()
