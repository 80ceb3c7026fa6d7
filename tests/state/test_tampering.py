"""State files in the hands of somebody who may write there: whatever is changed, both readers notice.

The product, and the verifier that shares no code with it, look at every file; a part of each kind goes through the
store as well, which has to set it aside and put back what was written. The numbers are printed by the run.
"""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import pytest

from plugin.adapters.chain import verified
from plugin.adapters.personal import unwrap_salts
from plugin.flow.events import AskedStep, Event, Invited, Launched, MailAccepted
from plugin.flow.model import MailKind
from plugin.ports_state import ChainBroken
from tests.state import independent_verifier
from tests.state.past import plant_salts, put_back, quarantined, salts_file
from tests.state.world import (
    FLOW_ID,
    FOLDER,
    NOW,
    STATE,
    World,
    agrees,
    append,
    approval,
    erased,
    launched,
    place,
    types,
    view,
)

AT_LEAST = 5_000
"""Figures to reach: security.md, section 4."""
THROUGH_THE_STORE = 3
"""Files of each kind and shape that are put on the host."""
OTHER_ID = "01957c1e-7a00-7000-8000-000000000002"
SHAPES = ["in order", "side by side", "rotated", "erased"]
counts: Counter[tuple[str, str]] = Counter()
"""(kind, shape) -> changed files that both readers noticed."""


class Changed(NamedTuple):
    """``log``: what became of a state file. ``anchored``: in itself it is whole; only the vault's head tells."""

    kind: str
    log: bytes
    anchored: bool = False


@dataclass(frozen=True)
class Subject:
    """A flow in its world. ``branch`` goes on from its middle in another way; ``other`` is another flow's log."""

    shape: str
    world: World
    log: bytes
    branch: bytes
    other: bytes
    dice: random.Random

    @property
    def lines(self) -> list[bytes]:
        return self.log.splitlines(keepends=True)


@pytest.fixture(scope="module")
def subjects(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Subject]]:
    made: dict[str, Subject] = {}

    def of(shape: str) -> Subject:
        if shape not in made:
            made[shape] = _made(shape, tmp_path_factory.mktemp("tampered"))
        return made[shape]

    yield of
    for subject in made.values():
        subject.world.close()


@pytest.fixture(params=SHAPES)
def subject(request: pytest.FixtureRequest, subjects: Callable[[str], Subject]) -> Subject:
    """The same for all tests: whoever changes it puts it right."""
    return replace(subjects(request.param), dice=random.Random(request.node.name))


def _made(shape: str, folder: Path) -> Subject:
    world = World(folder)
    world.files.make_folder("alice", FOLDER)
    world.store.create(place(OTHER_ID), _launch(OTHER_ID, shape), NOW)
    world.act(OTHER_ID, view())
    world.store.create(place(), _launch(FLOW_ID, shape), NOW)
    middle = world.act(FLOW_ID, view())
    if shape == "rotated":
        world.vault.remember_keys([world.keys.rotate()])
        world.close()
        world = World(folder, world.files)
    append(world, MailAccepted(MailKind.INVITATION, "r1", 1, "<branch@x>"))
    branch = world.state()
    put_back(world, middle)
    for recipient in ("r1", "r2"):
        world.act(FLOW_ID, approval(recipient), f"recipient:{recipient}")
    if shape == "erased":
        append(world, erased("r1"))
    append(world)
    world.act(OTHER_ID, approval())
    assert ("key.rotated" in types(world.store.load(FLOW_ID))) is (shape == "rotated")
    return Subject(shape, world, world.state(), branch, world.state(OTHER_ID), random.Random())


def _launch(flow_id: str, shape: str) -> list[Event]:
    first, *invited = launched(flow_id)
    assert isinstance(first, Launched)
    if shape != "side by side":
        return [first, *invited]
    (one,) = invited
    assert isinstance(one, Invited)
    return [replace(first, steps=(AskedStep("all", ("r1", "r2")),)), one, replace(one, recipient="r2")]


