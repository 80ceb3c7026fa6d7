"""What the tests and `make bench` need of the machine. Installed as root on Debian, else named."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

NEEDS = {
    "chromium": ("chromium", "chromium-browser"),
    "libnss3-tools": ("certutil",),
    "openssl": ("openssl",),
    "poppler-utils": ("pdfsig",),
    "qpdf": ("qpdf",),
    "php-cli": ("php",),
    "softhsm2": ("softhsm2-util",),
    "apache2": ("/usr/sbin/apache2", "apache2"),
    "rclone": ("rclone",),
    "postgresql": ("postgres", "/usr/lib/postgresql/*/bin/postgres"),
    "fonts-dejavu-core": (),
}


def is_there(program: str) -> bool:
    """``program``: a name, a path, or a pattern of paths."""
    return shutil.which(program) is not None or any(Path("/").glob(program.lstrip("/")))


def missing() -> list[str]:
    found = [package for package, programs in NEEDS.items() if programs and not any(map(is_there, programs))]
    return [*found, "fonts-dejavu-core"] if found else []


def main() -> int:
    packages = missing()
    if not packages:
        return 0
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        print(f"The tests need these Debian packages: {' '.join(packages)}", file=sys.stderr)
        print(f"Install them: sudo apt-get install {' '.join(packages)}", file=sys.stderr)
        return 1
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(["apt-get", "update", "-qq"], env=environment, check=True)
    subprocess.run(
        ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages],
        env=environment,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return 1 if missing() else 0


if __name__ == "__main__":
    sys.exit(main())
