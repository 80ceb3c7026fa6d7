"""What must hold of results: judged by what lies on the host and by what it held before."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.simulation.chance import Chances
from tests.simulation.chronicle import Chronicle, Unlawful
from tests.simulation.host import Host, Node
from tests.simulation.saving import Keepsake
from tests.simulation.story import Paper, Story


@dataclass(frozen=True)
class Version:
    """What a flow was to lay over an original. ``is_told``: its chain says that it did; ``may_be_late``: the host may
    have laid it when nobody waited any more, or nobody could know that it had."""

    content: bytes
    pinned: str
    between: frozenset[str]
    is_told: bool
    may_be_late: bool


class Results:
    def __init__(self, host: Host, chances: Chances, count: Callable[[str], None]) -> None:
        self._host, self._chances, self._count = host, chances, count

    # ---- of one flow ------------------------------------------------------------------------------------------------
    def held(self, owner: str, file_id: str) -> list[bytes]:
        """All that a file ever held, oldest first. Raises: Unlawful, where it is gone."""
        node = self._host.by_id(owner, file_id)
        if node is None or node.data is None:
            raise Unlawful(f"the file {file_id} is gone")
        return [*node.earlier, node.data]

    def judge_copy(self, story: Story, chronicle: Chronicle, n: int, content: bytes) -> None:
        """Where it was asked for, or beside the original where the chain says why, and that was so.

        Raises: Unlawful.
        """
        paper, sha256, copy = story.papers[n], _sha256(content), chronicle.copies[n]
        held = self.held(story.creator, copy[0])
        is_over = copy[0] == paper.file_id
        if copy[1] != sha256 or (sha256 not in map(_sha256, held) if is_over else _sha256(held[-1]) != sha256):
            raise Unlawful(f"the signed copy of document {n} is not what was signed")
        instead = chronicle.instead.get(n)
        self._count(f"copies: {'beside for ' + instead if instead else story.save}")
        if is_over or instead is None:
            if is_over != (story.save == "version"):
                raise Unlawful(f"the signed copy of document {n} was to be saved otherwise: {story.save}")
        elif instead not in self._reasons(story, chronicle, n, content):
            raise Unlawful(f"the signed copy of document {n} is not where it was to be, for it was not {instead}")
        if not is_over:
            self._judge_place(story, copy[0], "" if instead is None else paper.folder, paper)

    def judge_record(self, story: Story, chronicle: Chronicle) -> None:
        """Where the results go as new files. Raises: Unlawful."""
        if chronicle.evidence is not None and not chronicle.instead:
            self._judge_place(story, chronicle.evidence[0], "", story.papers[0])

    def _judge_place(self, story: Story, file_id: str, folder: str, paper: Paper) -> None:
        """``folder``: the one it must be in; "": the one that was chosen."""
        if not folder:
            chosen = self._host.by_id(story.creator, story.folder_id) if story.folder_id is not None else None
            folder = chosen.path if chosen is not None else paper.folder
        node = self._host.by_id(story.creator, file_id)
        if self._chances.moves:
            return  # whereabouts knows
        if self._chances.is_tidy and (node is None or node.path.rpartition("/")[0] != folder):
            raise Unlawful(f"{node.path if node is not None else file_id} lies elsewhere than in {folder!r}")

    def _reasons(self, story: Story, chronicle: Chronicle, n: int, content: bytes) -> set[str]:
        """Why a result may lie beside. What was cut off where an earlier revision ends looks like somebody's."""
        if story.save == "beside":
            return set()
        lies = not self._chances.is_tidy
        reasons = {"gone"} if lies else set()
        if story.save == "version":
            held = {_sha256(one): one for one in self.held(story.creator, story.papers[n].file_id)}
            del held[chronicle.pinned[n]]
            others = [sha256 in chronicle.revisions[n][:-1] or not content.startswith(held[sha256]) for sha256 in held]
            if any(others) or lies or "false-412" in self._chances.host:
                reasons.add("changed")
            if "locked" in self._chances.host:
                reasons.add("locked")
        return reasons

    # ---- of one creator ---------------------------------------------------------------------------------------------
    def judge_originals(
        self, owner: str, papers: Sequence[Paper], told: Sequence[tuple[Story, Chronicle]], late: frozenset[str]
    ) -> None:
        """An original holds what people put there, or the newest version that a flow laid over what it was about; what
        it held before is all there, among its versions. Raises: Unlawful."""
        for paper in papers:
            versions = []
            for story, chronicle in told:
                if story.save == "version" and chronicle.end == "flow.completed":
                    versions += self._versions(story, chronicle, paper, late)
            _judge_history(paper, self.held(owner, paper.file_id), versions)

    def _versions(self, story: Story, chronicle: Chronicle, paper: Paper, late: frozenset[str]) -> list[Version]:
        found = []
        for n in (n for n, one in enumerate(story.papers) if one is paper):
            revisions = chronicle.revisions[n]
            last = self._last(story, "" if chronicle.at_home[n] else paper.folder, revisions[-1])
            node = self._host.by_id(story.creator, paper.file_id)
            may_be_late = node is None or node.path in late or not self._chances.is_tidy
            is_told = chronicle.copies[n][0] == paper.file_id
            pinned = chronicle.pinned[n]
            found.append(Version(last, pinned, frozenset({pinned, *revisions[:-1]}), is_told, may_be_late))
        return found

    def _last(self, story: Story, folder: str, sha256: str) -> bytes:
        node = self._host.node(story.creator, f"{folder}/.flows/{story.flow_id}/{sha256}")
        if node is None or node.data is None:
            raise Unlawful(f"the last revision of {story.flow_id} is not there")
        return node.data

    def judge_keepsakes(self, owner: str, keepsakes: Sequence[Keepsake]) -> None:
        """What other people keep is as they put it. Raises: Unlawful."""
        for one in keepsakes:
            if one.owner == owner and one.file_id is not None:
                node = self._host.by_id(owner, one.file_id)
                if node is None or _contents(node) != one.contents:
                    raise Unlawful(f"{one.name}, that somebody keeps, was written over")


def _contents(node: Node) -> list[bytes | None]:
    return [*node.earlier, node.data]


def _judge_history(paper: Paper, held: Sequence[bytes], versions: Sequence[Version]) -> None:
    """Raises: Unlawful."""
    people = [*paper.contents]
    before = ""
    whole = ""
    half_of: Version | None = None
    newest: Version | None = None
    for content in held:
        sha256 = _sha256(content)
        if sha256 == whole:  # written once more
            half_of = None
            continue
        version = next((one for one in versions if one.content == content), None)
        half = next((one for one in versions if one.content.startswith(content)), None)
        if people and content == people[0]:
            people.pop(0)
            half_of = newest = None
        elif version is not None:
            if version.pinned not in (whole, before):
                raise Unlawful(f"a version of {paper.name} was laid over what was changed")
            half_of, newest = None, version
        elif half is not None:
            half_of = half
        else:
            raise Unlawful(f"the original {paper.name} was altered")
        before = sha256
        whole = sha256 if half_of is None else whole
    if people:
        raise Unlawful(f"what somebody put into {paper.name} is lost")
    if half_of is not None and not half_of.may_be_late and before not in half_of.between:
        raise Unlawful(f"the original {paper.name} is left as half of a version")
    if newest is not None and not (newest.is_told or newest.may_be_late):
        raise Unlawful(f"a version of {paper.name} was laid, and the copy beside it as well")


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