# ---- what is done to a file -----------------------------------------------------------------------------------------
def edits(subject: Subject) -> Iterator[Changed]:
    """Every byte of the line in the middle and of the last one, and bytes of the whole file, changed in one bit."""
    lines, log = subject.lines, subject.log
    ends = [sum(map(len, lines[: n + 1])) for n in range(len(lines))]
    middle = len(lines) // 2
    places = [*range(ends[middle - 1], ends[middle]), *range(ends[-2], ends[-1])]
    places += subject.dice.sample(range(len(log)), 250)
    for at in places:
        changed = bytearray(log)
        changed[at] ^= 1 << subject.dice.randrange(8)
        yield Changed("a byte edited", bytes(changed))


def moved_bytes(subject: Subject) -> Iterator[Changed]:
    log = subject.log
    for at in subject.dice.sample(range(len(log)), 60):
        yield Changed("a byte removed", log[:at] + log[at + 1 :])
        yield Changed("a byte put in", log[:at] + bytes([subject.dice.randrange(256)]) + log[at:])


def truncations(subject: Subject) -> Iterator[Changed]:
    """Inside lines, and at their ends: that is a rollback."""
    lines, log = subject.lines, subject.log
    ends = {sum(map(len, lines[:n])) for n in range(1, len(lines) + 1)}
    inside = [at for at in subject.dice.sample(range(len(log)), 200) if at not in ends]
    inside += [at for at in range(len(log) - len(lines[-1]) + 1, len(log)) if at not in ends]
    yield from (Changed("cut inside a line", log[:at]) for at in inside)
    yield Changed("emptied", b"")
    for count in range(1, len(lines)):
        yield Changed("rolled back", b"".join(lines[:count]), anchored=True)


def splices(subject: Subject) -> Iterator[Changed]:
    """Lines of another flow of the same people, or of another branch of this one."""
    mine = subject.lines
    yield Changed("another flow's file", subject.other)
    yield Changed("another branch", subject.branch, anchored=True)
    for name, source in (("another flow's", subject.other), ("another branch's", subject.branch)):
        theirs = source.splitlines(keepends=True)
        for at in range(len(mine)):
            for one in theirs:
                if one in mine:
                    continue
                yield Changed(f"{name} line put in", b"".join([*mine[:at], one, *mine[at:]]))
                yield Changed(f"{name} line instead", b"".join([*mine[:at], one, *mine[at + 1 :]]))
            for cut in range(len(theirs)):
                made = b"".join([*mine[: at + 1], *theirs[cut:]])
                if made not in (subject.branch, subject.log) and not set(theirs[cut:]) <= set(mine):
                    yield Changed(f"{name} end", made)


def shuffles(subject: Subject) -> Iterator[Changed]:
    lines = subject.lines
    for one, other in combinations(range(len(lines)), 2):
        swapped = list(lines)
        swapped[one], swapped[other] = swapped[other], swapped[one]
        yield Changed("two lines swapped", b"".join(swapped))
    for at, line in enumerate(lines):
        yield Changed("a line doubled", b"".join([*lines[:at], line, *lines[at:]]))
        yield Changed("a line at the end again", subject.log + line)
        if at < len(lines) - 1:
            yield Changed("a line left out", b"".join([*lines[:at], *lines[at + 1 :]]))
        yield Changed("an empty line put in", b"".join([*lines[:at], b"\n", *lines[at:]]))


WAYS: list[Callable[[Subject], Iterator[Changed]]] = [edits, moved_bytes, truncations, splices, shuffles]


# ---- who notices ----------------------------------------------------------------------------------------------------
def product_notices(subject: Subject, changed: Changed) -> bool:
    world = subject.world
    try:
        chain = verified(changed.log, world.keys.public_keys, FLOW_ID)
    except ChainBroken:
        return True
    anchor = world.vault.anchor(FLOW_ID)
    assert anchor is not None
    return changed.anchored and not chain.holds(anchor.head, anchor.length)


