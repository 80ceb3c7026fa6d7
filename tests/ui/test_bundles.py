"""What the browser is made to load: its weight, and what the policy allows. Needs `npm run build` in plugin/ui."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BUILT = ROOT / "plugin" / "static" / "ui"
SOURCE = ROOT / "plugin" / "ui" / "src"
TEMPLATES = [*(ROOT / "plugin" / "templates").glob("*.html"), ROOT / "plugin" / "demo" / "templates" / "embedded.html"]

built = pytest.mark.skipif(not (BUILT / "manifest.json").exists(), reason="the front end is not built")


def gzipped_bytes(*names: str) -> int:
    return sum(len(gzip.compress((BUILT / name).read_bytes(), 9)) for name in names)


@built
def test_the_signing_page_weighs_at_most_30_kb() -> None:
    assert gzipped_bytes("sign.js", "sign.css") <= 30_000


@built
def test_the_wizard_weighs_at_most_70_kb() -> None:
    assert gzipped_bytes("main.js", "host.css") <= 70_000


@built
def test_the_manifest_names_the_built_files_by_their_content() -> None:
    manifest = json.loads((BUILT / "manifest.json").read_text())
    assert set(manifest) == {
        "sign.js",
        "main.js",
        "files.js",
        "follow.js",
        "verify.js",
        "sign.css",
        "host.css",
        "embed.css",
    }
    for name, digest in manifest.items():
        assert hashlib.sha256((BUILT / name).read_bytes()).hexdigest()[:12] == digest, name


@built
@pytest.mark.parametrize(
    "name", ["sign.js", "main.js", "files.js", "follow.js", "verify.js", "sign.css", "host.css", "embed.css"]
)
def test_nothing_is_fetched_from_elsewhere(name: str) -> None:
    addresses = set(re.findall(r"https?://[\w.-]+", (BUILT / name).read_text()))
    assert addresses <= {"http://www.w3.org"}


@pytest.mark.parametrize("path", [*sorted(SOURCE.rglob("*.ts")), *sorted(TEMPLATES)], ids=lambda path: path.name)
def test_no_source_has_inline_styles_or_handlers(path: Path) -> None:
    """The policy is script-src 'self'; style-src 'self'."""
    text = path.read_text()
    assert not re.search(r"""[\s"'`]style=|styleMap|setAttribute\(\s*["']style|\son[a-z]+=["']""", text)
    assert not re.search(r"<script(?![^>]*(\ssrc=|application/json))", text)
    assert "<style" not in text


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.ts")), ids=lambda path: path.name)
def test_files_stay_small(path: Path) -> None:
    assert len(path.read_text().splitlines()) < 400


def test_the_lock_file_names_no_download_address() -> None:
    assert '"resolved"' not in (ROOT / "plugin" / "ui" / "package-lock.json").read_text()


def test_versions_are_exact() -> None:
    package = json.loads((ROOT / "plugin" / "ui" / "package.json").read_text())
    for version in (package["dependencies"] | package["devDependencies"]).values():
        assert re.fullmatch(r"\d+\.\d+\.\d+", version)
