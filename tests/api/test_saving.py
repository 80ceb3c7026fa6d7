"""Where results go: beside, over the original, into a folder; what is in the way loses nothing and is told."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pypdf
import pytest

from pdfops.verify import verify
from plugin.actions.acting import load
from plugin.actions.context import Context
from plugin.actions.sweep import look_at, sweep
from plugin.flow.errors import FileTooLarge, HostFull, HostUnavailable
from plugin.flow.model import CREATOR, MailKind
from plugin.flow.owed import MailWork
from plugin.ports_files import Files
from tests.api.test_kinds import held, in_hours, read_only, room
from tests.api.test_races import at_once
from tests.world import Browser, Json, World, pdf, until

HERE = {"mode": "beside"}
VERSION = {"mode": "version"}


def into(folder: str) -> Json:
    return {"mode": "folder", "folder": folder}


def saved(world: World, alice: Browser, save: Json, ids: Sequence[str], *, kind: str = "signature") -> str:
    """Returns: the id of a flow of Alice's that Bob is asked to decide on."""
    if kind == "signature":
        return str(world.signature(alice, ids, [{"user": "bob"}], save=save)["id"])
    return str(world.validation(alice, ids, [{"user": "bob"}], save=save)["id"])


def read(alice: Browser, flow_id: str) -> Json:
    answer = alice.get(f"flows/{flow_id}", headers={"Accept-Language": "fr"})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def ended(world: World, alice: Browser, flow_id: str) -> Json:
    world.settled(flow_id)
    return read(alice, flow_id)


def told(world: World, flow_id: str, kind: str = "completed") -> str:
    return " ".join(str(world.mail(flow_id, kind, "alice@")["text"]).split())


def shown(world: World, folder: str) -> list[str]:
    return [name for name in world.names(folder) if not name.startswith(".flows")]


def attached(data: bytes) -> Json:
    (content,) = pypdf.PdfReader(io.BytesIO(data)).attachments["evidence.json"]
    return dict(json.loads(content))


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


RECORD = "Bail (dossier de preuves).pdf"


# ---- the evidence record --------------------------------------------------------------------------------------------
def test_the_evidence_record_lies_beside_the_signed_copy_and_the_mail_says_where(world: World, alice: Browser) -> None:
    folder = world.folder()
    flow_id = saved(world, alice, HERE, [world.put(f"{folder}/Bail.pdf", pdf())])
    assert world.recipient("bob", flow_id).sign().json()["state"] == "completed"
    flow = ended(world, alice, flow_id)
    assert shown(world, folder) == [RECORD, "Bail (signé).pdf", "Bail.pdf"]
    data = world.read(f"{folder}/{RECORD}")
    assert flow["evidence"]["path"] == f"{folder}/{RECORD}"
    assert flow["evidence"]["sha256"] == sha(data)
    assert verify(data).integrity == "intact"
    record = attached(data)
    assert (record["flow"]["id"], record["provisional"]) == (flow_id, False)
    assert record["documents"][0]["sha256_final"] == sha(world.read(f"{folder}/Bail (signé).pdf"))
    lines = world.lines(flow_id)
    stored = [line for line in lines if line["type"] == "evidence.stored"]
    assert [line["data"]["sha256"] for line in stored] == [sha(data)]
    assert record["chain"]["length"] == stored[0]["seq"] - 1
    assert "La copie signée se trouve à côté de l’original." in told(world, flow_id)
    ctx = world.office.ctx  # the mail does not wait for the record, and names it where it is there already
    letter = ctx.compose(load(ctx, flow_id), MailWork(MailKind.COMPLETED, CREATOR, 0, with_copies=True))
    assert letter is not None
    mail = " ".join(letter.text.split())
    assert f"Le dossier de preuves est enregistré sous « {folder}/{RECORD} »." in mail.replace("\u00a0", " ")
    assert world.office.ctx.vault.layings(flow_id) == []
    assert [f["id"] for f in alice.get(f"files/{flow['evidence']['file_id']}/flows").json()["flows"]] == [flow_id]


