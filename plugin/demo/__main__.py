"""``python -m plugin.demo``: the whole product on this machine, in a browser."""

from __future__ import annotations

import argparse
import ctypes
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Final

from plugin.app import demo_sidecar
from plugin.demo.people import PEOPLE
from plugin.demo.server import DataInUse, PortInUse, build
from plugin.logs import LEVELS, configure
from plugin.settings import BadSettings, StartRefused
from plugin.stopping import stop_signal

_PR_SET_PDEATHSIG: Final = 1
_STOP_WITHIN_S: Final = 4.0


def main() -> int:
    arguments = _arguments()
    parent = os.getppid()
    if os.environ.get("PARAPHEUR_DIE_WITH_PARENT") == "1" and not _dies_with_parent(parent):
        return 1
    level = os.environ.get("PARAPHEUR_LOG_LEVEL", "info")
    configure(level if level in LEVELS else "info")
    wait_for_stop = stop_signal()
    try:
        demo = build(Path(arguments.data), arguments.port, demo_sidecar)
    except PortInUse:
        print(f"Port {arguments.port} is in use. Choose another one: PORT=8790 make run", file=sys.stderr)
        return 2
    except DataInUse as used:
        print(f"Another Parapheur runs on {used}. Choose another folder: DATA=… make run", file=sys.stderr)
        return 2
    except (StartRefused, BadSettings) as refused:
        print(refused, file=sys.stderr)
        return 2
    except (FileExistsError, NotADirectoryError, PermissionError) as unusable:
        print(f"{arguments.data} cannot be used as the data folder: {unusable.strerror}", file=sys.stderr)
        return 2
    demo.start()
    _greet(demo.public_url)
    wait_for_stop()
    watchdog = threading.Timer(_STOP_WITHIN_S, os._exit, (0,))  # a request that hangs must not keep the process
    watchdog.daemon = True
    watchdog.start()
    demo.stop()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def _port(text: str) -> int:
    number = int(text)
    if not 0 <= number < 65536:
        raise ValueError(text)
    return number


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m plugin.demo", description=__doc__)
    parser.add_argument("--port", type=_port, default=os.environ.get("PORT") or "8780")
    parser.add_argument("--data", default=os.environ.get("DATA") or "./data")
    return parser.parse_args()


def _dies_with_parent(parent: int) -> bool:
    """Ask the kernel for SIGTERM when the parent ends; False when it has ended already."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    return os.getppid() == parent


def _greet(url: str) -> None:
    people = ", ".join(PEOPLE)
    print(
        f"\n  Parapheur is ready.\n\n"
        f"  Files and workflows   {url}/\n"
        f"  Caught mails          {url}/demo/mail\n"
        f"  WebDAV                {url}/remote.php/dav/files/<user>/\n"
        f"  People                {people} (password = name)\n\n"
        f"  Ctrl+C ends it.\n",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
