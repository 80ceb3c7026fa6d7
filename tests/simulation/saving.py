"""Where results are to go, and who else keeps files there: under the very names that results would take."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from plugin.actions.names import evidence_name, next_name, signed_name, stem_of
from tests.simulation.host import Host
from tests.simulation.outside import person
from tests.simulation.process import Surroundings
from tests.simulation.story import Story, drawn_content

CHOSEN = ("Results 0", "Results 1", "")
"""Folders for results; the last one is the creator's root."""


class Street(Surroundings, Protocol):
    host: Host
    stories: list[Story]


def choose(dice: random.Random, host: Host, story: Story, *, may_change: bool) -> None:
    """``may_change``: somebody else may write to an original of which a new version is to be laid."""
    modes = ["beside"] * 5 + ["folder"] * 2 + (["version"] * 3 if story.kind == "signature" else [])
    story.save = dice.choice(modes)
    if story.save == "folder":
        path = dice.choice(CHOSEN)
        host.make_folder(story.creator, path)
        folder = host.node(story.creator, path)
        assert folder is not None
        story.folder_id = folder.file_id
    often = 0.35 if story.save == "version" else 0.1
    if story.kind == "signature" and dice.random() < often and (may_change or story.save != "version"):
        story.changed_after_s = dice.uniform(1.0, 150.0)


@dataclass
class Keepsake:
    """What somebody keeps. ``contents``: all that he ever put there, newest last; None: it is a folder. ``file_id``:
    None as long as it is not there."""

    owner: str
    folder_id: str
    name: str
    contents: list[bytes | None] = field(default_factory=list)
    file_id: str | None = None


class Neighbours:
    """Other people, who work past the product. ``keepsakes``: what they have put, or wanted to."""

    def __init__(self, world: Street) -> None:
        self._world, self._host, self._dice = world, world.host, world.dice
        self.keepsakes: list[Keepsake] = []

    def begin(self, within_s: float, *, puts: bool, moves: bool) -> None:
        """``puts``: they keep files. ``moves``: they move folders that were chosen for results."""
        for story in self._world.stories if puts else ():
            if self._dice.random() < 0.4:
                self._draw(story, within_s)
        for owner in dict.fromkeys(story.creator for story in self._world.stories) if moves else ():
            for path in CHOSEN[:-1]:
                if self._host.node(owner, path) is not None and self._dice.random() < 0.2:
                    self._later(within_s, lambda owner=owner, path=path: self._moves(owner, path))

    def _draw(self, story: Story, within_s: float) -> None:
        dice, paper, language = self._dice, self._dice.choice(story.papers), person(story.creator).language
        beside = self._host.node(story.creator, paper.folder)
        assert beside is not None
        if dice.random() < 0.75:
            name = signed_name(paper.name, language)
        else:
            name = evidence_name(stem_of(story.papers[0].name), language)
        number = dice.choice((1, 1, 1, 2))
        one = Keepsake(story.creator, story.folder_id or beside.file_id, next_name(name, number))
        self.keepsakes.append(one)
        what: bytes | None = drawn_content(dice, story.number * 10 + 9)
        what = dice.choice((what, what, paper.contents[0], None))
        if dice.random() < 0.5:
            self._puts(one, what)
        else:
            self._later(within_s, lambda: self._puts(one, what))
        if what is not None and dice.random() < 0.3:
            again = drawn_content(dice, story.number * 10 + 8)
            self._later(within_s, lambda: self._puts_again(one, again))

    def _later(self, within_s: float, job: Callable[[], None]) -> None:
        self._world.scheduler.spawn("neighbour", job, after=self._dice.uniform(0.0, within_s))

    def _puts(self, one: Keepsake, what: bytes | None) -> None:
        """Unless the name is taken."""
        folder = self._host.by_id(one.owner, one.folder_id)
        assert folder is not None
        path = f"{folder.path}/{one.name}"
        if self._host.node(one.owner, path) is not None:
            return
        if what is None:
            self._host.make_folder(one.owner, path)
        else:
            self._host.put(one.owner, path, what)
        node = self._host.node(one.owner, path)
        assert node is not None
        one.file_id, one.contents = node.file_id, [what]
        self._says(f"somebody keeps {path}")
        self._world.trace.count("names taken")

    def _puts_again(self, one: Keepsake, what: bytes) -> None:
        node = self._host.by_id(one.owner, one.file_id) if one.file_id is not None else None
        if node is not None and node.data is not None:
            self._host.put(one.owner, node.path, what)
            one.contents.append(what)
            self._says(f"somebody saves {node.path}")

    def _moves(self, owner: str, path: str) -> None:
        self._host.move(owner, path, f"{path} moved")
        self._says(f"{path} of {owner} is moved")
        self._world.trace.count("folders moved")

    def _says(self, what: str) -> None:
        self._world.trace.say(self._world.now, "WORLD", what)


def strangers(keepsakes: Sequence[Keepsake]) -> set[str]:
    """The ids of what others keep."""
    return {one.file_id for one in keepsakes if one.file_id is not None}