def test_the_copy_beside_the_files_names_no_address_of_the_net_and_no_browser(world: World, alice: Browser) -> None:
    folder = world.folder()
    flow_id = saved(world, alice, HERE, [world.put(f"{folder}/Bail.pdf", pdf())])
    browser = {"User-Agent": "Netscape of Bob"}
    assert world.recipient("bob", flow_id).sign(headers=browser).json()["state"] == "completed"
    world.settled(flow_id)
    full = alice.get(f"flows/{flow_id}/evidence").json()
    (signed,) = [e["data"]["trace"] for e in full["events"] if e["type"] == "recipient.signed"]
    assert (signed["user_agent"], bool(signed["ip"]), full["left_out"]) == ("Netscape of Bob", True, [])
    data = world.read(f"{folder}/{RECORD}")
    record = attached(data)
    assert record["left_out"] == ["ip", "ip_source", "user_agent", "phone"]
    for secret in ("Netscape", '"ip":', '"user_agent":', signed["ip"]):
        assert secret not in json.dumps(record), secret
    said = "".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(data)).pages)
    assert signed["ip"] not in said
    assert "Adresse IP" not in said


@pytest.mark.parametrize("decision", ["approved", "refused"])
def test_an_approval_leaves_a_record_as_well_and_so_does_a_refusal(
    world: World, alice: Browser, decision: str
) -> None:
    folder = world.folder()
    flow_id = saved(world, alice, HERE, [world.put(f"{folder}/Bail.txt", b"Bail")], kind="validation")
    bob = world.recipient("bob", flow_id)
    assert (bob.approve("Bon.") if decision == "approved" else bob.refuse()).status_code == 200
    flow = ended(world, alice, flow_id)
    assert shown(world, folder) == [RECORD, "Bail.txt"]
    record = attached(world.read(f"{folder}/{RECORD}"))
    assert record["recipients"][0]["state"] == decision
    assert record["documents"][0]["sha256_original"] == sha(b"Bail")
    assert "no signature was put" in record["claim"]
    assert flow["evidence"]["sha256"] == sha(world.read(f"{folder}/{RECORD}"))
    assert RECORD in told(world, flow_id, "completed" if decision == "approved" else "refused")


def test_a_record_of_that_name_is_never_overwritten(world: World, alice: Browser) -> None:
    folder = world.folder()
    world.put(f"{folder}/{RECORD}", b"mine")
    flow_id = saved(world, alice, HERE, [world.put(f"{folder}/Bail.pdf", pdf())])
    assert world.recipient("bob", flow_id).sign().json()["state"] == "completed"
    flow = ended(world, alice, flow_id)
    assert world.read(f"{folder}/{RECORD}") == b"mine"
    assert flow["evidence"]["path"] == f"{folder}/Bail (dossier de preuves) 2.pdf"


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("Bail 12/2026: « Été »?", "Bail 12-2026- « Été »- (dossier de preuves).pdf"),
        ("..", "(dossier de preuves).pdf"),
        ("x" * 200, f"{'x' * 175} (dossier de preuves).pdf"),
    ],
)
def test_a_title_that_is_no_file_name_becomes_one(world: World, alice: Browser, title: str, name: str) -> None:
    folder = world.folder()
    file_id = world.put(f"{folder}/a.txt", b"a")
    flow_id = str(world.validation(alice, [file_id], [{"user": "bob"}], title=title)["id"])
    assert world.recipient("bob", flow_id).approve().status_code == 200
    assert ended(world, alice, flow_id)["evidence"]["path"] == f"{folder}/{name}"


# ---- as a new version -----------------------------------------------------------------------------------------------
def test_as_a_new_version_the_original_is_the_signed_copy(world: World, alice: Browser) -> None:
    folder = world.folder()
    file_id = world.put(f"{folder}/Bail.pdf", pdf())
    flow_id = saved(world, alice, VERSION, [file_id])
    assert world.recipient("bob", flow_id).sign().json()["state"] == "completed"
    flow = ended(world, alice, flow_id)
    assert shown(world, folder) == [RECORD, "Bail.pdf"]
    signed = flow["documents"][0]["signed"]
    assert (signed["file_id"], signed["path"]) == (file_id, f"{folder}/Bail.pdf")
    content = world.read(f"{folder}/Bail.pdf")
    assert signed["sha256"] == sha(content)
    assert content.startswith(pdf())
    assert world.demo.host.area.versions.of("alice", int(file_id)) == [pdf()]
    assert flow["warnings"] == []
    assert "La copie signée est la dernière version de l’original." in told(world, flow_id)
    assert [f["id"] for f in alice.get(f"files/{file_id}/flows").json()["flows"]] == [flow_id]


