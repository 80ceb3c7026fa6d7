"""Documents that claim PDF/A, and a check of the rules that a revision of ours could break.

The check looks at every object of the last revision, whoever wrote it, and names what it finds by the clause: of
ISO 19005-1 for part 1, of ISO 19005-2 for parts 2 and 3, whose clauses are the same. It is no validator: what only the
author's own objects could break (metadata schemas, profiles, the pages' own content) is left out.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from typing import Any

import pypdf
from fontTools.ttLib import TTFont
from PIL import ImageCms
from pypdf.generic import ArrayObject, DictionaryObject, IndirectObject, NameObject, StreamObject

from tests.pdfops import samples

WRITTEN = "2026-01-02T03:04:05Z"
IDENTIFIER = "00112233445566778899AABBCCDDEEFF"
_XMP = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:pdfaid="http://www.aiim.org/pdfa/ns/id/" {claim}
<rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/"><xmp:CreateDate>{written}</xmp:CreateDate>
<xmp:ModifyDate>{written}</xmp:ModifyDate></rdf:Description>
<rdf:Description rdf:about="" xmlns:pdf="http://ns.adobe.com/pdf/1.3/"><pdf:Producer>A scanner</pdf:Producer>
</rdf:Description></rdf:RDF></x:xmpmeta>
<?xpacket end="w"?>"""


