"""One flow's folder on the host: the state file, its salts, what was put into quarantine."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass

from plugin.adapters.personal import is_newer
from plugin.adapters.vault import Anchor
from plugin.failpoints import reach
from plugin.flow.errors import FileTooLarge, HostBusy, HostUnavailable, OutOfReach, Unavailable
from plugin.flow.model import Flow
from plugin.ports_files import Files, PreconditionFailed, Written
from plugin.ports_state import ChainBroken, Check, StatePlace

_TRIES = 3


@dataclass(frozen=True, slots=True)
class Stored:
    """The bytes are on the host, read back or hashed by it."""

    etag: str
    file_id: str | None


Found = tuple[bytes, str] | None
"""What lies there: (bytes, ETag)."""


class HostCopy:
    """Reads and writes in the owner's name. A 2xx is believed only with the stored bytes' hash."""

    def __init__(self, files: Files) -> None:
        self._files = files

    def read(self, place: StatePlace) -> Found:
        return self._files.read_with_etag(place.owner, place.path)

    def begin(self, place: StatePlace, salts: bytes, log: bytes, checks: Collection[Check]) -> Stored:
        """A new flow's folder: salts first, then the state file, only where there is none. ``checks``: asked before
        either is put.

        Raises: ChainBroken exists; HostUnavailable, where it is not known to be there.
        """

        def check() -> None:
            for one in checks:
                one()

        check()
        try:
            self._new_salts(place, salts, check)
        except HostUnavailable:  # most often because the folder is not there yet
            self._files.make_folder(place.owner, place.folder)
            self._new_salts(place, salts, check)
        reach("salts-written")
        check()
        stored = self._put_new(place, log)
        reach("first-line-stored")
        return stored

    def _new_salts(self, place: StatePlace, salts: bytes, check_held: Check) -> None:
        try:
            self._files.write(place.owner, _salts_path(place), salts, only_new=True)
        except PreconditionFailed:
            if self.read(place) is not None:
                raise ChainBroken("exists") from None
            if not self.put_salts(place, salts, check_held):
                raise ChainBroken("exists") from None

    def replace(self, place: StatePlace, before: bytes, log: bytes, etag: str, check_held: Check) -> Stored | Found:
        """PUT of ``log`` where ``before`` lies. Returns what is there instead, where it is something else.
        ``check_held``: that the lease is still held; the caller did so just now.

        A lost answer is resolved by reading back; so is a host that stored half of it, or nothing.
        Raises: Unavailable: nothing was written, or nobody knows; what ``check_held`` raises.
        """
        wanted = _sha256(log)
        failure: Unavailable | None = None
        condition: str | None = etag
        for _ in range(_TRIES):
            is_mine = False
            reach("state-put")
            try:
                answer = self._files.write(place.owner, place.path, log, if_match=condition)
                reach("state-sent")
                if answer.sha256 == wanted:
                    return Stored(answer.etag, answer.file_id)
                is_mine = True
            except PreconditionFailed:
                failure = None
            except Unavailable as error:
                failure, is_mine = error, True
            found = self.read(place)
            if found is None:
                return None
            if found[0] == log:
                return Stored(found[1], None)
            if found[0] != before and not (is_mine and log.startswith(found[0])):
                return found
            if failure is not None and found[0] == before:
                raise failure
            # A tag that is refused and still the current one (Apache's are weak for a second, and match nothing):
            # the lease, and having read the parent just now, must do.
            condition = None if found[1] == condition else found[1]
            check_held()
        raise HostUnavailable("host-unavailable") from failure

    def restore(self, place: StatePlace, log: bytes, etag: str | None, check_held: Check) -> Stored:
        """Puts a verified copy where none (``etag`` None) or a broken one lies. ``check_held``: asked before
        anything is put: whoever stood still while he read, for longer than his lease lasts, would put an older state
        over what others were told meanwhile."""
        check_held()
        if etag is None:
            self._files.make_folder(place.owner, place.folder)
            return self._put_new(place, log)
        try:
            answer = self._files.write(place.owner, place.path, log, if_match=etag)
        except PreconditionFailed as error:
            found = self.read(place)
            if found is None or found[1] != etag:
                raise HostBusy("host-busy") from error
            check_held()
            answer = self._files.write(place.owner, place.path, log)  # a weak tag, that matches nothing
        return self._checked(place, log, answer)

    def quarantine(self, place: StatePlace, data: bytes) -> str:
        """Keeps foreign bytes beside the state file. Returns: the name. Raises: Unavailable, where it is not known
        that they are there."""
        wanted = _sha256(data)
        for length in (12, 64):  # a name that is taken by something else is no place
            name = f"quarantine-{wanted[:length]}.jsonl"
            path = f"{place.folder}/{name}"
            with suppress(PreconditionFailed):
                if self._files.write(place.owner, path, data, only_new=True).sha256 == wanted:
                    return name
            found = self._files.read_with_etag(place.owner, path)
            if found is not None and found[0] != data and data.startswith(found[0]):  # half of it, cut off earlier
                with suppress(PreconditionFailed):
                    self._files.write(place.owner, path, data, if_match=found[1])
                found = self._files.read_with_etag(place.owner, path)
            if found is not None and found[0] == data:
                return name
        raise HostUnavailable("half-written")

    def tags(self, place: StatePlace) -> tuple[str, int, str]:
        """ETag and size of the state file, ETag of its salts, by one call; "" for what is not there."""
        there = {info.name: info for info in self._files.list(place.owner, place.folder) if not info.is_folder}
        state, salts = there.get("flow.jsonl"), there.get("salts.json")
        return state.etag if state else "", state.size_bytes if state else 0, salts.etag if salts else ""

    def salts(self, place: StatePlace) -> bytes | None:
        try:
            return self._files.read(place.owner, _salts_path(place))
        except FileTooLarge:  # whatever it is, it is no salts
            return b""

    def put_salts(self, place: StatePlace, salts: bytes, check_held: Check) -> bool:
        """Returns: false where a newer version's lie there: they were left alone. ``check_held``: asked right before.

        Raises: Unavailable, also where it is not known that they are there: an old file may hold a salt that was to
        be nowhere any more.
        """
        if is_newer(self.salts(place)):
            return False
        check_held()
        answer = self._files.write(place.owner, _salts_path(place), salts)
        if answer.sha256 != _sha256(salts) and self.salts(place) != salts:
            raise HostUnavailable("half-written")
        return True

    def locate(self, anchor: Anchor) -> StatePlace | None:
        """Where the flow's folder was moved to, by the state file's id, else by search."""
        owner, tail = anchor.place.owner, f".flows/{anchor.flow_id}/flow.jsonl"
        paths = []
        if anchor.file_id is not None:
            info = self._files.by_id(owner, anchor.file_id)
            paths = [info.path] if info is not None else []
        if not paths:
            paths = sorted(info.path for info in self._files.find_by_name(owner, "flow.jsonl") or [])
        for path in paths:
            if path != anchor.place.path and (path == tail or path.endswith(f"/{tail}")):
                return StatePlace(owner, path)
        return None

    def home(self, place: StatePlace, flow: Flow) -> StatePlace:
        """Where a state file that is nowhere is made again: where it lay, or beside the first document where that
        whole folder is gone from its place.

        Raises: OutOfReach, where that document is nowhere in the owner's sight either.
        """
        tail, first = f".flows/{flow.id}/flow.jsonl", flow.documents[0]
        above = place.path.removesuffix(tail).rstrip("/")
        if not above or first.kept_at_home or self._files.stat(place.owner, above) is not None:
            return place
        original = self._files.by_id(place.owner, first.file_id)
        if original is None:
            raise OutOfReach
        beside = original.path.rpartition("/")[0]
        return StatePlace(place.owner, f"{beside}/{tail}" if beside else tail)

    def _put_new(self, place: StatePlace, log: bytes) -> Stored:
        try:
            answer = self._files.write(place.owner, place.path, log, only_new=True)
        except (PreconditionFailed, Unavailable) as error:
            found = self.read(place)
            if found is not None and found[0] == log:
                return Stored(found[1], None)
            if isinstance(error, PreconditionFailed):
                raise ChainBroken("exists") from error
            raise
        return self._checked(place, log, answer)

    def _checked(self, place: StatePlace, log: bytes, answer: Written) -> Stored:
        if answer.sha256 == _sha256(log):
            return Stored(answer.etag, answer.file_id)
        found = self.read(place)
        if found is None or found[0] != log:
            raise HostUnavailable("host-unavailable")
        return Stored(found[1], answer.file_id)


def _salts_path(place: StatePlace) -> str:
    return f"{place.folder}/salts.json"


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