def test_somebodys_change_of_the_original_is_never_overwritten(world: World, alice: Browser) -> None:
    folder = world.folder()
    flow_id = saved(world, alice, VERSION, [world.put(f"{folder}/Bail.pdf", pdf())])
    assert world.dav("alice", "PUT", f"{folder}/Bail.pdf", data=pdf(5)).status_code == 204
    assert world.recipient("bob", flow_id).sign().json()["state"] == "completed"
    flow = ended(world, alice, flow_id)
    assert world.read(f"{folder}/Bail.pdf") == pdf(5)
    assert flow["documents"][0]["signed"]["path"] == f"{folder}/Bail (signé).pdf"
    assert world.read(f"{folder}/Bail (signé).pdf").startswith(pdf())
    (warning,) = flow["warnings"]
    assert warning.startswith("Modifié entre-temps, donc laissé tel quel")
    assert warning.endswith("Bail.pdf.")
    mail = told(world, flow_id)
    assert "La copie signée se trouve à côté de l’original. Modifié entre-temps" in mail


class Meddling:
    """The file area; ``before`` happens each time before a write of ``path``."""

    def __init__(self, files: Files, path: str, before: Callable[[], object]) -> None:
        self._files, self._path, self._before = files, path, before

    def __getattr__(self, name: str) -> Any:
        return getattr(self._files, name)

    def write(self, user: str, path: str, *args: Any, **more: Any) -> Any:
        if path == self._path:
            self._before()
        return self._files.write(user, path, *args, **more)


def test_a_change_at_the_last_moment_is_not_overwritten_either(world: World, alice: Browser) -> None:
    """Between our look at the original and our write."""
    folder = world.folder()
    flow_id = saved(world, alice, VERSION, [world.put(f"{folder}/Bail.pdf", pdf())])
    bob = world.recipient("bob", flow_id)

    def change() -> None:
        assert world.dav("alice", "PUT", f"{folder}/Bail.pdf", data=pdf(4)).status_code == 204

    with world.handed(files=Meddling(world.office.ctx.files, f"{folder}/Bail.pdf", change)):
        assert bob.sign().json()["state"] == "completed"
    ended(world, alice, flow_id)
    assert world.read(f"{folder}/Bail.pdf") == pdf(4)
    assert world.read(f"{folder}/Bail (signé).pdf").startswith(pdf())


@pytest.mark.parametrize("why", ["locked", "read-only", "gone"])
def test_an_original_that_takes_no_version_is_left_and_the_copy_is_not_lost(
    world: World, alice: Browser, why: str
) -> None:
    folder = world.folder()
    path = f"{folder}/Bail.pdf"
    flow_id = saved(world, alice, VERSION, [world.put(path, pdf())])
    bob = world.recipient("bob", flow_id)
    bob.flow()
    with contextlib.ExitStack() as hindrance:
        if why == "locked":
            hindrance.enter_context(held(world, path))
        elif why == "read-only":
            hindrance.enter_context(read_only_file(world, path))
        else:
            assert world.dav("alice", "DELETE", path).status_code == 204
        assert bob.sign().json()["state"] == "completed"
        flow = ended(world, alice, flow_id)
    assert flow["documents"][0]["signed"]["path"] == f"{folder}/Bail (signé).pdf"
    (completed,) = [line for line in world.lines(flow_id) if line["type"] == "flow.completed"]
    assert completed["data"]["copies"][0]["instead"] == why
    assert len(flow["warnings"]) == 1
    if why != "gone":
        assert world.read(path) == pdf()


@contextlib.contextmanager
def read_only_file(world: World, path: str) -> Iterator[None]:
    there = world.demo.host.area._files / "alice" / path
    there.chmod(0o400)
    try:
        yield
    finally:
        there.chmod(0o600)


def test_of_two_flows_on_one_file_the_second_leaves_the_firsts_version(world: World, alice: Browser) -> None:
    folder = world.folder()
    file_id = world.put(f"{folder}/Bail.pdf", pdf())
    first, second = (saved(world, alice, VERSION, [file_id]) for _ in range(2))
    for flow_id in (first, second):
        assert world.recipient("bob", flow_id).sign().json()["state"] == "completed"
        world.settled(flow_id)
    copies = [read(alice, flow_id)["documents"][0]["signed"] for flow_id in (first, second)]
    assert [copy["path"] for copy in copies] == [f"{folder}/Bail.pdf", f"{folder}/Bail (signé).pdf"]
    assert [sha(world.read(copy["path"])) for copy in copies] == [copy["sha256"] for copy in copies]