def archive_pdf(
    part: int, intent: str | None = "RGB", *, as_attribute: bool = False, encoding: str = "utf-8"
) -> bytes:
    """One page with a grey bar. ``intent``: whose colours the output intent describes; None for a page without any."""
    claim = (
        f'pdfaid:part="{part}" pdfaid:conformance="B"/>'
        if as_attribute
        else f"><pdfaid:part>{part}</pdfaid:part><pdfaid:conformance>B</pdfaid:conformance></rdf:Description>"
    )
    metadata = _XMP.format(claim=claim, written=WRITTEN).encode(encoding)
    profile = _of_version_2(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    components = 3
    if intent == "Gray":
        profile, components = _grey(profile), 1
    intents = b"/OutputIntents [6 0 R] " if intent else b""
    bar = b"0.5 g 72 700 200 20 re f" if intent else b"/Grey cs 0.5 sc 72 700 200 20 re f"
    data = samples.build(
        [
            b"<< /Type /Catalog /Pages 2 0 R /Metadata 5 0 R %s>>" % intents,
            b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources << /ColorSpace "
            b"<< /Grey [/CalGray << /WhitePoint [0.9505 1 1.089] >>] >> >> >>",
            samples.stream(bar),
            samples.stream(metadata, b"/Type /Metadata /Subtype /XML "),
            b"<< /Type /OutputIntent /S /GTS_PDFA1 /OutputConditionIdentifier (sRGB) /Info (sRGB) "
            b"/DestOutputProfile 7 0 R >>",
            samples.stream(profile, b"/N %d " % components),
            b"<< /CreationDate (D:20260102030405Z) /ModDate (D:20260102030405Z) /Producer (A scanner) >>",
        ]
    )
    if part == 1:
        data = data.replace(b"%PDF-1.7", b"%PDF-1.4", 1)
    identifier = IDENTIFIER.encode()
    return data.replace(b"/Root 1 0 R >>", b"/Root 1 0 R /Info 8 0 R /ID [<%s> <%s>] >>" % (identifier, identifier))


def _of_version_2(profile: bytes) -> bytes:
    """The header of a profile, changed to claim the version that part 1 asks for."""
    return profile[:8] + b"\x02\x10\x00\x00" + profile[12:]


def _grey(profile: bytes) -> bytes:
    """The header of a profile, changed to say that its colours are grey: nothing here looks further."""
    return profile[:16] + b"GRAY" + profile[20:]


def broken_clauses(data: bytes, part: int) -> set[str]:
    """The clauses that a document breaks, as far as they are checked here; empty where all is well."""
    reader = pypdf.PdfReader(io.BytesIO(data))
    return {*_in_file(data, reader, part), *_in_objects(reader, part), *_in_fields(reader, part)}


def _in_file(data: bytes, reader: pypdf.PdfReader, part: int) -> Iterator[str]:
    if "/ID" not in reader.trailer or reader.trailer["/ID"][0].original_bytes.hex().upper() != IDENTIFIER:
        yield "6.1.3 the identifier"
    if not re.search(rb"%%EOF[\r\n]{0,2}\Z", data):
        yield "6.1.3 bytes behind the end"
    for match in re.finditer(rb"(?<!\d)(\d+)([^\d\n\r]*)(\d+)([^\d\n\r]*)obj\b(.?)", data):
        if (
            (match[2], match[4]) != (b" ", b" ")
            or match[5].strip()
            or data[match.start() - 1 : match.start()] not in (b"\n", b"\r")
        ):
            yield "6.1.8 white space around an object's number"
    for match in re.finditer(rb"(.)endobj\b(.)", data, re.DOTALL):
        if match[1] not in b"\r\n" or match[2] not in b"\r\n":
            yield "6.1.8 the end of an object"
    for match in re.finditer(rb"(?<!end)stream(..)", data, re.DOTALL):
        if not match[1].startswith(b"\n") and match[1] != b"\r\n":
            yield "6.1.7 the start of a stream"
    for match in re.finditer(rb"/Contents\s*<([^>]*)>", data):
        if len(match[1]) % 2 or re.search(rb"[^0-9A-Fa-f]", match[1]):
            yield "6.1.6 a hexadecimal string"
    information = reader.trailer.get("/Info")
    if information is not None:
        found = information.get_object()
        metadata = reader.trailer["/Root"]["/Metadata"].get_data().decode()
        if f"<xmp:ModifyDate>{WRITTEN}" not in metadata or found["/ModDate"] != "D:20260102030405Z":
            yield "6.7.3 dates"
        if f"<pdf:Producer>{found['/Producer']}<" not in metadata:
            yield "6.7.3 producer"
    root = reader.trailer["/Root"]
    form = root.get("/AcroForm", DictionaryObject()).get_object()
    if form.get("/NeedAppearances", False):
        yield "6.9 NeedAppearances" if part == 1 else "6.4.1 NeedAppearances"
    if part == 1 and (b"/ObjStm" in data or b"/Type /XRef" in data):
        yield "6.1.4 a cross-reference stream"
    permissions = root.get("/Perms", DictionaryObject()).get_object()
    if part > 1 and not set(permissions) <= {"/UR3", "/DocMDP"}:
        yield "6.1.12 permissions"
    if part > 1 and "/DocMDP" in permissions:
        for reference in permissions["/DocMDP"]["/Reference"]:
            if set(reference.get_object()) & {"/DigestLocation", "/DigestMethod", "/DigestValue"}:
                yield "6.1.12 a certification's digest"


def _objects(reader: pypdf.PdfReader) -> Iterator[Any]:
    """Everything that is reached from the catalogue."""
    seen: set[int] = set()
    waiting: list[Any] = [reader.trailer["/Root"]]
    while waiting:
        here = waiting.pop()
        if isinstance(here, IndirectObject):
            if here.idnum in seen:
                continue
            seen.add(here.idnum)
            here = here.get_object()
        if isinstance(here, DictionaryObject):
            yield here
            waiting.extend(here.raw_get(key) for key in here)
        elif isinstance(here, ArrayObject):
            waiting.extend(list.__getitem__(here, index) for index in range(len(here)))


def _in_objects(reader: pypdf.PdfReader, part: int) -> Iterator[str]:
    colours = _output_colours(reader)
    has_transparency = False
    for one in _objects(reader):
        if "/SMask" in one and one["/SMask"] != "/None":
            has_transparency = True
            yield from ["6.4 SMask"] if part == 1 else []
        if one.get("/Type") == "/ExtGState" and (one.get("/CA", 1) != 1 or one.get("/ca", 1) != 1):
            has_transparency = True
            yield from ["6.4 constant opacity"] if part == 1 else []
        if one.get("/S") == "/Transparency" and part == 1:
            yield "6.4 a transparency group"
        if one.get("/Subtype") == "/Image":
            yield from _in_image(one, colours, part)
        if one.get("/Subtype") == "/Form" and isinstance(one, StreamObject):
            yield from _in_content(one, colours, part)
        if one.get("/Type") == "/Font" and one.get("/Subtype") == "/Type0":
            yield from _in_font(one, part)
        elif one.get("/Type") == "/Font" and one.get("/Subtype") in ("/Type1", "/TrueType") and not _is_embedded(one):
            yield "6.3.4 a font that is not embedded" if part == 1 else "6.2.11.4.1 a font that is not embedded"
        if one.get("/Type") == "/Sig" and part > 1 and "/Contents" not in one:
            yield "6.4.3 a signature without content"
    if part > 1 and has_transparency and colours is None:
        yield "6.2.10 transparency without an output intent"


def _output_colours(reader: pypdf.PdfReader) -> bytes | None:
    for intent in reader.trailer["/Root"].get("/OutputIntents", ()):
        return bytes(intent.get_object()["/DestOutputProfile"].get_data()[16:20])
    return None


def _device_colours(name: Any, colours: bytes | None, part: int) -> Iterator[str]:
    clause = "6.2.3.3" if part == 1 else "6.2.4.3"
    if name == "/DeviceRGB" and colours != b"RGB ":
        yield f"{clause} DeviceRGB"
    if name == "/DeviceCMYK" and colours != b"CMYK":
        yield f"{clause} DeviceCMYK"
    if name == "/DeviceGray" and colours is None:
        yield f"{clause} DeviceGray"


def _in_image(image: DictionaryObject, colours: bytes | None, part: int) -> Iterator[str]:
    if "/Alternates" in image or image.get("/Interpolate", False):
        yield "6.2.4 alternates or interpolation"
    if "/ColorSpace" in image and not _is_soft_mask(image):
        yield from _device_colours(image["/ColorSpace"], colours, part)


def _is_soft_mask(image: DictionaryObject) -> bool:
    """Soft masks are grey by definition, which is no use of a colour."""
    return image["/ColorSpace"] == "/DeviceGray"


def _in_content(form: Any, colours: bytes | None, part: int) -> Iterator[str]:
    words = set(form.get_data().split())
    for operators, name in (
        ({b"g", b"G"}, "/DeviceGray"),
        ({b"rg", b"RG"}, "/DeviceRGB"),
        ({b"k", b"K"}, "/DeviceCMYK"),
    ):
        if words & operators:
            yield from _device_colours(name, colours, part)
    resources = form.get("/Resources", DictionaryObject()).get_object()
    used = {word.decode() for word in words if word.startswith(b"/")}
    named = {
        name
        for kind in resources.values()
        if isinstance(kind.get_object(), DictionaryObject)
        for name in kind.get_object()
    }
    if not used <= named:
        yield "6.2.10 resources" if part == 1 else "6.2.2 resources"


def _is_embedded(font: DictionaryObject) -> bool:
    descriptor = font.get("/FontDescriptor", DictionaryObject()).get_object()
    return bool(set(descriptor) & {"/FontFile", "/FontFile2", "/FontFile3"})


def _in_font(font: DictionaryObject, part: int) -> Iterator[str]:
    descendant = font["/DescendantFonts"][0].get_object()
    descriptor = descendant["/FontDescriptor"].get_object()
    program = TTFont(io.BytesIO(descriptor["/FontFile2"].get_object().get_data()))
    units, metrics = program["head"].unitsPerEm, program["hmtx"].metrics
    real = [round(metrics[name][0] * 1000 / units) for name in program.getGlyphOrder()]
    if descendant.get("/CIDToGIDMap") != "/Identity":
        yield "6.3.3.2 the map of glyphs"
    widths = descendant["/W"]
    if widths[0] != 0 or [int(width) for width in widths[1].get_object()] != real:
        yield "6.3.6 widths" if part == 1 else "6.2.11.5 widths"
    is_subset = re.match(r"/[A-Z]{6}\+", font["/BaseFont"])
    listed = descriptor.get("/CIDSet")
    if listed is None:
        if part == 1 and is_subset:
            yield "6.3.5 CIDSet"
    else:
        bits = "".join(f"{byte:08b}" for byte in listed.get_object().get_data())
        if bits.rstrip("0") != "1" * len(real):
            yield "6.3.5 CIDSet" if part == 1 else "6.2.11.4.2 CIDSet"


def _in_fields(reader: pypdf.PdfReader, part: int) -> Iterator[str]:
    clause = "6.5.3" if part == 1 else "6.3.3"
    for page in reader.pages:
        for reference in page.get("/Annots", ()):
            widget = reference.get_object()
            flags = int(widget.get("/F", 0))
            if not flags & 4 or flags & (1 | 2 | 32 | (256 if part > 1 else 0)):
                yield "6.5.3 flags" if part == 1 else "6.3.2 flags"
            if set(widget) & {"/A", "/AA", "/CA", "/C", "/IC"}:
                yield "6.5.3 actions, opacity or colours" if part == 1 else "6.4.1 actions"
            shown = widget.get("/AP")
            if shown is None:
                yield f"{clause} no appearance"
                continue
            if set(shown) != {"/N"}:
                yield f"{clause} more than a normal appearance"
            normal = shown["/N"].get_object()
            is_button = widget["/FT"] == "/Btn"
            if is_button == isinstance(normal, StreamObject):
                yield f"{clause} a button has named states, nothing else has"
            if is_button and (not isinstance(widget.get("/AS"), NameObject) or widget["/AS"] not in normal):
                yield f"{clause} a button without a state"
