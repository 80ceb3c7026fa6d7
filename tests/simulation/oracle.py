"""What must hold, judged from what people were told and from what lies on the host; by nothing of the product's."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from plugin.flow.model import Flow
from plugin.ports_state import Loaded
from tests.simulation.chronicle import ENDS, Chronicle, Unlawful
from tests.simulation.handed import check_told, judge_mails
from tests.simulation.host import Host, Node
from tests.simulation.keyring import Keyring
from tests.simulation.outside import Post
from tests.simulation.papers import prepared_fields, signed_fields
from tests.simulation.results import Results
from tests.simulation.saving import Neighbours, strangers
from tests.simulation.standstill import Standstill, is_owed_resumption
from tests.simulation.story import Party, Story
from tests.simulation.whereabouts import Whereabouts, kept_in

_RECORD = re.compile(r"\((dossier de preuves|evidence record)\)")
"""One that was cut off is not known again when it was forgotten meanwhile: it is made anew, with another time."""
_KEPT = re.compile(r"flow\.jsonl|salts\.json|quarantine-[0-9a-f]{12}(?:[0-9a-f]{52})?\.jsonl")


@dataclass(frozen=True)
class Seen:
    lines: list[dict[str, Any]]
    heads: list[str]


class Oracle:
    """``fails``: told of everything that must not be. ``checks``: how often something was looked at."""

    def __init__(
        self,
        host: Host,
        post: Post,
        now: Callable[[], float],
        fails: Callable[[str], None],
        count: Callable[[str], None],
        *,
        is_tidy: bool,
        is_steady: bool,
        searches: bool,
        results: Results,
        neighbours: Neighbours,
        keyring: Keyring,
        salts: Callable[[str], set[str]],
        index: Callable[[str], str],
    ) -> None:
        """``is_tidy``: what was made in vain must be gone. ``is_steady``: nobody sets the clock. ``searches``: the
        host, by name. ``salts``: whose there are in the vault, by flow; ``index``: all that it says of a flow."""
        self._is_tidy, self._is_steady, self._count = is_tidy, is_steady, count
        self._searches = searches
        self._keyring, self._salts, self._index = keyring, salts, index
        self._results, self._neighbours = results, neighbours
        self._host, self._post, self._now, self._fails = host, post, now, fails
        self._where = Whereabouts(host, lies=not is_tidy)
        self._standstill = Standstill(host, lies=not is_tidy)
        self._by_id: dict[str, Story] = {}
        self._seen: dict[str, tuple[bytes, Seen]] = {}
        self.checks = 0

    def story_of(self, flow_id: str) -> Story | None:
        return self._by_id.get(flow_id)

    # ---- what people are told ---------------------------------------------------------------------------------------
    def launched(self, story: Story, loaded: Loaded) -> None:
        if loaded.flow.id in self._by_id:
            self._fails(f"{loaded.flow.id} was given to two launches")
        self._by_id[loaded.flow.id] = story
        story.path = loaded.place.path
        self._where.note(story)
        self._acknowledged(story, loaded)

    def sent(
        self,
        story: Story,
        rid: str,
        request: str,
        at: datetime,
        *,
        consents: bool,
        link_round: int | None = None,
    ) -> None:
        story.sent_at[request], story.sent_by[request] = at, link_round
        if consents:
            story.consented.setdefault(rid, set()).add(request)

    def acts(self, story: Story, rid: str, act: str, request: str, loaded: Loaded) -> None:
        self._count("acts")
        known = story.acknowledged.setdefault(rid, set())
        known.add((act, request))
        if len(known) > 1 and story.on_change != "restart":
            self._fails(f"{rid} of {story.flow_id} was told that {sorted(known)} were done")
        story.last_act_at = self._now()
        self._acknowledged(story, loaded)

    def names(self, story: Story, rid: str, by: str, newcomer: Party) -> None:
        """Somebody else is asked for in the place of ``rid``, by creator or "himself"."""
        story.newcomers[newcomer.email] = newcomer
        story.replaced.setdefault(rid, set()).add(by)

    def is_in_place(self, story: Story, rid: str, address: str) -> None:
        """Whoever has this address was told that he is ``rid``."""
        known = story.newcomers[address]
        if known.rid not in ("", rid) or any(p.rid == rid and p.email != address for p in story.everybody):
            self._fails(f"{address} is {rid}, and {known.rid}")
        story.newcomers[address] = replace(known, rid=rid)

    def sees(self, story: Story, flow: Flow) -> None:
        """Somebody was told who takes part."""
        for recipient in flow.recipients:
            address = recipient.email.value if recipient.email is not None else None
            if address in story.newcomers:
                self.is_in_place(story, recipient.id, str(address))

    def hands_over(self, story: Story, rid: str, loaded: Loaded) -> None:
        self._count("handed over")
        story.last_act_at = self._now()
        self._acknowledged(story, loaded)

    def erases(self, story: Story, loaded: Loaded) -> None:
        self._count("erased")
        story.is_erased = True
        story.last_act_at = self._now()
        self._acknowledged(story, loaded)

    def steers(self, story: Story, act: str, loaded: Loaded) -> None:
        self._count("steered")
        self._count(f"steered: {act}")
        story.is_cancelled = story.is_cancelled or act == "cancel"
        self._where.note(story)
        story.last_act_at = self._now()
        self._acknowledged(story, loaded)

    def hears(self, story: Story, what: str, person: str, address: str) -> None:
        """A mail came. Of an end nobody hears before it stands there, an observer of nothing but completion."""
        known = next((party for party in story.everybody if party.rid == person), None)
        if known is not None and known.role == "observer" and what != "completed":
            self._fails(f"{person} of {story.flow_id}, an observer, heard by {what}")
        if known is not None and known.email != address:
            self._fails(f"{what} for {person} of {story.flow_id} went to {address}")
        if what in ENDS.values() and not self._may_have_ended(story, what):
            self._fails(f"{person} of {story.flow_id} heard that it is {what}, which does not stand there")

    def is_told_why(self, story: Story, why: str, *, is_away: bool) -> None:
        """``is_away``: the creator's account has been out for longer than the question took."""
        is_other = is_away and self._is_tidy and story.kind == "signature" and why != "creator-out"
        if is_other or not self._standstill.can_be(story, why):
            self._fails(f"{story.flow_id} stands still for {why}")

    def is_to_be_called_back(self, story: Story, rid: str) -> bool:
        seen = self.look(story)
        return seen is None or is_owed_resumption(seen.lines, rid)

    def _may_have_ended(self, story: Story, what: str) -> bool:
        seen = self.look(story)
        return seen is None or any(ENDS.get(line["type"]) == what for line in seen.lines)

    def _acknowledged(self, story: Story, loaded: Loaded) -> None:
        """From now on this head stands in the state file for ever."""
        self.sees(story, loaded.flow)
        if loaded.length > story.length:
            story.length, story.head = loaded.length, loaded.head
        self.look(story)

    # ---- what lies there --------------------------------------------------------------------------------------------
    def look(self, story: Story, *, must_be_whole: bool = False) -> Seen | None:
        """The state file as it is; None while a fault of the host is to be put right."""
        self.checks += 1
        node = self._state(story)
        if node is None or node.data is None:
            self._fails(f"{story.path} is gone")
            return None
        if node.is_damaged:
            if must_be_whole:
                self._fails(f"{story.path} stays damaged")
            return None
        seen = self._read(str(story.flow_id), node.data)
        if node.is_written_over and not must_be_whole:
            return seen
        if len(seen.heads) < story.length or seen.heads[story.length - 1] != story.head:
            self._fails(
                f"{story.flow_id}: an acknowledged line was lost ({story.length} told, {len(seen.heads)} there)"
            )
        return seen

    def _state(self, story: Story) -> Node | None:
        try:
            return self._where.state(story)
        except Unlawful as unlawful:
            self._fails(f"{story.flow_id}: {unlawful}")
            return None

    def _read(self, flow_id: str, data: bytes) -> Seen:
        known = self._seen.get(flow_id)
        lines, heads, rest = [], [], data
        if known is not None and data.startswith(known[0]):
            lines, heads, rest = [*known[1].lines], [*known[1].heads], data[len(known[0]) :]
        for raw in rest.splitlines():
            lines.append(json.loads(raw))
            heads.append(hashlib.sha256(raw).hexdigest())
        seen = Seen(lines, heads)
        self._seen[flow_id] = (data, seen)
        return seen

    # ---- the end of a flow ------------------------------------------------------------------------------------------
    def has_ended(self, story: Story) -> bool:
        """The chain has its last act: completed or refused."""
        seen = self.look(story)
        return seen is not None and any(line["type"] in ENDS for line in seen.lines)

    def is_settled(self, story: Story) -> bool:
        """And everybody who is to be told was, or never can be."""
        seen = self.look(story)
        if seen is None or not self.has_ended(story):
            return False
        chronicle = Chronicle(story, is_steady=self._is_steady)
        try:
            chronicle.tell(seen.lines)
        except Unlawful as unlawful:
            self._fails(f"{story.flow_id}: {unlawful}")
        return not chronicle.untold()

    def judge(self, story: Story, *, verify: bool, late: frozenset[str], anchor: tuple[str, int] | None) -> None:
        """All that must hold once a flow is over. ``late``: paths that the host wrote when nobody waited any more;
        ``anchor``: head and length that the vault acknowledges."""
        seen = self.look(story, must_be_whole=True)
        if seen is None:
            return
        if anchor != (seen.heads[-1], len(seen.heads)):
            self._fails(f"{story.flow_id}: the vault knows {anchor}, the state file has {len(seen.heads)} lines")
        chronicle = Chronicle(story, is_steady=self._is_steady)
        try:
            chronicle.tell(seen.lines)
            if self._keyring.check(seen.lines) > 1:
                self._count("chains of several keys")
            check_told(chronicle)
            self._where.check_sources(story, seen.lines)
            self._standstill.check(story, seen.lines)
            self._judge_papers(story, chronicle, late)
            judge_mails(self._post, str(story.flow_id))
            for person in chronicle.erased:
                self._judge_erased(story, person, chronicle.erased)
            if verify:
                self._verify(story, chronicle, seen)
        except Unlawful as unlawful:
            self._fails(f"{story.flow_id}: {unlawful}")

    def _judge_erased(self, story: Story, person: str, erased: set[str]) -> None:
        """Nobody can read his values any more: his salt is nowhere, and nothing that was read with it."""
        state = self._state(story)
        assert state is not None
        node = self._host.node(story.creator, f"{state.path.rpartition('/')[0]}/salts.json")
        beside = node.data if node is not None and node.data is not None else b""
        if person in self._salts(str(story.flow_id)) or f'"{person}":'.encode() in beside:
            raise Unlawful(f"the salt of {person} is there after he was erased")
        held = {"creator": f"{story.creator}@example.org", **{party.rid: party.email for party in story.everybody}}
        address = held[person]
        is_elses = any(held[other] == address for other in held.keys() - erased)  # the creator, who looks on as well
        if not is_elses and address in self._index(str(story.flow_id)):
            raise Unlawful(f"the index knows the address of {person}, who was erased")

    def _verify(self, story: Story, chronicle: Chronicle, seen: Seen) -> None:
        node = self._state(story)
        assert node is not None
        assert node.data is not None
        self._keyring.verify(node.data, str(story.flow_id), (story.head, story.length))
        record = self._host.by_id(story.creator, chronicle.evidence[0]) if chronicle.evidence is not None else None
        if record is not None and record.data is not None:
            self._keyring.verify_record(record.data, seen.heads)

    def _judge_papers(self, story: Story, chronicle: Chronicle, late: frozenset[str]) -> None:
        for n, paper in enumerate(story.papers):
            self._where.check_original(story, paper)
            held = self._results.held(story.creator, paper.file_id)
            if not {sha256 for at, sha256 in chronicle.pins if at == n} <= set(map(_sha256, held)):
                raise Unlawful(f"pinned was what {paper.name} never held")
            revisions = chronicle.revisions[n]
            folders = self._where.of_document(story, paper, at_home=chronicle.at_home[n])
            missing = set(revisions[-2:]) - {name for folder in folders for name in folder.children}
            if missing:
                raise Unlawful(f"of {paper.name} {sorted(missing)} are missing")
            last = next(f.children[revisions[-1]] for f in folders if revisions[-1] in f.children)
            if last.data is None or _sha256(last.data) != revisions[-1]:
                raise Unlawful(f"the last revision of document {n} is not there")
            self._judge_signatures(chronicle, n, held, last.data)
            if chronicle.end == "flow.completed" and story.kind == "signature":
                self._results.judge_copy(story, chronicle, n, last.data)
                copy = self._host.by_id(story.creator, chronicle.copies[n][0])
                if story.save == "beside" and copy is not None and not chronicle.at_home[n]:
                    self._where.check_laid(paper, copy)
        self._results.judge_record(story, chronicle)
        lost = self._where.lost(story, chronicle, searches=self._searches)
        for path, (folder, wanted) in kept_in(chronicle, story, self._where).items():
            if folder.file_id in lost:
                continue
            names = set(folder.children) - wanted
            strays = {name for name in names if not _KEPT.fullmatch(name) and f"{path}/{name}" not in late}
            if strays and self._is_tidy:
                raise Unlawful(f"in {path}: {sorted(strays)} too many")

    def _judge_signatures(self, chronicle: Chronicle, n: int, held: list[bytes], data: bytes) -> None:
        """The original may be what an earlier flow signed."""
        pinned = next((old for old in held if data.startswith(old) and _sha256(old) == chronicle.pinned[n]), None)
        if pinned is None:
            raise Unlawful("a revision does not begin with the original")
        whose, added = prepared_fields(data), data[len(pinned) :]
        signed = [whose[field] for field in signed_fields(added)]
        if signed != chronicle.signed:
            raise Unlawful(f"document {n} is signed by {signed}, the chain says {chronicle.signed}")

    # ---- the end of a world -----------------------------------------------------------------------------------------
    def judge_area(self, user: str, stories: list[Story], late: frozenset[str]) -> None:
        """Beside the originals, and in folders for results, lies one signed copy of each document that was not laid
        over its original, and nothing else but what other people keep."""
        self.checks += 1
        mine = [story for story in stories if story.creator == user and story.flow_id is not None]
        papers = {paper.file_id: paper for story in stories if story.creator == user for paper in story.papers}
        passed_over = papers.keys() | strangers(self._neighbours.keepsakes)
        told: list[tuple[Story, Chronicle]] = []
        wanted: dict[str, int] = {}
        earlier: set[str] = set()
        unnamed: list[bytes] = []
        for story in mine:
            seen = self.look(story)
            chronicle = Chronicle(story, is_steady=self._is_steady)
            if seen is None:
                continue
            try:
                chronicle.tell(seen.lines)
            except Unlawful:
                continue  # told of already
            told.append((story, chronicle))
            evidence = [chronicle.evidence] if chronicle.evidence is not None else []
            for copy in (one for one in [*chronicle.copies.values(), *evidence] if one[0] not in papers):
                wanted[copy[1]] = wanted.get(copy[1], 0) + 1
            if chronicle.evidence is None and "creator" in chronicle.erased:
                unnamed.append(str(story.flow_id).encode())
            earlier.update(sha256 for known in chronicle.revisions.values() for sha256 in known)
            earlier.update(sha256 for _, sha256 in chronicle.pins)
        try:
            self._results.judge_originals(user, list(papers.values()), told, late)
            self._results.judge_keepsakes(user, self._neighbours.keepsakes)
        except Unlawful as unlawful:
            self._fails(f"{user}: {unlawful}")
        flows = {story.flow_id for story in mine}
        untold = [story for story in stories if story.creator == user and story.flow_id is None and story.deadline]
        for node in self._host.below(user, ""):
            parts = node.path.split("/")
            if ".flows" in parts:
                place = parts.index(".flows") + 1
                if len(parts) == place + 1 and parts[place] not in flows and self._is_tidy:
                    if untold and self._has_expired(user, node.path):
                        untold.pop()
                        continue
                    self._fails(f"{node.path} belongs to no flow")
            elif node.data is not None and node.file_id not in passed_over:
                is_left = _RECORD.search(node.name) and any(flow_id in node.data for flow_id in unnamed)
                if not is_left:
                    self._judge_stray(node, wanted, earlier, late)

    def _has_expired(self, user: str, folder: str) -> bool:
        """A launch that counted, though nobody could be told before its deadline came: a flow, and over."""
        state = self._host.node(user, f"{folder}/flow.jsonl")
        return state is not None and state.data is not None and b'"type":"flow.expired"' in state.data

    def _judge_stray(self, node: Node, wanted: dict[str, int], earlier: set[str], late: frozenset[str]) -> None:
        """``earlier``: a copy that was cut off just where a revision ends cannot be told from one that somebody put
        there, and is left to him."""
        assert node.data is not None
        sha256 = _sha256(node.data)
        ends = {sha256, _sha256(node.data + b"\n")}
        may_stay = node.is_damaged and (_RECORD.search(node.name) is not None or bool(ends & earlier))
        if wanted.get(sha256, 0) > 0:
            wanted[sha256] -= 1
        elif node.path not in late and self._is_tidy and not may_stay:
            self._fails(f"{node.path} is no signed copy, or one too many")


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
