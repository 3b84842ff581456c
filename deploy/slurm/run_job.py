"""Run a job with all tasks of a SLURM step, from wherever it was interrupted.

``srun python run_job.py JOB.toml FOLDER``: task 0 is the scheduler, task 1 runs the job, all others
are workers. FOLDER is private, seen by all nodes, new at each start, and holds the certificates.
The exit code of the job is left in ``FOLDER/outcome``: srun's own is that of whichever task it
ended.
"""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path
from typing import Any

import dask
from dask_jobqueue.slurm import SLURMRunner
from distributed import Client, Security
from distributed.core import rpc

import dhess

SHARE = 0.85
"""Of a task's memory, what its worker fills before it spills and waits."""


class Runner(SLURMRunner):
    """As its parent, behind TLS."""

    async def before_client_start(self) -> None:
        """Talk to the scheduler with a certificate; the parent has none when it ends the rest."""
        arguments = Security().get_connection_args("client")
        self.scheduler_comm = rpc(self.scheduler_address, connection_args=arguments)


def use_tls(folder: Path) -> None:
    """Let nothing through that has no certificate: others have jobs on the same nodes."""
    files: dict[str, Any] = {
        "distributed.comm.default-scheme": "tls",
        "distributed.comm.require-encryption": True,
        "distributed.comm.tls.ca-file": str(folder / "worker" / "ca.pem"),
    }
    for role, part in {"scheduler": "scheduler", "worker": "worker", "client": "gateway"}.items():
        files[f"distributed.comm.tls.{role}.cert"] = str(folder / part / "cert.pem")
        files[f"distributed.comm.tls.{role}.key"] = str(folder / part / "key.pem")
    dask.config.set(files)


def runner(folder: Path) -> Runner:
    """Take this task's part; only the one that runs the job returns.

    A requeued job keeps its number, so the file with the scheduler's address is named by the folder
    and not by the job: an old one leads to a scheduler that is gone.
    """
    name = os.environ.get("DHESS_INTERFACE")
    interface = {} if name is None else {"interface": name}
    return Runner(
        scheduler_file=str(folder / "scheduler.json"),
        scheduler_options={
            "protocol": "tls",
            "port": 0,
            "dashboard": False,
            "dashboard_address": "127.0.0.1:0",
            **interface,
        },
        worker_options={
            "nthreads": 1,
            "memory_limit": memory(),
            "local_directory": os.environ.get("SLURM_TMPDIR", os.environ.get("TMPDIR", "/tmp")),  # noqa: S108
            "dashboard_address": "127.0.0.1:0",
            **interface,
        },
    )


def memory() -> int | str:
    """Return the bytes that a worker may use."""
    megabytes = os.environ.get("SLURM_MEM_PER_CPU")
    if megabytes is None:
        return "auto"
    return int(SHARE * int(megabytes) * int(os.environ.get("SLURM_CPUS_PER_TASK", "1"))) << 20


def run(job_file: str) -> int:
    """Run the job with the cluster of the active client, and return the exit code of dhess."""
    try:
        dhess.Job.load(job_file).run()
    except dhess.DhessError as error:
        logging.getLogger("dhess").error("%s", error)
        return int(error.exit_code)
    return 0


def main() -> int:
    """Run."""
    job_file, folder = sys.argv[1], Path(sys.argv[2])
    logging.basicConfig(format="%(asctime)s %(message)s", stream=sys.stderr)
    logging.getLogger("dhess").setLevel(logging.INFO)
    use_tls(folder)
    outcome = 1
    try:
        with runner(folder) as here, Client(here.scheduler_address) as client:
            client.wait_for_workers(1, timeout=300)
            outcome = run(job_file)
    finally:
        if os.environ["SLURM_PROCID"] == "1":
            (folder / "outcome").write_text(str(outcome))
    return outcome


if __name__ == "__main__":
    sys.exit(main())
