"""What is kept of a job, and handed out: its result, a picture of it, its log."""

from __future__ import annotations

import asyncio
import json
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from dhess.report.layout import amount
from dhess.service.children import Child
from dhess.service.errors import NotReady, TooLarge, TooMany
from dhess.service.models import LogPage

if TYPE_CHECKING:
    from pathlib import Path

    from dhess.ledger import Entry
    from dhess.service.settings import Settings

SECONDS: Final = 180.0
"""In which a picture has to be drawn."""
AT_ONCE: Final = 2
"""Pictures that are drawn at a time."""
LONGEST_QUEUE: Final = 50


class Pictures:
    """Makes what takes a while, in a process of its own each time: pictures, fields as NetCDF."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._place = asyncio.Semaphore(AT_ONCE)
        self._making: dict[Path, asyncio.Task[None]] = {}

    async def stop(self) -> None:
        """End what is being made."""
        tasks = list(self._making.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def make(self, entry: Entry, file: Path) -> None:
        """Make a file, or wait until it is made for somebody else.

        Raises
        ------
        NotReady, TooLarge, TooMany
            If it cannot be made, and why.
        """
        task = self._making.get(file)
        if task is None:
            if len(self._making) >= LONGEST_QUEUE:
                raise TooMany("too many pictures are being drawn; try again soon", retry_after=10)
            task = asyncio.create_task(self._made(entry, file))
            self._making[file] = task
            task.add_done_callback(lambda _: self._making.pop(file, None))
        await asyncio.shield(task)

    async def _made(self, entry: Entry, file: Path) -> None:
        async with self._place:
            told = await self._told(entry, file)
        if told is None:
            raise NotReady(
                f"{file.name} of job {entry.id} cannot be made: it takes more than "
                f"{SECONDS:.0f} s or too much memory; fetch the result as JSON"
            )
        if told.get("kind") == "TooLarge":
            raise TooLarge(told["error"])
        if "error" in told:
            raise NotReady(told["error"])

    async def _told(self, entry: Entry, file: Path) -> dict[str, Any] | None:
        heard: list[dict[str, Any]] = []
        child = await Child.start("drawing", self.settings.logs)
        child.take = heard.append
        try:
            await child.send(
                job=entry.id,
                spec=json.loads(entry.spec),
                file=str(file),
                most=self.settings.max_result_bytes,
                roots=self.settings.roots,
                output_roots=self.settings.output_roots,
                data=str(self.settings.data),
            )
            async with asyncio.timeout(SECONDS):
                await child.ended()
        except TimeoutError:
            return None
        finally:
            await asyncio.shield(child.kill())
        return heard[0] if heard else None


async def file_of(entry: Entry, kind: str, settings: Settings, pictures: Pictures) -> Path:
    """Return the file of a result, made if it has to be.

    Raises
    ------
    NotReady, TooLarge, TooMany
        If there is none, and why.
    """
    if entry.state != "done":
        raise NotReady(f"job {entry.id} is {entry.state}; its result is there when it is done")
    file = settings.folder(entry.id) / f"result.{kind}"
    size = await asyncio.to_thread(_size, file)
    if size is None and kind != "json":
        await pictures.make(entry, file)
        size = await asyncio.to_thread(_size, file)
    if size is None:
        raise NotReady(f"the result of job {entry.id} is not kept here any more; hand it in anew")
    if size > settings.max_result_bytes:
        raise TooLarge(
            f"the result of job {entry.id} takes {amount(size)}, and this service hands out "
            f"{amount(settings.max_result_bytes)}; read it where the job wrote it"
        )
    return file


def _size(file: Path) -> int | None:
    try:
        return file.stat().st_size
    except OSError:
        return None


def log_page(file: Path, after: int, limit: int) -> LogPage:
    """Return some lines of a log, from number `after` on."""
    lines: list[dict[str, Any]] = []
    read = 0
    try:
        with file.open(encoding="utf-8", errors="replace") as log:
            for text in islice(log, after, after + limit):
                if not text.endswith("\n"):
                    break  # it is still being written
                read += 1
                lines.append(_line(text))
    except FileNotFoundError:
        pass
    return LogPage(lines=lines, next=after + read)


def _line(text: str) -> dict[str, Any]:
    try:
        line = json.loads(text)
    except ValueError:
        line = None
    if not isinstance(line, dict):
        return {"time": None, "level": "info", "job": None, "message": text.strip()}
    return line
