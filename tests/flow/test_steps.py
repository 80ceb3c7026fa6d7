"""Steps with several people: all of them, any one, n of them; observers; the creator who signs first."""

from __future__ import annotations

from dataclasses import replace

import pytest

from plugin.flow.commands import Launch
from plugin.flow.decide import decide
from plugin.flow.errors import Conflict, Invalid
from plugin.flow.events import AskedStep
from plugin.flow.model import CREATOR, FlowState, RecipientState, Role
from plugin.flow.owed import MailWork
from tests.flow.builders import NOW, Story, approving, order, person, refusing, signing

V, S, C = Role.VALIDATOR, Role.SIGNATORY, Role.OBSERVER


def stepped(launch: Launch, *steps: tuple[str, str]) -> Launch:
    """``steps``: the rule ("all", "any" or a number) and the recipients, as in ("any", "r1 r2")."""
    made = (
        AskedStep("n" if rule.isdigit() else rule, tuple(who.split()), int(rule) if rule.isdigit() else None)
        for rule, who in steps
    )
    return replace(launch, steps=tuple(made))


def states(story: Story) -> dict[str, str]:
    return {r.id: str(r.state) for r in story.now.recipients}


def test_all_of_a_step_are_asked_at_once_and_the_next_step_waits_for_every_one() -> None:
    story = Story(stepped(order([V, V, V]), ("all", "r1 r2"), ("all", "r3")))
    assert states(story) == {"r1": "invited", "r2": "invited", "r3": "waiting"}
    story.do(approving(story.now, "r2"))
    assert states(story)["r3"] == "waiting"
    story.do(approving(story.now, "r1"))
    assert states(story)["r3"] == "invited"


def test_any_one_is_enough_and_the_others_are_not_asked_any_more() -> None:
    story = Story(stepped(order([V, V, V]), ("any", "r1 r2"), ("all", "r3")))
    story.do(approving(story.now, "r2"))
    assert states(story) == {"r1": "skipped", "r2": "approved", "r3": "invited"}
    with pytest.raises(Conflict, match="not-needed") as late:
        story.do(approving(story.now, "r1"))
    assert late.value.values["state"] == "skipped"


def test_n_of_m_are_enough() -> None:
    story = Story(stepped(order([V, V, V]), ("2", "r1 r2 r3")))
    story.do(approving(story.now, "r3"))
    assert story.now.state is FlowState.RUNNING
    story.do(approving(story.now, "r1"))
    assert (story.now.state, states(story)["r2"]) == (FlowState.COMPLETED, "skipped")


def test_one_refusal_ends_the_flow_whatever_the_rule() -> None:
    story = Story(stepped(order([V, V]), ("any", "r1 r2")))
    story.do(refusing("r1"))
    assert story.now.state is FlowState.REFUSED


def test_two_who_sign_side_by_side_each_add_a_revision_on_the_others() -> None:
    story = Story(stepped(order([S, S, S], documents=2), ("all", "r1 r2"), ("all", "r3")))
    second = signing(story.now, "r2")
    story.do(signing(story.now, "r1"))
    after = signing(story.now, "r2")
    story.do(replace(after, shown=second.shown))
    assert [len(d.revisions) for d in story.now.documents] == [3, 3]
    assert states(story) == {"r1": "signed", "r2": "signed", "r3": "invited"}


def test_the_last_of_a_parallel_step_is_known_before_he_signs() -> None:
    story = Story(stepped(order([S, S, S]), ("2", "r1 r2 r3")))
    assert not story.now.is_last_to_decide("r1")
    story.do(signing(story.now, "r1"))
    assert story.now.is_last_to_decide("r2")
    assert story.now.is_last_to_decide("r3")


def test_skipped_people_hear_of_the_end_where_they_had_been_asked() -> None:
    story = Story(stepped(order([V, V]), ("any", "r1 r2")))
    story.do(approving(story.now, "r1"))
    assert [w.person for w in story.owed() if isinstance(w, MailWork)] == [CREATOR, "r1", "r2"]


def test_an_observer_gets_copies_at_the_end_and_nothing_before() -> None:
    launch = order([V, C])
    story = Story(replace(launch, steps=launch.steps[:1]))
    assert [w.person for w in story.owed() if isinstance(w, MailWork)] == ["r1"]
    with pytest.raises(Conflict, match="not-your-turn"):
        story.do(approving(story.now, "r2"))
    story.do(approving(story.now, "r1"))
    assert MailWork(story.owed()[-1].mail, "r2", 0, with_copies=True) == story.owed()[-1]  # type: ignore[union-attr]  # a kind that has it
    assert story.now.recipient("r2").state is RecipientState.WAITING


def test_the_creator_may_sign_before_the_validators() -> None:
    launch = order([S, V, S])
    me = replace(launch.recipients[0], user=person("r1", "alice"))
    story = Story(replace(launch, recipients=(me, *launch.recipients[1:])))
    assert states(story) == {"r1": "invited", "r2": "waiting", "r3": "waiting"}


@pytest.mark.parametrize(
    ("roles", "steps", "path", "code"),
    [
        ([S, V], (("all", "r1"), ("all", "r2")), "recipients[1].role", "validator-after-signatory"),
        ([V, S], (("all", "r1 r2"),), "recipients[0].role", "mixed-step"),
        ([V, V], (("3", "r1 r2"),), "steps[0].rule", "more-than-there-are"),
        ([V, V], (("0", "r1 r2"),), "steps[0].rule", "more-than-there-are"),
        ([V, V], (("most", "r1 r2"),), "steps[0].rule", "invalid"),
        ([C], (), "recipients", "only-observers"),
    ],
)
def test_what_steps_may_not_be(roles: list[Role], steps: tuple[tuple[str, str], ...], path: str, code: str) -> None:
    with pytest.raises(Invalid) as refused:
        decide(None, stepped(order(roles), *steps), NOW)
    assert (refused.value.path, refused.value.code) == (path, code)
