"""Flows that stand still: why, who is told of it, and who is called back when they go on."""

from __future__ import annotations

from typing import Any

from tests.simulation.chronicle import ENDS, Unlawful
from tests.simulation.host import Host
from tests.simulation.story import Story

HELPED_BY_CREATOR = ("no-access", "source-changed", "source-gone")
"""Reasons of which he gets a mail: whose account is out can do nothing, and reads of it when he is back."""
GONE_FROM = {f"recipient.{what}" for what in ("approved", "signed", "refused", "skipped", "replaced", "delegated")}


class Standstill:
    """``lies``: the host says of files that they are not there."""

    def __init__(self, host: Host, *, lies: bool) -> None:
        self._host, self._lies = host, lies

    def can_be(self, story: Story, why: str) -> bool:
        match why:
            case "source-changed":
                nodes = [self._host.by_id(story.creator, paper.file_id) for paper in story.papers]
                return story.kind == "validation" and any(node is not None and node.earlier for node in nodes)
            case "creator-out":
                return story.creator in self._host.were_out
            case _:
                return self._lies and why in ("no-access", "source-gone")

    def check(self, story: Story, lines: list[dict[str, Any]]) -> None:
        """Raises: Unlawful."""
        reasons: list[str] = []
        is_resumed = False
        for line in lines:
            kind, data = line["type"], line["data"]
            if kind == "flow.suspended":
                reasons.append(data["reason"])
                if not self.can_be(story, reasons[-1]):
                    raise Unlawful(f"it was suspended: {reasons[-1]}")
            is_resumed = is_resumed or kind == "flow.resumed"
            mail = data["mail"] if kind.startswith("mail.") else ""
            if mail == "suspended" and reasons[data["round"] - 1] not in HELPED_BY_CREATOR:
                raise Unlawful(f"the creator was asked for help with {reasons[data['round'] - 1]}")
            if mail == "resumed" and not is_resumed:
                raise Unlawful(f"{data['person']} was told that it goes on, which it did not")


def is_owed_resumption(lines: list[dict[str, Any]], rid: str) -> bool:
    """He was asked, and had heard so, before the flow last stood still; it goes on, and nobody has told him yet."""
    invited, heard, resumed, suspensions = 0, False, False, 0
    for line in lines:
        kind, data = line["type"], line["data"]
        is_his = data.get("recipient") == rid
        if kind in ENDS or kind == "flow.restarted" or (kind in GONE_FROM and is_his):
            invited, heard, resumed = 0, False, False
        elif kind == "recipient.invited" and is_his:
            invited, heard, resumed = data["round"], False, False
        elif kind == "flow.suspended":
            suspensions, resumed = suspensions + 1, False
        elif kind == "flow.resumed":
            resumed = invited > 0 and heard
        elif kind.startswith("mail.") and data["person"] == rid:
            if data["mail"] == "invitation" and data["round"] == invited:
                heard = True
            elif data["mail"] == "resumed" and data["round"] == suspensions:
                resumed = False
    return resumed