def test_a_version_that_was_written_by_half_is_written_again(world: World, alice: Browser) -> None:
    """As a host without part files leaves it when the connection breaks."""
    folder = world.folder()
    path = f"{folder}/Bail.pdf"
    flow_id = saved(world, alice, VERSION, [world.put(path, pdf())])
    bob = world.recipient("bob", flow_id)
    with world.handed(files=HalfWriting(world.office.ctx.files, path)):
        assert bob.sign().json()["state"] == "running"
    assert not world.read(path).endswith(b"%%EOF\n")
    assert read(alice, flow_id)["waiting"]["reason"] == "host-unavailable"
    look_at(in_hours(world, 1), flow_id)
    flow = ended(world, alice, flow_id)
    assert sha(world.read(path)) == flow["documents"][0]["signed"]["sha256"]
    assert shown(world, folder) == [RECORD, "Bail.pdf"]


@pytest.mark.parametrize("what", ["emptied", "half", "older revision"])
def test_an_original_that_its_owner_emptied_or_put_an_older_revision_into_is_left_as_it_is(
    world: World, alice: Browser, what: str
) -> None:
    folder = world.folder()
    path = f"{folder}/Bail.pdf"
    flow_id = saved(world, alice, VERSION, [world.put(path, pdf())])
    bob = world.recipient("bob", flow_id)
    prepared = bob.get("documents/0").content
    assert prepared.startswith(pdf())
    assert prepared != pdf()
    there = {"emptied": b"", "half": pdf()[:500], "older revision": prepared}[what]
    assert world.dav("alice", "PUT", path, data=there).status_code == 204
    assert bob.sign().json()["state"] == "completed"
    flow = ended(world, alice, flow_id)
    assert world.read(path) == there
    assert flow["documents"][0]["signed"]["path"] == f"{folder}/Bail (signé).pdf"
    (completed,) = [line for line in world.lines(flow_id) if line["type"] == "flow.completed"]
    assert completed["data"]["copies"][0]["instead"] == "changed"


def test_an_original_that_grows_beyond_all_measure_is_left_and_the_copy_lies_beside(
    world: World, alice: Browser
) -> None:
    folder = world.folder()
    flow_id = saved(world, alice, VERSION, [world.put(f"{folder}/Bail.pdf", pdf())])

    class Grown:
        """Between the look and the reading."""

        def __init__(self, files: Files) -> None:
            self._files = files

        def __getattr__(self, name: str) -> Any:
            return getattr(self._files, name)

        def read_with_etag(self, user: str, path: str) -> Any:
            if path == f"{folder}/Bail.pdf":
                raise FileTooLarge
            return self._files.read_with_etag(user, path)

    bob = world.recipient("bob", flow_id)
    with world.handed(files=Grown(world.office.ctx.files)):
        assert bob.sign().json()["state"] == "completed"
    ended(world, alice, flow_id)
    assert world.read(f"{folder}/Bail.pdf") == pdf()
    assert f"{folder}/Bail (signé).pdf" == read(alice, flow_id)["documents"][0]["signed"]["path"]


class HalfWriting:
    def __init__(self, files: Files, path: str) -> None:
        self._files, self._path = files, path

    def __getattr__(self, name: str) -> Any:
        return getattr(self._files, name)

    def write(self, user: str, path: str, data: bytes, **more: Any) -> Any:
        if path == self._path:
            self._files.write(user, path, data[: len(data) - 900], **more)
            raise HostUnavailable
        return self._files.write(user, path, data, **more)


@pytest.mark.parametrize("changed", [False, True])
def test_after_a_crash_a_version_is_not_laid_beside_as_well_unless_somebody_wrote_over_it(
    world: World, alice: Browser, changed: bool
) -> None:
    folder = world.folder()
    flow_id = saved(world, alice, VERSION, [world.put(f"{folder}/Bail.pdf", pdf())])
    world.settled(flow_id)
    ctx = replace(world.office.ctx, jobs=Idle())
    with world.handed(jobs=Idle(), flows=NeverFinishing(ctx.flows)):
        assert world.recipient("bob", flow_id).sign().json()["state"] == "running"
    if changed:
        assert world.dav("alice", "PUT", f"{folder}/Bail.pdf", data=pdf(3)).status_code == 204
    look_at(replace(ctx, clock=later(ctx, 1)), flow_id)
    flow = ended(world, alice, flow_id)
    signed = flow["documents"][0]["signed"]
    assert signed["path"] == f"{folder}/{'Bail (signé).pdf' if changed else 'Bail.pdf'}"
    assert sha(world.read(signed["path"])) == signed["sha256"]
    assert shown(world, folder) == [RECORD, *(["Bail (signé).pdf"] if changed else []), "Bail.pdf"]
    assert (world.read(f"{folder}/Bail.pdf") == pdf(3)) is changed


