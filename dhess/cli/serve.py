"""``dhess serve``: the gateway, which takes in jobs over HTTP and runs them."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dhess.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from dhess.service.settings import Settings


def default_data() -> Path:
    """Return the folder that a gateway keeps its things in, if none is named."""
    base = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return Path(base).expanduser() / "dhess"


data_option = click.option(
    "--data", type=click.Path(path_type=Path), default=default_data, metavar="FOLDER",
    envvar="DHESS_SERVE_DATA", show_default="~/.local/share/dhess",
    help="Where jobs, kept results and tokens are.",
)  # fmt: skip
_FILE = click.Path(path_type=Path)
_COUNT = click.IntRange(min=1)
_OPTIONS = (
    data_option,
    click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen at."),
    click.option(
        "--port", type=click.IntRange(0, 65535), default=8765, show_default=True,
        help="Port to listen at; 0: any that is free.",
    ),
    click.option(
        "--allow-host", "hosts", multiple=True, metavar="NAME", envvar="DHESS_SERVE_ALLOW_HOST",
        help="Name that the gateway goes by besides this machine's own; requests to others are "
        "refused then. Repeatable.",
    ),
    click.option(
        "--root", "roots", multiple=True, metavar="PATH|URL", envvar="DHESS_SERVE_ROOT",
        help="Folder or URL prefix below which sources may be. Repeatable.  [default: this folder, "
        "on loopback, and FOLDER/outputs]",
    ),
    click.option(
        "--output-root", "output_roots", multiple=True, metavar="PATH|URL",
        envvar="DHESS_SERVE_OUTPUT_ROOT",
        help="Likewise for outputs.  [default: FOLDER/outputs, and "
        "this folder where it is a root by default]",
    ),
    click.option(
        "--scheduler", metavar="ADDRESS|FILE.json",
        help="Use a Dask cluster that runs already, in place of an embedded one.",
    ),
    click.option("--tls-ca", type=_FILE, metavar="FILE", help="CA certificate of that cluster."),
    click.option("--tls-cert", type=_FILE, metavar="FILE", help="Our own certificate for it."),
    click.option("--tls-key", type=_FILE, metavar="FILE", help="The key of our certificate."),
    click.option(
        "--workers", type=_COUNT, metavar="N",
        help="Processes of the embedded cluster.  [default: one per CPU]",
    ),
    click.option("--memory-limit", metavar="4GB", help="Memory of each of them."),
    click.option(
        "--jobs-at-once", type=_COUNT, default=2, show_default=True, metavar="N",
        help="Jobs that share the cluster.",
    ),
    click.option(
        "--running-per-submitter", type=_COUNT, metavar="N",
        help="Those of one submitter among them.  [default: all]",
    ),
    click.option(
        "--queued-per-submitter", type=_COUNT, default=100, show_default=True, metavar="N",
        help="Jobs of one submitter that may wait.",
    ),
    click.option(
        "--max-blocks", type=_COUNT, default=1_000_000, show_default=True, metavar="N",
        help="Blocks of a job.",
    ),
    click.option("--max-bytes", metavar="10TB", help="Decoded data of a job.  [default: any]"),
    click.option(
        "--max-body", default="1MB", show_default=True, metavar="1MB", help="Size of a request."
    ),
    click.option(
        "--max-result-bytes", default="256MB", show_default=True, metavar="256MB",
        help="Size of a result that is handed out.",
    ),
    click.option(
        "--serve-cert", type=_FILE, metavar="FILE", help="Certificate to serve https with."
    ),
    click.option("--serve-key", type=_FILE, metavar="FILE", help="The key of that certificate."),
    click.option(
        "--log-format", type=click.Choice(["text", "json"]),
        help="Of the log on stderr.  [default: text on a terminal, or else json]",
    ),
)  # fmt: skip


def _options(function: Callable[..., None]) -> Callable[..., None]:
    return reduce(lambda decorated, add: add(decorated), reversed(_OPTIONS), function)


@click.command(
    short_help="Serve jobs over HTTP, with a page to watch them.",
    context_settings={"auto_envvar_prefix": "DHESS_SERVE"},
    epilog="""\b
Examples:
  dhess serve
  dhess serve --root /data --root s3://bucket/runs/ --workers 8
  dhess serve --scheduler tcp://10.0.0.5:8786
  dhess token add ada
  dhess serve --host 0.0.0.0 --serve-cert cert.pem --serve-key key.pem

