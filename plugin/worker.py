"""Jobs and sweeps without pages: for replicas that serve nobody. ``python -m plugin.worker``."""

from __future__ import annotations

from plugin.app import create_app
from plugin.logs import configure
from plugin.settings import from_environment
from plugin.stopping import stop_signal


def main() -> None:
    """Runs until SIGTERM or SIGINT."""
    stopping = stop_signal()
    settings = from_environment()
    configure(settings.log_level, as_json=True)
    product = create_app(settings)
    stopping()
    product.close()


if __name__ == "__main__":
    main()
