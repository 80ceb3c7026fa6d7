"""PDFs and ink made for tests: bytes, the same for the same arguments (but for keys and file identifiers)."""

from __future__ import annotations

import datetime as dt
import io
import os
import random
import re
import zlib
from collections.abc import Sequence
from functools import cache
from typing import Any

import pypdf
from asn1crypto import keys as asn1_keys
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from PIL import Image, ImageDraw
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign import PdfSignatureMetadata, PdfSigner, fields
from pyhanko.sign.signers import SimpleSigner
from pyhanko_certvalidator.registry import SimpleCertificateStore
from reportlab.pdfgen.canvas import Canvas

from pdfops.fields import Place, prepare
from pdfops.seal import SealOrder, seal
from pdfops.signer import KeySigner, make_organisation_certificate

A4 = (0, 0, 595, 842)
SIGNED_AT = dt.datetime(2026, 3, 29, 1, 30, tzinfo=dt.UTC)


def build(objects: Sequence[bytes], root: int = 1) -> bytes:
    """A PDF of numbered objects, with a classical cross-reference table."""
    body, offsets = [b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"], []
    at = len(body[0])
    for number, content in enumerate(objects, start=1):
        offsets.append(at)
        piece = b"%d 0 obj\n%s\nendobj\n" % (number, content)
        body.append(piece)
        at += len(piece)
    count = len(objects) + 1
    table = b"xref\n0 %d\n0000000000 65535 f \n" % count + b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    trailer = b"trailer\n<< /Size %d /Root %d 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (count, root, at)
    return b"".join([*body, table, trailer])


def rebuilt(data: bytes) -> bytes:
    """What `build` made and somebody edited, with its offsets put right."""
    objects = re.findall(rb"\n\d+ 0 obj\n(.*?)\nendobj(?=\n)", data, re.DOTALL)
    return build(objects)


def stream(data: bytes, extra: bytes = b"") -> bytes:
    return b"<< /Length %d %s>>\nstream\n%s\nendstream" % (len(data), extra, data)


def simple_pdf(pages: int = 1, text: str = "Convention", media: Sequence[float] = A4) -> bytes:
    """Pages of one line of Helvetica each."""
    kids = b" ".join(b"%d 0 R" % (4 + 2 * index) for index in range(pages))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [%s] /Count %d /MediaBox [%s] >>" % (kids, pages, _numbers(media)),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    ]
    for index in range(pages):
        line = f"{text} {index + 1}".encode("cp1252", "replace").replace(b"(", b"").replace(b")", b"")
        objects.append(
            b"<< /Type /Page /Parent 2 0 R /Resources << /Font << /F1 3 0 R >> >> /Contents %d 0 R >>"
            % (5 + 2 * index)
        )
        objects.append(stream(b"BT /F1 18 Tf 72 700 Td (%s) Tj ET" % line))
    return build(objects)


def rotated_cropped_pdf(
    rotate: int | None = 90,
    media: Sequence[float] | None = A4,
    crop: Sequence[float] | None = None,
    is_inherited: bool = False,
    more: bytes = b"",
) -> bytes:
    """One page with these boxes; None leaves an entry out, ``is_inherited`` writes them into the page's parent.

    ``more`` are further entries of the page itself.
    """
    entries = b""
    if media is not None:
        entries += b"/MediaBox [%s] " % _numbers(media)
    if crop is not None:
        entries += b"/CropBox [%s] " % _numbers(crop)
    if rotate is not None:
        entries += b"/Rotate %d " % rotate
    above, below = (entries, b"") if is_inherited else (b"", entries)
    return build(
        [
            b"<< /Type /Catalog /Pages 2 0 R >>",
            b"<< /Type /Pages /Kids [3 0 R] /Count 1 %s>>" % above,
            b"<< /Type /Page /Parent 2 0 R %s%s>>" % (below, more),
        ]
    )


def mixed_pdf(pages: Sequence[tuple[int, Sequence[float], Sequence[float] | None]]) -> bytes:
    """Empty pages, each with a rotation, a media box and a crop box (or none) of its own."""
    kids = b" ".join(b"%d 0 R" % (3 + index) for index in range(len(pages)))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [%s] /Count %d >>" % (kids, len(pages)),
    ]
    for rotate, media, crop in pages:
        shown = b"/CropBox [%s] " % _numbers(crop) if crop is not None else b""
        objects.append(
            b"<< /Type /Page /Parent 2 0 R /Rotate %d /MediaBox [%s] %s>>" % (rotate, _numbers(media), shown)
        )
    return build(objects)


