"""Any order of acts, the wrong ones too, against a model of a few lines."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from plugin.flow.codec import from_data, to_data
from plugin.flow.commands import Finish, RecordMail, Resume, Suspend
from plugin.flow.decide import is_repeat
from plugin.flow.errors import Conflict, Invalid
from plugin.flow.evolve import replay
from plugin.flow.model import CREATOR, MailKind, Personal, RecipientState, Role, SignedCopy, SuspendReason
from plugin.flow.owed import FinishWork, MailWork, owed
from tests.flow.builders import NOW, Story, approving, order, refusing, signing, trace, viewing

people = st.integers(1, 4).map(lambda number: f"r{number}")


class Flows(RuleBasedStateMachine):
    """The model: whose turn it is (an index), what each one said, and whether it is over."""

    @initialize(
        validators=st.integers(0, 3), signatories=st.integers(0, 3), documents=st.integers(1, 2), copies=st.booleans()
    )
    def launch(self, validators: int, signatories: int, documents: int, copies: bool) -> None:
        roles = ([Role.VALIDATOR] * validators + [Role.SIGNATORY] * signatories)[:4] or [Role.SIGNATORY]
        self.roles = roles
        self.story = Story(order(roles, documents, copy_to_all=copies))
        self.turn = 0
        self.said: dict[str, str] = {}
        self.over = ""
        self.suspended = False
        self.told: list[tuple[str, str, int]] = []

    def expected(self, who: str) -> str:
        """The conflict that an act of his must meet; "" when it is his turn."""
        if who in self.said:
            return "already-decided"
        if self.over:
            return "flow-ended"
        if self.suspended:
            return "flow-suspended"
        return "" if who == f"r{self.turn + 1}" else "not-your-turn"

    def attempt(self, who: str, command: Any, role: Role | None) -> bool:
        before = self.story.now
        if int(who[1:]) > len(self.roles):
            return False
        fits = role is None or self.roles[int(who[1:]) - 1] is role
        try:
            events, code = self.story.do(command), ""
        except (Conflict, Invalid) as error:
            events, code = [], error.code
        assert code == (self.expected(who) or ("" if fits else "wrong-act"))
        assert not code or self.story.now == before
        return bool(events)

    @rule(who=people, documents=st.sets(st.integers(0, 1)))
    def view(self, who: str, documents: set[int]) -> None:
        self.attempt(who, viewing(who, *(n for n in documents if n < len(self.story.now.documents))), None)

    @rule(who=people)
    def approve(self, who: str) -> None:
        if self.attempt(who, approving(self.story.now, who), Role.VALIDATOR):
            self.decided(who, "approved")

    @rule(who=people)
    def sign(self, who: str) -> None:
        if self.attempt(who, signing(self.story.now, who), Role.SIGNATORY):
            self.decided(who, "signed")

    @rule(who=people, rarely=st.integers(0, 3))
    def refuse(self, who: str, rarely: int) -> None:
        if rarely == 0 and self.attempt(who, refusing(who), None):
            self.said[who] = "refused"
            self.over = "refused"

    @rule(rarely=st.integers(0, 3), reason=st.sampled_from(SuspendReason))
    def suspend(self, rarely: int, reason: SuspendReason) -> None:
        if rarely == 0:
            events = self.story.do(Suspend(reason, NOW))
            assert len(events) == (0 if self.suspended or self.over else 1)
            self.suspended = self.suspended or not self.over

    @rule()
    def resume(self) -> None:
        if self.suspended:
            self.story.do(Resume("continue"))
            self.suspended = False
        else:
            with pytest.raises(Conflict, match="flow-ended" if self.over else "not-suspended"):
                self.story.do(Resume("continue"))

    def decided(self, who: str, what: str) -> None:
        self.said[who] = what
        self.turn += 1
        if self.turn == len(self.roles) and Role.SIGNATORY not in self.roles:
            self.over = "completed"

    @precondition(lambda self: any(isinstance(work, FinishWork) for work in self.story.owed()))
    @rule()
    def finish(self) -> None:
        copies = tuple(
            SignedCopy(d.n, str(900 + d.n), Personal(CREATOR, f"{d.n}.pdf"), d.current_sha256)
            for d in self.story.now.documents
        )
        self.story.do(Finish(copies))
        self.over = "completed"

    @precondition(lambda self: any(isinstance(work, MailWork) for work in self.story.owed()))
    @rule(accepted=st.booleans())
    def mail(self, accepted: bool) -> None:
        work = next(work for work in self.story.owed() if isinstance(work, MailWork))
        self.story.do(RecordMail(work.mail, work.person, work.round, "<1@x>", None if accepted else "address-refused"))
        assert (work.mail, work.person, work.round) not in self.told
        self.told.append((work.mail, work.person, work.round))
        assert work not in self.story.owed()

    @rule()
    def do_everything_owed(self) -> None:
        for _ in range(20):
            works = self.story.owed()
            if not works:
                break
            self.finish() if isinstance(works[0], FinishWork) else self.mail(accepted=True)
        assert self.story.owed() == []

    @invariant()
    def exactly_one_step_is_active_while_it_runs(self) -> None:
        flow = self.story.now
        assert flow.state == (self.over or ("suspended" if self.suspended else "running"))
        assert (flow.suspension is None) == (flow.state != "suspended")
        active = [r.id for r in flow.recipients if r.state.is_open]
        if self.over == "completed" or self.turn == len(self.roles):
            assert active == []
        elif not self.over:
            assert active == [f"r{self.turn + 1}"]
        else:
            assert active == []

    @invariant()
    def everybody_said_what_the_model_says(self) -> None:
        for r in self.story.now.recipients:
            assert (r.state in (RecipientState.APPROVED, RecipientState.SIGNED, RecipientState.REFUSED)) == (
                r.id in self.said
            )
            assert r.id not in self.said or r.state == self.said[r.id]
            assert is_repeat(r, trace(r.id)) == (r.id in self.said)

    @invariant()
    def every_signature_is_one_revision_a_document(self) -> None:
        signatures = sum(1 for what in self.said.values() if what == "signed")
        for d in self.story.now.documents:
            assert len(d.revisions) == (signatures + 1 if Role.SIGNATORY in self.roles else 0)
            assert len(set(d.revisions)) == len(d.revisions)

    @invariant()
    def nobody_is_told_before_his_turn(self) -> None:
        flow = self.story.now
        for work in owed(flow, NOW):
            if isinstance(work, MailWork) and work.person != CREATOR:
                assert flow.recipient(work.person).state is not RecipientState.WAITING

    @invariant()
    def while_suspended_nothing_is_asked_of_anybody_but_the_creator(self) -> None:
        if self.suspended:
            works = [work for work in self.story.owed() if isinstance(work, MailWork)]
            assert all((work.mail, work.person) == (MailKind.SUSPENDED, CREATOR) for work in works)
            assert len(works) == len(self.story.owed())

    @invariant()
    def its_lines_give_the_same_flow(self) -> None:
        assert replay(self.story.events) == self.story.now
        again = [(from_data(event.type, to_data(event)), at) for event, at in self.story.events]
        assert again == self.story.events


TestFlows = Flows.TestCase
TestFlows.settings = settings(
    max_examples=60, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
