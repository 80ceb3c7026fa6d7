"""Rebuild the index from the state files on the host: the same files give the same rows."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from plugin.flow.errors import HostMaintenance, HostRefuses, HostSlow, HostUnavailable, Unavailable
from plugin.ports import ChainBroken, FileInfo, Files, StatePlace

_STATE = re.compile(r"(?:.*/)?\.flows/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})/flow\.jsonl", re.ASCII | re.DOTALL)
_NAME = "flow.jsonl"
_OUT = (HostMaintenance, HostSlow, HostRefuses)
"""The host serves nobody now: the rebuild is given up, and the index stays missing until one comes to its end."""


class People(Protocol):
    """What is asked of the directory."""

    def users(self) -> Sequence[str]: ...


class Adopter(Protocol):
    """Who fills the index. Raises ChainBroken for state files that are not what was written."""

    def begin_rebuild(self) -> None:
        """The index is empty and answers IndexMissing until ``end_rebuild``; its copies are kept aside till then."""
        ...

    def end_rebuild(self) -> None: ...
    def acknowledged(self) -> Mapping[str, StatePlace]: ...
    def creator_of(self, flow_id: str, place: StatePlace, state: bytes) -> str | None: ...
    def take_in(self, flow_id: str, place: StatePlace, state: bytes, etag: str, file_id: str) -> None: ...
    def restore(self, flow_id: str) -> bool:
        """Makes a missing or damaged state file again, where the vault's head proves the copy that was kept aside, and
        takes it in. Raises ChainBroken, Unavailable."""
        ...


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


@dataclass(frozen=True, slots=True)
class _Candidate:
    place: StatePlace
    file_id: str


def rebuild(files: Files, people: People, adopter: Adopter) -> Report:
    """Of two files with one flow id the one at the vault's path wins and the other is listed.

    Raises: HostUnavailable, when nobody's files could be looked at; the index then stays missing.
    """
    adopter.begin_rebuild()
    found, users_skipped = _search(files, people.users())
    acknowledged = adopter.acknowledged()
    skipped: list[Skipped] = []
    flows: set[str] = set()
    for flow_id, candidates in sorted(found.items()):
        taken = _take_best(files, adopter, flow_id, candidates, acknowledged.get(flow_id), skipped)
        if taken is not None:
            flows.add(flow_id)
            copies = (c for c in candidates if c.file_id != taken.file_id)
            known = {s.place for s in skipped}
            skipped += [Skipped(flow_id, c.place, "copy") for c in copies if c.place not in known]
    for flow_id, place in sorted(acknowledged.items()):
        if flow_id in found:
            continue
        info = _at(files, place)  # in the area of somebody whom nobody lists, or whose search failed
        reason = (
            "not-found" if info is None else _take(files, adopter, flow_id, _Candidate(place, info.file_id), place)
        )
        if reason is None:
            flows.add(flow_id)
        else:
            skipped.append(Skipped(flow_id, place, reason))
    lost = sorted(acknowledged.keys() - flows)
    restored = tuple(flow_id for flow_id in lost if _is_restored(adopter, flow_id))
    adopter.end_rebuild()
    left_out = tuple(s for s in skipped if s.flow_id not in restored)
    return Report(len(flows) + len(restored), left_out, users_skipped, restored)


def _is_restored(adopter: Adopter, flow_id: str) -> bool:
    try:
        return adopter.restore(flow_id)
    except _OUT:
        raise
    except (ChainBroken, Unavailable):
        return False


def _search(files: Files, users: Sequence[str]) -> tuple[dict[str, list[_Candidate]], int]:
    found: dict[str, list[_Candidate]] = {}
    failed = 0
    for user in users:
        try:
            infos = files.find_by_name(user, _NAME)
            for info in infos if infos is not None else _walk(files, user, ""):
                match = _STATE.fullmatch(info.path)
                if match is not None:
                    candidate = _Candidate(StatePlace(user, info.path), info.file_id)
                    found.setdefault(match[1], []).append(candidate)
        except _OUT:
            raise
        except HostUnavailable:
            failed += 1
    if failed == len(users):
        raise HostUnavailable
    return found, failed


def _at(files: Files, place: StatePlace) -> FileInfo | None:
    try:
        return files.stat(place.owner, place.path)
    except _OUT:
        raise
    except HostUnavailable:
        return None


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


def _take_best(
    files: Files,
    adopter: Adopter,
    flow_id: str,
    candidates: Sequence[_Candidate],
    known: StatePlace | None,
    skipped: list[Skipped],
) -> _Candidate | None:
    """The vault's place first, then its owner's others, then those that their creator sees."""

    def rank(candidate: _Candidate) -> tuple[bool, bool, str, str]:
        place = candidate.place
        return (place != known, known is None or place.owner != known.owner, place.path, place.owner)

    for candidate in sorted(candidates, key=rank):
        reason = _take(files, adopter, flow_id, candidate, known)
        if reason is None:
            return candidate
        skipped.append(Skipped(flow_id, candidate.place, reason))
    return None


def _take(files: Files, adopter: Adopter, flow_id: str, candidate: _Candidate, known: StatePlace | None) -> str | None:
    """Returns: why not."""
    place = candidate.place
    try:
        found = files.read_with_etag(place.owner, place.path)
        if found is None:
            return "not-found"
        state, etag = found
        if known is None or place.owner != known.owner:
            creator = adopter.creator_of(flow_id, place, state)
            if creator is not None and creator != place.owner:
                return "creator-unknown"
        adopter.take_in(flow_id, place, state, etag, candidate.file_id)
    except ChainBroken as error:
        return error.reason
    except _OUT:
        raise
    except HostUnavailable:
        return "host-unavailable"
    return None