# ---- into a chosen folder -------------------------------------------------------------------------------------------
def test_into_a_chosen_folder_wherever_it_was_moved_to(world: World, alice: Browser) -> None:
    folder, chosen = world.folder(), world.folder()
    flow_id = saved(world, alice, into(chosen), [world.put(f"{folder}/Bail.pdf", pdf())])
    to = {"Destination": f"{world.demo.host.url}/remote.php/dav/files/alice/{quote(folder)}/Archives"}
    assert world.dav("alice", "MOVE", chosen, headers=to).status_code == 201
    assert world.recipient("bob", flow_id).sign().json()["state"] == "completed"
    flow = ended(world, alice, flow_id)
    assert shown(world, f"{folder}/Archives") == [RECORD, "Bail (signé).pdf"]
    assert flow["documents"][0]["signed"]["path"] == f"{folder}/Archives/Bail (signé).pdf"
    assert flow["warnings"] == []
    mail = told(world, flow_id).replace("\u00a0", " ")
    assert f"La copie signée se trouve dans le dossier « {folder}/Archives »." in mail


@pytest.mark.parametrize("why", ["gone", "read-only"])
def test_where_the_chosen_folder_takes_nothing_results_lie_beside_and_it_is_told(
    world: World, alice: Browser, why: str
) -> None:
    folder, chosen = world.folder(), world.folder()
    flow_id = saved(world, alice, into(chosen), [world.put(f"{folder}/Bail.pdf", pdf())])
    with contextlib.ExitStack() as hindrance:
        if why == "gone":
            assert world.dav("alice", "DELETE", chosen).status_code == 204
        else:
            hindrance.enter_context(read_only(world, chosen))
        assert world.recipient("bob", flow_id).sign().json()["state"] == "completed"
        flow = ended(world, alice, flow_id)
    assert shown(world, folder) == [RECORD, "Bail (signé).pdf", "Bail.pdf"]
    (warning,) = flow["warnings"]
    assert warning.startswith("Le dossier choisi pour les résultats")
    assert warning in told(world, flow_id)


def test_documents_of_one_name_from_two_folders_meet_under_two_names(world: World, alice: Browser) -> None:
    chosen, one, other = world.folder(), world.folder(), world.folder()
    ids = [world.put(f"{one}/Bail.pdf", pdf()), world.put(f"{other}/bail.PDF", pdf(2))]
    flow_id = saved(world, alice, into(chosen), ids)
    assert world.recipient("bob", flow_id).sign().json()["state"] == "completed"
    flow = ended(world, alice, flow_id)
    paths = [document["signed"]["path"] for document in flow["documents"]]
    assert len(set(paths)) == 2
    for document in flow["documents"]:
        assert sha(world.read(document["signed"]["path"])) == document["signed"]["sha256"]


# ---- names ----------------------------------------------------------------------------------------------------------
def test_a_file_of_that_name_that_holds_an_earlier_content_is_not_taken_for_the_signed_copy(
    world: World, alice: Browser
) -> None:
    folder, data = world.folder(), pdf()
    flow_id = saved(world, alice, HERE, [world.put(f"{folder}/Bail.pdf", data)])
    prepared = world.read(f"{folder}/.flows/{flow_id}/{read(alice, flow_id)['documents'][0]['current_sha256']}")
    for name, content in (("Bail (signé).pdf", data), ("Bail (signé) 2.pdf", prepared)):
        world.put(f"{folder}/{name}", content)
    assert world.recipient("bob", flow_id).sign().json()["state"] == "completed"
    signed = ended(world, alice, flow_id)["documents"][0]["signed"]
    assert signed["path"] == f"{folder}/Bail (signé) 3.pdf"
    assert sha(world.read(signed["path"])) == signed["sha256"]
    assert (world.read(f"{folder}/Bail (signé).pdf"), world.read(f"{folder}/Bail (signé) 2.pdf")) == (data, prepared)


