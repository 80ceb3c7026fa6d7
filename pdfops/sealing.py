"""A seal from its parts: children draw and read, this process hashes and signs, an authority attests the time.

No child that has seen a document ever sees a key or a network, and what is signed or stamped is hashed here.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeVar

from pdfops import wire
from pdfops.children import Answer
from pdfops.cms_seal import reserved_bytes
from pdfops.errors import PdfError
from pdfops.lasting import FIRST_TOKEN_BYTES, SPARE_TOKEN_BYTES, Lasting
from pdfops.levels import SealLevel
from pdfops.longterm import MAX_NEEDS
from pdfops.remote import Pending, begin, finish
from pdfops.seal import DOES_NOT_FIT, MAX_GROWTH_BYTES, SealOrder, Unsigned, close, covered_digest, filled
from pdfops.signer import Identity, Signer
from pdfops.timestamp import new_nonce, request

_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True)
class Signed:
    """A new revision, not checked yet. ``sha256``: of all of it, hex; ``fields``: the signature fields that were
    signed, that of a timestamp over the document last; ``signatures_before``: how many were in the input; ``level``:
    what it has to be."""

    data: bytes
    sha256: str
    fields: tuple[str, ...]
    signatures_before: int
    level: SealLevel = "b-b"


class Ask(Protocol):
    """One job for one child."""

    def __call__(self, header: dict[str, Any], blobs: Sequence[bytes]) -> Answer: ...


class Sealer:
    """Makes seals with the children that ``ask`` reaches. Safe to use from many threads."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._lock = threading.Lock()
        self._largest_token = 0

    def sign(self, data: bytes, order: SealOrder, signer: Signer, lasting: Lasting | None) -> Signed:
        """See `pdfops.sandbox.Workshop.sign`."""
        tails: list[bytes] = []
        signed: list[str] = []
        before: int | None = None
        remaining: SealOrder | None = order
        current = data
        with ThreadPoolExecutor(1, thread_name_prefix="pdfops-hash") as pool:
            hashing = pool.submit(hashlib.sha256, data)  # while the first child draws
            while remaining is not None:
                unsigned, tail = self._sealed(current, remaining, signer, lasting, hashing.result)
                before = unsigned.signatures_before if before is None else before
                tails.append(tail)
                sha = hashing.result()
                sha.update(tail)
                signed.append(remaining.fields[0])
                remaining = replace(remaining, fields=unsigned.left) if unsigned.left else None
                current = b"".join((current, tail))
        if len(current) - len(data) > MAX_GROWTH_BYTES * len(signed):
            raise PdfError("too-much-growth", limit=MAX_GROWTH_BYTES)
        plain = Signed(current, sha.hexdigest(), tuple(signed), before or 0, lasting.level if lasting else "b-b")
        return self._kept(plain, sha, signer, lasting) if lasting is not None and lasting.with_store else plain

    def begin(self, data: bytes, order: SealOrder, holder: Identity, lasting: Lasting | None) -> Pending:
        """See `pdfops.sandbox.Workshop.begin`."""
        # The signature is made once: there is no second try with more room, as there is in `sign`.
        token_bytes = max(FIRST_TOKEN_BYTES, self._token_room()) if lasting is not None else 0
        room = reserved_bytes(holder, token_bytes)
        return begin(data, self._drawn(data, order, room), holder, order.fields[0])

    def finish(self, data: bytes, pending: Pending, signature: bytes, lasting: Lasting | None) -> Signed:
        """See `pdfops.sandbox.Workshop.finish`."""
        stamp = (lambda digest: self._stamped(digest, lasting)) if lasting is not None else None
        tail = finish(data, pending, signature, stamp)
        current = b"".join((data, tail))
        sha = hashlib.sha256(current)
        level = lasting.level if lasting else "b-b"
        plain = Signed(current, sha.hexdigest(), (pending.field,), pending.unsigned.signatures_before, level)
        if lasting is None or not lasting.with_store:
            return plain
        if pending.unsigned.left:
            return replace(
                plain, level="b-t"
            )  # another seal of the same person follows: the store comes with the last
        return self._kept(plain, sha, pending.holder, lasting)

    # ---- one seal ---------------------------------------------------------------------------------------------------
    def _sealed(
        self, data: bytes, order: SealOrder, signer: Signer, lasting: Lasting | None, hashed: Callable[[], Any]
    ) -> tuple[Unsigned, bytes]:
        if lasting is None:
            unsigned = self._drawn(data, order, reserved_bytes(signer))
            return unsigned, close(data, unsigned, signer, hashed())
        for is_last_try in (False, True):
            unsigned = self._drawn(data, order, reserved_bytes(signer, self._token_room()))
            try:
                return unsigned, close(data, unsigned, signer, hashed(), lambda one: self._stamped(one, lasting))
            except PdfError as error:
                # A timestamp larger than any before: the room is known now.
                if is_last_try or error.values.get("reason") != DOES_NOT_FIT:
                    raise
        raise AssertionError("unreachable")

    def _drawn(self, data: bytes, order: SealOrder, cms_bytes: int) -> Unsigned:
        header = {"job": "draw_up", "order": wire.order_to_json(order), "cms_bytes": cms_bytes}
        answer = self._ask(header, (data, order.ink))
        unsigned = decoded(wire.unsigned_from_json, answer.value, answer.blob)
        if not set(unsigned.left) < set(order.fields):
            raise PdfError("not-verified", reason="fields")
        return unsigned

    def _stamped(self, digest: bytes, lasting: Lasting) -> bytes:
        """The first good timestamp; where none was good, the last answer's fault is raised."""
        nonce = new_nonce()
        lengths, roots = wire.join(lasting.roots)
        header = {"job": "token", "digest": digest.hex(), "nonce": str(nonce), "roots": lengths}
        fault = PdfError("unreachable", reason="timestamp")
        for answer in lasting.authority.stamps(request(digest, nonce)):
            try:
                token = self._ask(header, (answer, roots)).blob
            except PdfError as error:
                if error.code != "timestamp-refused":
                    raise
                fault = error
                continue
            with self._lock:
                self._largest_token = max(self._largest_token, len(token))
            return token
        raise fault

    def _token_room(self) -> int:
        """Bytes: as much as the largest token took, and a little; what does not fit is drawn anew."""
        return self._largest_token + SPARE_TOKEN_BYTES if self._largest_token else FIRST_TOKEN_BYTES

    # ---- what makes it last -----------------------------------------------------------------------------------------
    def _kept(self, signed: Signed, sha: Any, holder: Identity, lasting: Lasting) -> Signed:
        """With the store, and the timestamp over it."""
        material = self._material(signed.data, holder, lasting)
        store = self._ask({"job": "store", "lengths": material[0]}, (signed.data, material[1])).blob
        current = b"".join((signed.data, store))
        sha.update(store)
        fields = signed.fields
        if lasting.with_archive_timestamp:
            field, tail = self._archived(current, sha, lasting)
            sha.update(tail)
            current = b"".join((current, tail))
            fields = (*fields, field)
        return replace(signed, data=current, sha256=sha.hexdigest(), fields=fields)

    def _archived(self, data: bytes, sha: Any, lasting: Lasting) -> tuple[str, bytes]:
        """A timestamp over the whole document: its field, and what has to be appended."""
        for is_last_try in (False, True):
            answer = self._ask({"job": "timestamp", "cms_bytes": self._token_room()}, (data,))
            unsigned = decoded(wire.unsigned_from_json, answer.value, answer.blob)
            field = answer.value.get("field")
            if not isinstance(field, str):
                raise PdfError("not-verified", reason="fields")
            token = self._stamped(covered_digest(data, unsigned, sha), lasting)
            try:
                return field, filled(len(data), unsigned, token)
            except PdfError as error:
                if is_last_try or error.values.get("reason") != DOES_NOT_FIT:
                    raise
        raise AssertionError("unreachable")

    def _material(self, data: bytes, holder: Identity, lasting: Lasting) -> tuple[Any, bytes]:
        """Fetched piece by piece: a child says what it needs next. Lengths, and what they part."""
        answer = self._ask({"job": "chains"}, (data,))
        chains = [wire.chain_to_json(decoded(wire.chain_from_json, one)) for one in answer.value.get("chains", ())]
        known: dict[str, bytes] = {}
        now = dt.datetime.now(dt.UTC).isoformat()
        for _ in range(MAX_NEEDS + 1):
            lengths, blob = wire.join(lasting.roots, tuple(known.values()))
            header = {
                "job": "gather",
                "chains": chains,
                "lengths": lengths,
                "keys": list(known),
                "now": now,
                "own": holder.chain[0].hex(),
            }
            answer = self._ask(header, (blob,))
            if "need" not in answer.value:
                decoded(wire.part, answer.value.get("lengths"), answer.blob)
                return answer.value["lengths"], answer.blob
            need = decoded(wire.need_from_json, answer.value["need"])
            try:
                known[need.key] = lasting.authority.fetch(need)
            except PdfError as error:
                if error.code != "unreachable":
                    raise
                known[need.key] = b""
        raise PdfError("validation-data-missing", reason="size")


def decoded(decode: Callable[..., _Value], *parts: object) -> _Value:
    """What a child's answer says, if it is one; a child is not trusted to keep to the agreed shapes."""
    try:
        return decode(*parts)
    except (ValueError, KeyError, TypeError, IndexError, OverflowError) as error:
        raise PdfError("damaged") from error
