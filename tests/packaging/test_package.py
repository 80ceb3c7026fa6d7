"""`make package` in a copy of the tree: what comes out, that it is whole, and that it is the same twice."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from defusedxml import ElementTree

from hooks.lifecycle import ENTRIES
from plugin.settings import Settings

ROOT = Path(__file__).parents[2]
VERSION = Settings.model_fields["app_version"].default
TOLD = {
    "REGISTRY": "registry.example.org",
    "IMAGE": "office/parapheur",
    "BUGS_URL": "https://example.org/bugs?a&b",
    "WEBSITE_URL": "https://example.org",
    "REPOSITORY_URL": "https://example.org/parapheur.git",
    "SCREENSHOTS_URL": "https://example.org/pictures/",
}
TREE = (
    "plugin",
    "hooks",
    "pdfops",
    "appinfo",
    "tools",
    "babel.cfg",
    "pyproject.toml",
    "requirements.txt",
    "Dockerfile",
)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tree as `make setup` leaves it, without what belongs to this machine."""
    folder = tmp_path_factory.mktemp("copy")
    for name in (*TREE, "README.md", "LICENSE", "CHANGELOG.md"):
        if (ROOT / name).is_dir():
            ignored = shutil.ignore_patterns("node_modules", "__pycache__")
            shutil.copytree(ROOT / name, folder / name, ignore=ignored)
        else:
            shutil.copy(ROOT / name, folder)
    return folder


