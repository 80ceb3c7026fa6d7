"""The process that parses foreign input: one frame in, one frame out, until its input ends.

A mother is started with an empty environment; she gets everything ready, reads nothing foreign herself, and forks a
child whenever she is asked: that takes a few milliseconds, so a child that was lost is soon replaced. A child has only
its three streams open, and shuts itself in before the first job: no new descriptor can be opened, no file grow, no
core dump be left, no privilege be gained or kept; address space is capped, and where the kernel allows it there is
neither network nor file system. It never sees a private key.
"""

from __future__ import annotations

import ctypes
import datetime as dt
import gc
import logging
import os
import resource
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from typing import BinaryIO, Final, NoReturn

from pdfops import wire
from pdfops.errors import PdfError
from pdfops.shaping import use_folders

ADDRESS_SPACE_BYTES: Final = 1 << 30
CPU_MARGIN_S: Final = 30
"""Processor time a job may take: a last resort, should the parent that watches the clock be gone."""

MAX_RECURSION: Final = 1_000
READY: Final = b"ready"
_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38
_CLONE_NEWNET, _CLONE_NEWUSER, _CLONE_NEWIPC = 0x40000000, 0x10000000, 0x08000000
_LANDLOCK_CREATE_RULESET, _LANDLOCK_RESTRICT_SELF = 444, 446
_EVERY_FILE_ACCESS = (1 << 13) - 1
_CAPABILITY_VERSION_3 = 0x20080522

Answer = tuple[wire.Header, Sequence[bytes]]


def serve(source: BinaryIO, target: BinaryIO) -> None:
    """Answer jobs until the input ends."""
    while True:
        prefix = _read(source, wire.PREFIX.size)
        if prefix is None:
            return
        body = _read(source, wire.header_size(prefix))
        if body is None:
            return
        header, sizes = wire.parse_header(body)
        blobs = []
        for size in sizes:
            blob = _read(source, size)
            if blob is None:
                return
            blobs.append(blob)
        used = resource.getrusage(resource.RUSAGE_SELF)
        soft = int(used.ru_utime + used.ru_stime) + CPU_MARGIN_S
        resource.setrlimit(resource.RLIMIT_CPU, (soft, resource.RLIM_INFINITY))
        answer, answer_blobs = answer_to(header, blobs, lambda page: _send(target, {"trying": page}))
        _send(target, answer, answer_blobs)
        del blobs, answer_blobs
        gc.collect()


def answer_to(header: wire.Header, blobs: list[bytes], trying: Callable[[int], None] = lambda _page: None) -> Answer:
    """Do one job. Whatever a parser raises becomes an answer: this is the edge. ``trying`` hears of pages in work."""
    try:
        if header["job"] == "renders":
            return _renders(header, blobs, trying)
        return _JOBS[header["job"]](header, blobs)
    except PdfError as error:
        return wire.error_to_json(error), ()
    except MemoryError:
        return {"error": "too-heavy", "values": {}}, ()
    except Exception as error:
        return {"error": "damaged", "values": {"cause": type(error).__name__}}, ()


def _inspect(header: wire.Header, blobs: list[bytes]) -> Answer:
    from pdfops.inspect import inspect

    return {"value": wire.inspection_to_json(inspect(blobs[0]))}, ()


def _preview(header: wire.Header, blobs: list[bytes]) -> Answer:
    from pdfops.preview import render

    return {}, (render(blobs[0], header["page"], header["width_px"], header["image_format"]),)


def _text(header: wire.Header, blobs: list[bytes]) -> Answer:
    from pdfops.preview import page_text

    return {}, (page_text(blobs[0], header["page"]).encode("utf-8", "replace"),)


def _renders(header: wire.Header, blobs: list[bytes], trying: Callable[[int], None]) -> Answer:
    from pdfops.preview import check_renders

    return {"value": {"tried": check_renders(blobs[0], header["pages"], trying)}}, ()


def _prepare(header: wire.Header, blobs: list[bytes]) -> Answer:
    from pdfops.fields import prepare

    places = [wire.place_from_json(place) for place in header["places"]]
    prepared = prepare(blobs[0], places, header["certification"])
    return {}, (prepared[len(blobs[0]) :],)


def _ink(header: wire.Header, blobs: list[bytes]) -> Answer:
    from pdfops.ink import normalise_ink

    return {}, (normalise_ink(blobs[0]),)


def _strokes(header: wire.Header, blobs: list[bytes]) -> Answer:
    from pdfops.strokes import normalise_strokes

    return {}, (normalise_strokes(blobs[0]),)


def _typed(header: wire.Header, blobs: list[bytes]) -> Answer:
    from pdfops.stamp import normalise_typed

    return {}, (normalise_typed(blobs[0]),)


def _undrawable(header: wire.Header, blobs: list[bytes]) -> Answer:
    from pdfops.stamp import undrawable

    return {"value": {"texts": [undrawable(text) for text in header["texts"]]}}, ()


def _draw_up(header: wire.Header, blobs: list[bytes]) -> Answer:
    from pdfops.seal import draw_up

    unsigned = draw_up(blobs[0], wire.order_from_json(header["order"], blobs[1]), header["cms_bytes"])
    return {"value": wire.unsigned_to_json(unsigned)}, (unsigned.tail,)


def _check(header: wire.Header, blobs: list[bytes]) -> Answer:
    from pdfops.check import check_seal

    data = b"".join(blobs)
    check_seal(data, len(blobs[0]), tuple(header["fields"]), header["signatures_before"], header["level"])
    return {"value": {"checked": True}}, ()


def _verify(header: wire.Header, blobs: list[bytes]) -> Answer:
    from pdfops.verify import verify

    return {"value": wire.verification_to_json(verify(blobs[0], header["examine"]))}, ()


