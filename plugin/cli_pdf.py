"""``parapheur pdf …``: what the product does with PDFs, on files. Needs no settings and no server.

Every file is read within the same caps as in the product, by a child process that can be killed. With ``--json`` one
object on standard output says everything; without it, a few lines for people, in English.
"""

from __future__ import annotations

import argparse
import datetime as dt
import hashlib
import json
import os
import stat
import sys
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from asn1crypto import x509 as asn1_x509

from pdfops.errors import PdfError
from pdfops.fields import Place
from pdfops.inspect import certificate_name
from pdfops.preview import MAX_WIDTH_PX, ImageFormat
from pdfops.proof import prove
from pdfops.sandbox import Workshop
from pdfops.seal import SealOrder
from pdfops.signer import Signer
from pdfops.trust import TEST_MARK
from plugin.cli_files import Refusal, keep, opened, read, write
from plugin.cli_keys import add_authority, add_key, certificates_in, lasting_of, signer_of
from plugin.dossier import NotARecord, dossier
from plugin.i18n import LANGUAGES
from plugin.verdict import verdict
from plugin.web.problems import sentence

MILLION: Final = 1_000_000
CHUNK_BYTES: Final = 1 << 20
FORMATS: Final[dict[str, ImageFormat]] = {".jpg": "jpeg", ".jpeg": "jpeg", ".png": "png", ".webp": "webp"}


def add_commands(commands: Any) -> None:
    """``commands``: what ``add_subparsers`` of the program returned."""
    parser = commands.add_parser("pdf", help="inspect, verify, seal, preview and prove files, evidence as a document")
    parser.set_defaults(without_operator=True)
    kinds = parser.add_subparsers(required=True, metavar="WHAT")

    def command(name: str, run: Callable[[argparse.Namespace], dict[str, Any]], help_text: str) -> Any:
        made = kinds.add_parser(name, help=help_text)
        made.add_argument("--json", action="store_true", help="one JSON object")
        made.set_defaults(run=lambda chosen: _told(run, chosen))
        return made

    inspect = command("inspect", _inspect, "what a PDF is, and whether it can take part in a flow")
    inspect.add_argument("file", type=Path)
    verify = command("verify", _verify, "who signed, what the signatures are worth, what came after; 0: intact")
    verify.add_argument("file", type=Path)
    verify.add_argument("--trust", type=Path, action="append", default=[], help="certificates to trust, PEM or DER")
    verify.add_argument("--extract", type=Path, help="write the version that the last intact signature covers")
    seal = command("seal", _seal, "put one stamp and one seal on a PDF")
    seal.add_argument("file", type=Path, metavar="IN")
    seal.add_argument("out", type=Path, metavar="OUT")
    seal.add_argument("--page", type=int, default=1, help="1-based")
    seal.add_argument("--box", type=_box, required=True, help="x,y,w,h: fractions of the page, from its top left")
    seal.add_argument("--image", type=Path, help="the ink: PNG or JPEG")
    seal.add_argument("--text", action="append", default=[], help="a line of the stamp; may be given several times")
    seal.add_argument("--name", default="", help="of whoever signs; else what the certificate says")
    seal.add_argument("--reason", default="")
    add_authority(seal)
    seal.add_argument("--certify", action="store_true", help="certify: afterwards only fields may be filled in (P=2)")
    add_key(seal)
    preview = command("preview", _preview, "a page as an image: JPEG, or PNG or WebP by the name of OUT")
    preview.add_argument("file", type=Path)
    preview.add_argument("--page", type=int, default=1, help="1-based")
    preview.add_argument("--width", type=int, default=1_000, help="pixels")
    preview.add_argument("out", type=Path, metavar="OUT")
    proof = command("prove", _prove, "a detached proof (CAdES) for a file of any kind")
    proof.add_argument("file", type=Path)
    proof.add_argument("out", type=Path, metavar="OUT", nargs="?", help="default: the file's name and .p7s")
    add_key(proof)
    evidence = command("evidence", _evidence, "an evidence record (JSON) as a sealed PDF, with the record inside")
    evidence.add_argument("file", type=Path, metavar="RECORD")
    evidence.add_argument("out", type=Path, metavar="OUT")
    evidence.add_argument("--language", choices=LANGUAGES, default="en")
    evidence.add_argument("--address", default="https://example.org/verify", help="where it can be checked")
    add_key(evidence)


