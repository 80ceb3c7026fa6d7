"""From launch to the last mail, as the people in it see it."""

from __future__ import annotations

import pytest

from plugin.demo import sample_files
from tests.world import Browser, Json, World, pdf

Order = list[tuple[str, str]]


def told(mails: list[Json]) -> Order:
    """(kind of mail, to whom), in the order in which the mail server took them."""
    return [(mail["message_id"][1:].partition(".")[0], mail["to"]) for mail in mails]


def seq_of(lines: list[Json], kind: str, **data: object) -> int:
    found = [
        line["seq"] for line in lines if line["type"] == kind and all(line["data"][k] == v for k, v in data.items())
    ]
    assert len(found) == 1, (kind, data, found)
    return int(found[0])


def test_two_documents_signed_by_a_user_and_an_external_person(world: World, alice: Browser) -> None:
    folder = world.folder()
    ids = [world.put(f"{folder}/Contrat.pdf", pdf(2)), world.put(f"{folder}/Annexe.pdf", pdf())]
    flow = world.signature(
        alice,
        ids,
        [{"user": "bob"}, {"email": "zoe@example.com", "first_name": "Zoé", "last_name": "Durand", "language": "fr"}],
        comment="Merci de signer avant vendredi.",
        copy_to_all=True,
    )
    flow_id = flow["id"]
    assert (flow["kind"], flow["state"], flow["title"]) == ("signature", "running", "Contrat")
    assert [r["state"] for s in flow["steps"] for r in s["recipients"]] == ["invited", "waiting"]

    asked = world.mail(flow_id, "invitation", "bob@")
    assert asked["subject"] == "Alice Martin asks you to sign 2 documents"
    assert asked["links"] == [f"{world.url}/f/{flow_id}"]
    assert "Merci de signer avant vendredi." in asked["text"]
    assert "Contrat.pdf" in asked["text"]
    assert "Annexe.pdf" in asked["html"]
    assert world.mails(flow_id, to="zoe@") == []

    bob = world.recipient("bob", flow_id)
    assert bob.act("view", {"documents": [0, 1]}).json()["steps"][0]["recipients"][0]["state"] == "viewed"
    signed = bob.sign()
    assert signed.status_code == 200, signed.text
    assert signed.json()["id"] == flow_id

    invitation = world.mail(flow_id, "invitation", "zoe@")
    assert invitation["subject"] == "Alice Martin vous demande de signer 2 documents"
    assert invitation["text"].startswith("Bonjour Zoé,")
    (link,) = invitation["links"]
    assert link.startswith(f"{world.url}/s/")
    assert len(link.rpartition("/")[2]) == 43
    zoe = world.follow(link)
    page = zoe.get("")
    assert page.status_code == 200
    assert "Contrat.pdf" in page.text
    assert zoe.flow()["me"]["my_turn"] is True
    answer = zoe.sign()
    assert answer.status_code == 200, answer.text
    assert answer.json()["state"] == "completed"

    mails = world.settled(flow_id)
    assert told(mails)[:2] == [("invitation", "bob@example.org"), ("invitation", "zoe@example.com")]
    assert sorted(told(mails)[2:]) == [
        ("completed", "alice@example.org"),
        ("completed", "bob@example.org"),
        ("completed", "zoe@example.com"),
    ]
    done = {mail["to"]: mail for mail in mails if mail["message_id"].startswith("<completed")}
    assert done["alice@example.org"]["subject"] == "Tout le monde a signé : Contrat"
    assert done["alice@example.org"]["links"] == [f"{world.url}/f/{flow_id}"]
    assert done["bob@example.org"]["subject"] == "Everyone has signed: Contrat"
    assert done["bob@example.org"]["links"] == [f"{world.url}/f/{flow_id}"]
    assert "Download the signed copies" in done["bob@example.org"]["text"]
    assert done["zoe@example.com"]["links"] == [link]
    assert "télécharger les copies signées pendant 30 jours" in done["zoe@example.com"]["text"]
    assert "Ce lien est personnel" in done["zoe@example.com"]["text"]
    assert "This link is personal" not in done["bob@example.org"]["text"]
    assert world.names(folder).count("Contrat (signé).pdf") == 1
    assert world.names(folder).count("Annexe (signé).pdf") == 1


def test_nobody_is_told_before_his_turn(world: World, alice: Browser) -> None:
    flow_id = world.signature(
        alice, [world.put(f"{world.folder()}/Bail.pdf", pdf())], [{"user": "bob"}, {"email": "apres@example.com"}]
    )["id"]
    world.settled(flow_id)
    assert told(world.mails(flow_id)) == [("invitation", "bob@example.org")]
    assert world.recipient("bob", flow_id).sign().status_code == 200
    world.mail(flow_id, "invitation", "apres@")
    world.settled(flow_id)
    lines = world.lines(flow_id)
    turn = seq_of(lines, "recipient.invited", recipient="r2")
    assert seq_of(lines, "recipient.signed", recipient="r1") < turn
    assert turn < seq_of(lines, "mail.accepted", mail="invitation", person="r2")