def _token(header: wire.Header, blobs: list[bytes]) -> Answer:
    from pdfops.timestamp import read_answer

    (roots,) = wire.part(header["roots"], blobs[1])
    token = read_answer(blobs[0], bytes.fromhex(header["digest"]), int(header["nonce"]), roots)
    return {"value": {"at": token.at.isoformat()}}, (token.der,)


def _chains(_header: wire.Header, blobs: list[bytes]) -> Answer:
    from pdfops.longterm import chains_of

    return {"value": {"chains": [wire.chain_to_json(chain) for chain in chains_of(blobs[0])]}}, ()


def _gather(header: wire.Header, blobs: list[bytes]) -> Answer:
    from pdfops.longterm import Need, gather

    roots, known = wire.part(header["lengths"], blobs[0])
    found = gather(
        [wire.chain_from_json(chain) for chain in header["chains"]],
        roots,
        dict(zip(header["keys"], known, strict=True)),
        dt.datetime.fromisoformat(header["now"]),
        bytes.fromhex(header["own"]),
    )
    if isinstance(found, Need):
        return {"value": {"need": wire.need_to_json(found)}}, ()
    lengths, blob = wire.join(found.certificates, found.ocsps, found.crls)
    return {"value": {"lengths": lengths}}, (blob,)


def _store(header: wire.Header, blobs: list[bytes]) -> Answer:
    from pdfops.longterm import Material, draw_up_store

    return {}, (draw_up_store(blobs[0], Material(*wire.part(header["lengths"], blobs[1]))),)


def _timestamp(header: wire.Header, blobs: list[bytes]) -> Answer:
    from pdfops.longterm import draw_up_timestamp

    unsigned, name = draw_up_timestamp(b"".join(blobs), header["cms_bytes"])
    return {"value": {**wire.unsigned_to_json(unsigned), "field": name}}, (unsigned.tail,)


_JOBS: Final[dict[str, Callable[[wire.Header, list[bytes]], Answer]]] = {
    "inspect": _inspect,
    "preview": _preview,
    "text": _text,
    "prepare": _prepare,
    "ink": _ink,
    "strokes": _strokes,
    "typed": _typed,
    "undrawable": _undrawable,
    "draw_up": _draw_up,
    "check": _check,
    "verify": _verify,
    "token": _token,
    "chains": _chains,
    "gather": _gather,
    "store": _store,
    "timestamp": _timestamp,
}


def _send(target: BinaryIO, header: wire.Header, blobs: Sequence[bytes] = ()) -> None:
    for piece in wire.pack(header, blobs):
        target.write(piece)
    target.flush()


def _read(source: BinaryIO, size: int) -> bytes | None:
    data = source.read(size)
    return data if len(data) == size else None


def warm_up() -> None:
    """Do every job once, on a document of our own: afterwards nothing has to be imported or opened."""
    from pdfops.rehearsal import rehearse

    rehearse(answer_to)


def shut_in(parent: int) -> None:
    """Give up what parsing does not need. Where the kernel forbids a measure the others still hold."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)
    if libc.unshare(_CLONE_NEWNET | _CLONE_NEWIPC) != 0:
        libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET | _CLONE_NEWIPC)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE_BYTES, ADDRESS_SPACE_BYTES))


def close_the_door() -> None:
    """From here on no file, socket or device can be opened, and no capability is left to change that."""
    libc = ctypes.CDLL(None, use_errno=True)
    handled = (ctypes.c_uint64 * 1)(_EVERY_FILE_ACCESS)
    ruleset = libc.syscall(_LANDLOCK_CREATE_RULESET, ctypes.byref(handled), ctypes.sizeof(handled), 0)
    if ruleset >= 0:
        libc.syscall(_LANDLOCK_RESTRICT_SELF, ruleset, 0)
        os.close(ruleset)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))
    libc.capset((ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0), (ctypes.c_uint32 * 6)())


def main() -> None:
    """The mother. Her standard input is a socket on which children are asked for."""
    parent, fonts = int(sys.argv[1]), sys.argv[2:]
    asked = socket.socket(fileno=0)
    for number in (signal.SIGINT, signal.SIGTERM):
        # Sent to the whole process group when the product ends: the parent decides when a child has done its work.
        signal.signal(number, signal.SIG_IGN)
    logging.disable(logging.CRITICAL)
    sys.setrecursionlimit(MAX_RECURSION)
    shut_in(parent)
    try:
        use_folders(fonts)
        warm_up()
    except Exception as error:
        asked.send(f"{type(error).__name__}: {error}"[:500].encode(errors="replace"))
        os._exit(1)
    gc.collect()
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for children: the kernel takes them away
    asked.send(READY)
    while True:
        _, streams, _, _ = socket.recv_fds(asked, 16, 2)
        if len(streams) != 2:
            os._exit(0)
        mother, pid = os.getpid(), os.fork()
        if pid == 0:
            _live(asked, streams, mother)
        for stream in streams:
            os.close(stream)
        try:
            handle = os.pidfd_open(pid)
        except OSError:
            asked.send(b"0")
            continue
        socket.send_fds(asked, [b"%d" % pid], [handle])
        os.close(handle)


def _live(asked: socket.socket, streams: Sequence[int], mother: int) -> NoReturn:
    """The life of a child that was just born."""
    try:
        asked.detach()
        for place, stream in enumerate(streams):
            os.dup2(stream, place)
        os.closerange(3, max(streams) + 2)
        libc = ctypes.CDLL(None)
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() == mother:
            with open(0, "rb", closefd=False) as source, open(1, "wb", closefd=False) as target:
                close_the_door()
                _send(target, {"ready": True})
                serve(source, target)
    finally:
        os._exit(0)


if __name__ == "__main__":
    main()
