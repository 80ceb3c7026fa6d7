"""What must hold of mails: everybody is told, and once."""

from __future__ import annotations

from collections import Counter

from tests.simulation.chronicle import Chronicle, Unlawful
from tests.simulation.outside import Delivery, Post


def judge_mails(post: Post, flow_id: str) -> None:
    """Handed over once; again only where nobody could know that it had been. Raises: Unlawful."""
    ids = sorted(m for m in post.taken if f".{flow_id}." in m)
    works = Counter(".".join(message_id.split("@")[0].split(".")[:4]) for message_id in ids)
    for work, count in works.items():
        if count > 1:
            raise Unlawful(f"{work} was sent under {count} ids")
    for message_id in ids:
        taken = post.taken[message_id]
        for first in taken[:-1]:
            if not may_come_again(first):
                raise Unlawful(f"{message_id} was sent {len(taken)} times")
        if {delivery.mail.to for delivery in taken} != {taken[0].mail.to}:
            raise Unlawful(f"{message_id} went to several people")


def check_told(chronicle: Chronicle) -> None:
    """Raises: Unlawful."""
    untold = chronicle.untold()
    if untold:
        raise Unlawful(f"nobody told {untold}")


def may_come_again(first: Delivery) -> bool:
    """Its reply was lost, or whoever handed it over died or stood still before it was recorded."""
    process = first.process
    return first.reply_lost or process.is_dead or process.stood_still or process.storage_failed_at >= first.at
