"""Named places in the code where a test lets the process die, as a power cut would: docs/testing-faults.md.

Inert unless the process was started with ``PARAPHEUR_FAILPOINT=name``, or ``name:3`` for the third time that it is
reached. Read once, from the environment alone: no file or request reaches it. It is no setting, and the server of a
real platform refuses to start with a ``PARAPHEUR_`` name that is none; the embedded host lets it pass. This module
imports nothing of ours, so that any other may.
"""

from __future__ import annotations

import itertools
import os
import signal
from collections.abc import Iterator, Mapping
from typing import Final

VARIABLE: Final = "PARAPHEUR_FAILPOINT"
NAMES: Final = (
    # launching
    "launch-received",
    "launch-noted",
    "document-read",
    "prepared-stored",
    "salts-written",
    "first-line-stored",
    "launch-ended",
    # any act
    "request-received",
    "lease-taken",
    "state-read",
    "decided",
    "state-put",
    "state-sent",
    "vault-updated",
    "index-updated",
    "act-appended",
    "effects-queued",
    # signing
    "hashes-checked",
    "ink-made",
    "sealed",
    "revision-uploaded",
    "revision-checked",
    # the end
    "copy-laid",
    "copies-laid",
    "evidence-noted",
    "evidence-laid",
    "tidying",
    # mails
    "mail-claimed",
    "mail-handed-over",
    "mails-recorded",
)
"""In the order in which a flow meets them."""


class BadFailpoint(Exception):
    """The variable names no point: a test that never dies would prove nothing."""


def _read(environment: Mapping[str, str]) -> tuple[str, Iterator[int]]:
    """The point that is armed, and what counts down to it. Raises: BadFailpoint."""
    asked = environment.get(VARIABLE, "")
    if not asked:
        return "", iter(())
    name, colon, times = asked.partition(":")
    if name not in NAMES or (colon and not (times.isascii() and times.isdecimal() and int(times) > 0)):
        raise BadFailpoint(f"{VARIABLE} names no failpoint: {asked}")
    return name, itertools.count(int(times or 1) - 1, -1)


_armed, _left = _read(os.environ)


def reach(name: str) -> None:
    """Nothing happens, unless it is the point that this process was started to die at."""
    if _armed and name == _armed and next(_left) == 0:  # next() of a count is one step, whatever the thread
        os.kill(os.getpid(), signal.SIGKILL)