def packaged(copy: Path, **told: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name not in TOLD}
    return subprocess.run(
        [sys.executable, "tools/package.py"],
        cwd=copy,
        env={**environment, **told},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.fixture(scope="module")
def out(copy: Path) -> Path:
    done = packaged(copy, **TOLD)
    assert done.returncode == 0, done.stderr
    assert "app store" not in done.stdout
    return copy / "build" / "package"


def read(archive: Path) -> dict[str, bytes]:
    with tarfile.open(archive) as held:
        assert [member for member in held if not member.isfile() or member.mode != 0o644 or member.uid] == []
        return {member.name: held.extractfile(member).read() for member in held}  # type: ignore[union-attr]  # it is a file


def test_all_is_there_and_the_sums_are_right(out: Path) -> None:
    sums = dict(reversed(line.split("  ")) for line in (out / "SHA256SUMS").read_text().splitlines())
    assert set(sums) == {
        f"parapheur-{VERSION}-py3-none-any.whl",
        f"parapheur-image-{VERSION}.tar",
        "parapheur.tar.gz",
        "parapheur_companion.tar.gz",
        "info.xml",
    }
    assert {path.name for path in out.iterdir()} == {*sums, "SHA256SUMS"}
    for name, expected in sums.items():
        assert hashlib.sha256((out / name).read_bytes()).hexdigest() == expected


def test_the_manifest_says_what_the_publisher_told(out: Path) -> None:
    root = ElementTree.parse(out / "info.xml").getroot()
    assert (root.findtext("bugs"), root.findtext("website")) == (TOLD["BUGS_URL"], TOLD["WEBSITE_URL"])
    assert root.findtext("repository") == TOLD["REPOSITORY_URL"]
    image = [each.text for each in root.find("external-app/docker-install")]
    assert image == [TOLD["REGISTRY"], TOLD["IMAGE"], VERSION]
    pictures = [each.text for each in root.iterfind("screenshot")]
    shot = "\n".join(path.read_text() for path in (ROOT / "tests" / "ui").glob("*.py"))
    assert pictures
    for address in pictures:
        name = address.removeprefix(TOLD["SCREENSHOTS_URL"]).removesuffix(".png")
        assert f'"{name}"' in shot, f"no test takes the picture {name}"


def test_each_app_is_one_folder_of_its_id_as_the_store_wants(out: Path) -> None:
    app, companion = read(out / "parapheur.tar.gz"), read(out / "parapheur_companion.tar.gz")
    for files, name in ((app, "parapheur"), (companion, "parapheur_companion")):
        assert {path.partition("/")[0] for path in files} == {name}
        root = ElementTree.fromstring(files[f"{name}/appinfo/info.xml"])
        assert (root.findtext("id"), root.findtext("bugs")) == (name, TOLD["BUGS_URL"])
        assert f"{name}/LICENSE" in files
    assert app["parapheur/appinfo/info.xml"] == (out / "info.xml").read_bytes()
    source = ROOT / "hooks" / "companion"
    expected = {str(path.relative_to(source)) for path in source.rglob("*") if path.is_file()}
    assert expected <= {path.removeprefix("parapheur_companion/") for path in companion}


def test_the_host_shows_our_entries_in_french(out: Path) -> None:
    app = read(out / "parapheur.tar.gz")
    words = json.loads(app["parapheur/l10n/fr.json"])["translations"]
    shown = {body["displayName"] for _, body in ENTRIES if "displayName" in body}
    assert words == {"Workflow": "Flux de travail"}
    assert shown == set(words)
    script = app["parapheur/l10n/fr.js"].decode()
    assert json.loads(re.search(r'register\("parapheur", ({.*?}),', script)[1]) == words  # type: ignore[index]  # it is there


def test_the_image_context_holds_what_the_dockerfile_copies(out: Path) -> None:
    context = read(out / f"parapheur-image-{VERSION}.tar")
    assert set(context) == {"Dockerfile", "requirements.txt", f"parapheur-{VERSION}-py3-none-any.whl"}
    copied = re.findall(r"^COPY (?!--from)(\S+) ", context["Dockerfile"].decode(), re.MULTILINE)
    assert sorted(copied) == ["parapheur-*.whl", "requirements.txt"]
    assert (
        context[f"parapheur-{VERSION}-py3-none-any.whl"]
        == (out / f"parapheur-{VERSION}-py3-none-any.whl").read_bytes()
    )


def test_the_wheel_is_the_whole_product(out: Path, tmp_path: Path) -> None:
    wheel = out / f"parapheur-{VERSION}-py3-none-any.whl"
    with zipfile.ZipFile(wheel) as held:
        names = held.namelist()
    assert not [name for name in names if name.endswith((".ts", ".po", ".pyc")) or "node_modules" in name]
    target = tmp_path / "installed"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--target", str(target)]
    subprocess.run([*pip, str(wheel)], check=True, capture_output=True, timeout=120)
    manifest = json.loads((target / "plugin/static/ui/manifest.json").read_text())
    for name in manifest:
        assert (target / "plugin/static/ui" / name).is_file(), name
    environment = {**os.environ, "PYTHONPATH": str(target), "PYTHONSAFEPATH": "1"}
    where = [sys.executable, "-c", "import plugin.cli, sys; print(plugin.__file__); plugin.cli.main(['--help'])"]
    done = subprocess.run(
        where, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120, check=True
    )
    assert done.stdout.startswith(str(target))
    assert "serve" in done.stdout
    french = [
        sys.executable,
        "-c",
        "from plugin.i18n import translations; print(translations('fr').gettext('Workflow'))",
    ]
    done = subprocess.run(
        french, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "Flux de travail"


def test_the_same_tree_gives_the_same_bytes(copy: Path, out: Path) -> None:
    before = (out / "SHA256SUMS").read_text()
    for path in copy.rglob("*.py"):
        os.utime(path, (1, 1))
    catalogue = copy / "plugin" / "locale" / "fr" / "LC_MESSAGES" / "messages.mo"
    assert b"1980-01-01" in catalogue.read_bytes(), "it tells the minute it was made, if it may"
    done = packaged(copy, **TOLD)
    assert done.returncode == 0, done.stderr
    assert (out / "SHA256SUMS").read_text() == before


def test_without_a_publisher_it_is_whole_but_says_what_the_store_would_miss(copy: Path) -> None:
    done = packaged(copy)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].endswith("BUGS_URL, REGISTRY and IMAGE, SCREENSHOTS_URL")
    root = ElementTree.parse(copy / "build" / "package" / "info.xml").getroot()
    assert root.find("external-app/docker-install") is None
    assert root.find("external-app/routes/route") is not None


@pytest.mark.parametrize(
    ("told", "says"),
    [
        ({"SCREENSHOTS_URL": "http://example.org"}, "screenshot"),
        ({"BUGS_URL": "example.org"}, "bugs"),
        ({"REGISTRY": "registry.example.org"}, "go together"),
        ({"REGISTRY": "https://registry.example.org", "IMAGE": "a/b"}, "registry"),
    ],
)
def test_what_the_store_would_refuse_is_not_packaged(copy: Path, told: dict[str, str], says: str) -> None:
    shutil.rmtree(copy / "build", ignore_errors=True)
    done = packaged(copy, **told)
    assert done.returncode == 1
    assert says in done.stderr
    assert not (copy / "build").exists()


def test_a_manifest_of_another_version_is_not_packaged(copy: Path) -> None:
    path = copy / "hooks" / "companion" / "appinfo" / "info.xml"
    before = path.read_text()
    path.write_text(before.replace(f"<version>{VERSION}<", "<version>9.9.9<"))
    try:
        done = packaged(copy)
    finally:
        path.write_text(before)
    assert done.returncode == 1
    assert VERSION in done.stderr