def marked_pdf(media: Sequence[float], rotate: int, mark: Sequence[float]) -> bytes:
    """One page with a black octagon that touches left, bottom, right and top, in user space, along most of each side.

    No rectangle: pdfium moves the edges of one to whole pixels, while those of any other shape stay where they are.
    """
    left, bottom, right, top = mark
    cut_x, cut_y = (right - left) / 10, (top - bottom) / 10
    corners = [
        (left + cut_x, bottom),
        (right - cut_x, bottom),
        (right, bottom + cut_y),
        (right, top - cut_y),
        (right - cut_x, top),
        (left + cut_x, top),
        (left, top - cut_y),
        (left, bottom + cut_y),
    ]
    drawn = b" l ".join(_numbers(corner) for corner in corners).replace(b" l ", b" m ", 1) + b" l h f"
    return build(
        [
            b"<< /Type /Catalog /Pages 2 0 R >>",
            b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            b"<< /Type /Page /Parent 2 0 R /Rotate %d /MediaBox [%s] /Contents 4 0 R >>" % (rotate, _numbers(media)),
            stream(drawn),
        ]
    )


def sized_pdf(size_bytes: int) -> bytes:
    """A one-page PDF of exactly this size, most of it an image that does not compress."""
    side = max(8, int(((size_bytes - 1_200) / 3) ** 0.5))
    noise = random.Random(size_bytes).randbytes(side * side * 3)
    image = stream(
        noise,
        b"/Type /XObject /Subtype /Image /Width %d /Height %d /ColorSpace /DeviceRGB /BitsPerComponent 8 "
        % (side, side),
    )
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R "
        b"/Resources << /XObject << /Im 5 0 R >> >> >>",
        stream(b"q 500 0 0 500 50 200 cm /Im Do Q"),
        image,
        b"<< >>",
    ]
    for _ in range(4):
        missing = size_bytes - len(build(objects))
        objects[-1] = b"<< >>" + b" " * max(0, len(objects[-1]) - len(b"<< >>") + missing)
    made = build(objects)
    assert len(made) == size_bytes
    return made


def linked_pdf(pages: int, links: int = 10) -> bytes:
    """A document whose pages lead to one another: an outline, and links on every page."""
    output = io.BytesIO()
    canvas = Canvas(output, invariant=1)
    for page in range(pages):
        canvas.bookmarkPage(f"p{page}")
        canvas.addOutlineEntry(f"Part {page}", f"p{page}", level=0)
        for link in range(links):
            canvas.drawString(72, 800 - 18 * link, f"see {(page * 7 + link) % pages}")
            canvas.linkRect("", f"p{(page * 7 + link) % pages}", (72, 800 - 18 * link, 200, 812 - 18 * link))
        canvas.showPage()
    canvas.save()
    return output.getvalue()


def sealed_pdf(data: bytes, people: int) -> bytes:
    """Sealed by so many, in one row of stamps on its first page."""
    places = [Place(f"p{who}", str(who), 1, 50_000 + 90_000 * who, 100_000, 80_000, 50_000) for who in range(people)]
    data = prepare(data, places)
    for who in range(people):
        order = SealOrder((f"p{who}",), ink_png((60, 20)), "n", "r", SIGNED_AT)
        data = seal(data, order, organisation())
    return data


def with_page_entry(data: bytes, key: str, value: generic.PdfObject) -> bytes:
    """An unsigned revision that changes an entry of the first page."""
    writer = IncrementalPdfFileWriter(io.BytesIO(data), strict=False)
    page, _ = writer.find_page_for_modification(0)
    page.get_object()[key] = value
    writer.mark_update(page)
    output = io.BytesIO()
    writer.write(output)
    return output.getvalue()


def encrypted_pdf(user_password: str = "") -> bytes:
    """A PDF under a password; the empty one opens without asking, and is refused all the same."""
    writer = pypdf.PdfWriter(clone_from=pypdf.PdfReader(io.BytesIO(simple_pdf())))
    writer.encrypt(user_password=user_password, owner_password="owner", algorithm="AES-256")
    output = io.BytesIO()
    writer.write(output)
    return output.getvalue()


