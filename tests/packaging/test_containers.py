"""Dockerfile and compose.yaml: what a reviewer looks for. `make check` lints both; no engine runs here."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from plugin.settings import Settings

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]


def test_the_image_runs_as_nobody_in_particular_and_says_how_it_is() -> None:
    last = DOCKERFILE.split("\nFROM ")[-1]
    assert re.search(r"^USER 10001:10001$", last, re.MULTILINE)
    assert last.index("USER 10001") < last.index("\nCMD ")
    assert "HEALTHCHECK" in last
    assert len(re.findall(r"^FROM ", DOCKERFILE, re.MULTILINE)) == 3


def test_every_base_is_pinned_by_its_digest_and_what_is_fetched_by_its_sum() -> None:
    assert re.search(r"^ARG PYTHON_IMAGE=python:\d+\.\d+\.\d+-slim-\w+@sha256:[0-9a-f]{64}$", DOCKERFILE, re.MULTILINE)
    assert set(re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)) == {"${PYTHON_IMAGE}"}
    assert len(re.findall(r"^ARG FRP_SHA256_\w+=[0-9a-f]{64}$", DOCKERFILE, re.MULTILINE)) == 2
    assert DOCKERFILE.index("urlretrieve") < DOCKERFILE.index("sha256sum -c") < DOCKERFILE.index("tar -xzf")
    assert "--require-hashes" in DOCKERFILE


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_names_a_version(name: str) -> None:
    tag = SERVICES[name]["image"].rstrip("}").rpartition(":")[2]
    assert re.match(r"v?\d+\.\d+", tag), tag


def test_only_the_proxy_is_published_and_only_on_this_machine() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert set(published) == {"proxy"}
    assert all(port.startswith("127.0.0.1:") for port in published["proxy"])


def test_nobody_but_nextcloud_shares_a_network_with_the_sidecar() -> None:
    (network,) = SERVICES["sidecar"]["networks"]
    assert {name for name, service in SERVICES.items() if network in service["networks"]} == {
        "sidecar",
        "nextcloud",
        "cron",
    }
    assert COMPOSE["networks"][network]["internal"] is True
    reached = {
        name for name, service in SERVICES.items() if set(service["networks"]) & set(SERVICES["harp"]["networks"])
    }
    assert reached == {"harp", "proxy", "nextcloud", "cron"}


def test_the_sidecar_may_do_no_more_than_it_needs() -> None:
    sidecar = SERVICES["sidecar"]
    assert sidecar["read_only"] is True
    assert sidecar["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in sidecar["security_opt"]
    assert not {"privileged", "cap_add", "ports"} & set(sidecar)
    assert [service for service in SERVICES.values() if "/var/run/docker.sock" in str(service.get("volumes"))] == [
        SERVICES["harp"]
    ]


def test_secrets_are_files_and_each_service_has_its_own_alone() -> None:
    for name, service in SERVICES.items():
        for key, value in service.get("environment", {}).items():
            if re.search(r"PASSWORD|SECRET|KEY", key):
                assert key.endswith("_FILE"), (name, key)
                assert value.removeprefix("/run/secrets/") in service["secrets"], (name, key)
    assert SERVICES["sidecar"]["secrets"] == ["app_secret"]
    assert {one["file"] for one in COMPOSE["secrets"].values()} == {f"./secrets/{name}" for name in COMPOSE["secrets"]}


def test_the_sidecars_environment_is_one_it_starts_with() -> None:
    known = {f"PARAPHEUR_{name.upper()}" for name in Settings.model_fields}
    ours = {name.removesuffix("_FILE") for name in SERVICES["sidecar"]["environment"] if name.startswith("PARAPHEUR_")}
    assert ours <= known


@pytest.mark.parametrize("name", sorted(set(SERVICES) - {"cron", "harp", "sidecar"}))
def test_every_service_whose_image_has_no_health_check_gets_one(name: str) -> None:
    assert SERVICES[name]["healthcheck"]["test"]
