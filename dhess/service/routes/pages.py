"""The page, which is plain files, and the page of the API."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from fastapi import APIRouter
from fastapi.responses import FileResponse
from starlette.staticfiles import StaticFiles

if TYPE_CHECKING:
    from fastapi import FastAPI

FILES: Final = Path(__file__).parent.parent / "page"

router = APIRouter(include_in_schema=False)


@router.get("/")
async def index() -> FileResponse:
    """Return the page."""
    return FileResponse(FILES / "index.html")


@router.get("/docs")
async def docs() -> FileResponse:
    """Return the page of the API."""
    return FileResponse(FILES / "docs.html")


def mount_files(app: FastAPI) -> None:
    """Serve what the pages need."""
    app.mount("/page", StaticFiles(directory=FILES), name="page")
