"""Rebuild the index from the state files on the host: the same files give the same rows.

Files are read several at once and written to the index a batch at a time. What was cut off goes on where it was: a
flow that was taken in is not read again where its ETag, its size and all that the vault knows are what they were.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Generic

import structlog

from plugin.actions.adopter import Adopter, Batch, People, V, Verified
from plugin.actions.together import together
from plugin.flow.errors import (
    HostMaintenance,
    HostRefuses,
    HostSlow,
    HostUnavailable,
    IndexMissing,
    Unavailable,
)
from plugin.ports_files import FileInfo, Files
from plugin.ports_state import ChainBroken, Progress, StatePlace

AT_ONCE = 8
"""Files asked for at once: the platform has others to serve."""
BATCH = 100
"""Flows whose rows are written together; twice as many are in memory at once."""
OUT_AFTER = 3
"""Flows of one batch that were not answered: then it is asked whether the host answers at all."""
_STATE = re.compile(r"(?:.*/)?\.flows/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})/flow\.jsonl", re.ASCII | re.DOTALL)
_NAME = "flow.jsonl"
_OUT = (HostMaintenance, HostSlow, HostRefuses)
"""The host serves nobody now: the rebuild is given up, and the index stays missing until one comes to its end."""
_TENTHS = 10
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Skipped:
    """A state file, or a whole flow, that was left out. ``reason`` is a stable code: those of ChainBroken, ``copy``,
    ``creator-unknown``, ``not-found`` (the vault knows the flow, no file was found), ``host-unavailable``.
    """

    flow_id: str
    place: StatePlace | None
    reason: str


@dataclass(frozen=True, slots=True)
class Report:
    flows: int
    skipped: tuple[Skipped, ...]
    users_skipped: int
    """Areas that could not be searched: their flows may be missing."""
    restored: tuple[str, ...] = ()
    """Flows, counted in ``flows``, whose state file was missing or damaged and made again from its proven copy."""
    resumed: int = 0
    """Flows, counted in ``flows``, that a rebuild which was cut off had taken in."""


@dataclass(frozen=True, slots=True)
class _Candidate:
    place: StatePlace
    file_id: str
    etag: str
    size_bytes: int

    @property
    def file(self) -> object:
        """The same for whoever sees it; where the host gives no ids each is another."""
        return self.file_id or self.place


@dataclass(slots=True)
class _Outcome(Generic[V]):
    """Of one flow. ``verified`` None where nothing is to be written: it was taken in before, or cannot be."""

    flow_id: str
    verified: V | None = None
    resumed: bool = False
    skipped: list[Skipped] = field(default_factory=list)


_Job = Callable[[], _Outcome[V] | None]
Watch = Callable[[Progress], object]


def _nothing() -> None:
    return None


def rebuild(
    files: Files,
    people: People,
    adopter: Adopter[V],
    watch: Watch = lambda _: None,
    monotonic: Callable[[], float] = time.monotonic,
    batch_size: int = BATCH,
) -> Report:
    """Of two files with one flow id the one at the vault's path wins and the other is listed. ``watch`` is told after
    every batch.

    Raises: HostUnavailable, when nobody's files could be looked at, or nobody answers any more; the index then stays
    missing, and the next rebuild goes on from there. RebuildElsewhere.
    """
    begun = monotonic()
    goes_on = adopter.begin_rebuild()
    log.info("rebuild.begun", goes_on=goes_on)
    try:
        report = _Rebuild(files, adopter, watch, monotonic, batch_size).run(people.users())
        adopter.end_rebuild()
    except BaseException as error:
        log.warning("rebuild.interrupted", error=type(error).__name__)
        with suppress(IndexMissing):
            adopter.leave_rebuild()
        raise
    log.info(
        "rebuild.done",
        flows=report.flows,
        resumed=report.resumed,
        skipped=len(report.skipped),
        restored=len(report.restored),
        users_skipped=report.users_skipped,
        seconds=round(monotonic() - begun, 1),
    )
    return report


class _Rebuild(Generic[V]):
    """One run, and how far it is."""

    def __init__(
        self, files: Files, adopter: Adopter[V], watch: Watch, monotonic: Callable[[], float], batch_size: int
    ) -> None:
        self._files = files
        self._adopter = adopter
        self._watch = watch
        self._monotonic = monotonic
        self._batch_size = batch_size
        self._found: dict[str, list[_Candidate]] = {}
        self._acknowledged: Mapping[str, StatePlace] = {}
        self._answering: list[str] = []
        """Users whose files were searched."""
        self._flows: set[str] = set()
        self._skipped: list[Skipped] = []
        self._resumed = 0
        self._done = self._total = 0
        self._begun = monotonic()

    def run(self, users: Sequence[str]) -> Report:
        self._search(users)
        self._acknowledged = self._adopter.acknowledged()
        flow_ids = sorted(self._found.keys() | self._acknowledged.keys())  # the latter: of areas that nobody searched
        self._total, self._begun = len(flow_ids), self._monotonic()
        log.info("rebuild.found", flows=self._total)
        self._watch(self._progress())
        self._take_all(flow_ids)
        restored = tuple(flow_id for flow_id in flow_ids if flow_id not in self._flows and self._is_restored(flow_id))
        left_out = tuple(s for s in self._skipped if s.flow_id not in restored)
        flows = len(self._flows) + len(restored)
        return Report(flows, left_out, len(users) - len(self._answering), restored, self._resumed)

    def _take_all(self, flow_ids: Sequence[str]) -> None:
        """While one batch is written the next one is read."""
        write: _Job[V] = _nothing
        for start in range(0, len(flow_ids), self._batch_size):
            here = flow_ids[start : start + self._batch_size]
            batch = self._adopter.batch(here)
            jobs: list[_Job[V]] = [write, *(partial(self._chosen, batch, flow_id) for flow_id in here)]
            outcomes = [outcome for outcome in together(jobs, AT_ONCE) if outcome is not None]
            self._check_answers(outcomes)
            write = partial(self._taken, batch, outcomes)
        write()

    def _taken(self, batch: Batch[V], outcomes: Sequence[_Outcome[V]]) -> None:
        before, self._done = self._done, self._done + len(outcomes)
        self._resumed += sum(outcome.resumed for outcome in outcomes)
        progress = self._progress()
        chosen = [outcome.verified for outcome in outcomes if outcome.verified is not None]
        failed = batch.take_in(chosen, progress)
        for outcome in outcomes:
            self._skipped += outcome.skipped
            reason = failed.get(outcome.flow_id)
            if reason is not None:
                self._skipped.append(Skipped(outcome.flow_id, self._acknowledged.get(outcome.flow_id), reason))
            elif outcome.verified is not None or outcome.resumed:
                self._flows.add(outcome.flow_id)
        if before * _TENTHS // self._total != self._done * _TENTHS // self._total:
            log.info("rebuild.progress", done=progress.done, total=progress.total, left_s=progress.left_s)
        self._watch(progress)

    def _progress(self) -> Progress:
        read = self._done - self._resumed
        took_s = self._monotonic() - self._begun
        return Progress(
            self._done, self._total, round(took_s * (self._total - self._done) / read) if read > 0 else None
        )

    # ---- one flow, in any thread ------------------------------------------------------------------------------------
    def _chosen(self, batch: Batch[V], flow_id: str) -> _Outcome[V]:
        """The vault's place first, then its owner's others, then those that their creator sees."""
        outcome = _Outcome[V](flow_id)
        known = self._acknowledged.get(flow_id)

        def rank(candidate: _Candidate) -> tuple[bool, bool, str, str]:
            place = candidate.place
            return (place != known, known is None or place.owner != known.owner, place.path, place.owner)

        candidates = sorted(self._found.get(flow_id) or self._at(flow_id, outcome), key=rank)
        if known is None and len(candidates) > 1:
            return self._best(batch, flow_id, candidates)
        for number, candidate in enumerate(candidates):
            its = (flow_id, candidate.place, candidate.file_id)
            if number == 0 and batch.is_taken(*its, candidate.etag, candidate.size_bytes):
                outcome.resumed = True
            else:
                read = self._read(batch, flow_id, candidate, known)
                if isinstance(read, str):
                    outcome.skipped.append(Skipped(flow_id, candidate.place, read))
                    continue
                outcome.verified = read
            others = [copy for copy in candidates[number + 1 :] if copy.file != candidate.file]
            outcome.skipped += [Skipped(flow_id, copy.place, "copy") for copy in others]
            break
        return outcome

    def _best(self, batch: Batch[V], flow_id: str, candidates: Sequence[_Candidate]) -> _Outcome[V]:
        """Of several files of which the vault knows nothing the one of the latest lease; of equal ones the first. One
        file that many see, as in a folder they share, is its creator's."""
        seen: dict[object, list[_Candidate]] = {}
        for candidate in candidates:
            seen.setdefault(candidate.file, []).append(candidate)
        read = dict(self._first_whole(batch, flow_id, sights) for sights in seen.values())
        whole = [(place, one) for place, one in read.items() if not isinstance(one, str)]
        reasons = {place: one if isinstance(one, str) else "copy" for place, one in read.items()}
        outcome = _Outcome[V](flow_id)
        if whole:
            chosen, outcome.verified = max(whole, key=lambda pair: pair[1].rank)
            del reasons[chosen]
        outcome.skipped += [Skipped(flow_id, place, reason) for place, reason in reasons.items()]
        return outcome

    def _first_whole(self, batch: Batch[V], flow_id: str, sights: Sequence[_Candidate]) -> tuple[StatePlace, V | str]:
        """Read once to learn whose it is, and once more as he sees it, however many see it."""
        failed = None
        for sight in sights:
            one = self._verified(batch, flow_id, sight)
            if not isinstance(one, str):
                if _may_be_of(sight.place.owner, one):
                    return sight.place, one
                his = next((each for each in sights if each.place.owner == one.creator), None)
                if his is not None:
                    return his.place, self._read(batch, flow_id, his, None)
                one = "creator-unknown"
            failed = failed or (sight.place, one)
            if one == "creator-unknown":
                break
        assert failed is not None
        return failed

    def _at(self, flow_id: str, outcome: _Outcome[V]) -> list[_Candidate]:
        """In the area of somebody whom nobody lists, or whose search failed."""
        place = self._acknowledged[flow_id]
        try:
            info = self._files.stat(place.owner, place.path)
        except _OUT:
            raise
        except Unavailable as error:
            outcome.skipped.append(Skipped(flow_id, place, _reason(error)))
            return []
        if info is None:
            outcome.skipped.append(Skipped(flow_id, place, "not-found"))
            return []
        return [_candidate(place, info)]

    def _read(self, batch: Batch[V], flow_id: str, candidate: _Candidate, known: StatePlace | None) -> V | str:
        """Or why not."""
        verified = self._verified(batch, flow_id, candidate)
        if isinstance(verified, str) or (known is not None and candidate.place.owner == known.owner):
            return verified
        return verified if _may_be_of(candidate.place.owner, verified) else "creator-unknown"

    def _verified(self, batch: Batch[V], flow_id: str, candidate: _Candidate) -> V | str:
        """Whosever it is."""
        place = candidate.place
        try:
            found = self._files.read_with_etag(place.owner, place.path)
            if found is None:
                return "not-found"
            return batch.read(flow_id, place, candidate.file_id, *found)
        except ChainBroken as error:
            return error.reason
        except _OUT:
            raise
        except Unavailable as error:
            return _reason(error)

    # ---- the host ---------------------------------------------------------------------------------------------------
    def _search(self, users: Sequence[str]) -> None:
        for user in users:
            try:
                infos = self._files.find_by_name(user, _NAME)
                for info in infos if infos is not None else _walk(self._files, user, ""):
                    match = _STATE.fullmatch(info.path)
                    if match is not None:
                        self._found.setdefault(match[1], []).append(_candidate(StatePlace(user, info.path), info))
                self._answering.append(user)
            except _OUT:
                raise
            except HostUnavailable:
                log.warning("rebuild.user_skipped")
            self._adopter.note_progress(None)
        if not self._answering:
            raise HostUnavailable

    def _check_answers(self, outcomes: Sequence[_Outcome[V]]) -> None:
        """A storage that is away leaves its flows out; a host that is away ends the rebuild, or links to all of them
        would be unknown. Raises: HostUnavailable."""
        silent = sum(any(s.reason == HostUnavailable.code for s in outcome.skipped) for outcome in outcomes)
        if silent < OUT_AFTER:
            return
        for user in self._answering[:OUT_AFTER]:
            try:
                self._files.stat(user, "")
            except _OUT:
                raise
            except HostUnavailable:
                continue
            return
        raise HostUnavailable

    def _is_restored(self, flow_id: str) -> bool:
        self._adopter.note_progress(None)
        try:
            return self._adopter.restore(flow_id)
        except (*_OUT, IndexMissing):
            raise
        except (ChainBroken, Unavailable):
            return False


def _candidate(place: StatePlace, info: FileInfo) -> _Candidate:
    return _Candidate(place, info.file_id, info.etag, info.size_bytes)


def _may_be_of(user: str, verified: Verified) -> bool:
    return verified.creator == user or (verified.creator is None and verified.has_erased_its_creator)


def _reason(error: Unavailable) -> str:
    return HostUnavailable.code if isinstance(error, HostUnavailable) else error.code


def _walk(files: Files, user: str, folder: str) -> Iterator[FileInfo]:
    """Every state file below a folder, one level a call."""
    waiting = [folder]
    while waiting:
        here = waiting.pop()
        is_flows = here.rpartition("/")[2] == ".flows"
        for info in files.list(user, here):
            if info.is_folder:
                waiting.append(info.path)
            elif info.name == _NAME and not is_flows:
                yield info
