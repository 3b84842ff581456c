"""Ask a scheduler for work in several guises, and print which of them it answered.

Run inside the compose network: ``strangers.py HOST OWN FOREIGN``, where OWN and FOREIGN are folders
with ca.pem, cert.pem and key.pem.
"""

from __future__ import annotations

import asyncio
import ssl
import sys
from pathlib import Path
from typing import Any

import dask
from distributed.core import rpc

PATIENCE = 8


def context(folder: Path, *, ca: Path, cert: bool) -> ssl.SSLContext:
    """Return what a client of this folder shows and trusts."""
    made = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=str(ca / "ca.pem"))
    made.check_hostname = False
    if cert:
        made.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return made


async def answers(address: str, arguments: dict[str, Any]) -> str:
    """Return what the scheduler says that it is, or why it does not."""
    try:
        async with rpc(address, connection_args=arguments, deserialize=False) as scheduler:
            told = await asyncio.wait_for(scheduler.identity(), PATIENCE)
    except (OSError, TimeoutError, RuntimeError) as error:
        return f"refused {type(error).__name__}"
    return str(told["type"])


async def main() -> None:
    """Ask."""
    host, own, foreign = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    secure: dict[str, Any] = {"require_encryption": True}
    guises: dict[str, tuple[str, dict[str, Any]]] = {
        "plain": (f"tcp://{host}:8786", {}),
        "nameless": (
            f"tls://{host}:8786",
            {**secure, "ssl_context": context(own, ca=own, cert=False)},
        ),
        "foreign": (
            f"tls://{host}:8786",
            {**secure, "ssl_context": context(foreign, ca=own, cert=True)},
        ),
        "own": (f"tls://{host}:8786", {**secure, "ssl_context": context(own, ca=own, cert=True)}),
    }
    dask.config.set({"distributed.comm.timeouts.connect": PATIENCE})
    for name, (address, arguments) in guises.items():
        print(name, await answers(address, arguments))


if __name__ == "__main__":
    asyncio.run(main())
