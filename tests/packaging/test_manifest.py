"""The checker of both info.xml, and that they say what the code and the documents say."""

from __future__ import annotations

import re
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
from defusedxml import ElementTree

from plugin.settings import APPAPI_NAMES, LAUNCHER, Settings, from_environment

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tools"))
import manifest  # noqa: E402 - tools are no package

APP = manifest.APP.read_text()
COMPANION = manifest.COMPANION.read_text()


def test_both_manifests_fit_the_rules() -> None:
    assert manifest.problems(APP.encode()) == []
    assert manifest.problems(COMPANION.encode()) == []


SHOT = "<screenshot>https://example.org/a.png</screenshot>"
HOSTS = '<dependencies>\n        <nextcloud min-version="32" max-version="34"/>\n    </dependencies>'
BROKEN = {
    "no id": ("<id>parapheur</id>", ""),
    "an id with a capital": ("<id>parapheur</id>", "<id>Parapheur</id>"),
    "an id that ends in a line": ("<id>parapheur</id>", "<id>parapheur_</id>"),
    "an empty name": ("<name>Parapheur</name>", "<name/>"),
    "a name of 129 letters": ("<name>Parapheur</name>", f"<name>{'n' * 129}</name>"),
    "two English names": ("<name>Parapheur</name>", "<name>Parapheur</name><name>P</name>"),
    "an unknown language": ('<name lang="fr">', '<name lang="fr-FR">'),
    "no French summary": (re.search(r'<summary lang="fr">.*?</summary>', APP, re.DOTALL)[0], ""),  # type: ignore[index]  # it is there
    "a version of two numbers": ("<version>0.1.0<", "<version>0.1<"),
    "a version with a leading zero": ("<version>0.1.0<", "<version>0.01.0<"),
    "two versions": ("<version>0.1.0</version>", "<version>0.1.0</version><version>0.1.0</version>"),
    "an unknown licence": ("<licence>agpl<", "<licence>proprietary<"),
    "the same licence twice": ("<licence>agpl</licence>", "<licence>agpl</licence><licence>agpl</licence>"),
    "no author": ("<author>Parapheur</author>", ""),
    "an unknown category": ("<category>workflow<", "<category>signatures<"),
    "no category": ("<category>workflow</category>\n    <category>files</category>", ""),
    "the same category twice": ("<category>files<", "<category>workflow<"),
    "the wrong order": (
        "<licence>agpl</licence>\n    <author>Parapheur</author>",
        "<author>P</author><licence>agpl</licence>",
    ),
    "an insecure screenshot": ("<dependencies>", f"{SHOT.replace('https', 'http')}<dependencies>"),
    "eleven screenshots": ("<dependencies>", SHOT * 11 + "<dependencies>"),
    "a website that is none": ("<dependencies>", "<website>example.org</website><dependencies>"),
    "no dependencies": (HOSTS, ""),
    "no newest host": (' max-version="34"', ""),
    "a host's version that is none": ('max-version="34"', 'max-version="latest"'),
    "an unknown element": ("<dependencies>", "<price>1</price><dependencies>"),
    "an unknown attribute": ("<id>", '<id lang="en">'),
    "text between elements": ("<dependencies>", "free<dependencies>"),
    "an image without a tag": (
        "<external-app>",
        "<external-app><docker-install><registry>r.example</registry><image>a/b</image></docker-install>",
    ),
    "an unknown access level": ("<access_level>USER<", "<access_level>EVERYBODY<"),
    "a route of no verb": ("<verb>GET,POST<", "<verb>PATCH<"),
    "a verb twice": ("<verb>GET,POST<", "<verb>GET,GET<"),
    "a route without an anchor": (r"<url>^\/?f\/", r"<url>f\/"),
    "a route without an end": ("{36}$<", "{36}<"),
    "a route with a bare slash, which no Nextcloud 32 matches": (r"<url>^\/?f\/", r"<url>^\/?f/"),
    "a route that is no expression": (r"<url>^\/?f\/", r"<url>^\/?(f\/"),
    "headers that are no list": ("<headers_to_exclude>[]<", "<headers_to_exclude>none<"),
    "a variable without a name": (r"<name>PARAPHEUR_MAIL</name>", ""),
    "a variable twice": ("<name>PARAPHEUR_MAIL<", "<name>PARAPHEUR_ORGANISATION<"),
    "a variable with a small letter": ("<name>PARAPHEUR_MAIL<", "<name>parapheur_mail<"),
    "an empty description, which the host reads as a list": (
        "<description>For mails by SMTP.</description>",
        "<description/>",
    ),
    "an open element": ("</info>", ""),
    "another root": ("info", "app"),
}  # fmt: skip


