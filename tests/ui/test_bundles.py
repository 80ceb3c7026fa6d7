"""What the browser is made to load: its weight, and what the policy allows. Needs `npm run build` in plugin/ui."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from pathlib import Path

import pytest
from fontTools.ttLib import TTFont

from pdfops.font import script_font

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
@pytest.mark.parametrize("name", ["hand.woff2", "handcyrillic.woff2"])
def test_the_font_of_typed_names_weighs_at_most_25_kb(name: str) -> None:
    assert (BUILT / name).stat().st_size <= 25_000


@built
def test_the_page_knows_which_letters_its_font_has() -> None:
    """What the sheet says of each file, what the file has, and what is drawn by hand are the same letters."""
    ranges = re.findall(r"url\(([a-z0-9]+\.woff2).*?unicode-range:([^}]+)}", (BUILT / "sign.css").read_text())
    everywhere = set()
    for name, listed in ranges:
        ends = [part.strip()[2:].split("-") for part in listed.split(",")]
        said = {code for part in ends for code in range(int(part[0], 16), int(part[-1], 16) + 1)}
        assert said == set(TTFont(BUILT / name).getBestCmap()), name
        everywhere |= said
    source = (SOURCE / "sign" / "typed.ts").read_text()
    pattern = re.search(r"/\^(\[.*\])\+\$/", source)
    assert pattern is not None
    by_hand = re.compile(pattern[1])
    assert {code for code in range(0x3000) if by_hand.match(chr(code))} == everywhere
    assert not script_font().missing("".join(map(chr, everywhere)))


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
