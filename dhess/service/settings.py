"""What a gateway was told when it was started."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

LOCAL_HOSTS = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True)
class Settings:
    """All that can be chosen about a gateway."""

    data: Path
    """Its folder: the ledger, kept results, logs."""
    host: str = "127.0.0.1"
    port: int = 8765
    scheduler: str | None = None
    """Address or file of a cluster that runs already; an embedded one without."""
    tls_ca: Path | None = None
    """With the next two: what proves the gateway to that scheduler."""
    tls_cert: Path | None = None
    tls_key: Path | None = None
    workers: int | None = None
    """Of the embedded cluster; as many as CPUs by default."""
    memory_limit: str | None = None
    """Of each of them."""
    roots: tuple[str, ...] = ()
    """Folders and URL prefixes that jobs may read."""
    output_roots: tuple[str, ...] = ()
    """Folders and URL prefixes that jobs may write to."""
    jobs_at_once: int = 2
    queued_per_submitter: int = 100
    running_per_submitter: int | None = None
    max_body: int = 1_000_000
    max_blocks: int = 1_000_000
    max_bytes: int | None = None
    """Of the data of a job, decoded."""
    max_result_bytes: int = 256_000_000
    hosts: tuple[str, ...] = ()
    """Values of the Host header that are taken besides those of loopback."""
    open: bool = False
    """Whether it asks for no token; only for a gateway that listens on loopback."""
    serve_cert: Path | None = None
    """With the next one: the certificate that the gateway itself shows."""
    serve_key: Path | None = None

    @property
    def ledger(self) -> Path:
        """The file of jobs, windows and tokens."""
        return self.data / "ledger.sqlite"

    @property
    def scheduler_file(self) -> Path:
        """Where the embedded cluster writes its address."""
        return self.data / "scheduler.json"

    @property
    def own_tls(self) -> tuple[Path, Path, Path]:
        """What proves a client to the embedded cluster: its authority, a certificate, a key."""
        folder = self.data / "tls"
        return folder / "ca.pem", folder / "cert.pem", folder / "key.pem"

    @property
    def logs(self) -> Path:
        """What children write to stderr."""
        return self.data / "logs"

    def folder(self, job: str) -> Path:
        """Return where the results and the log of a job are kept."""
        return self.data / "jobs" / job

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach it."""
        return self.host in LOCAL_HOSTS