def test_however_many_names_are_taken_one_is_found(world: World, alice: Browser) -> None:
    folder = world.folder()
    place = world.demo.host.area._files / "alice" / folder
    for number in range(1, 200):
        (place / f"Bail (signé){f' {number}' if number > 1 else ''}.pdf").write_bytes(b"taken")
    flow_id = saved(world, alice, HERE, [world.put(f"{folder}/Bail.pdf", pdf())])
    assert world.recipient("bob", flow_id).sign().json()["state"] == "completed"
    signed = ended(world, alice, flow_id)["documents"][0]["signed"]
    assert signed["path"] == f"{folder}/Bail (signé) {signed['sha256'][:16]}.pdf"
    assert sum(path.read_bytes() == b"taken" for path in place.glob("*.pdf")) == 199


@pytest.mark.parametrize("save", ["beside", "version"])
def test_two_flows_that_finish_on_one_file_at_the_same_moment_get_two_names(
    world: World, alice: Browser, save: str
) -> None:
    folder = world.folder()
    file_id = world.put(f"{folder}/Bail.pdf", pdf())
    flow_ids = [saved(world, alice, {"mode": save}, [file_id]) for _ in range(3)]
    bobs = [world.recipient("bob", flow_id) for flow_id in flow_ids]
    for bob in bobs:
        bob.flow()
    answers = at_once(*(bob.sign for bob in bobs))
    assert [answer.json()["state"] for answer in answers] == ["completed"] * 3
    copies = [ended(world, alice, flow_id)["documents"][0]["signed"] for flow_id in flow_ids]
    names = {"Bail (signé).pdf", "Bail (signé) 2.pdf", "Bail.pdf" if save == "version" else "Bail (signé) 3.pdf"}
    assert {copy["path"] for copy in copies} == {f"{folder}/{name}" for name in names}
    assert all(sha(world.read(copy["path"])) == copy["sha256"] for copy in copies)
    records = [name for name in shown(world, folder) if "dossier de preuves" in name]
    assert len(records) == 3


# ---- waiting --------------------------------------------------------------------------------------------------------
class Failing:
    """The file area; the ``at``-th PDF that is written fails, before or after it arrived, and all from then on."""

    def __init__(self, files: Files, at: int, error: Exception, *, arrives: bool) -> None:
        self._files, self._left, self._error, self._arrives = files, at, error, arrives

    def __getattr__(self, name: str) -> Any:
        return getattr(self._files, name)

    def write(self, user: str, path: str, *args: Any, **more: Any) -> Any:
        self._left -= path.endswith(".pdf")
        if self._left > 0 or not path.endswith(".pdf"):
            return self._files.write(user, path, *args, **more)
        if self._arrives and self._left == 0:
            self._files.write(user, path, *args, **more)
        raise self._error


@pytest.mark.parametrize("save", ["beside", "version", "folder"])
@pytest.mark.parametrize("arrives", [False, True], ids=["refused", "answer-lost"])
@pytest.mark.parametrize("at", [1, 2, 3])
def test_whatever_fails_at_whichever_result_in_the_end_each_lies_there_once(
    world: World, alice: Browser, save: str, at: int, arrives: bool
) -> None:
    folder, chosen = world.folder(), world.folder()
    ids = [world.put(f"{folder}/{name}.pdf", pdf(n)) for n, name in enumerate(("Bail", "Plan"), start=1)]
    save_to = {"beside": HERE, "version": VERSION, "folder": into(chosen)}[save]
    flow_id = saved(world, alice, save_to, ids)
    world.settled(flow_id)
    error: Exception = HostUnavailable() if arrives else HostFull()
    bob = world.recipient("bob", flow_id)
    ctx = world.office.ctx
    failing = Failing(ctx.files, at, error, arrives=arrives)
    with world.handed(files=failing, jobs=Idle()):
        state = bob.sign().json()["state"]
        assert state == ("completed" if at == 3 else "running")
        look_at(replace(in_hours(world, 1), files=failing, jobs=Idle()), flow_id)
    waits = read(alice, flow_id)["waiting"]
    assert waits["reason"] == ("host-unavailable" if arrives else "host-full")
    if at == 3:  # the copies are there, and the mails of the end wait for no record
        assert world.mails(flow_id, "completed", "alice@")
    look_at(in_hours(world, 2), flow_id)
    flow = ended(world, alice, flow_id)
    assert (flow["state"], flow["waiting"]) == ("completed", None)
    results = {
        "beside": [RECORD, "Bail (signé).pdf", "Bail.pdf", "Plan (signé).pdf", "Plan.pdf"],
        "version": [RECORD, "Bail.pdf", "Plan.pdf"],
        "folder": ["Bail.pdf", "Plan.pdf"],
    }
    assert shown(world, folder) == results[save]
    assert shown(world, chosen) == ([RECORD, "Bail (signé).pdf", "Plan (signé).pdf"] if save == "folder" else [])
    for document in flow["documents"]:
        assert sha(world.read(document["signed"]["path"])) == document["signed"]["sha256"]
    assert sha(world.read(flow["evidence"]["path"])) == flow["evidence"]["sha256"]
    types = [line["type"] for line in world.lines(flow_id)]
    assert (types.count("flow.completed"), types.count("evidence.stored")) == (1, 1)
    assert world.office.ctx.vault.layings(flow_id) == []