def _told(run: Callable[[argparse.Namespace], dict[str, Any]], chosen: argparse.Namespace) -> int:
    """Returns: 0 for ``ok``, else 1."""
    try:
        answer = run(chosen)
    except Refusal as refusal:
        answer = {"ok": False, "code": refusal.code, "message": refusal.message, **refusal.more}
    lines = answer.pop("lines", None)
    is_ok = bool(answer.get("ok", True))
    is_bad = not (is_ok or lines or chosen.json)
    target = sys.stderr if is_bad or _is_standard_output(getattr(chosen, "out", None)) else sys.stdout
    for line in [json.dumps(answer)] if chosen.json else lines or [answer["message"]]:
        encoding = target.encoding or "utf-8"
        print(line.encode(encoding, "backslashreplace").decode(encoding), file=target)
    return 0 if is_ok else 1


def _is_standard_output(out: Path | None) -> bool:
    """Whether what was made went there: by the name of a pipe or a device, or because a file stands behind it."""
    try:
        there = out.stat() if out is not None else None
        if there is None or stat.S_ISDIR(there.st_mode):
            return False
        return not stat.S_ISREG(there.st_mode) or os.path.samestat(there, os.fstat(1))
    except OSError:
        return False


# ---- the commands ---------------------------------------------------------------------------------------------------
def _inspect(chosen: argparse.Namespace) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "pages": None,
        "size_bytes": None,
        "encrypted": False,
        "signatures": None,
        "page_sizes_pt": [],
    }
    try:
        data = read(chosen.file)
        facts["size_bytes"] = len(data)
        with _workshop() as workshop:
            found = workshop.inspect(data)
            workshop.check_renders(data, found.pages)
    except Refusal as refusal:
        facts["encrypted"] = refusal.code == "encrypted"
        raise Refusal(refusal.code, refusal.message, **facts) from refusal
    facts |= {
        "pages": found.pages,
        "signatures": found.signatures,
        "page_sizes_pt": [list(size) for size in found.page_sizes_pt],
    }
    signed = f", {found.signatures} signatures" if found.signatures else ""
    message = f"{found.pages} pages, {len(data)} bytes{signed}; it can be signed."
    return {"ok": True, "code": "ok", "message": message, **facts}


def _verify(chosen: argparse.Namespace) -> dict[str, Any]:
    nothing: dict[str, Any] = {"integrity": "unverifiable", "trust": "unknown", "signatures": [], "changes": []}
    try:
        keep(chosen.extract, chosen.file, *chosen.trust)
        roots = [root for path in chosen.trust for root in certificates_in(path)]
        data = read(chosen.file)
        with _workshop() as workshop:
            found = workshop.verify(data)
    except Refusal as refusal:
        raise Refusal(refusal.code, refusal.message, **nothing) from refusal
    facts = verdict(found, roots, "en")
    if chosen.extract is not None:
        if not found.signed_bytes:
            del facts["message"]
            raise Refusal("nothing-to-extract", "No intact signature covers a version of this file.", **facts)
        write(chosen.extract, data[: found.signed_bytes])
    told = [_signature_line(one) for one in facts["signatures"]]
    lines = [facts["message"], f"Trust: {facts['trust']}.", *told, *facts["changes"]]
    return {"ok": found.integrity == "intact", "code": found.integrity, **facts, "lines": lines}


def _signature_line(one: dict[str, Any]) -> str:
    said = f", {one['signed_at']} as it says itself" if one["signed_at"] else ""
    attested = f", attested {one['attested_at']}" if one["attested_at"] else ""
    level = f", {one['level']}" if one["level"] else ""
    return f"{one['signer'] or '(nobody is named)'} in {one['field']}{said}{attested}: {one['integrity']}{level}"


