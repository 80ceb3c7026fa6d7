"""Those who read, sign, approve, refuse and hand over; who click twice, ask again, and change their minds."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from plugin.actions.acting import check_may_act, load, load_for
from plugin.actions.approve import approve
from plugin.actions.context import Context
from plugin.actions.delegate import delegate
from plugin.actions.refuse import refuse
from plugin.actions.sign import Signing, sign
from plugin.actions.view import view
from plugin.flow.errors import Conflict
from plugin.flow.events import Trace as Came
from plugin.flow.model import RecipientState
from plugin.ports import Mail
from plugin.ports_state import Loaded
from tests.simulation.callers import Callers
from tests.simulation.creators import AGAIN, Town, asked_as
from tests.simulation.replica import EXPECTED
from tests.simulation.scheduler import NEVER
from tests.simulation.story import Story


class People(Callers):
    def __init__(self, world: Town) -> None:
        super().__init__(world)
        self._begun: set[tuple[str, str, int]] = set()

    def is_launched(self, story: Story) -> None:
        for party in story.parties:
            if party.role == "observer":
                self._looks_on(story, party.rid)
            elif (party.email.startswith("nobody") or party.user) and party.minds != "never comes":
                self._begins(story, party.rid, self._dice.uniform(60.0, 300.0))

    # ---- recipients -------------------------------------------------------------------------------------------------
    def hears(self, mail: Mail) -> None:
        """An invitation came: whoever it is for acts, once he has read it."""
        what, flow_id, rid, round_ = mail.message_id[1:].split("@")[0].split(".")[:4]
        story = self._world.oracle.story_of(flow_id)
        if story is None:
            self._world.scheduler.spawn("reads later", lambda: self.hears(mail), after=5.0)
            return
        self._world.oracle.hears(story, what, rid, mail.to)
        if what == "completed" and rid in story.observers:
            self._spawns("follows", partial(self._reads_of_the_end, story, rid, mail), self._dice.uniform(0.5, 60.0))
        if what not in ("invitation", "reminder", "suspended"):
            return
        if what == "suspended":
            self._spawns("goes on", partial(self.goes_on, story), self._dice.uniform(5.0, 60.0))
            return
        if mail.to in story.newcomers:
            self._world.oracle.is_in_place(story, rid, mail.to)
        if what == "invitation":
            self.holds_old_link(story, rid, int(round_) - 1)
        if story.party(rid).minds != "never comes":
            self._begins(story, rid, self._dice.uniform(0.5, 60.0), mail, int(round_) if what == "invitation" else 0)

    def _begins(
        self, story: Story, rid: str, after: float, mail: Mail | None = None, round_: int | None = None
    ) -> None:
        """Once a round; a reminder (0) begins nothing where an invitation came. ``round_``: None without a mail."""
        if round_ is not None:
            if (str(story.flow_id), rid, round_) in self._begun or (round_ == 0 and self._has_begun(story, rid)):
                return
            self._begun.add((str(story.flow_id), rid, round_))
        self.busy += 1
        self._world.scheduler.spawn(f"{rid} of {story.number}", lambda: self._lives(story, rid, mail), after=after)

    def _has_begun(self, story: Story, rid: str) -> bool:
        return any(known[:2] == (story.flow_id, rid) for known in self._begun)

    def _lives(self, story: Story, rid: str, mail: Mail | None) -> None:
        try:
            if mail is None:
                self._comes_by(story, rid)
            else:
                self._acts(story, rid, self._follows(story, rid, mail))
        finally:
            self.busy -= 1

    def _comes_by(self, story: Story, rid: str) -> None:
        """Without having been told: too early, he is told whose turn it is; when it is his, he acts."""
        flow_id = str(story.flow_id)
        while True:
            flow = self._insists("look", lambda ctx: load(ctx, flow_id)).flow
            recipient = flow.recipient(rid)
            if flow.state.is_ended or recipient.state.is_decided or recipient.state is RecipientState.REPLACED:
                return
            if (flow_id, rid, recipient.round) in self._begun:
                return
            if recipient.state.is_open:
                self._begun.add((flow_id, rid, recipient.round))
                self._acts(story, rid)
                return
            self._tries_early(story, rid)
            self._world.scheduler.sleep(self._dice.uniform(20.0, 90.0))

    def _tries_early(self, story: Story, rid: str) -> None:
        """Nothing may come of it, unless his turn has come meanwhile; then it counts."""
        came = Came(None, "proxy", None, f"early {rid} {self._dice.randrange(10**9)}")
        self._world.oracle.sent(story, rid, came.request, self._world.wall, consents=False)
        try:
            loaded = self._world.ask("early", lambda ctx: refuse(ctx, str(story.flow_id), rid, "No", came), NEVER)
        except (*AGAIN, *EXPECTED):
            return
        else:
            self._world.oracle.acts(story, rid, "refuse", came.request, loaded)

    # ---- his turn ---------------------------------------------------------------------------------------------------
    def _acts(self, story: Story, rid: str, link_round: int | None = None) -> None:
        """``link_round``: of the link by which he came; None: in his session."""
        flow_id, party = str(story.flow_id), story.party(rid)
        self._signs_in(party.user)
        if self._dice.random() < 0.7:
            documents = frozenset(range(len(story.papers)))
            self._tries("view", lambda ctx: view(ctx, flow_id, rid, documents, link_round))
            self._world.scheduler.sleep(self._dice.uniform(0.5, 20.0))
        agrees = "approve" if party.role == "validator" else "sign"
        if self._dice.random() < 0.03 and agrees == "sign":
            self._without_consent(story, rid)
        match party.minds:
            case "agrees":
                self._decides(story, rid, agrees, link_round)
            case "refuses":
                self._decides(story, rid, "refuse", link_round)
            case "delegates":
                if not self._hands_over(story, rid, link_round):
                    self._decides(story, rid, agrees, link_round)
            case _:
                scheduler = self._world.scheduler
                refuses = partial(self._decides, story, rid, "refuse", link_round)
                other = scheduler.spawn("second tab", refuses, joined=True)
                self._decides(story, rid, agrees, link_round)
                scheduler.join(other)
                if other.error is not None:
                    raise other.error

    def _decides(self, story: Story, rid: str, act: str, link_round: int | None) -> None:
        """Until somebody tells him that it is done, or why it cannot be."""
        flow_id = str(story.flow_id)
        while True:
            self._signs_in(story.party(rid).user)
            flow = self._insists("read", lambda ctx: self._shown(ctx, story, rid)).flow
            shown = {d.n: d.current_sha256 for d in flow.documents}
            self._world.scheduler.sleep(self._dice.uniform(0.2, 30.0))
            request = f"{act} {rid} {self._dice.randrange(10**9)}"
            key = f"key {request}" if self._dice.random() < 0.3 else None
            consents = act == "sign"
            self._world.oracle.sent(story, rid, request, self._world.wall, consents=consents, link_round=link_round)
            came = Came(None, "proxy", None, request, key)
            submit = partial(_submitted, flow_id, rid, act, shown, came, True, link_round)
            try:
                loaded = self._submits(story, rid, act, request, submit)
            except Conflict as conflict:
                if conflict.code == "flow-suspended":
                    self._meets_closed_door(story, rid)
                    continue
                if conflict.code in ("documents-changed", "state-changed"):
                    self._world.scheduler.sleep(1.0)
                    continue
                if conflict.code in ("already-decided", "flow-ended", "not-needed"):
                    return
                if conflict.code == "replaced" and (rid in story.replaced or self._is_old_link(story, conflict)):
                    return
                if conflict.code == "not-your-turn" and story.on_change == "restart":
                    return  # it began anew meanwhile: he will be asked again
                self._world.fails(f"{rid} of {flow_id} was invited, and may not {act}: {conflict.code}")
                return
            self._world.oracle.acts(story, rid, act, request, loaded)
            return

    def _hands_over(self, story: Story, rid: str, link_round: int | None) -> bool:
        """Returns: false where he may not. Afterwards he is asked nothing any more."""
        flow_id, came = str(story.flow_id), Came(None, "proxy", None, f"delegate {rid} {self._dice.randrange(10**9)}")
        story.sent_by[came.request] = link_round
        newcomer = self.newcomer(story, rid, "himself")
        asked = asked_as(newcomer, "")
        job = partial(delegate, flow_id=flow_id, recipient=rid, asked=asked, trace=came, link_round=link_round)
        while True:
            try:
                loaded = self._insists("delegate", job)
            except Conflict as conflict:
                if conflict.code == "flow-suspended":
                    self._meets_closed_door(story, rid)
                    continue
                if conflict.code in ("creator-out", "state-changed"):
                    self._world.scheduler.sleep(1.0)
                    continue
                if conflict.code == "delegation-not-allowed":
                    if story.may_delegate:
                        self._world.fails(f"{rid} of {flow_id} may not hand over")
                    return False
                known = ("already-decided", "flow-ended", "not-needed", "replaced")
                if conflict.code not in known and story.on_change != "restart":
                    self._world.fails(f"{rid} of {flow_id} cannot hand over: {conflict.code}")
                return True
            self._world.oracle.hands_over(story, rid, loaded)
            self._tries_early(story, rid)
            self.holds_old_link(story, rid, loaded.flow.recipient(rid).round)
            return True

    def _submits(self, story: Story, rid: str, act: str, request: str, submit: Callable[[Context], Any]) -> Loaded:
        """Perhaps with a second click."""
        if not self._world.happens(self._world.chances.double_click):
            return self._insists(act, submit)
        scheduler = self._world.scheduler
        self._world.trace.count("double clicks")
        refused_at: list[float] = []

        def click() -> Loaded:
            try:
                return self._insists(act, submit)
            except Exception:
                refused_at.append(self._world.now)
                raise

        other = scheduler.spawn("click", click, joined=True, after=self._dice.random())
        loaded = self._insists(act, submit)
        acknowledged_at = self._world.now
        scheduler.join(other)
        if other.error is not None and story.on_change != "restart" and refused_at[0] >= acknowledged_at:
            self._world.fails(f"{act} of {rid} was acknowledged once, and then {other.error!r}")
        return loaded

    def _without_consent(self, story: Story, rid: str) -> None:
        flow_id = str(story.flow_id)
        came = Came(None, "proxy", None, f"without consent {self._dice.randrange(10**9)}")
        flow = self._insists("read", lambda ctx: load(ctx, flow_id)).flow
        shown = {d.n: d.current_sha256 for d in flow.documents}
        try:
            self._world.ask("no consent", partial(_submitted, flow_id, rid, "sign", shown, came, False, None), NEVER)
        except (*AGAIN, *EXPECTED):
            return
        self._world.fails(f"{rid} of {flow_id} signed without consent")

    def _shown(self, ctx: Context, story: Story, rid: str) -> Loaded:
        user = story.party(rid).user
        return load_for(ctx, str(story.flow_id), user) if user else load(ctx, str(story.flow_id))


def _submitted(
    flow_id: str,
    rid: str,
    act: str,
    shown: dict[int, str],
    came: Came,
    consents: bool,
    link_round: int | None,
    ctx: Context,
) -> Loaded:
    """As `plugin.web.acts` does."""
    done = check_may_act(ctx, flow_id, rid, came)
    if done is not None:
        return done
    if act == "approve":
        return approve(ctx, flow_id, rid, shown, None, came, link_round)
    if act == "refuse":
        return refuse(ctx, flow_id, rid, "No", came, link_round)
    signing = Signing("typed", f"Name of {rid}", "signature.text", shown, consents, "I agree", "en")
    return sign(ctx, flow_id, rid, signing, came, link_round)