class Idle:
    """The ``Jobs`` port: nothing is looked at but by hand."""

    def look_at(self, flow_id: str) -> None: ...

    def look_after(self, flow_id: str) -> None: ...


class Died(BaseException):
    """As a kill does, it passes by whatever answers errors."""


class Dying:
    """The chains; the process dies right before, or right after, a line of that kind is written."""

    def __init__(self, flows: Any, kind: str, *, after: bool) -> None:
        self._flows, self._kind, self._after = flows, kind, after

    def __getattr__(self, name: str) -> Any:
        return getattr(self._flows, name)

    def append(self, loaded: Any, lease: Any, events: Any, actor: str, now: Any) -> Any:
        dies = any(event.type == self._kind for event in events)
        if dies and not self._after:
            raise Died
        done = self._flows.append(loaded, lease, events, actor, now)
        if dies:
            raise Died
        return done


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("meanwhile", ["nothing", "the folder goes", "the folder is read-only"])
@pytest.mark.parametrize("kind", ["flow.completed", "evidence.stored"])
def test_after_a_crash_nothing_is_laid_twice_whatever_happened_to_its_place(
    world: World, alice: Browser, kind: str, meanwhile: str, after: bool
) -> None:
    folder, chosen = world.folder(), world.folder()
    flow_id = saved(world, alice, into(chosen), [world.put(f"{folder}/Bail.pdf", pdf())])
    world.settled(flow_id)
    ctx = replace(world.office.ctx, jobs=Idle())
    with world.handed(jobs=Idle(), flows=NeverFinishing(ctx.flows)):
        assert world.recipient("bob", flow_id).sign().json()["state"] == "running"
    with pytest.raises(Died):
        look_at(replace(ctx, clock=later(ctx, 1), flows=Dying(ctx.flows, kind, after=after)), flow_id)
    laid = shown(world, chosen)
    assert laid == (["Bail (signé).pdf"] if kind == "flow.completed" else [RECORD, "Bail (signé).pdf"])
    with contextlib.ExitStack() as hindrance:
        if meanwhile == "the folder is read-only":
            hindrance.enter_context(read_only(world, chosen))
        elif meanwhile == "the folder goes":
            assert world.dav("alice", "DELETE", chosen).status_code == 204
        ctx.flows.refresh(flow_id)  # as the start after a crash does
        look_at(replace(ctx, clock=later(ctx, 2)), flow_id)
        look_at(replace(ctx, clock=later(ctx, 3)), flow_id)
        flow = ended(world, alice, flow_id)
    everything = [*shown(world, folder), *shown(world, chosen)]
    expected = 1 if meanwhile != "the folder goes" else 1 - (after or kind == "evidence.stored")
    assert everything.count("Bail (signé).pdf") == expected
    assert everything.count(RECORD) <= 1
    assert flow["state"] == "completed"
    assert [line["type"] for line in world.lines(flow_id)].count("evidence.stored") == 1


class DyingAtTheRecord:
    """The file area; the process dies when the record is put, before or after it arrives."""

    def __init__(self, files: Files, *, arrives: bool) -> None:
        self._files, self._arrives = files, arrives

    def __getattr__(self, name: str) -> Any:
        return getattr(self._files, name)

    def write(self, user: str, path: str, *args: Any, **more: Any) -> Any:
        if path.endswith(RECORD) and not self._arrives:
            raise Died
        done = self._files.write(user, path, *args, **more)
        if path.endswith(RECORD):
            raise Died
        return done


