"""The product as ``python -m plugin.demo`` starts it, but its mails go to another port: one where nobody listens.

python -m tests.machine.with_mail_at PORT       (the product's own port and data by PORT and DATA, as usual)
"""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path

from plugin.app import demo_sidecar
from plugin.demo.server import build
from plugin.logs import configure
from plugin.stopping import stop_signal


def main() -> None:
    configure("info")
    wait = stop_signal()
    smtp_port = int(sys.argv[1])
    demo = build(
        Path(os.environ["DATA"]),
        int(os.environ["PORT"]),
        lambda wiring: demo_sidecar(replace(wiring, smtp_port=smtp_port)),
    )
    demo.start()
    wait()
    demo.stop()
    os._exit(0)


if __name__ == "__main__":
    main()
