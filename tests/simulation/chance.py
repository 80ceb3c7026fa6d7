"""What may go wrong in one world, and how often. Every world has its own choice: a fault shows what it does where
others do not drown it.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

HOST_FAULTS = (
    "error",
    "lost-reply",
    "half-written",
    "half-stored",
    "not-written",
    "false-412",
    "condition-ignored",
    "stale-read",
    "gone-for-a-moment",
    "locked",
    "full",
    "slow",
    "late",
)
"""error: 5xx, and nothing was done. lost-reply: it was done. half-written: a part was stored, and the connection was
reset. half-stored: a part was stored, and the host says 201. not-written: it says so and stored nothing. false-412:
though nothing changed. stale-read: what lay there before the last write. gone-for-a-moment: 404 for what is there.
locked, full: for a while. slow: longer than most wait. late: done when nobody waits any more."""

ETAGS = ("content", "counter", "second")
"""content: of the bytes. counter: another one with every write. second: the same for all writes of one second."""


@dataclass(frozen=True)
class Chances:
    """``host``: fault -> probability a call. The others: probabilities of what their names say.

    ``pause``: a replica stands still for longer than its leases last. ``lost_index``: once in a world. ``rotations``:
    how often a new chain key is made.
    """

    replicas: int
    one_database: bool
    etags: str
    tells_hashes: bool
    makes_folders: bool
    honours_conditions: bool
    weak_for_a_second: bool
    searches: bool
    copies: bool
    host: dict[str, float] = field(default_factory=dict)
    crash: float = 0.0
    pause: float = 0.0
    clock_jump: float = 0.0
    storage: float = 0.0
    rotations: int = 0
    lost_index: float = 0.0
    job_dropped: float = 0.0
    job_doubled: float = 0.0
    job_late: float = 0.0
    jobs_survive: bool = True
    mail_error: float = 0.0
    mail_lost_reply: float = 0.0
    mail_refused: float = 0.0
    bell_error: float = 0.0
    cache_lost: float = 0.0
    double_click: float = 0.0
    impatient: float = 0.0
    """A client gives up waiting and asks again while it is still being served."""
    moves: float = 0.0
    """That a creator moves and renames folders and files while his flows are on their way."""
    absences: float = 0.0
    """That a user's account is out of service for a while."""

    @property
    def is_tidy(self) -> bool:
        return not LIES & self.host.keys()

    @property
    def keeps_names_apart(self) -> bool:
        """A host that does not look at conditions overwrites what has the same name: nobody promises otherwise."""
        return self.honours_conditions and "condition-ignored" not in self.host


LIES = frozenset({"stale-read", "gone-for-a-moment"})
"""A host that says that something is not there, or no longer: nothing may be lost or done twice for that, but what
was made in vain may stay behind."""


def drawn(dice: random.Random) -> Chances:
    """A third of all worlds have one fault, or none; the others several at once."""

    def rate(most: float, share: float = 0.5) -> float:
        return most * dice.random() ** 2 if dice.random() < share else 0.0

    several = dice.random() < 0.67
    share = 0.35 if several else 0.0
    kinds = [kind for kind in HOST_FAULTS if dice.random() < share]
    if not several and dice.random() < 0.8:
        kinds = [dice.choice(HOST_FAULTS)]
    most = dice.choice((0.01, 0.03, 0.1))
    etags = dice.choice(ETAGS)
    ignores = dice.random() < 0.15
    # What arrives late is turned away by its condition, and by nothing else.
    if ignores or etags == "second":
        kinds = [kind for kind in kinds if kind != "late"]
    host = {kind: most * (0.2 + dice.random()) for kind in kinds}
    # Who neither honours conditions nor ever stands still can still be served: the leases do it alone. Both together
    # leave nothing that could keep two writers apart.
    may_pause = not ignores and not {"condition-ignored", "false-412"} & set(kinds)
    weak = dice.random() < 0.15
    may_pause = may_pause and not weak
    return Chances(
        replicas=dice.choice((1, 2, 2, 2)),
        one_database=dice.random() < 0.3,
        etags=etags,
        tells_hashes=dice.random() < 0.6,
        makes_folders=dice.random() < 0.5,
        honours_conditions=not ignores,
        weak_for_a_second=weak,
        searches=dice.random() < 0.7,
        copies=dice.random() < 0.6,
        host=host,
        crash=rate(0.004, 0.6),
        pause=rate(0.002, 0.4) if may_pause else 0.0,
        clock_jump=rate(0.002, 0.3),
        storage=rate(0.004, 0.25),
        lost_index=rate(1.0, 0.1),
        job_dropped=rate(0.6),
        job_doubled=rate(0.6),
        job_late=rate(0.6),
        jobs_survive=dice.random() < 0.5,
        mail_error=rate(0.4),
        mail_lost_reply=rate(0.2, 0.3),
        mail_refused=rate(0.1, 0.2),
        bell_error=rate(0.3, 0.3),
        cache_lost=rate(0.5, 0.4),
        double_click=rate(0.5, 0.6),
        impatient=rate(0.3, 0.4),
        rotations=dice.choice((0, 0, 0, 1, 1, 2)),
        absences=dice.choice((0.3, 1.0)) if dice.random() < 0.35 else 0.0,
        moves=dice.choice((0.5, 1.0)) if dice.random() < 0.4 else 0.0,
    )
