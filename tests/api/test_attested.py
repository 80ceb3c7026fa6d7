"""Signing where seals carry timestamps: settings, the whole flow, an authority that is away."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from plugin.adapters.lasting import lasting_of, trusted_roots
from plugin.settings import BadSettings, from_environment
from tests import pki
from tests.api.test_gating import NEEDED
from tests.pdfops import samples
from tests.world import World, running

HTML = {"Accept": "text/html", "Accept-Language": "fr"}


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Iterator[pki.Pki]:
    with pki.running(tmp_path_factory.mktemp("pki")) as found:
        yield found


@pytest.fixture(scope="module")
def stamped(authority: pki.Pki, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The product with seals of B-LTA, by its settings."""
    folder = tmp_path_factory.mktemp("stamped")
    roots = folder / "roots.pem"
    roots.write_bytes(x509.load_der_x509_certificate(authority.certificate("root")).public_bytes(Encoding.PEM))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PARAPHEUR_SEAL_LEVEL", "b-lta")
        patch.setenv("PARAPHEUR_TSA_URLS", authority.tsa())
        patch.setenv("PARAPHEUR_TRUST_ROOTS", str(roots))
        patch.setenv("PARAPHEUR_OUTBOUND_ORIGINS", authority.origin)
        patch.setenv("PARAPHEUR_OUTBOUND_PRIVATE_HOSTS", "127.0.0.1")
        with running(folder / "data") as world:
            yield world


def test_a_flow_ends_with_a_document_that_lasts(stamped: World, authority: pki.Pki) -> None:
    alice = stamped.login("alice")
    folder = stamped.folder()
    ids = [stamped.put(f"{folder}/{name}.pdf", samples.simple_pdf(text=name)) for name in ("Bail", "Annexe")]
    flow_id = stamped.signature(alice, ids, [{"user": "bob"}, {"email": "zoe@example.com"}])["id"]
    assert stamped.recipient("bob", flow_id).sign().status_code == 200
    authority.asked = []
    assert stamped.link(flow_id, "zoe@").sign().json()["state"] == "completed"
    assert sorted(authority.asked) == [f"/{pki.ARCH}/crls/root/latest.crl", *[f"/{pki.ARCH}/tsa/tsa"] * 4]
    stamped.settled(flow_id)
    for name in ("Bail", "Annexe"):
        signed = stamped.read(f"{folder}/{name} (signé).pdf")
        verdict = requests.post(f"{stamped.url}/verify", data=signed, timeout=60).json()
        assert (verdict["integrity"], verdict["trust"]) == ("intact", "trusted")
        people = [one for one in verdict["signatures"] if one["kind"] == "signature"]
        assert [one["level"] for one in people] == ["B-LTA", "B-LTA"]
        assert all(one["attested_at"] for one in people)
        assert [one["kind"] for one in verdict["signatures"]] == ["signature", "signature", "timestamp"]
    page = requests.post(f"{stamped.url}/verify", data=signed, headers=HTML, timeout=60).text
    assert "Horodaté, fait pour durer" in page
    assert "attestée" in page


def test_while_no_authority_answers_nobody_signs_and_nothing_is_lost(stamped: World, authority: pki.Pki) -> None:
    alice = stamped.login("alice")
    folder = stamped.folder()
    flow_id = stamped.signature(alice, [stamped.put(f"{folder}/Devis.pdf", samples.simple_pdf())], [{"user": "bob"}])[
        "id"
    ]
    bob = stamped.recipient("bob", flow_id)
    events = len(stamped.lines(flow_id))

    def away(_environ: dict[str, Any], _body: bytes) -> tuple[str, list[tuple[str, str]], bytes]:
        return "503 Away", [], b""

    def garbage(_environ: dict[str, Any], _body: bytes) -> tuple[str, list[tuple[str, str]], bytes]:
        return "200 OK", [], b"<html>not a timestamp</html>"

    def no_proofs(environ: dict[str, Any], _body: bytes) -> tuple[str, list[tuple[str, str]], bytes] | None:
        return None if "/tsa/" in environ["PATH_INFO"] else ("404 Not Found", [], b"")

    try:
        for interfere in (away, garbage, no_proofs):
            authority.interfere = interfere
            answer = bob.sign()
            assert (answer.status_code, answer.json()["code"]) == (503, "time-not-attested")
            assert "Rien n’a été signé ni perdu" in answer.json()["title"]
            assert "Retry-After" in answer.headers
    finally:
        authority.interfere = None
    assert not [line for line in stamped.lines(flow_id)[events:] if line["type"] == "recipient.signed"]
    assert bob.flow()["me"]["my_turn"] is True
    assert bob.sign().json()["state"] == "completed"


@pytest.mark.parametrize(
    "wrong",
    [
        {"PARAPHEUR_SEAL_LEVEL": "b-t"},
        {"PARAPHEUR_SEAL_LEVEL": "b-lta", "PARAPHEUR_TSA_URLS": "https://tsa.example.org"},
        {"PARAPHEUR_SEAL_LEVEL": "b-x"},
        {"PARAPHEUR_TSA_URLS": "tsa.example.org"},
        {"PARAPHEUR_OUTBOUND_ORIGINS": "http://crl.example.org/path"},
    ],
)
def test_settings_that_cannot_work_fail_the_start(wrong: dict[str, str]) -> None:
    with pytest.raises(BadSettings, match="PARAPHEUR_"):
        from_environment(wrong, **NEEDED)


def test_roots_are_read_at_the_start(tmp_path: Path) -> None:
    empty = tmp_path / "roots.pem"
    empty.write_text("nothing")
    for path in (empty, tmp_path / "missing.pem"):
        with pytest.raises(BadSettings, match="TRUST_ROOTS"):
            trusted_roots(path)


@pytest.mark.parametrize(
    ("level", "wrong", "named"),
    [
        ("b-t", {}, ""),
        ("b-lta", {}, ""),
        ("b-t", {"PARAPHEUR_TSA_URLS": "https://me:secret@tsa.example.org/"}, "TSA_URLS"),
        ("b-t", {"PARAPHEUR_TSA_URLS": "https://tsa.example.org:99999/"}, "TSA_URLS"),
        ("b-t", {"PARAPHEUR_OUTBOUND_ORIGINS": "http://crl.exämple.org"}, "OUTBOUND_ORIGINS"),
        ("b-lt", {"PARAPHEUR_OUTBOUND_ORIGINS": ""}, "OUTBOUND_ORIGINS"),
        ("b-lt", {"PARAPHEUR_OUTBOUND_ORIGINS": "http://127.0.0.1:1"}, "OUTBOUND_ORIGINS"),
        ("b-lta", {"roots": "other-root"}, "TRUST_ROOTS"),
    ],
)
def test_what_would_stop_everybody_from_signing_fails_the_start(
    authority: pki.Pki, level: str, wrong: dict[str, str], named: str
) -> None:
    """A seal that an authority issued, the settings that belong to it, and one of them wrong."""
    roots = (authority.certificate(wrong.pop("roots", "root")),)
    set_ = {
        "PARAPHEUR_SEAL_LEVEL": level,
        "PARAPHEUR_TSA_URLS": authority.tsa(),
        "PARAPHEUR_TRUST_ROOTS": "roots.pem",
        "PARAPHEUR_OUTBOUND_ORIGINS": authority.origin,
    }
    settings = from_environment(set_ | wrong, **NEEDED)
    if not named:
        assert lasting_of(settings, roots, authority.signer().chain) is not None
        return
    with pytest.raises(BadSettings, match=named) as caught:
        lasting_of(settings, roots, authority.signer().chain)
    assert "secret" not in str(caught.value)