@pytest.mark.parametrize("wrong", BROKEN)
def test_what_the_store_or_a_host_would_refuse_is_found(wrong: str) -> None:
    old, new = BROKEN[wrong]
    assert old in APP
    assert manifest.problems(APP.replace(old, new).encode()) != []


def test_an_entity_is_never_followed() -> None:
    evil = APP.replace("<info ", '<!DOCTYPE info [<!ENTITY e SYSTEM "file:///etc/hostname">]><info ', 1)
    with pytest.raises(ValueError, match="EntitiesForbidden"):
        manifest.problems(evil.replace("<author>", "<author>&e;").encode())


def test_what_only_a_publisher_knows_is_named() -> None:
    assert manifest.missing_for_the_store(APP.encode()) == ["BUGS_URL", "REGISTRY and IMAGE"]
    assert manifest.missing_for_the_store(COMPANION.encode()) == ["BUGS_URL"]


# ---- what they say --------------------------------------------------------------------------------------------------
def test_one_version_everywhere() -> None:
    said = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert {ElementTree.fromstring(one).findtext("version") for one in (APP, COMPANION)} == {said}
    assert Settings.model_fields["app_version"].default == version("parapheur") == said
    assert f"APP_VERSION: {said}" in (ROOT / "compose.yaml").read_text()
    assert f"parapheur:{said}" in (ROOT / "compose.yaml").read_text()
    assert f"parapheur-image-{said}.tar" in (ROOT / "Dockerfile").read_text()
    assert f"parapheur-image-{said}.tar" in (ROOT / "docs" / "install-nextcloud.md").read_text()


NOT_OFFERED = {
    "PARAPHEUR_ONLY_INSTANCE": "a container is the only one on its volume",
    "PARAPHEUR_VAULT_URL": "the image holds no database driver",
    "PARAPHEUR_INDEX_URL": "the same",
    "PARAPHEUR_FONTS": "fonts lie in the image, or nowhere",
    **dict.fromkeys(
        (f"PARAPHEUR_SEAL_PKCS11_{name}" for name in ("MODULE", "TOKEN", "KEY", "PIN", "CERTIFICATE")),
        "the image holds no library of a token",
    ),
    "PARAPHEUR_SWEEP_EVERY_S": "right as it is, but in tests",
    "PARAPHEUR_PATROL_EVERY_S": "the same",
}


def test_every_setting_is_offered_to_the_admin_or_comes_from_the_daemon() -> None:
    root = ElementTree.fromstring(APP)
    offered = [each.text for each in root.iterfind(".//variable/name")]
    known = {f"PARAPHEUR_{name.upper()}" for name in Settings.model_fields}
    given = {f"PARAPHEUR_{field.upper()}" for field in APPAPI_NAMES.values()}
    assert len(offered) == len(set(offered))
    assert set(offered) - known == {"PARAPHEUR_THREADS"} <= LAUNCHER
    assert known - given - set(NOT_OFFERED) - set(offered) == set()
    assert not set(offered) & given


def test_a_start_takes_the_defaults_it_offers() -> None:
    root = ElementTree.fromstring(APP)
    defaults = {each.findtext("name"): each.findtext("default") for each in root.iterfind(".//variable[default]")}
    given = {
        "APP_SECRET": "s",
        "APP_PERSISTENT_STORAGE": "/d",
        "NEXTCLOUD_URL": "http://host/index.php/",
        "HP_SHARED_KEY": "k",
    }
    settings = from_environment({**given, **defaults, "PARAPHEUR_PUBLIC_URL": "https://c.example.org/p"})
    assert settings.trust_origin_ip
    assert settings.host_url == "http://host", "a daemon's address may end in anything that leads to the platform"
