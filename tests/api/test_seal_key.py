"""The whole product with a seal from outside: what it signs bears that certificate, what is older stays valid."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest

from plugin.actions.revisions import fetch
from tests.pdfops import oracles, tokens
from tests.pdfops.tokens import MODULE, PIN, Authority, Tokens
from tests.state import independent_verifier
from tests.world import World, pdf, running

JSON = {"Content-Type": "application/pdf", "Accept": "application/json"}
TO = [{"email": "un@example.com", "language": "fr"}]


@pytest.fixture
def held(tmp_path: Path) -> Iterator[Tokens]:
    with tokens.opened(tmp_path / "softhsm") as opened:
        opened.make("Mairie")
        yield opened


def signed(world: World) -> tuple[str, bytes]:
    """A flow that one person signed: its id, and the signed document."""
    alice, folder = world.login("alice"), world.folder()
    flow_id = world.signature(alice, [world.put(f"{folder}/Bail.pdf", pdf())], TO)["id"]
    assert world.link(flow_id, "un@example.com").sign().status_code == 200
    loaded = world.office.ctx.flows.load(flow_id)
    return flow_id, fetch(world.office.ctx, loaded, loaded.flow.documents[0], loaded.flow.documents[0].current_sha256)


def test_a_seal_in_a_token_takes_over_and_what_is_older_stays_valid(held: Tokens, tmp_path: Path) -> None:
    with running(tmp_path / "data") as world:
        old_flow, old = signed(world)
        old_log = world.state_file(old_flow)
    public = held.generate("Mairie", "seal", "p256")
    chain = held.folder / "chain.pem"
    chain.write_bytes(Authority().chain_pem(public))
    named = {
        "PARAPHEUR_SEAL_PKCS11_MODULE": MODULE,
        "PARAPHEUR_SEAL_PKCS11_TOKEN": "Mairie",
        "PARAPHEUR_SEAL_PKCS11_PIN": PIN,
        "PARAPHEUR_SEAL_PKCS11_CERTIFICATE": str(chain),
    }
    with patch.dict(os.environ, named), running(tmp_path / "data") as world:
        new_flow, new = signed(world)
        assert oracles.all_well(new, 1)
        found = world.office.ctx.workshop.verify(new)
        assert found.signatures[0].signer == "Mairie d'Étampes"
        entry = world.lines(new_flow)[0]["data"]["key"]
        assert base64.b64decode(entry["certificate"]) == world.office.ctx.signer.chain[0]
        for flow_id in (old_flow, new_flow):
            independent_verifier.verify(world.state_file(flow_id), flow_id)
        assert world.state_file(old_flow).startswith(old_log.splitlines()[0])
        for data in (old, new):
            answer = world.nobody().post("/verify", data=data, headers=JSON)
            assert answer.json()["trust"] == "trusted", answer.text
        checks = world.nobody().get("/healthz").json()["checks"]
        assert {check["name"]: check["state"] for check in checks}["seal"] == "ok"
