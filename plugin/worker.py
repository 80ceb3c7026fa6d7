"""Jobs and sweeps without pages: for replicas that serve nobody. ``python -m plugin.worker``."""

from __future__ import annotations

import signal
import threading

from plugin.app import create_app
from plugin.settings import from_environment


def main() -> None:
    """Runs until SIGTERM or SIGINT."""
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    product = create_app(from_environment())
    stopping.wait()
    product.close()


if __name__ == "__main__":
    main()
