"""A child of the gateway: the embedded cluster."""

from __future__ import annotations

import json
import os
import threading
from importlib import import_module
from pathlib import Path

from dhess.cluster import local_cluster
from dhess.service.speaking import Gateway


def main() -> None:
    """Start workers, tell where their scheduler is, and end them with the gateway."""
    gateway = Gateway()
    asked = gateway.read()
    if asked is None:
        return
    gateway.end_with_it()
    try:
        with local_cluster(asked["workers"], memory_limit=asked["memory_limit"]) as client:
            address = client.scheduler.address
            file = Path(asked["file"])
            partial = file.with_name(f".{file.name}.{os.getpid()}.partial")
            partial.write_text(json.dumps({"address": address}), encoding="utf-8")
            partial.replace(file)
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