def verifier_notices(subject: Subject, changed: Changed) -> bool:
    anchor = subject.world.vault.anchor(FLOW_ID)
    assert anchor is not None
    expected = {hashlib.sha256(subject.world.keys.seal_cert_der).hexdigest()}
    known = (anchor.head, anchor.length) if changed.anchored else None
    try:
        independent_verifier.check(changed.log, FLOW_ID, expected, known)
    except independent_verifier.Bad:
        return True
    return False


def test_the_untouched_file_is_right(subject: Subject) -> None:
    assert agrees(subject.world).length == len(subject.lines) >= 8
    untouched = Changed("nothing", subject.log)
    assert not product_notices(subject, untouched)
    assert not verifier_notices(subject, untouched)
    for whole in (subject.branch, b"".join(subject.lines[:3])):
        assert not verifier_notices(subject, Changed("whole in itself", whole))


@pytest.mark.parametrize("way", WAYS)
def test_both_readers_notice_every_change(subject: Subject, way: Callable[[Subject], Iterator[Changed]]) -> None:
    missed = []
    for changed in way(subject):
        assert changed.log != subject.log
        if product_notices(subject, changed) and verifier_notices(subject, changed):
            counts[changed.kind, subject.shape] += 1
        else:
            missed.append(changed)
    assert missed == []


def test_both_readers_notice_every_edit_of_the_salts(subject: Subject) -> None:
    world, good = subject.world, salts_file(subject.world)
    known = world.vault.salts(FLOW_ID)
    proven = independent_verifier.check(subject.log)
    assert unwrap_salts(world.keys, FLOW_ID, good) == known
    assert independent_verifier.unwrapped(proven, good, world.keys.secret) == known
    for at in range(len(good)):
        edited = bytearray(good)
        edited[at] ^= 1 << subject.dice.randrange(8)
        assert unwrap_salts(world.keys, FLOW_ID, bytes(edited)) != known
        with suppress(Exception):  # whatever it raises, it did not take them
            assert independent_verifier.unwrapped(proven, bytes(edited), world.keys.secret) != known
        counts["a byte of the salts edited", subject.shape] += 1


def test_the_store_sets_it_aside_and_puts_back_what_was_written(subject: Subject) -> None:
    world, aside = subject.world, 0
    for way in WAYS:
        by_kind: dict[str, list[Changed]] = {}
        for changed in way(subject):
            by_kind.setdefault(changed.kind, []).append(changed)
        for those in by_kind.values():
            for changed in subject.dice.sample(those, min(THROUGH_THE_STORE, len(those))):
                world.files.plant(STATE, changed.log)
                world.store.check(FLOW_ID)
                assert world.state() == subject.log
                assert changed.log in quarantined(world)
                counts["set aside and put back", subject.shape] += 1
                aside += 1
    plant_salts(world, salts_file(world)[:-9])
    world.store.check(FLOW_ID)
    assert unwrap_salts(world.keys, FLOW_ID, salts_file(world)) == world.vault.salts(FLOW_ID)
    agrees(world)
    assert aside >= 2 * len(WAYS)


def test_there_were_enough_of_them(capsys: pytest.CaptureFixture[str]) -> None:
    """Last: the numbers of this run, and no other."""
    if {shape for _, shape in counts} != set(SHAPES):
        pytest.skip("not all of this file was run")
    noticed = sum(counts.values()) - sum(counts["set aside and put back", shape] for shape in SHAPES)
    with capsys.disabled():
        print(f"\n{'tampered state files':34}" + "".join(f"{shape:>14}" for shape in SHAPES))
        for kind in dict.fromkeys(kind for kind, _ in counts):
            print(f"{kind:34}" + "".join(f"{counts[kind, shape]:14,}" for shape in SHAPES))
        print(f"noticed by both readers: {noticed:,} of {noticed:,}")
    assert noticed >= AT_LEAST