def _seal(chosen: argparse.Namespace) -> dict[str, Any]:
    keep(chosen.out, chosen.file, chosen.image, chosen.p12)
    chosen.text = [line for line in chosen.text if line.strip()]
    signer, is_test = signer_of(chosen)
    data = read(chosen.file)
    if not chosen.image and not chosen.text:
        raise Refusal("nothing-to-show", "A stamp needs an image, a text, or both.")
    image = read(chosen.image) if chosen.image else b""
    lasting = lasting_of(chosen, signer)
    x, y, w, h = chosen.box
    field = f"Seal_{hashlib.sha256(data).hexdigest()[:8]}"
    lines = (*chosen.text, *((TEST_MARK,) if is_test else ()))
    place = Place(field, "signer", chosen.page, x, y, w, h, bool(lines))
    with _workshop() as workshop:
        found = workshop.inspect(data)
        ink = workshop.normalise_ink(image) if image else b""
        order = SealOrder(
            fields=(field,),
            ink=ink,
            texts={field: lines} if lines else {},
            name=chosen.name or _holder(signer),
            reason=chosen.reason,
            signing_time=dt.datetime.now(dt.UTC).astimezone(),
            certifies=chosen.certify,
        )
        sealed = workshop.seal(workshop.prepare(data, [place]), order, signer, lasting)
    write(chosen.out, sealed)
    message = f"Sealed: {chosen.out}, {len(sealed) - len(data)} bytes were added."
    return {
        "ok": True,
        "code": "ok",
        "message": message,
        "field": field,
        "pages": found.pages,
        "size_bytes": len(sealed),
        "added_bytes": len(sealed) - len(data),
        "sha256": hashlib.sha256(sealed).hexdigest(),
        "test": is_test,
        "certified": chosen.certify,
    }


def _preview(chosen: argparse.Namespace) -> dict[str, Any]:
    keep(chosen.out, chosen.file)
    if not 1 <= chosen.width <= MAX_WIDTH_PX:
        raise Refusal("bad-width", f"The width is 1 to {MAX_WIDTH_PX} pixels.")
    image_format = FORMATS.get(chosen.out.suffix.lower(), "jpeg")
    data = read(chosen.file)
    with _workshop() as workshop:
        picture = workshop.preview(data, chosen.page, chosen.width, image_format)
    write(chosen.out, picture)
    message = f"Page {chosen.page}: {chosen.out}, {len(picture)} bytes."
    return {"ok": True, "code": "ok", "message": message, "format": image_format, "size_bytes": len(picture)}


def _prove(chosen: argparse.Namespace) -> dict[str, Any]:
    out = chosen.out or chosen.file.with_name(f"{chosen.file.name or 'file'}.p7s")
    keep(out, chosen.file, chosen.p12)
    signer, is_test = signer_of(chosen)
    digest = hashlib.sha256()
    size = 0
    with opened(chosen.file) as source:
        while chunk := source.read(CHUNK_BYTES):
            digest.update(chunk)
            size += len(chunk)
    write(out, prove(digest.digest(), signer, dt.datetime.now(dt.UTC)))
    return {
        "ok": True,
        "code": "ok",
        "message": f"Proof of {size} bytes: {out}",
        "proof": str(out),
        "sha256": digest.hexdigest(),
        "size_bytes": size,
        "test": is_test,
    }


def _evidence(chosen: argparse.Namespace) -> dict[str, Any]:
    keep(chosen.out, chosen.file, chosen.p12)
    signer, is_test = signer_of(chosen)
    try:
        record = json.loads(read(chosen.file))
    except (ValueError, RecursionError) as error:
        raise Refusal("not-a-record", f"{chosen.file}: this is not JSON.") from error
    try:
        with _workshop() as workshop:
            made = dossier(record, chosen.language, chosen.address, workshop, signer)
    except NotARecord as error:
        raise Refusal("not-a-record", f"{chosen.file}: this is not an evidence record.") from error
    write(chosen.out, made)
    message = f"Evidence: {chosen.out}, {len(made)} bytes."
    return {"ok": True, "code": "ok", "message": message, "size_bytes": len(made), "test": is_test}


# ---- what they share ------------------------------------------------------------------------------------------------
@contextmanager
def _workshop() -> Any:
    """One child; what it refuses becomes a refusal with the product's own sentence."""
    with Workshop(children=1) as workshop:
        try:
            yield workshop
        except PdfError as error:
            raise Refusal(error.code, sentence(error.code, "en", {"text": "--text", **error.values})) from error


def _holder(signer: Signer) -> str:
    return certificate_name(asn1_x509.Certificate.load(signer.chain[0]))


def _box(text: str) -> tuple[int, int, int, int]:
    """Fractions to millionths."""
    try:
        x, y, w, h = (round(float(part) * MILLION) for part in text.split(","))
    except (ValueError, OverflowError) as error:
        raise argparse.ArgumentTypeError("four numbers with commas between them, as 0.1,0.7,0.3,0.1") from error
    if not (0 <= x < x + w <= MILLION and 0 <= y < y + h <= MILLION):
        raise argparse.ArgumentTypeError("the box lies outside the page")
    return x, y, w, h