\b
Every option can come from the environment: --max-body is
DHESS_SERVE_MAX_BODY. Spaces separate several roots there.""",
)
@_options
def serve(log_format: str | None, **given: Any) -> None:
    """Take in jobs over HTTP and run them, with one command on a laptop or before a cluster.

    It listens on this machine only, and asks for no token as long as there is none. Jobs outlive
    it: what waits or runs when it ends goes on at its next start.
    """
    _check_extra()
    from dhess.service.logs import logged
    from dhess.service.serving import check_tokens
    from dhess.service.serving import serve as run

    settings = settings_of(given)
    settings = replace(settings, open=not check_tokens(settings))
    if not settings.is_local and settings.serve_cert is None:
        click.echo(
            f"dhess: warning: others reach {settings.host}, and tokens travel there unencrypted; "
            "serve https with --serve-cert and --serve-key, or behind a proxy that does",
            err=True,
        )
    form = log_format or ("text" if sys.stderr.isatty() else "json")
    with logged(json_lines=form == "json"):
        code = run(settings, _tell)
    if code:
        click.get_current_context().exit(code)


def settings_of(given: dict[str, Any]) -> Settings:
    """Return what was chosen, with the folder made and the roots that are meant.

    Raises
    ------
    InputError
        If options exclude each other, or the folder cannot be made.
    """
    from dhess.cli.compute import Place, check_place
    from dhess.service.settings import Settings

    files = {name: given[name] for name in ("tls_ca", "tls_cert", "tls_key", "scheduler")}
    limits = {name: given[name] for name in ("workers", "memory_limit")}
    texts: dict[str, Any] = {
        name: None if file is None else str(file) for name, file in files.items()
    }
    check_place(Place(**texts, **limits))
    for name in ("tls_ca", "tls_cert", "tls_key", "serve_cert", "serve_key"):
        _check_readable(name, given[name])
    if (given["serve_cert"] is None) != (given["serve_key"] is None):
        raise InputError("https needs both of --serve-cert and --serve-key; one is missing")
    for name in ("max_body", "max_bytes", "max_result_bytes"):
        given[name] = _bytes(name, given[name])
    data = make_folder(given.pop("data"))
    settings = Settings(data=data, **given)
    return _rooted(settings)


def _rooted(settings: Settings) -> Settings:
    """Return the settings with roots: those given, or this folder and that of outputs."""
    outputs = settings.data / "outputs"
    outputs.mkdir(exist_ok=True)
    here = Path.cwd()
    usual = [str(here)] if settings.is_local and not settings.hosts and here != Path("/") else []
    written = settings.output_roots or (*usual, str(outputs))
    read = (*(settings.roots or usual), str(outputs))
    return replace(settings, roots=read, output_roots=written)


def make_folder(data: Path) -> Path:
    """Make the folder of a gateway, for its user alone, and return where it is.

    Raises
    ------
    InputError
        If it cannot be made.
    """
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        return data.resolve(strict=True)
    except OSError as error:
        raise InputError(
            f"data folder {str(data)!r} cannot be used: {error.strerror}; choose another --data"
        ) from error


def _check_extra() -> None:
    """Refuse to start without what only a gateway needs."""
    try:
        import fastapi  # noqa: F401
        import prometheus_client  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError as error:
        raise InputError(
            f"dhess serve needs {error.name}; install it with: pip install 'dhess[service]'"
        ) from error


def _check_readable(name: str, path: Path | None) -> None:
    if path is not None and not os.access(path, os.R_OK):
        option = f"--{name.replace('_', '-')}"
        raise InputError(f"{option} {str(path)!r} cannot be read; check the path and its rights")


def _bytes(name: str, given: str | None) -> int | None:
    """Return how many bytes a text such as 256MB says."""
    from dask.utils import parse_bytes

    if given is None:
        return None
    try:
        found = int(parse_bytes(given))
    except ValueError:
        found = 0
    if found < 1:
        option = f"--{name.replace('_', '-')}"
        raise InputError(f"{option} {given!r} is no size; write bytes, or 1MB")
    return found


def _tell(url: str) -> None:
    click.echo(f"dhess serves at {url} (Ctrl-C ends it)", err=True)
