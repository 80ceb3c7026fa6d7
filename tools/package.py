"""`make package`: what is given away, in build/package/ (or the folder named), checks first.

    parapheur-<version>-py3-none-any.whl   the product, with the built front end and the compiled catalogues
    parapheur-image-<version>.tar          the context an image is built from (`docker build -t … - < FILE`)
    parapheur.tar.gz                       the external app as the store wants it: info.xml and the host's translations
    parapheur_companion.tar.gz             the companion app as the store wants it
    info.xml                               the manifest alone, for a daemon
    SHA256SUMS

The same tree gives the same bytes. What only a publisher knows comes by the environment: REGISTRY and IMAGE (of the
image, tagged with the version), BUGS_URL, WEBSITE_URL, REPOSITORY_URL, SCREENSHOTS_URL (a folder with the pictures
named below). Without them the package is whole but for those lines, and what the store would miss is said.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import zipfile
from collections.abc import Mapping
from pathlib import Path
from xml.sax.saxutils import escape

from i18n import LANGUAGES, STATIC, compile_, read
from manifest import APP, COMPANION, missing_for_the_store, problems

from hooks.lifecycle import ENTRIES

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "build" / "package"
SOURCES = ("plugin", "hooks", "pdfops", "pyproject.toml", "README.md", "LICENSE")
IN_THE_WHEEL = (
    "plugin/static/ui/manifest.json",
    *(f"plugin/locale/{language}/LC_MESSAGES/messages.mo" for language in LANGUAGES),
)
PICTURES = ("05-recap", "04-placement-guide", "05-follow", "06-sign-image")
"""Of the pages, as `PARAPHEUR_SHOTS=1 make test-ui` leaves them in shots/."""
ADDRESSES = "<!-- make package: website, bugs, repository and screenshots of whoever publishes -->"
IMAGE_HERE = "<!-- make package: docker-install, with the registry and the name of the image -->"
EPOCH = 315532800
"""The first moment that a zip can tell."""


class NotPackaged(Exception):
    """Nothing was written. The text says what to do."""


def the_version() -> str:
    """From the one place it is written by hand. Raises: NotPackaged where a manifest says another."""
    version = str(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"])
    for path in (APP, COMPANION):
        if f"<version>{version}</version>" not in path.read_text():
            raise NotPackaged(f"{path.relative_to(ROOT)} does not say version {version}, as pyproject.toml does")
    return version


def filled(manifest: str, version: str, told: Mapping[str, str]) -> bytes:
    """A manifest with what the publisher told. Raises: NotPackaged where that breaks a rule."""
    lines = [
        f"<{name}>{escape(told[key])}</{name}>"
        for key, name in (("WEBSITE_URL", "website"), ("BUGS_URL", "bugs"), ("REPOSITORY_URL", "repository"))
        if told.get(key)
    ]
    if told.get("SCREENSHOTS_URL") and IMAGE_HERE in manifest:
        base = told["SCREENSHOTS_URL"].rstrip("/")
        lines += [f"<screenshot>{escape(base)}/{name}.png</screenshot>" for name in PICTURES]
    image = []
    if bool(told.get("REGISTRY")) != bool(told.get("IMAGE")):
        raise NotPackaged("REGISTRY and IMAGE go together")
    if told.get("REGISTRY"):
        parts = {"registry": told["REGISTRY"], "image": told["IMAGE"], "image-tag": version}
        image = ["<docker-install>", *(f"    <{name}>{escape(text)}</{name}>" for name, text in parts.items())]
        image.append("</docker-install>")
    done = _put(_put(manifest, ADDRESSES, lines), IMAGE_HERE, image).encode()
    if wrong := problems(done):
        raise NotPackaged("\n".join(wrong))
    return done


def _put(manifest: str, mark: str, lines: list[str]) -> str:
    return re.sub(
        rf"( *){re.escape(mark)}\n", lambda found: "".join(f"{found[1]}{line}\n" for line in lines), manifest
    )


def host_words() -> dict[str, bytes]:
    """The l10n folder: what the host itself shows of us, in each language, as its own apps have it."""
    shown = sorted({str(body["displayName"]) for _, body in ENTRIES if "displayName" in body})
    files = {}
    for language in LANGUAGES:
        catalogue = read(language)
        words = {text: str(catalogue[text].string) for text in shown}
        plurals = f"nplurals={catalogue.num_plurals}; plural={catalogue.plural_expr};"
        files[f"l10n/{language}.json"] = _json({"translations": words, "pluralForm": plurals})
        register = f'OC.L10N.register("parapheur", {json.dumps(words, ensure_ascii=False)}, {json.dumps(plurals)});\n'
        files[f"l10n/{language}.js"] = register.encode()
    return files


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, indent=1).encode() + b"\n"


def wheel(into: Path, version: str) -> Path:
    """Built in a copy, so that nothing left over gets in. Raises: NotPackaged without a built front end."""
    compile_()
    with tempfile.TemporaryDirectory() as copy:
        for name in SOURCES:
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, Path(copy) / name, ignore=shutil.ignore_patterns("__pycache__", "ui"))
            else:
                shutil.copy(ROOT / name, copy)
        if not STATIC.is_dir():
            raise NotPackaged("the front end is not built: make ui")
        shutil.copytree(STATIC, Path(copy) / "plugin" / "static" / "ui")
        pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--no-deps"]
        subprocess.run(
            [*pip, "--no-build-isolation", "--no-index", "--wheel-dir", str(into), copy],
            env={**os.environ, "SOURCE_DATE_EPOCH": str(EPOCH)},
            check=True,
        )
    made = into / f"parapheur-{version}-py3-none-any.whl"
    with zipfile.ZipFile(made) as archive:
        if lacking := set(IN_THE_WHEEL) - set(archive.namelist()):
            raise NotPackaged(f"not in the wheel: {', '.join(sorted(lacking))}; `make ui` builds it")
    return made


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def archived(files: Mapping[str, bytes], below: str = "") -> bytes:
    """A tar whose bytes depend on names and contents alone."""
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name in sorted(files):
            entry = tarfile.TarInfo(f"{below}{name}")
            entry.size, entry.mtime, entry.mode = len(files[name]), EPOCH, 0o644
            archive.addfile(entry, io.BytesIO(files[name]))
    return held.getvalue()


def package(out: Path, told: Mapping[str, str]) -> list[str]:
    """Returns: what the store would miss. Raises: NotPackaged."""
    version = the_version()
    licence = {"LICENSE": (ROOT / "LICENSE").read_bytes(), "CHANGELOG.md": (ROOT / "CHANGELOG.md").read_bytes()}
    info = filled(APP.read_text(), version, told)
    companion = {**tree(COMPANION.parent.parent), "appinfo/info.xml": filled(COMPANION.read_text(), version, told)}
    app = {"appinfo/info.xml": info, **host_words()}
    with tempfile.TemporaryDirectory() as fresh:
        made = wheel(Path(fresh), version)
        context = {name: (ROOT / name).read_bytes() for name in ("Dockerfile", "requirements.txt")}
        files = {
            made.name: made.read_bytes(),
            f"parapheur-image-{version}.tar": archived({**context, made.name: made.read_bytes()}),
            "parapheur.tar.gz": _zipped(archived({**app, **licence}, "parapheur/")),
            "parapheur_companion.tar.gz": _zipped(archived({**companion, **licence}, "parapheur_companion/")),
            "info.xml": info,
        }
    sums = "".join(f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in sorted(files.items()))
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    for name, data in {**files, "SHA256SUMS": sums.encode()}.items():
        (out / name).write_bytes(data)
    lacking = [*missing_for_the_store(info), *missing_for_the_store(companion["appinfo/info.xml"])]
    return sorted({*lacking, *([] if told.get("SCREENSHOTS_URL") else ["SCREENSHOTS_URL"])})


def _zipped(data: bytes) -> bytes:
    return gzip.compress(data, mtime=0)


def main(arguments: list[str]) -> int:
    out = Path(arguments[0]).resolve() if arguments else OUT
    try:
        lacking = package(out, os.environ)
    except NotPackaged as refused:
        print(refused, file=sys.stderr)
        return 1
    print((out / "SHA256SUMS").read_text(), end="")
    if lacking:
        print(f"Good for a manual daemon. For the app store tell as well: {', '.join(lacking)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
