"""A child of the gateway: the embedded cluster."""

from __future__ import annotations

import json
import threading
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from distributed import Security

from dhess.cluster import local_cluster
from dhess.service.speaking import Gateway
from dhess.sink import whole_file

if TYPE_CHECKING:
    from collections.abc import Iterable


def _keep(security: Security, files: Iterable[Path]) -> None:
    """Write what a client needs where only this user can read it."""
    texts = security.tls_ca_file, security.tls_client_cert, security.tls_client_key
    for file, text in zip(files, texts, strict=True):
        file.parent.mkdir(mode=0o700, exist_ok=True)
        with whole_file(file) as partial:
            partial.touch(mode=0o600)
            partial.write_text(text, encoding="ascii")


def main() -> None:
    """Start workers, tell where their scheduler is, and end them with the gateway."""
    gateway = Gateway()
    asked = gateway.read()
    if asked is None:
        return
    gateway.end_with_it()
    try:
        # Whoever reaches a scheduler can run code on it, and all accounts reach loopback.
        security = Security.temporary()
        size = {"n_workers": asked["workers"], "memory_limit": asked["memory_limit"]}
        with local_cluster(**size, security=security, protocol="tls") as client:
            _keep(security, map(Path, asked["tls"]))
            address = client.scheduler.address
            file = Path(asked["file"])
            with whole_file(file) as partial:
                partial.write_text(json.dumps({"address": address}), encoding="utf-8")
            gateway.tell(address=address)
            # The first window of the first job need not wait for it.
            client.run(import_module, "dhess.search")
            threading.Event().wait()
    except KeyboardInterrupt:
        pass
    except Exception as error:  # noqa: BLE001  (told in a sentence, and the process ends)
        gateway.tell(error=" ".join(str(error).split()))


if __name__ == "__main__":
    main()
