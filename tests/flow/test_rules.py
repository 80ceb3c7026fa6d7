"""What a command makes of a flow, one sentence each."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from plugin.flow.commands import Finish, RecordMail, Resume, Suspend
from plugin.flow.decide import check_turn, decide, is_repeat, waits_for
from plugin.flow.errors import Conflict, Invalid, NotAvailableYet, ParapheurError
from plugin.flow.events import Approved, Completed, Event, Invited, RefusedByRecipient, Signed, Viewed
from plugin.flow.launch_rules import MAX_DOCUMENTS, MAX_RECIPIENTS
from plugin.flow.model import (
    CREATOR,
    FlowState,
    Kind,
    MailKind,
    Placement,
    RecipientState,
    Role,
    SignedCopy,
    SuspendReason,
)
from plugin.flow.owed import FinishWork, MailWork, TidyWork, address_of, owed
from tests.flow.builders import (
    NOW,
    Story,
    approving,
    document,
    order,
    person,
    placement,
    recipient,
    refusing,
    sha,
    shown,
    signing,
    trace,
    viewing,
)

V, S = Role.VALIDATOR, Role.SIGNATORY


def kinds(events: list[Event]) -> list[str]:
    return [event.type for event in events]


def refused(story: Story, command: object) -> str:
    with pytest.raises(ParapheurError) as caught:
        story.do(command)  # type: ignore[arg-type]  # any of them
    return caught.value.code


# ---- order ----
def test_a_launch_invites_the_first_step_alone() -> None:
    story = Story(order([S, S]))
    assert [type(event) for event, _ in story.events][1:] == [Invited]
    assert [r.state for r in story.now.recipients] == [RecipientState.INVITED, RecipientState.WAITING]


def test_each_decision_invites_the_next_and_names_what_is_current_then() -> None:
    story = Story(order([S, S]))
    signed, invited = story.do(signing(story.now, "r1"))
    assert isinstance(signed, Signed)
    assert isinstance(invited, Invited)
    assert (invited.recipient, invited.documents[0].sha256) == ("r2", signed.documents[0].sha256)


def test_the_last_signature_leaves_the_copies_to_be_written() -> None:
    story = Story(order([S]))
    assert kinds(story.do(signing(story.now, "r1"))) == ["recipient.signed"]
    assert (story.now.state, story.owed()) == (FlowState.RUNNING, [FinishWork()])
    copy = SignedCopy(0, "7", person(CREATOR, "a.pdf"), story.now.documents[0].current_sha256)
    assert kinds(story.do(Finish((copy,)))) == ["flow.completed"]
    assert (story.now.state, story.now.documents[0].signed) == (FlowState.COMPLETED, copy)
    assert story.do(Finish((copy,))) == []


def test_nothing_is_finished_before_everybody_decided() -> None:
    story = Story(order([S, S]))
    assert story.do(Finish(())) == []


def test_the_last_approval_ends_a_validation_at_once() -> None:
    story = Story(order([V, V]))
    story.do(approving(story.now, "r1"))
    assert [type(event) for event in story.do(approving(story.now, "r2"))] == [Approved, Completed]
    assert story.now.ended_at is not None


def test_whoever_comes_too_early_is_told_who_is_before() -> None:
    story = Story(order([V, V, S]))
    with pytest.raises(Conflict) as early:
        check_turn(story.now, "r3", NOW)
    assert early.value.code == "not-your-turn"
    assert early.value.values["before"] == ["Nom 1", "Nom 2"]
    story.do(approving(story.now, "r1"))
    assert waits_for(story.now, "r3") == ["Nom 2"]


@pytest.mark.parametrize("act", [viewing("r2", 0), refusing("r2")])
def test_nobody_acts_before_his_turn(act: object) -> None:
    story = Story(order([S, S]))
    assert refused(story, act) == "not-your-turn"
    assert refused(story, signing(story.now, "r2")) == "not-your-turn"


def test_nobody_decides_twice() -> None:
    story = Story(order([V, V]))
    story.do(approving(story.now, "r1"))
    assert refused(story, approving(story.now, "r1", "other")) == "already-decided"
    assert refused(story, refusing("r1")) == "already-decided"
    assert refused(story, viewing("r1", 0)) == "already-decided"


def test_after_a_refusal_the_flow_has_ended_for_everybody_else() -> None:
    story = Story(order([V, V]))
    assert [type(event) for event in story.do(refusing("r1"))] == [RefusedByRecipient]
    assert story.now.state is FlowState.REFUSED
    assert refused(story, approving(story.now, "r2")) == "flow-ended"
    assert refused(story, refusing("r1", request="other")) == "already-decided"


def test_a_suspended_flow_waits() -> None:
    story = Story(order([V]))
    suspended = replace(story.now, state=FlowState.SUSPENDED)
    with pytest.raises(Conflict, match="flow-suspended"):
        check_turn(suspended, "r1", NOW)
    assert owed(suspended, NOW) == []


def test_a_replaced_recipient_is_told_so_before_anything_else() -> None:
    story = Story(order([V]))
    gone = replace(story.now.recipients[0], state=RecipientState.REPLACED)
    with pytest.raises(Conflict, match="replaced"):
        check_turn(replace(story.now, recipients=(gone,), state=FlowState.REFUSED), "r1", NOW)


def test_a_suspension_is_told_to_the_creator_who_can_help_and_the_way_on_to_whoever_waited() -> None:
    story = Story(order([V, V]))
    story.do(approving(story.now, "r1"))
    story.do(RecordMail(MailKind.INVITATION, "r2", 1, "<m@x>"))
    assert kinds(story.do(Suspend(SuspendReason.NO_ACCESS, NOW))) == ["flow.suspended"]
    assert story.do(Suspend(SuspendReason.CREATOR_OUT, NOW)) == []
    assert [(w.mail, w.person) for w in story.owed()] == [(MailKind.SUSPENDED, CREATOR)]  # type: ignore[union-attr]  # a kind that has it
    assert refused(story, approving(story.now, "r2")) == "flow-suspended"
    assert refused(story, Resume("restart")) == "invalid"
    assert kinds(story.do(Resume("continue"))) == ["flow.resumed"]
    told = [(w.mail, w.person) for w in story.owed() if isinstance(w, MailWork)]
    assert told == [(MailKind.RESUMED, "r2")]
    assert refused(story, Resume("continue")) == "not-suspended"


def test_whoever_is_invited_after_a_suspension_is_not_told_of_it() -> None:
    story = Story(order([V, V]))
    story.do(Suspend(SuspendReason.CREATOR_OUT, NOW))
    assert story.owed() == []
    story.do(Resume("continue"))
    story.do(approving(story.now, "r1"))
    assert [(w.mail, w.person) for w in story.owed() if isinstance(w, MailWork)] == [(MailKind.INVITATION, "r2")]


def test_what_has_ended_is_never_suspended() -> None:
    story = Story(order([V]))
    story.do(approving(story.now, "r1"))
    assert story.do(Suspend(SuspendReason.NO_ACCESS, NOW)) == []
    assert refused(story, Resume("continue")) == "flow-ended"


# ---- the act itself ----
def test_the_role_says_which_act_is_his() -> None:
    story = Story(order([V, S]))
    assert refused(story, signing(story.now, "r1")) == "wrong-act"
    story.do(approving(story.now, "r1"))
    assert refused(story, approving(story.now, "r2")) == "wrong-act"


def test_signing_asks_for_consent() -> None:
    story = Story(order([S]))
    assert refused(story, replace(signing(story.now, "r1"), consented=False)) == "consent-required"


def test_asking_whether_a_signature_would_be_accepted_changes_nothing() -> None:
    story = Story(order([S]))
    assert story.do(signing(story.now, "r1", sealed=False)) == []


@pytest.mark.parametrize("reason", ["", " ", "\n\t"])
def test_a_refusal_needs_a_reason(reason: str) -> None:
    assert refused(Story(order([V])), refusing("r1", reason)) == "reason-required"


def test_a_decision_names_every_document_and_no_other() -> None:
    story = Story(order([V], documents=2))
    for documents, code in (
        ({0: shown(story.now)[0]}, "document-missing"),
        ({**shown(story.now), 2: sha("x")}, "no-such-document"),
        ({**shown(story.now), 1: sha("x")}, "documents-changed"),
    ):
        assert refused(story, replace(approving(story.now, "r1"), shown=documents)) == code


def test_what_was_current_before_his_round_is_not_what_he_saw() -> None:
    story = Story(order([S, S]))
    before = shown(story.now)
    story.do(signing(story.now, "r1"))
    assert refused(story, replace(signing(story.now, "r2"), shown=before)) == "documents-changed"


def test_viewing_is_told_once_a_document() -> None:
    story = Story(order([V], documents=2))
    assert [type(event) for event in story.do(viewing("r1", 0))] == [Viewed]
    assert story.do(viewing("r1", 0)) == []
    assert story.do(viewing("r1", 0, 1))[0] == Viewed("r1", 1, (1,))
    assert story.do(viewing("r1")) == []
    assert refused(story, viewing("r1", 5)) == "no-such-document"


def test_the_same_act_again_is_known_by_its_body_or_its_key() -> None:
    story = Story(order([V, V]))
    assert not is_repeat(story.now.recipient("r1"), trace("r1"))
    story.do(replace(approving(story.now, "r1"), trace=trace("r1", "body", "key")))
    done = story.now.recipient("r1")
    assert is_repeat(done, trace("r1", "body"))
    assert is_repeat(done, trace("r1", "other", "key"))
    assert not is_repeat(done, trace("r1", "other", "another"))
    assert not is_repeat(done, trace("r1", "other"))


# ---- what is owed ----
def test_an_invitation_is_owed_to_whoever_may_act() -> None:
    story = Story(order([S, S]))
    assert story.owed() == [MailWork(MailKind.INVITATION, "r1", 1)]
    story.do(RecordMail(MailKind.INVITATION, "r1", 1, "<1@x>"))
    assert story.owed() == []
    assert story.do(RecordMail(MailKind.INVITATION, "r1", 1, "<1@x>")) == []


def test_a_mail_that_nobody_takes_is_not_owed_for_ever() -> None:
    story = Story(order([V]))
    story.do(RecordMail(MailKind.INVITATION, "r1", 1, "", "address-refused"))
    assert story.owed() == []
    assert story.now.mails[0].reason == "address-refused"


def test_a_refusal_is_told_to_the_creator_and_to_those_who_were_asked() -> None:
    story = Story(order([V, V, V]))
    story.do(approving(story.now, "r1"))
    story.do(refusing("r2"))
    assert [(work.mail, work.person) for work in story.owed() if isinstance(work, MailWork)] == [
        (MailKind.REFUSED, CREATOR),
        (MailKind.REFUSED, "r1"),
        (MailKind.REFUSED, "r2"),
    ]


@pytest.mark.parametrize("copies", [True, False])
def test_the_end_is_told_to_all_with_copies_where_asked_for(copies: bool) -> None:
    story = Story(order([V, V], copy_to_all=copies))
    story.do(approving(story.now, "r1"))
    story.do(approving(story.now, "r2"))
    assert story.owed() == [
        TidyWork(),
        MailWork(MailKind.COMPLETED, CREATOR, 0, with_copies=True),
        MailWork(MailKind.COMPLETED, "r1", 0, with_copies=copies),
        MailWork(MailKind.COMPLETED, "r2", 0, with_copies=copies),
    ]


def test_one_mail_a_person_even_when_he_is_creator_and_recipient() -> None:
    launch = order([V])
    himself = replace(launch.recipients[0], email=person("r1", "ALICE@example.org"))
    story = Story(replace(launch, recipients=(himself,)))
    story.do(approving(story.now, "r1"))
    assert story.owed() == [TidyWork(), MailWork(MailKind.COMPLETED, CREATOR, 0, with_copies=True)]


def test_an_erased_address_is_none() -> None:
    story = Story(order([V]))
    erased = replace(story.now.recipients[0], email=person("r1", ""))
    assert address_of(replace(story.now, recipients=(replace(erased, email=None),)), "r1") is None


# ---- launching ----
def test_what_a_launch_may_not_ask() -> None:
    good = order([V, S], documents=2)
    box = good.placements[0]
    bad: list[tuple[object, str, str]] = [
        (replace(good, kind=Kind.EIDAS_SIMPLE), "kind", "not-available-yet"),
        (replace(good, documents=()), "documents", "no-documents"),
        (
            replace(good, documents=tuple(document(n) for n in range(MAX_DOCUMENTS + 1))),
            "documents",
            "too-many-documents",
        ),
        (replace(good, documents=(document(0), document(0))), "documents[1].file_id", "duplicate-document"),
        (replace(good, recipients=()), "recipients", "no-recipients"),
        (
            replace(good, recipients=tuple(recipient(n, S) for n in range(MAX_RECIPIENTS + 1))),
            "recipients",
            "too-many-recipients",
        ),
        (replace(good, recipients=(recipient(1, Role.OBSERVER),)), "recipients", "no-signatory"),
        (replace(good, recipients=(recipient(1, V),)), "recipients", "no-signatory"),
        (
            replace(good, recipients=(recipient(1, S), recipient(2, V))),
            "recipients[1].role",
            "validator-after-signatory",
        ),
        (
            replace(good, recipients=(recipient(1, S, "bob"), recipient(2, S, "BOB"))),
            "recipients[1].user",
            "duplicate-recipient",
        ),
        (replace(good, placements=()), "placements", "stamp-missing"),
        (replace(good, placements=good.placements[:1]), "placements", "stamp-missing"),
        (with_first(good.placements, replace(box, page=3)), "placements[0].page", "no-such-page"),
        (with_first(good.placements, replace(box, x=-1)), "placements[0].box", "outside-page"),
        (with_first(good.placements, replace(box, x=700_001)), "placements[0].box", "outside-page"),
        (with_first(good.placements, replace(box, w=0)), "placements[0].box", "outside-page"),
        (with_first(good.placements, replace(box, w=151_000)), "placements[0].box", "stamp-too-small"),
        (with_first(good.placements, replace(box, h=33_000)), "placements[0].box", "stamp-too-small"),
        (
            with_first(good.placements, replace(box, recipient="r1")),
            "placements[0].recipient",
            "stamp-for-non-signatory",
        ),
    ]
    for asked, path, code in bad:
        command = replace(good, placements=asked) if isinstance(asked, tuple) else asked
        with pytest.raises(Invalid) as caught:
            decide(None, command, NOW)  # type: ignore[arg-type]  # any of them
        assert (caught.value.path, caught.value.code) == (path, code)


def with_first(placements: tuple[Placement, ...], first: Placement) -> tuple[Placement, ...]:
    return (first, *placements[1:])


def test_a_stamp_of_exactly_the_smallest_size_is_taken() -> None:
    launch = order([S])
    smallest = placement(0, 0, "r1", w=round(90 / 595.276 * 1e6), h=round(28 / 841.89 * 1e6))
    assert decide(None, replace(launch, placements=(smallest,)), NOW)


def test_a_validation_has_validators_and_no_stamps() -> None:
    good = order([V])
    with pytest.raises(Invalid, match="role-does-not-fit"):
        decide(None, replace(good, recipients=(recipient(1, S),)), NOW)
    with pytest.raises(Invalid, match="no-stamps-in-a-validation"):
        decide(None, replace(good, placements=(placement(0, 0, "r1"),)), NOW)


def test_only_a_launch_begins_a_flow() -> None:
    with pytest.raises(ValueError, match="only a launch"):
        decide(None, viewing("r1"), NOW)


def test_not_available_yet_is_an_invalid_field() -> None:
    assert NotAvailableYet("add_me").path == "add_me"
    assert NotAvailableYet("add_me").permanent


def test_times_are_those_of_the_lines() -> None:
    story = Story(order([V]))
    story.do(approving(story.now, "r1"))
    assert story.now.created_at == NOW
    assert story.now.recipients[0].invited_at == NOW
    assert story.now.recipients[0].decided_at == NOW + timedelta(minutes=1)
    assert story.now.ended_at == NOW + timedelta(minutes=1)