def test_a_validation_of_several_file_types_ends_with_a_record_and_no_copies(world: World, alice: Browser) -> None:
    folder = world.folder()
    contents = {
        "Devis.docx": sample_files.docx("Devis", ["18 640 €"]),
        "Budget.xlsx": sample_files.xlsx("Budget", [["Poste", 1]]),
        "Photo.jpg": sample_files.photo(),
        "Note.txt": b"Bonjour\n",
        "Plan.pdf": pdf(2),
    }
    ids = [world.put(f"{folder}/{name}", data) for name, data in contents.items()]
    flow = world.validation(alice, ids, [{"user": "carol"}, {"email": "max@example.com", "language": "en"}])
    flow_id = flow["id"]
    assert [d["name"] for d in flow["documents"]] == list(contents)
    assert flow["placements"] == []
    assert world.mail(flow_id, "invitation", "carol@")["subject"] == (
        "Alice Martin vous demande de valider 5 documents"
    )
    carol = world.recipient("carol", flow_id)
    for n, data in enumerate(contents.values()):
        served = carol.get(f"documents/{n}")
        assert served.content == data
    assert carol.approve("Bon pour accord.").status_code == 200
    last = world.link(flow_id, "max@")
    answer = last.approve()
    assert answer.status_code == 200, answer.text
    assert answer.json()["state"] == "completed"
    mails = world.settled(flow_id)
    assert ("completed", "alice@example.org") in told(mails)
    assert "Everyone has approved: Devis" in [mail["subject"] for mail in mails]
    assert any(mail["subject"].startswith("Tout le monde a ") for mail in mails)
    seen = alice.get(f"flows/{flow_id}").json()
    assert [d["signed"] for d in seen["documents"]] == [None] * 5
    assert seen["steps"][0]["recipients"][0]["comment"] == "Bon pour accord."
    there = [name for name in world.names(folder) if not name.startswith(".flows")]
    assert sorted(there) == sorted([*contents, "Devis (dossier de preuves).pdf"])
    for name, data in contents.items():
        assert world.read(f"{folder}/{name}") == data


def test_a_validator_comes_before_the_signatories(world: World, alice: Browser) -> None:
    flow = world.signature(
        alice,
        [world.put(f"{world.folder()}/Offre.pdf", pdf())],
        [{"user": "carol", "role": "validator"}, {"email": "sig@example.com", "language": "en"}],
    )
    flow_id = flow["id"]
    carol = world.recipient("carol", flow_id)
    wrong = carol.sign()
    assert (wrong.status_code, wrong.json()["code"]) == (422, "wrong-act")
    assert carol.approve().status_code == 200
    sig = world.link(flow_id, "sig@")
    wrong = sig.approve()
    assert (wrong.status_code, wrong.json()["code"]) == (422, "wrong-act")
    assert sig.sign().json()["state"] == "completed"


def test_a_refusal_tells_everybody_who_took_part_or_was_invited_and_nobody_else(world: World, alice: Browser) -> None:
    folder = world.folder()
    flow_id = world.signature(
        alice,
        [world.put(f"{folder}/Avenant.pdf", pdf())],
        [{"user": "bob"}, {"email": "non@example.com", "language": "fr"}, {"email": "jamais@example.com"}],
    )["id"]
    assert world.recipient("bob", flow_id).sign().status_code == 200
    answer = world.link(flow_id, "non@").refuse("Le montant est faux.")
    assert answer.status_code == 200, answer.text
    assert answer.json()["state"] == "refused"
    mails = world.settled(flow_id)
    refused = {mail["to"]: mail for mail in mails if mail["message_id"].startswith("<refused")}
    assert sorted(refused) == ["alice@example.org", "bob@example.org", "non@example.com"]
    assert refused["alice@example.org"]["subject"] == "non a refusé de signer"
    assert refused["bob@example.org"]["subject"] == "non has refused to sign"
    assert refused["non@example.com"]["subject"] == "Votre refus est enregistré"
    assert all("Le montant est faux." in mail["text"] for mail in refused.values())
    assert all("jamais" not in mail["to"] for mail in mails)
    assert ["Ce lien est personnel" in refused[to]["text"] for to in sorted(refused)] == [False, False, True]
    assert "non@example.com" not in refused["bob@example.org"]["text"] + refused["bob@example.org"]["html"]
    assert alice.get(f"flows/{flow_id}").json()["state"] == "refused"
    kept = [name for name in world.names(folder) if name.endswith(".pdf")]
    assert kept == ["Avenant (dossier de preuves).pdf", "Avenant.pdf"]


