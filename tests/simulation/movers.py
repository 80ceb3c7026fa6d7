"""Creators who tidy up: they rename and move folders with all that is in them, and single files."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Protocol

from plugin.actions.context import Context
from plugin.actions.heed import Hint, heed
from plugin.ports_files import PreconditionFailed
from tests.simulation.creators import AGAIN
from tests.simulation.host import Host, Node
from tests.simulation.process import Surroundings
from tests.simulation.replica import EXPECTED
from tests.simulation.scheduler import NEVER
from tests.simulation.story import Paper, Story


class Area(Surroundings, Protocol):
    host: Host
    stories: list[Story]
    calm_since: float | None

    def ask(self, name: str, job: Callable[[Context], Any], timeout: float) -> Any: ...
    def has_moved(self, before: str, after: str) -> None: ...


class Movers:
    def __init__(self, world: Area) -> None:
        self._world = world
        self._dice = world.dice
        self._left: dict[str, list[str]] = {}
        """Paths that something had: another thing may get them."""

    def begin(self, users: Iterable[str], within_s: float) -> None:
        for user in users:
            if self._dice.random() < self._world.chances.moves:
                for _ in range(self._dice.choice((1, 2, 4))):
                    at = self._dice.uniform(0.0, within_s)
                    self._world.scheduler.spawn("moves", partial(self._moves, user), after=at)

    def _moves(self, user: str) -> None:
        """As long as it is not calm yet."""
        if self._world.calm_since is not None:
            return
        papers = {p.file_id: p for story in self._world.stories if story.creator == user for p in story.papers}
        folders = [folder for folder in self._world.host.folders(user) if ".flows" not in folder.path.split("/")]
        if self._dice.random() < 0.4:
            paper = papers[self._dice.choice(sorted(papers))]
            self._moves_file(user, paper, self._dice.choice(folders))
        else:
            self._moves_folder(user, self._dice.choice(folders), self._dice.choice(folders))

    def _moves_folder(self, user: str, folder: Node, into: Node) -> None:
        """Under another name, beside where it was or into another one."""
        if not folder.path or f"{into.path}/".startswith(f"{folder.path}/"):
            return
        above = into.path if self._dice.random() < 0.4 else folder.path.rpartition("/")[0]
        new = f"{above}/Tidied {self._dice.randrange(1000)}".lstrip("/")
        left = [path for path in self._left.get(user, []) if not f"{path}/".startswith(f"{folder.path}/")]
        if left and self._dice.random() < 0.4:
            new = self._dice.choice(left)
        self._move(user, folder, new)

    def _moves_file(self, user: str, paper: Paper, into: Node) -> None:
        node = self._world.host.by_id(user, paper.file_id)
        assert node is not None
        name = node.name if self._dice.random() < 0.7 else f"Tidied {self._dice.randrange(1000)} {node.name}"
        if self._move(user, node, f"{into.path}/{name}".lstrip("/")):
            paper.names.append(node.name)
            if into.file_id != paper.homes[-1][1]:
                paper.homes.append((self._world.now, into.file_id))

    def _move(self, user: str, node: Node, new: str) -> bool:
        host, old = self._world.host, node.path
        if host.node(user, new.rpartition("/")[0]) is None:
            return False
        try:
            host.move(user, old, new)
        except PreconditionFailed:
            return False
        self._left.setdefault(user, []).append(old)
        self._world.has_moved(old, new)
        self._world.trace.say(self._world.now, "WORLD", f"{old} of {user} is {new} now")
        self._world.trace.count("folders moved" if node.data is None else "files moved")
        if self._dice.random() < 0.5:
            hint = Hint([node.file_id], [(user, old), (user, new)], is_written=False)
            self._world.scheduler.spawn("hint", partial(self._hints, hint), after=self._dice.random())
        return True

    def _hints(self, hint: Hint) -> None:
        """The platform tells of it, once."""
        try:
            self._world.ask("hint", lambda ctx: heed(ctx, hint), NEVER)
        except (*AGAIN, *EXPECTED):
            return