@pytest.mark.parametrize("arrives", [False, True])
def test_a_record_on_its_way_when_the_process_dies_is_there_once(world: World, alice: Browser, arrives: bool) -> None:
    """Even where nothing is cached any more, and what is made anew has other bytes."""
    folder = world.folder()
    flow_id = saved(world, alice, HERE, [world.put(f"{folder}/Bail.txt", b"Bail")], kind="validation")
    world.settled(flow_id)
    ctx = replace(world.office.ctx, jobs=Idle())
    with world.handed(jobs=Idle()):
        assert world.recipient("bob", flow_id).approve().json()["state"] == "completed"
    dying = DyingAtTheRecord(ctx.files, arrives=arrives)
    with pytest.raises(Died):
        look_at(replace(ctx, clock=later(ctx, 1), files=dying), flow_id)
    look_at(replace(ctx, clock=later(ctx, 2), blobs=Forgetful(), files=Blinking(ctx.files)), flow_id)
    flow = ended(world, alice, flow_id)
    assert shown(world, folder) == [RECORD, "Bail.txt"]
    assert flow["evidence"]["sha256"] == sha(world.read(f"{folder}/{RECORD}"))


class Blinking:
    """The file area; for a moment it does not know the record that lies there."""

    def __init__(self, files: Files) -> None:
        self._files, self._is_blind = files, True

    def __getattr__(self, name: str) -> Any:
        return getattr(self._files, name)

    def stat(self, user: str, path: str) -> Any:
        if path.endswith(RECORD) and self._is_blind:
            self._is_blind = False
            return None
        return self._files.stat(user, path)


def test_a_record_that_was_laid_down_is_not_kept_in_the_cache_as_well(world: World, alice: Browser) -> None:
    folder = world.folder()
    flow_id = saved(world, alice, {"mode": "beside"}, [world.put(f"{folder}/Bail.pdf", pdf())])
    assert world.recipient("bob", flow_id).sign().json()["state"] == "completed"
    ended(world, alice, flow_id)
    (stored,) = [line["data"]["sha256"] for line in world.lines(flow_id) if line["type"] == "evidence.stored"]
    assert sha(world.read(f"{folder}/{RECORD}")) == stored
    assert world.office.ctx.blobs.get(stored) is None
    assert world.office.ctx.vault.layings(flow_id) == []


class Forgetful:
    """The ``Blobs`` port: a cache that holds nothing."""

    def get(self, sha256: str) -> None: ...

    def put(self, data: bytes, sha256: str | None = None) -> str:
        return sha256 or sha(data)

    def drop(self, sha256: str) -> None: ...


def later(ctx: Context, hours: int) -> Callable[[], Any]:
    return lambda: ctx.clock() + timedelta(hours=hours)


class NeverFinishing:
    def __init__(self, flows: Any) -> None:
        self._flows = flows

    def __getattr__(self, name: str) -> Any:
        return getattr(self._flows, name)

    def append(self, loaded: Any, lease: Any, events: Any, actor: str, now: Any) -> Any:
        if any(event.type == "flow.completed" for event in events):
            raise HostFull
        return self._flows.append(loaded, lease, events, actor, now)


def test_without_room_for_the_record_the_flow_has_ended_and_is_listed_until_there_is(
    world: World, alice: Browser
) -> None:
    folder = world.folder()
    flow_id = saved(world, alice, HERE, [world.put(f"{folder}/Bail.txt", b"Bail")], kind="validation")
    world.settled(flow_id)
    bob = world.recipient("bob", flow_id)
    with room(world, 15_000):  # for a few lines, and no PDF
        assert bob.approve().json()["state"] == "completed"
        waits = until(lambda: read(alice, flow_id)["waiting"])
        assert waits["reason"] == "host-full"
        assert waits["sentence"].startswith("Le dossier de preuves attend")
        assert flow_id in {row["id"] for row in alice.get("flows?box=hand").json()["flows"]}
        world.mail(flow_id, "completed", "alice@")
    sweep(in_hours(world, 1))
    flow = ended(world, alice, flow_id)
    assert (flow["waiting"], flow["evidence"]["path"]) == (None, f"{folder}/{RECORD}")
    assert flow_id not in {row["id"] for row in alice.get("flows?box=hand").json()["flows"]}