def damaged_pdf() -> bytes:
    """A PDF that was cut off, with an end that looks whole."""
    return simple_pdf(3)[:300] + b"\nstartxref\n123456\n%%EOF\n"


@cache
def organisation(name: str = "Mairie d'Étampes") -> KeySigner:
    """A signer of the product's own making (RSA-3072)."""
    return KeySigner(*make_organisation_certificate(name))


@cache
def p256() -> KeySigner:
    """A signer on the curve P-256."""
    return KeySigner(*p256_pems())


@cache
def p256_pems() -> tuple[bytes, bytes]:
    """Private key and certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "P-256")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), 7, SIGNED_AT, SIGNED_AT + dt.timedelta(days=900))
    usage = x509.KeyUsage(True, True, False, False, False, False, False, False, False)
    certificate = builder.add_extension(usage, critical=True).sign(key, hashes.SHA256())
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return pem, certificate.public_bytes(serialization.Encoding.PEM)


@cache
def stranger(is_p256: bool = False) -> SimpleSigner:
    """Somebody else's key (RSA-3072 unless told), used through pyHanko."""
    key_pem, certificate_pem = p256_pems() if is_p256 else make_organisation_certificate("Quelqu'un d'autre")
    key = serialization.load_pem_private_key(key_pem, None)
    der = key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    certificate = x509.load_pem_x509_certificate(certificate_pem).public_bytes(serialization.Encoding.DER)
    return SimpleSigner(
        signing_cert=asn1_x509.Certificate.load(certificate),
        signing_key=asn1_keys.PrivateKeyInfo.load(der),
        cert_registry=SimpleCertificateStore(),
    )


def signed_pdf(data: bytes | None = None, field: str = "Stranger", **metadata: Any) -> bytes:
    """A PDF signed by somebody else, visibly, before it came to us. ``metadata`` goes to pyHanko."""
    writer = IncrementalPdfFileWriter(io.BytesIO(data or simple_pdf(2)), strict=False)
    signer = PdfSigner(
        PdfSignatureMetadata(field_name=field, subfilter=fields.SigSeedSubFilter.PADES, **metadata),
        signer=stranger(),
        new_field_spec=fields.SigFieldSpec(field, box=(50, 50, 200, 90), field_mdp_spec=metadata.pop("_lock", None)),
    )
    output = io.BytesIO()
    signer.sign_pdf(writer, output=output)
    return output.getvalue()


def certified_pdf(permission: int, data: bytes | None = None) -> bytes:
    """A PDF certified by somebody else with DocMDP P = 1, 2 or 3."""
    return signed_pdf(data, certify=True, docmdp_permissions=fields.MDPPerm(permission))


def certified_p1_pdf() -> bytes:
    """A PDF whose certification allows no change at all."""
    return certified_pdf(1)


def locked_pdf(action: str, names: Sequence[str] = ()) -> bytes:
    """A PDF whose signature locks fields: action All, Include or Exclude."""
    writer = IncrementalPdfFileWriter(io.BytesIO(simple_pdf(2)), strict=False)
    lock = fields.FieldMDPSpec(
        fields.FieldMDPAction["ALL" if action == "All" else action.upper()], list(names) or None
    )
    spec = fields.SigFieldSpec("Stranger", box=(50, 50, 200, 90), field_mdp_spec=lock)
    fields.append_signature_field(writer, spec)
    signer = PdfSigner(
        PdfSignatureMetadata(field_name="Stranger", subfilter=fields.SigSeedSubFilter.PADES), signer=stranger()
    )
    output = io.BytesIO()
    signer.sign_pdf(writer, output=output)
    return output.getvalue()


# Bombs: each is refused, or done, in bounded time and memory.


