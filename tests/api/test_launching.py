"""What a launch can ask for: steps, observers, the creator himself, deadlines, reminders, where the results go."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from plugin.actions.context import Habits
from plugin.web.times import end_of_day
from tests.world import Browser, Json, World, pdf, stamps


@pytest.fixture
def file_id(world: World) -> str:
    return world.put(f"{world.folder()}/Bail.pdf", pdf())


def steps(flow: Json) -> list[Any]:
    return [(s["rule"], [r["id"] for r in s["recipients"]]) for s in flow["steps"]]


def at(number: int, step: int | None = None, **more: Any) -> Json:
    numbered = {} if step is None else {"step": step}
    return {"email": f"p{number}@example.com", **numbered, **more}


@pytest.mark.parametrize(
    "numbers, wanted",
    [
        ([None, None, None], [["r1"], ["r2"], ["r3"]]),
        ([0, 0, 1], [["r1", "r2"], ["r3"]]),
        ([7, 7, 7], [["r1", "r2", "r3"]]),
        ([2, 1, 2], [["r2"], ["r1", "r3"]]),
        ([1, None, 1], [["r1", "r3"], ["r2"]]),
        ([None, None, 0], [["r1"], ["r2"], ["r3"]]),
        ([1, None, 2], [["r1"], ["r2"], ["r3"]]),
        ([0, None, None], [["r1"], ["r2"], ["r3"]]),
    ],
)
def test_equal_numbers_act_side_by_side_and_whoever_has_none_alone(
    world: World, alice: Browser, file_id: str, numbers: list[int | None], wanted: list[list[str]]
) -> None:
    flow = world.validation(alice, [file_id], [at(n, number) for n, number in enumerate(numbers)])
    assert steps(flow) == [("all", members) for members in wanted]
    invited = [line["data"]["recipient"] for line in world.lines(flow["id"]) if line["type"] == "recipient.invited"]
    assert invited == wanted[0]


def test_each_step_has_its_rule(world: World, alice: Browser, file_id: str) -> None:
    rules: list[Json] = [{"step": 1, "rule": {"n": 2}}, {"step": 0, "rule": "any"}]
    people = [at(0, 0), at(1, 0), at(2, 1), at(3, 1), at(4, 1), at(5, 2)]
    flow = world.validation(alice, [file_id], people, steps=rules)
    assert steps(flow) == [("any", ["r1", "r2"]), ({"n": 2}, ["r3", "r4", "r5"]), ("all", ["r6"])]
    world.link(flow["id"], "p1@").approve()
    read = alice.get(f"flows/{flow['id']}").json()
    assert [r["state"] for s in read["steps"] for r in s["recipients"]] == [
        "skipped",
        "approved",
        *["invited"] * 3,
        "waiting",
    ]
    skipped = world.link(flow["id"], "p0@")
    assert skipped.flow()["me"]["state"] == "skipped"


def test_observers_are_in_no_step_and_get_their_mail_at_the_end(world: World, alice: Browser, file_id: str) -> None:
    people = [{"user": "bob"}, at(0, role="observer", step=0), {"user": "carol", "role": "observer"}]
    flow = world.signature(alice, [file_id], people, placements=stamps(1, [0]), copy_emails=["copie@example.com"])
    assert steps(flow) == [("all", ["r1"])]
    assert [(r["id"], r["role"], r["email"]) for r in flow["observers"]] == [
        ("r2", "observer", "p0@example.com"),
        ("r3", "observer", "carol@example.org"),
        ("r4", "observer", "copie@example.com"),
    ]
    assert world.recipient("bob", flow["id"]).sign().json()["state"] == "completed"
    mails = world.settled(flow["id"])
    told = {to for mail in mails for to in ([mail["to"]] if isinstance(mail["to"], str) else mail["to"])}
    assert {"p0@example.com", "carol@example.org", "copie@example.com"} <= told
    assert {
        mail["message_id"].split("-")[0].strip("<").split(".")[0] for mail in mails if "copie@" in str(mail["to"])
    } == {"completed"}


def test_copy_addresses_of_somebody_who_is_there_are_passed_over(world: World, alice: Browser, file_id: str) -> None:
    copies = ["P0@example.com", "bob@example.org", "alice@example.org", "neu@example.com", "NEU@example.com"]
    flow = world.validation(alice, [file_id], [at(0), {"user": "bob"}], copy_emails=copies)
    assert [r["email"] for r in flow["observers"]] == ["neu@example.com"]


def test_a_creator_who_adds_himself_signs_first_with_his_own_stamps(
    world: World, alice: Browser, file_id: str
) -> None:
    placed = [
        *stamps(1, [0]),
        {**stamps(1, [0])[0], "recipient": "me", "box": {"x": 0.6, "y": 0.1, "w": 0.3, "h": 0.1}},
    ]
    flow = world.signature(
        alice, [file_id], [at(0, 0), at(1, 0, role="validator")][:1], placements=placed, add_me=True
    )
    assert [[r["user"] or r["email"] for r in s["recipients"]] for s in flow["steps"]] == [
        ["alice"],
        ["p0@example.com"],
    ]
    assert [(p["recipient"], p["box"]["x"]) for p in flow["placements"]] == [("r2", 0.05), ("r1", 0.6)]
    assert world.mail(flow["id"], "invitation", "alice@")
    assert world.recipient("alice", flow["id"]).sign().status_code == 200
    assert world.link(flow["id"], "p0@").sign().json()["state"] == "completed"


def test_a_creator_alone_can_sign(world: World, alice: Browser, file_id: str) -> None:
    mine = [{**stamps(1, [0])[0], "recipient": "me"}]
    flow = world.signature(alice, [file_id], [], placements=mine, add_me=True)
    assert world.recipient("alice", flow["id"]).sign().json()["state"] == "completed"


@pytest.mark.parametrize(
    "change, path, code",
    [
        ({"recipients": [at(0), {"user": "alice"}]}, "recipients[1].user", "duplicate-recipient"),
        ({"recipients": [at(0), {"email": "ALICE@example.org"}]}, "recipients[1].email", "duplicate-recipient"),
        ({"recipients": [at(0), at(1, role="validator")]}, "recipients[1].role", "validator-after-signatory"),
        (
            {"steps": [{"step": 0, "rule": "any"}, {"step": 1, "rule": {"n": 3}}]},
            "steps[1].rule",
            "more-than-there-are",
        ),
        ({"placements": [*stamps(1, [0]), {**stamps(1, [1])[0]}]}, "placements[1].recipient", "no-such-recipient"),
    ],
)
def test_with_the_creator_added_refusals_name_the_fields_as_they_were_sent(
    alice: Browser, file_id: str, change: Json, path: str, code: str
) -> None:
    placed = [*stamps(1, [0]), {**stamps(1, [0])[0], "recipient": "me"}]
    body = {
        "kind": "signature",
        "documents": [{"file_id": file_id}],
        "recipients": [at(0)],
        "placements": placed,
        "add_me": True,
    }
    answer = alice.post("flows", {**body, **change})
    assert (answer.status_code, answer.json()["code"], answer.json()["path"]) == (422, code, path)


def test_a_missing_stamp_names_its_signatory_as_he_was_sent(alice: Browser, file_id: str) -> None:
    body = {"kind": "signature", "documents": [{"file_id": file_id}], "recipients": [at(0)], "add_me": True}
    mine = {**stamps(1, [0])[0], "recipient": "me"}
    for placed, missing in ((stamps(1, [0]), "me"), ([mine], 0)):
        answer = alice.post("flows", {**body, "placements": placed})
        assert (answer.json()["code"], answer.json()["recipient"]) == ("stamp-missing", missing)


def test_a_day_ends_where_the_flow_is(world: World, alice: Browser, file_id: str) -> None:
    day = (datetime.now(UTC) + timedelta(days=30)).date()
    asked = {"expires_at": day.isoformat(), "time_zone": "America/Cayenne"}
    flow = world.validation(alice, [file_id], [at(0)], **asked)
    assert (flow["expires_at"], flow["time_zone"]) == (f"{day + timedelta(days=1)}T02:59:59.000Z", "America/Cayenne")
    at_noon = {"expires_at": f"{day}T12:00:00+02:00", "remind_every": 3, "allow_delegation": True}
    flow = world.validation(alice, [file_id], [at(0)], **at_noon)
    assert (flow["expires_at"], flow["remind_every"], flow["allow_delegation"]) == (f"{day}T10:00:00.000Z", 3, True)
    assert world.link(flow["id"], "p0@").flow()["expires_at"] == f"{day}T10:00:00.000Z"


def test_what_nobody_says_is_as_the_administrator_set_it(world: World, alice: Browser, file_id: str) -> None:
    with world.handed(habits=Habits(quiet_days=(5,), expiry_days=10, remind_days=2)):
        usual = world.validation(alice, [file_id], [at(0)])
        none = world.validation(alice, [file_id], [at(0)], expires_at=None, remind_every=None)
    launched = datetime.fromisoformat(usual["created_at"]).astimezone(ZoneInfo(usual["time_zone"]))
    wanted = end_of_day(launched.date() + timedelta(days=10), usual["time_zone"])
    assert datetime.fromisoformat(usual["expires_at"]) == wanted
    assert usual["remind_every"] == 2
    assert (none["expires_at"], none["remind_every"]) == (None, None)
    assert world.office.ctx.flows.load(usual["id"]).flow.quiet_days == (5,)


def test_reminders_rest_at_weekends_unless_set_otherwise(world: World, alice: Browser, file_id: str) -> None:
    flow = world.validation(alice, [file_id], [at(0)], remind_every=1)
    assert world.office.ctx.flows.load(flow["id"]).flow.quiet_days == (6, 7)
    world.settled(flow["id"])
    (who,) = alice.get(f"flows/{flow['id']}").json()["steps"][0]["recipients"]
    due = datetime.fromisoformat(who["next_reminder_at"])
    assert due > datetime.fromisoformat(flow["created_at"])
    assert due.isoweekday() < 6


def test_results_may_go_to_a_folder_that_the_creator_can_write(world: World, alice: Browser, file_id: str) -> None:
    folder = world.folder()
    flow = world.validation(alice, [file_id], [at(0)], save={"mode": "folder", "folder": f"/{folder}/"})
    assert flow["save"] == {"mode": "folder", "folder": folder}
    assert world.validation(alice, [file_id], [at(0)])["save"] == {"mode": "beside", "folder": None}
    kept = world.office.ctx.flows.load(flow["id"]).flow.save
    assert world.office.ctx.files.by_id("alice", kept.folder_id).path == folder
    before = alice.post("flows", _validation(file_id, {"mode": "folder", "folder": f"{folder}/Bail.pdf"}))
    assert before.json()["code"] == "no-such-folder"


def test_a_folder_where_one_may_only_read_is_no_place_for_results(world: World, alice: Browser, file_id: str) -> None:
    folder = world.folder()
    info = replace(world.office.ctx.files.stat("alice", folder), can_write=False)
    with world.handed(files=_Stat(world.office.ctx.files, info)):
        answer = alice.post("flows", _validation(file_id, {"mode": "folder", "folder": folder}))
    assert (answer.json()["code"], answer.json()["path"]) == ("folder-read-only", "save.folder")


def _validation(file_id: str, save: Json) -> Json:
    return {"kind": "validation", "documents": [{"file_id": file_id}], "recipients": [at(0)], "save": save}


class _Stat:
    """The host's files, where one folder tells that one may only read there."""

    def __init__(self, files: Any, info: Any) -> None:
        self._files, self._info = files, info

    def __getattr__(self, name: str) -> Any:
        return getattr(self._files, name)

    def stat(self, user: str, path: str) -> Any:
        return self._info if path == self._info.path else self._files.stat(user, path)


def test_a_recipient_learns_nothing_of_where_results_go_or_who_else_gets_copies(
    world: World, alice: Browser, file_id: str
) -> None:
    folder = world.folder()
    flow = world.validation(
        alice,
        [file_id],
        [{"user": "bob"}],
        save={"mode": "folder", "folder": folder},
        copy_emails=["copie@example.com"],
    )
    bob = world.recipient("bob", flow["id"])
    for text in (bob.get("flow.json").text, bob.get(f"/api/v1/flows/{flow['id']}").text):
        assert folder not in text
        assert "copie@example.com" not in text
