"""Node for the front end's build: the machine's own from version 20 on, else the one from PyPI."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WANTED = (20, 19)
LINKS = ROOT / ".venv" / "node"


def version(node: str) -> tuple[int, ...]:
    text = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
    return tuple(int(part) for part in text.strip().lstrip("v").split(".")[:2])


def main() -> int:
    shutil.rmtree(LINKS, ignore_errors=True)
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm and version(node) >= WANTED:
        return 0
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes"]
    subprocess.run([*pip, "-r", str(ROOT / "requirements-node.txt")], check=True)
    LINKS.mkdir(parents=True)
    for name in ("node", "npm"):
        (LINKS / name).symlink_to(Path(sys.executable).parent / name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