def test_one_document_is_spoken_of_as_one(world: World, alice: Browser) -> None:
    flow_id = world.signature(
        alice,
        [world.put(f"{world.folder()}/Note.pdf", pdf())],
        [{"email": "seul@example.com", "language": "en"}],
        copy_to_all=True,
    )["id"]
    assert world.link(flow_id, "seul@").sign().status_code == 200
    world.settled(flow_id)
    assert "You can download the signed copy for 30 days." in world.mail(flow_id, "completed", "seul@")["text"]
    assert "La copie signée se trouve à côté de l’original." in world.mail(flow_id, "completed", "alice@")["text"]


def test_without_copies_the_others_get_a_short_notice(world: World, alice: Browser) -> None:
    flow_id = world.signature(
        alice, [world.put(f"{world.folder()}/Reçu.pdf", pdf())], [{"email": "court@example.com", "language": "en"}]
    )["id"]
    link = world.link(flow_id, "court@")
    assert link.sign().json()["documents"] == []
    world.settled(flow_id)
    notice = world.mail(flow_id, "completed", "court@")
    assert "Download" not in notice["text"]
    assert "30 days" not in notice["text"]
    assert link.flow()["documents"] == []


def test_a_creator_who_signs_too_gets_an_invitation_and_one_mail_at_the_end(world: World, bob: Browser) -> None:
    flow_id = world.signature(
        bob, [world.put(f"{world.folder('bob')}/Order.pdf", pdf(), "bob")], [{"user": "bob"}, {"user": "carol"}]
    )["id"]
    world.settled(flow_id)
    assert world.mail(flow_id, "invitation", "bob@")["links"] == [f"{world.url}/f/{flow_id}"]
    assert world.recipient("bob", flow_id).sign().status_code == 200
    world.mail(flow_id, "invitation", "carol@")
    assert world.recipient("carol", flow_id).sign().status_code == 200
    assert sorted(told(world.settled(flow_id))) == [
        ("completed", "bob@example.org"),
        ("completed", "carol@example.org"),
        ("invitation", "bob@example.org"),
        ("invitation", "carol@example.org"),
    ]


def test_every_mail_of_an_event_and_person_has_its_own_stable_message_id(world: World, alice: Browser) -> None:
    flow_id = world.validation(alice, [world.put(f"{world.folder()}/a.txt", b"a")], [{"user": "bob"}])["id"]
    world.settled(flow_id)
    assert world.recipient("bob", flow_id).approve().status_code == 200
    mails = world.settled(flow_id)
    ids = [mail["message_id"] for mail in mails]
    assert ids == [
        f"<invitation.{flow_id}.r1.1@example.org>",
        f"<completed.{flow_id}.creator.0@example.org>",
        f"<completed.{flow_id}.r1.0@example.org>",
    ]
    loaded = world.office.ctx.flows.load(flow_id)
    from plugin.flow.model import MailKind
    from plugin.flow.owed import MailWork

    again = world.office.ctx.compose(loaded, MailWork(MailKind.INVITATION, "r1", 1))
    assert again.message_id == ids[0]


@pytest.mark.parametrize(
    "sneaky", ["\r\nBcc: victim@example.org", "\nX-Evil: 1", "\u2028Subject: x", "\x00\x07\u202e"]
)
def test_names_and_titles_never_make_a_header_of_their_own(world: World, alice: Browser, sneaky: str) -> None:
    flow_id = world.validation(
        alice,
        [world.put(f"{world.folder()}/a.txt", b"a")],
        [{"email": "sage@example.com", "first_name": f"Max{sneaky}", "last_name": f"Le{sneaky}", "language": "en"}],
        title=f"Titre{sneaky}",
        comment=f"Bonjour{sneaky}",
    )["id"]
    world.link(flow_id, "sage@").refuse(f"Non{sneaky}")
    mails = world.settled(flow_id)
    assert {mail["to"] for mail in mails} == {"sage@example.com", "alice@example.org"}
    for mail in mails:
        assert not set("\r\n\x00\x07\u202e\u2028") & set(mail["subject"])
        assert mail["message_id"].endswith("@example.org>")


def test_an_address_of_an_international_domain_is_written_to(world: World, alice: Browser) -> None:
    flow_id = world.validation(
        alice, [world.put(f"{world.folder()}/a.txt", b"a")], [{"email": "anne@société.example.com"}]
    )["id"]
    world.settled(flow_id)
    (mail,) = world.mails(flow_id)
    assert mail["to"] in ("anne@xn--socit-esab.example.com", "anne@société.example.com")
