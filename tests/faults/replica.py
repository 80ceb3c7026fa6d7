"""One of several sidecars on one vault, in a process of its own: ``python -m tests.faults.replica``.

Reads one JSON line of settings from stdin, serves on a free port, says its address, ends when stdin does.
"""

from __future__ import annotations

import json
import sys
import threading

from cheroot.wsgi import Server

from plugin.app import create_app
from plugin.logs import configure
from plugin.settings import Settings


def main() -> None:
    settings = Settings.model_validate_json(sys.stdin.readline())
    configure("warning")
    product = create_app(settings)
    server = Server(("127.0.0.1", 0), product.app, numthreads=24)
    server.error_log = lambda *_args, **_more: None
    server.prepare()
    threading.Thread(target=server.serve, daemon=True).start()
    print(json.dumps({"url": f"http://127.0.0.1:{server.bind_addr[1]}"}), flush=True)
    sys.stdin.read()
    server.stop()
    product.close()


if __name__ == "__main__":
    main()
