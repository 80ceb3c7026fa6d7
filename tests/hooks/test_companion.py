"""The companion app as files; tests/nextcloud runs it inside a real host."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from defusedxml import ElementTree

ROOT = Path(__file__).parents[2]
COMPANION = ROOT / "hooks" / "companion"


@pytest.mark.parametrize("path", sorted(COMPANION.rglob("*.php")), ids=lambda path: path.name)
def test_php_reads_every_file(path: Path) -> None:
    assert shutil.which("php"), "php is missing: tools/needs.py installs or names it"
    done = subprocess.run(["php", "-l", str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_script_is_read_as_a_classic_script() -> None:
    node = shutil.which("node") or next(map(str, (ROOT / ".venv").glob("node/node")), None)
    if node is None:
        pytest.skip("no node on this machine")
    subprocess.run([node, "--check", str(COMPANION / "js" / "panel.js")], check=True)


def test_both_apps_run_on_the_same_hosts_under_the_ids_the_code_names() -> None:
    ours = ElementTree.parse(ROOT / "appinfo" / "info.xml").getroot()
    theirs = ElementTree.parse(COMPANION / "appinfo" / "info.xml").getroot()
    hosts = [root.find("dependencies/nextcloud").attrib for root in (ours, theirs)]
    assert hosts[0] == hosts[1]
    assert theirs.findtext("id") == "parapheur_companion"
    controller = (COMPANION / "lib/Controller/MailController.php").read_text()
    assert f"EX_APP_ID = '{ours.findtext('id')}'" in controller
    assert theirs.findtext("licence") == ours.findtext("licence") == "agpl"


def test_every_route_of_it_is_closed_to_all_but_the_external_app() -> None:
    controller = (COMPANION / "lib/Controller/MailController.php").read_text()
    assert len(re.findall(r"#\[ApiRoute", controller)) == 2
    assert len(re.findall(r"#\[ExAppRequired\]\n\t#\[NoCSRFRequired\]\n\t#\[ApiRoute", controller)) == 2
    assert controller.count("$this->isParapheur()") == 2
