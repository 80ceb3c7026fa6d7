"""Hosts that heed conditions and one that does not: it is noticed, told, and overwrites nothing all the same."""

from __future__ import annotations

from pathlib import Path

import pytest
import requests

from plugin.adapters.appapi import AppApi
from plugin.adapters.dav_conditions import CarefulFiles
from plugin.app import create_app
from plugin.ports_files import PreconditionFailed
from tests.faults import hosts
from tests.faults.sidecar import SECRET, HereWorkshop, settings_for

HEEDS = {"embedded": True, "wsgidav": True, "apache": True, "rclone": False}


@pytest.mark.parametrize("kind", hosts.KINDS)
def test_whether_a_host_heeds_conditions_is_found_out_by_one_write_that_leaves_nothing(
    kind: str, tmp_path: Path
) -> None:
    assert hosts.missing(kind) is None, f"install Debian's {hosts.missing(kind)}"
    with hosts.running(kind, tmp_path) as host:
        files = CarefulFiles(host.url, AppApi(SECRET, "0.1.0"))
        assert files.finding() is None
        files.write("alice", "new.txt", b"first", only_new=True)
        assert (files.finding() is None) is HEEDS[kind]
        assert {path.name for path in (host.root / "alice").iterdir()} - {".DAV"} == {"new.txt"}


@pytest.mark.parametrize("kind", hosts.KINDS)
def test_nothing_is_overwritten_whether_the_host_sees_to_that_or_not(kind: str, tmp_path: Path) -> None:
    with hosts.running(kind, tmp_path) as host:
        files = CarefulFiles(host.url, AppApi(SECRET, "0.1.0"))
        files.write("alice", "new.txt", b"first", only_new=True)
        for condition in ({"only_new": True}, {"if_match": "another"}):
            with pytest.raises(PreconditionFailed):
                files.write("alice", "new.txt", b"second", **condition)  # type: ignore[arg-type]  # one of two conditions
        with pytest.raises(PreconditionFailed):
            files.write_stream("alice", "new.txt", [b"second"], 6)
        assert (host.root / "alice" / "new.txt").read_bytes() == b"first"


def test_the_server_without_conditions_would_have_overwritten_it(tmp_path: Path) -> None:
    """What all this is about: should that ever change, this host proves nothing any more."""
    with hosts.running("rclone", tmp_path) as host, requests.Session() as session:
        session.trust_env, session.auth = False, ("alice", "alice")
        address = f"{host.url}/remote.php/dav/files/alice/new.txt"
        session.put(address, data=b"first", timeout=10)
        answer = session.put(address, data=b"second", headers={"If-None-Match": "*"}, timeout=10)
        assert answer.status_code == 201
        assert (host.root / "alice" / "new.txt").read_bytes() == b"second"


@pytest.mark.parametrize("kind", ["embedded", "rclone"])
def test_the_health_page_says_which_host_ignores_conditions(kind: str, tmp_path: Path) -> None:
    with hosts.running(kind, tmp_path) as host:
        settings = settings_for(tmp_path / "data", host.url, host.within.smtp_port)
        product = create_app(settings, workshop=HereWorkshop(), with_jobs=False)
        try:
            product.ctx.files.write("alice", "new.txt", b"first", only_new=True)
            checks = product.app.test_client().get("/healthz").json["checks"]  # type: ignore[index]  # it is JSON
        finally:
            product.close()
    said = next(check for check in checks if check["name"] == "conditions")
    assert said["state"] == ("ok" if HEEDS[kind] else "degraded")
    assert HEEDS[kind] or said["reason"].startswith("host-ignores-conditions: ")
