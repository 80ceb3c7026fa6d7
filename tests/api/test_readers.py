"""Who reads what: creator and admin all of it, recipients what is their business in their turn, others nothing."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import dataclass

import pytest
import rfc8785
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from tests.world import Actor, Browser, Json, World, pdf

AGENT = "Navigateur-Canari/7.3"


@dataclass(frozen=True)
class Case:
    """Carol, who is no admin, launched: Bob validated with a comment, an external person signed, Alice is next."""

    flow_id: str
    file_id: str
    folder: str
    external: Actor


@pytest.fixture(scope="module")
def case(world: World, carol: Browser) -> Case:
    folder = world.folder("carol")
    file_id = world.put(f"{folder}/Dossier.pdf", pdf(), "carol")
    flow_id = world.signature(
        carol,
        [file_id],
        [
            {"user": "bob", "role": "validator", "comment": "Pour Bob seul"},
            {"email": "externe@example.com", "first_name": "Ève", "language": "fr"},
            {"user": "alice"},
        ],
        copy_to_all=True,
    )["id"]
    bob = world.recipient("bob", flow_id)
    bob.session.headers["User-Agent"] = AGENT
    assert bob.approve("Remarque de Bob").status_code == 200
    external = world.link(flow_id, "externe@")
    external.session.headers["User-Agent"] = AGENT
    external.get("")
    return Case(flow_id, file_id, folder, external)


def alone(flow: Json, recipient: str) -> Json:
    found: Json = next(r for s in flow["steps"] for r in s["recipients"] if r["id"] == recipient)
    return found


def test_unknown_and_foreign_flows_are_404_alike(world: World, case: Case, alice: Browser) -> None:
    private = world.validation(alice, [world.put(f"{world.folder()}/a.txt", b"a")], [{"user": "alice"}])["id"]
    carol = world.login("carol")
    unknown = "01890000-0000-7000-8000-000000000000"
    for path in ("", "/flow.json", "/documents/0", "/documents/0/pages/1", "/evidence"):
        foreign, none = carol.get(f"flows/{private}{path}"), carol.get(f"flows/{unknown}{path}")
        assert (foreign.status_code, foreign.content) == (404, none.content)
        assert {k: v for k, v in foreign.headers.items() if k != "Date"} == {
            k: v for k, v in none.headers.items() if k != "Date"
        }
    for what in ("view", "approve", "refuse", "sign", "remind"):
        foreign, none = carol.post(f"flows/{private}/{what}", {}), carol.post(f"flows/{unknown}/{what}", {})
        assert (foreign.status_code, foreign.content) == (404, none.content)
    pages = [carol.get(f"/f/{flow_id}") for flow_id in (private, unknown)]
    assert [page.status_code for page in pages] == [200, 200]
    assert pages[0].text.replace(private, unknown) == pages[1].text


def test_a_recipient_too_early_is_told_who_is_before(world: World, carol: Browser) -> None:
    flow_id = world.signature(
        carol, [world.put(f"{world.folder('carol')}/Tôt.pdf", pdf(), "carol")], [{"user": "alice"}, {"user": "bob"}]
    )["id"]
    bob = world.login("bob")
    for path in ("", "/documents/0", "/documents/0/pages/1"):
        answer = bob.get(f"flows/{flow_id}{path}")
        assert (answer.status_code, answer.json()["code"]) == (409, "not-your-turn")
        assert answer.json()["before"] == ["Alice Martin"]
        assert "Tôt" not in answer.text
    page = bob.get(f"/f/{flow_id}")
    assert page.status_code == 200
    assert "Tôt" not in page.text
    assert "Alice Martin" in page.text


def test_a_recipient_reads_no_address_comment_or_trace_of_the_others(world: World, case: Case) -> None:
    seen = [case.external.get("flow.json").text, case.external.get("").text]
    bob = world.recipient("bob", case.flow_id)
    seen += [
        bob.get("flow.json").text,
        bob.get(f"/api/v1/flows/{case.flow_id}").text,
        bob.get(f"/f/{case.flow_id}").text,
    ]
    for text in seen[:2]:
        assert "Remarque de Bob" not in text
        assert "Pour Bob seul" not in text
        assert "bob@example.org" not in text
        assert "alice@example.org" not in text
    for text in seen[2:]:
        assert "externe@example.com" not in text
        assert "alice@example.org" not in text
    for text in seen:
        assert AGENT not in text
        assert "127.0.0.1" not in text.replace(world.url, "")
    read = bob.get(f"/api/v1/flows/{case.flow_id}").json()
    assert alone(read, "r1")["comment"] == "Remarque de Bob"
    assert alone(read, "r1")["message"] == "Pour Bob seul"
    assert alone(read, "r2")["delivery"] is None
    assert all(set(event["data"]) <= {"recipient"} for event in read["events"])


def test_creator_and_admin_read_all_of_it(case: Case, carol: Browser, alice: Browser) -> None:
    read = carol.get(f"flows/{case.flow_id}").json()
    assert alone(read, "r1")["comment"] == "Remarque de Bob"
    assert alone(read, "r2")["email"] == "externe@example.com"
    assert alone(read, "r2")["opened_at"]
    assert alone(read, "r2")["delivery"]["state"] == "accepted"
    text = json.dumps(read)
    assert AGENT not in text
    for gone in ("ip_source", "user_agent", "trace"):
        assert gone not in text


def test_an_admin_who_takes_no_part_reads_all_of_it(world: World, carol: Browser, alice: Browser) -> None:
    flow_id = world.validation(
        carol, [world.put(f"{world.folder('carol')}/a.txt", b"a", "carol")], [{"email": "x@example.com"}]
    )["id"]
    assert alone(alice.get(f"flows/{flow_id}").json(), "r1")["email"] == "x@example.com"
    assert alice.get(f"flows/{flow_id}/evidence").status_code == 200
    assert alice.post(f"flows/{flow_id}/refuse", {"reason": "Non"}).status_code == 404


def test_a_files_flows_are_told_with_names_only_to_those_concerned(world: World, case: Case, carol: Browser) -> None:
    (mine,) = carol.get(f"files/{case.file_id}/flows").json()["flows"]
    assert mine["title"] == "Dossier"
    assert alone(mine["detail"], "r2")["email"] == "externe@example.com"
    (bobs,) = world.login("bob").get(f"files/{case.file_id}/flows").json()["flows"]
    assert alone(bobs["detail"], "r1")["comment"] == "Remarque de Bob"
    assert "externe@example.com" not in json.dumps(bobs)
    # Alice's turn has not come, and she cannot read Carol's file
    assert world.login("alice").get(f"files/{case.file_id}/flows").json()["flows"] == []


def test_evidence_is_for_creator_and_admin_only(world: World, case: Case, carol: Browser, alice: Browser) -> None:
    assert carol.get(f"flows/{case.flow_id}/evidence").status_code == 200
    assert world.login("bob").get(f"flows/{case.flow_id}/evidence").status_code == 404
    assert case.external.get("evidence").status_code == 404
    for who, status in ((carol, 200), (world.login("bob"), 404)):
        assert who.get(f"flows/{case.flow_id}/evidence", headers={"Accept": "application/pdf"}).status_code == status


def test_evidence_is_verified_from_its_json_alone(case: Case, carol: Browser) -> None:
    answer = carol.get(f"flows/{case.flow_id}/evidence")
    assert answer.headers["Content-Disposition"].startswith("attachment")
    record = answer.json()
    signature = record.pop("sig")
    statement = record["key"]
    certificate = x509.load_der_x509_certificate(base64.b64decode(statement["certificate"]))
    organisation = certificate.public_key()
    assert isinstance(organisation, rsa.RSAPublicKey)
    jwk = statement["jwk"]
    organisation.verify(
        unb64(statement["signature"]),
        rfc8785.dumps(["parapheur chain key v1", jwk]),
        padding.PKCS1v15(),
        hashes.SHA256(),
    )
    thumbprint = hashlib.sha256(rfc8785.dumps(jwk)).digest()
    assert record["kid"] == base64.urlsafe_b64encode(thumbprint).decode()[:16]
    key = Ed25519PublicKey.from_public_bytes(unb64(jwk["x"]))
    key.verify(unb64(signature), rfc8785.dumps(record))
    assert record["provisional"] is True
    assert record["chain"]["length"] == len(record["events"])


def unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def test_the_full_record_says_from_where_each_act_came(case: Case, carol: Browser) -> None:
    record = carol.get(f"flows/{case.flow_id}/evidence").json()
    (approved,) = [event for event in record["events"] if event["type"] == "recipient.approved"]
    assert approved["data"]["trace"]["user_agent"] == AGENT
    assert approved["data"]["trace"]["ip"] == "127.0.0.1"
    assert approved["data"]["trace"]["ip_source"] == "trusted proxy"
    assert [r["origin"] for r in record["recipients"]] == ["host account", "declared by the sender", "host account"]


def test_no_personal_value_stands_in_the_state_file(world: World, case: Case) -> None:
    state = world.state_file(case.flow_id).decode()
    for value in ("externe", "Ève", "Carol", "Dossier", "Remarque", AGENT, "127.0.0.1"):
        assert value not in state
    words = re.findall(r"[^\s\"\\:,/@<>]+", state)  # a hash or a signature is one word, with any three letters in it
    for value in ("bob", "Bob"):
        assert not [word for word in words if word.startswith(value)]


def test_lists_hold_what_is_his_and_no_more(world: World, case: Case, carol: Browser) -> None:
    assert case.flow_id in [flow["id"] for flow in carol.get("flows?box=sent").json()["flows"]]
    assert case.flow_id in [flow["id"] for flow in carol.get("flows?box=sent&q=dossier").json()["flows"]]
    assert carol.get("flows?box=sent&q=nulle%00part").json()["flows"] == []
    for box in ("todo", "sent", "done"):
        assert case.flow_id not in [
            flow["id"] for flow in world.login("alice").get(f"flows?box={box}").json()["flows"]
        ]
    first = carol.get("flows?box=sent").json()["flows"]
    after = carol.get(f"flows?box=sent&cursor={first[0]['id']}").json()["flows"]
    assert after[: len(first) - 1] == first[1:]  # a page is full where others made many flows before


def test_me_and_recipients_tell_about_people(carol: Browser) -> None:
    me = carol.get("me").json()
    assert (me["user"], me["name"], me["is_admin"], me["language"]) == ("carol", "Carol Nguyen", False, "fr")
    (found,) = carol.get("recipients?search=ler").json()["recipients"]
    assert found == {"user": "bob", "name": "Bob Leroy", "email": "bob@example.org"}
    assert carol.get("recipients?search=").json()["recipients"] == []


def test_types_say_what_fits_the_selection(world: World, alice: Browser) -> None:
    folder = world.folder()
    text, loud = world.put(f"{folder}/a.pdf", b"no pdf"), world.put(f"{folder}/B.PDF", pdf())

    def kinds(ids: str) -> dict[str, tuple[bool, str | None]]:
        types = alice.get(f"types?file_ids={ids}").json()["types"]
        return {one["kind"]: (one["available"], one["code"]) for one in types}

    assert kinds(loud)["signature"] == (True, None)
    assert kinds(f"{loud},{text}")["signature"] == (False, "not-a-pdf")
    assert kinds(f"{loud},{text}")["validation"] == (True, None)
    assert kinds(loud)["eidas_simple"] == (False, "not-available-yet")


def test_later_paths_say_that_they_are_not_built(world: World, case: Case, carol: Browser) -> None:
    for method, path in (("POST", f"flows/{case.flow_id}/recipients/r3/unlock"),):
        answer = carol.send(method, path, json={} if method in ("POST", "PUT") else None)
        assert (answer.status_code, answer.json()["code"]) == (422, "not-available-yet"), (method, path)
    for path in ("code", "code/verify", "identity"):
        assert case.external.act(path).json()["code"] == "not-available-yet"
