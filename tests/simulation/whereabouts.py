"""Where a flow's files lie, wherever its creator moved them to: known by the ids of folders, which stay."""

from __future__ import annotations

from typing import Any

from tests.simulation.chronicle import Chronicle, Unlawful
from tests.simulation.host import Host, Node
from tests.simulation.story import Paper, Story

LAID_WITHIN_S = 150.0
"""After its original was moved away from there a copy may still be laid in a folder: it was on its way."""


class Whereabouts:
    """``lies``: the host says of files that they are not there."""

    def __init__(self, host: Host, *, lies: bool) -> None:
        self._host, self._lies = host, lies

    def state(self, story: Story) -> Node | None:
        """The state file: the longest, where a host that lies had it made twice."""
        node = self._host.node(story.creator, story.path)
        if node is not None and story.moves_seen == self._host.moves:
            return node
        tail = f".flows/{story.flow_id}/flow.jsonl"
        found = [n for n in self._host.named(story.creator, "flow.jsonl") if f"/{n.path}".endswith(f"/{tail}")]
        if len(found) > 1 and not self._lies:
            raise Unlawful(f"there are {len(found)} state files: {[n.path for n in found]}")
        node = max(found, key=lambda n: len(n.data or b""), default=None)
        if node is not None:
            story.path, story.moves_seen = node.path, self._host.moves
        return node

    def note(self, story: Story) -> None:
        """Where its revisions were laid when it began, or began anew: a folder that was moved in that very moment is
        made again under its old name."""
        story.laid_in.update(above.file_id for _, above in self.folders(story))

    def folders(self, story: Story) -> list[tuple[Node, Node]]:
        """Its own, each with the one above that."""
        own = [f for f in self._host.folders(story.creator) if f"/{f.path}".endswith(f"/.flows/{story.flow_id}")]
        above = [self._host.node(story.creator, f.path.removesuffix(f".flows/{story.flow_id}")) for f in own]
        return [(folder, up) for folder, up in zip(own, above, strict=True) if up is not None]

    def of_document(self, story: Story, paper: Paper, *, at_home: bool) -> list[Node]:
        """Those of its folders that revisions of this document may lie in: also one that took the name of a folder in
        which the document lay."""
        homes = {folder for _, folder in paper.homes}
        names = {path for home in homes for path in self._host.had[home]}
        others = {folder for one in story.papers for _, folder in one.homes} - homes
        found = self.folders(story)
        if at_home:
            return [folder for folder, above in found if not above.path]
        if self._lies:
            return [folder for folder, _ in found]
        theirs = homes | (story.laid_in - others)
        return [f for f, up in found if up.file_id in theirs or names & self._host.had[up.file_id]]

    def lost(self, story: Story, chronicle: Chronicle, *, searches: bool) -> set[str]:
        """The ids of its folders that are not found without the documents, since these were moved out: where the
        creator was erased nobody knows their names any more, and a host that does not search tells no new ones."""
        state = self.state(story)
        known = {paper.homes[-1][1] for paper in story.papers}
        if "creator" not in chronicle.erased:
            known |= {up.file_id for _, up in self.folders(story) if up.path in {p.folder for p in story.papers}}
            if searches:
                return set()
        return {
            folder.file_id
            for folder, up in self.folders(story)
            if self._host.moves
            and up.file_id not in known
            and (state is None or state.path != f"{folder.path}/flow.jsonl")
        }

    def check_original(self, story: Story, paper: Paper) -> None:
        """Raises: Unlawful."""
        node = self._host.by_id(story.creator, paper.file_id)
        if node is None or node.data is None:
            raise Unlawful(f"the original {paper.name} is gone")
        above = self._host.node(story.creator, node.path.rpartition("/")[0])
        if above is None or (above.file_id, node.name) != (paper.homes[-1][1], paper.names[-1]):
            raise Unlawful(f"the original {paper.name} lies at {node.path}, where nobody moved it to")

    def check_laid(self, paper: Paper, copy: Node) -> None:
        """Beside the original, wherever that was then. Raises: Unlawful."""
        until = [since for since, _ in paper.homes[1:]]
        left = [
            folder for (_, folder), at in zip(paper.homes, until, strict=False) if copy.made_at <= at + LAID_WITHIN_S
        ]
        if not self._lies and copy.made_in not in (*left, paper.homes[-1][1]):
            raise Unlawful(f"the signed copy {copy.path} was not laid beside {paper.name}")

    def check_sources(self, story: Story, lines: list[dict[str, Any]]) -> None:
        """Raises: Unlawful."""
        for line in lines:
            kind, data = line["type"], line["data"]
            if kind == "source.changed":
                state, paper = data["state"], story.papers[data["n"]]
                node = self._host.by_id(story.creator, paper.file_id)
                can_be = {
                    "moved": self._host.moves > 0,
                    "changed": node is not None and bool(node.earlier),
                    "gone": self._lies,
                    "same": True,
                }
                if not can_be[state]:
                    raise Unlawful(f"{paper.name} was taken for {state}")


def kept_in(chronicle: Chronicle, story: Story, where: Whereabouts) -> dict[str, tuple[Node, set[str]]]:
    """Path of a folder -> it, and the revisions that may be left there once all is over."""
    kept: dict[str, tuple[Node, set[str]]] = {folder.path: (folder, set()) for folder, _ in where.folders(story)}
    for n, paper in enumerate(story.papers):
        for folder in where.of_document(story, paper, at_home=chronicle.at_home[n]):
            kept[folder.path][1].update(chronicle.revisions[n][-2:])
    return kept
