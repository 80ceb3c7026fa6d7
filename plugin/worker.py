"""Jobs and sweeps without pages: for replicas that serve nobody. ``python -m plugin.worker``."""

from __future__ import annotations

import sys

from plugin.app import create_app
from plugin.logs import configure
from plugin.settings import BadSettings, StartRefused, from_environment
from plugin.stopping import stop_signal


def main() -> int:
    """Runs until SIGTERM or SIGINT. Returns: 0, or 2 when it could not be started."""
    stopping = stop_signal()
    try:
        settings = from_environment()
        configure(settings.log_level, as_json=True)
        product = create_app(settings)
    except (BadSettings, StartRefused) as refused:
        sys.stderr.write(f"{refused}\n")
        return 2
    stopping()
    product.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