def kids_loop() -> bytes:
    return build([b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Kids [2 0 R 2 0 R] /Count 2 >>"])


def kids_explosion(depth: int = 40) -> bytes:
    """A page tree where every node holds the next one twice: 2^40 pages."""
    objects = [b"<< /Type /Catalog /Pages 2 0 R >>"]
    for level in range(depth):
        objects.append(b"<< /Type /Pages /Kids [%d 0 R %d 0 R] /Count 2 >>" % (level + 3, level + 3))
    objects.append(b"<< /Type /Page /MediaBox [0 0 100 100] >>")
    return build(objects)


def form_recursion(depth: int = 30) -> bytes:
    """Forms that draw the next form ten times over."""
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents 4 0 R "
        b"/Resources << /XObject << /F 5 0 R >> >> >>",
        stream(b"/F Do " * 10),
    ]
    for level in range(depth):
        objects.append(
            stream(
                b"/F Do " * 10,
                b"/Type /XObject /Subtype /Form /BBox [0 0 600 800] /Resources << /XObject << /F %d 0 R >> >> "
                % (level + 6),
            )
        )
    objects.append(stream(b"0 0 600 800 re f", b"/Type /XObject /Subtype /Form /BBox [0 0 600 800] "))
    return build(objects)


def deep_arrays(depth: int = 100_000) -> bytes:
    return build(
        [
            b"<< /Type /Catalog /Pages 2 0 R /AcroForm %s %s >>" % (b"[" * depth, b"]" * depth),
            b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] >>",
        ]
    )


def flate_bomb(size_bytes: int = 1_000_000_000) -> bytes:
    """A page whose content is a gigabyte of spaces, deflated twice."""
    packer = zlib.compressobj(9)
    chunk = b" " * 1_000_000
    once = b"".join(packer.compress(chunk) for _ in range(size_bytes // len(chunk))) + packer.flush()
    return build(
        [
            b"<< /Type /Catalog /Pages 2 0 R >>",
            b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents 4 0 R >>",
            stream(zlib.compress(once, 9), b"/Filter [/FlateDecode /FlateDecode] "),
        ]
    )


def slow_fills(count: int = 150_000) -> bytes:
    """A page that is painted over so many times, through a blend mode: it costs time, and no memory."""
    content = zlib.compress(b"/G gs 0 0 600 800 re f " * count, 9)
    return build(
        [
            b"<< /Type /Catalog /Pages 2 0 R >>",
            b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents 4 0 R "
            b"/Resources << /ExtGState << /G << /ca 0.5 /BM /Luminosity >> >> >> >>",
            stream(content, b"/Filter /FlateDecode "),
        ]
    )


def junk_after_header(size_bytes: int = 5_000_000) -> bytes:
    """Digits and brackets between the header and the objects."""
    junk = b"<< [ 1 0 obj ( " * (size_bytes // 15)
    data = simple_pdf()
    return data[:15] + junk + data[15:]


def many_pages(count: int) -> bytes:
    return simple_pdf(count)


# Ink


def ink_png(size: tuple[int, int] = (600, 200), colour: str = "navy", mode: str = "RGBA") -> bytes:
    """A pen stroke: on transparent ground (RGBA) or on white paper (RGB, L)."""
    ground: Any = (0, 0, 0, 0) if mode == "RGBA" else "white"
    picture = Image.new(mode, size, ground)
    width, height = size
    points = [(0.1, 0.8), (0.3, 0.1), (0.5, 0.9), (0.9, 0.2)]
    pixels = [(x * width, y * height) for x, y in points]
    ImageDraw.Draw(picture).line(pixels, fill=colour, width=max(2, height // 25), joint="curve")
    return encoded(picture)


def smooth_ink_png(size: tuple[int, int] = (600, 200)) -> bytes:
    """The same stroke with soft edges of many shades, as a canvas rounds them."""
    large = Image.open(io.BytesIO(ink_png((4 * size[0], 4 * size[1]), "#12264f")))
    return encoded(large.convert("RGBa").resize(size, Image.Resampling.LANCZOS).convert("RGBA"))


def block_png(size: tuple[int, int] = (100, 100), colour: tuple[int, int, int] = (255, 0, 0)) -> bytes:
    """A solid block: easy to find again on a rendered page."""
    return encoded(Image.new("RGBA", size, (*colour, 255)))


def encoded(picture: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    output = io.BytesIO()
    picture.save(output, kind, **options)
    return output.getvalue()


def photograph(size: tuple[int, int]) -> bytes:
    """Noise as a JPEG: the least compressible ink there is."""
    return encoded(Image.frombytes("RGB", size, os.urandom(size[0] * size[1] * 3)), "JPEG", quality=30)


def _numbers(values: Sequence[float]) -> bytes:
    return " ".join(f"{value:.4f}" for value in values).encode("ascii")
