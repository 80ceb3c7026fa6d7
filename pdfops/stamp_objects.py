"""What a stamp is made of, as PDF objects: images, pen strokes, fonts and the letters they hold.

Source: ISO 32000-2, 8.9.5 (images), 8.10 (forms), 9.6.4 (Type 3 fonts), 9.7 (composite fonts), 9.10.3 (ToUnicode).
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.generic import pdf_name

from pdfops.archive import Rules
from pdfops.font import EM, StampFont, Subset
from pdfops.ink import Raster, on_paper
from pdfops.shaping import Cluster

LEAST_DEFLATED_BYTES: Final = 400

MAX_CODES: Final = 255
"""Letters of one Type 3 font: codes are bytes, and 0 is left alone."""


def form_object(
    writer: Any, box: Sequence[float], content: bytes, resources: Any, matrix: Sequence[float] | None = None
) -> Any:
    entries = {
        pdf_name("/Type"): pdf_name("/XObject"),
        pdf_name("/Subtype"): pdf_name("/Form"),
        pdf_name("/BBox"): numbers(*box),
        pdf_name("/Resources"): resources,
    }
    if matrix is not None:
        entries[pdf_name("/Matrix")] = numbers(*matrix)
    if len(content) < LEAST_DEFLATED_BYTES:
        return writer.add_object(generic.StreamObject(entries, stream_data=content))
    entries[pdf_name("/Filter")] = pdf_name("/FlateDecode")
    return writer.add_object(generic.StreamObject(entries, encoded_data=zlib.compress(content, 4)))


def image_object(writer: Any, ink: Raster, rules: Rules) -> Any:
    def stream(colours: generic.PdfObject, data: bytes, bits: int = 8) -> generic.StreamObject:
        return generic.StreamObject(
            {
                pdf_name("/Type"): pdf_name("/XObject"),
                pdf_name("/Subtype"): pdf_name("/Image"),
                pdf_name("/Width"): generic.NumberObject(ink.width),
                pdf_name("/Height"): generic.NumberObject(ink.height),
                pdf_name("/ColorSpace"): colours,
                pdf_name("/BitsPerComponent"): generic.NumberObject(bits),
                pdf_name("/Filter"): pdf_name("/FlateDecode"),
            },
            encoded_data=data,
        )

    rgb: generic.PdfObject = calibrated("/CalRGB") if rules.is_archive else pdf_name("/DeviceRGB")
    grey = pdf_name("/DeviceGray")
    if rules.may_be_transparent:
        colours = rgb
        if ink.pen:
            only = generic.ByteStringObject(ink.pen)
            colours = generic.ArrayObject([pdf_name("/Indexed"), rgb, generic.NumberObject(0), only])
        image = stream(colours, ink.colour)
        image["/SMask"] = writer.add_object(stream(grey, ink.alpha))
        return writer.add_object(image)
    on_white, hidden = on_paper(ink)
    image, mask = stream(rgb, on_white), stream(grey, hidden, 1)
    del mask["/ColorSpace"]
    mask["/ImageMask"] = generic.BooleanObject(True)
    image["/Mask"] = writer.add_object(mask)
    return writer.add_object(image)


def calibrated(family: str) -> generic.ArrayObject:
    """A colour space that needs no output intent: sRGB's colours and white, its curve taken as a power of 2.2.

    Source: ISO 32000-2, 8.6.5.2 and 8.6.5.3; IEC 61966-2-1.
    """
    white = generic.DictionaryObject({pdf_name("/WhitePoint"): numbers(0.9505, 1.0, 1.089)})
    if family == "/CalRGB":
        white["/Gamma"] = numbers(2.2, 2.2, 2.2)
        white["/Matrix"] = numbers(0.4124, 0.2126, 0.0193, 0.3576, 0.7152, 0.1192, 0.1805, 0.0722, 0.9505)
    return generic.ArrayObject([pdf_name(family), white])


def colour(rules: Rules, rgb: str, stroke: bool = False) -> bytes:
    """The operators that choose a colour, given as three numbers; they need the resources of `with_colour_spaces`."""
    device, space, value = ("RG", "CS", "SC") if stroke else ("rg", "cs", "sc")
    chosen = f"/Rgb {space} {rgb} {value}" if rules.is_archive else f"{rgb} {device}"
    return chosen.encode("ascii")


def black(rules: Rules) -> bytes:
    return b"/Grey cs 0 sc" if rules.is_archive else b"0 g"


def with_colour_spaces(rules: Rules, resources: generic.DictionaryObject) -> generic.DictionaryObject:
    """Those that `colour` and `black` name, where the document's claim of PDF/A asks for them."""
    if rules.is_archive:
        spaces = {pdf_name("/Grey"): calibrated("/CalGray"), pdf_name("/Rgb"): calibrated("/CalRGB")}
        resources["/ColorSpace"] = generic.DictionaryObject(spaces)
    return resources


def subset_object(writer: Any, font: StampFont, subset: Subset, rules: Rules) -> Any:
    name = pdf_name(f"/{_tag(subset)}+{font.name}")
    font_file = generic.StreamObject(
        {pdf_name("/Length1"): generic.NumberObject(len(subset.font_file))}, stream_data=subset.font_file
    )
    font_file.compress()
    descriptor = generic.DictionaryObject(
        {
            pdf_name("/Type"): pdf_name("/FontDescriptor"),
            pdf_name("/FontName"): name,
            pdf_name("/Flags"): generic.NumberObject(4),
            pdf_name("/FontBBox"): numbers(*font.bbox),
            pdf_name("/ItalicAngle"): generic.NumberObject(0),
            pdf_name("/Ascent"): generic.NumberObject(font.ascent),
            pdf_name("/Descent"): generic.NumberObject(font.descent),
            pdf_name("/CapHeight"): generic.NumberObject(font.cap_height),
            pdf_name("/StemV"): generic.NumberObject(80),
            pdf_name("/FontFile2"): writer.add_object(font_file),
        }
    )
    if rules.is_archive:
        descriptor["/CIDSet"] = writer.add_object(generic.StreamObject(stream_data=_every_bit(len(subset.widths))))
    descendant = generic.DictionaryObject(
        {
            pdf_name("/Type"): pdf_name("/Font"),
            pdf_name("/Subtype"): pdf_name("/CIDFontType2"),
            pdf_name("/BaseFont"): name,
            pdf_name("/CIDSystemInfo"): generic.DictionaryObject(
                {
                    pdf_name("/Registry"): generic.pdf_string("Adobe"),
                    pdf_name("/Ordering"): generic.pdf_string("Identity"),
                    pdf_name("/Supplement"): generic.NumberObject(0),
                }
            ),
            pdf_name("/CIDToGIDMap"): pdf_name("/Identity"),
            pdf_name("/DW"): generic.NumberObject(subset.widths[0]),
            pdf_name("/W"): generic.ArrayObject([generic.NumberObject(0), numbers(*subset.widths)]),
            pdf_name("/FontDescriptor"): writer.add_object(descriptor),
        }
    )
    to_unicode = generic.StreamObject(
        stream_data=_to_unicode({number: text for text, number in subset.glyphs.items()}, 2)
    )
    to_unicode.compress()
    return writer.add_object(
        generic.DictionaryObject(
            {
                pdf_name("/Type"): pdf_name("/Font"),
                pdf_name("/Subtype"): pdf_name("/Type0"),
                pdf_name("/BaseFont"): name,
                pdf_name("/Encoding"): pdf_name("/Identity-H"),
                pdf_name("/DescendantFonts"): generic.ArrayObject([writer.add_object(descendant)]),
                pdf_name("/ToUnicode"): writer.add_object(to_unicode),
            }
        )
    )


def _every_bit(count: int) -> bytes:
    """So many bits that are set, from the highest of the first byte on: all glyphs of a subset are in it."""
    return (((1 << count) - 1) << (-count % 8)).to_bytes((count + 7) // 8, "big")


@dataclass(frozen=True, slots=True)
class ClusterFonts:
    """Fonts made of clusters, a Type 3 font for each `MAX_CODES` of them.

    A cluster is one letter to whoever reads the PDF, however many glyphs it was shaped from: its outlines stand in a
    content stream of their own, and /ToUnicode says what it spells.
    """

    names: tuple[str, ...]
    references: tuple[Any, ...]
    places: dict[Cluster, tuple[int, int]]
    """Which font, and which code in it."""


def cluster_fonts(writer: Any, clusters: Iterable[Cluster]) -> ClusterFonts:
    ordered = list(dict.fromkeys(clusters))
    groups = [ordered[start : start + MAX_CODES] for start in range(0, len(ordered), MAX_CODES)]
    places = {
        cluster: (number, code) for number, group in enumerate(groups) for code, cluster in enumerate(group, start=1)
    }
    names = tuple(f"/More{number}" for number in range(len(groups)))
    return ClusterFonts(names, tuple(_type3(writer, group) for group in groups), places)


def _type3(writer: Any, clusters: Sequence[Cluster]) -> Any:
    streams = {}
    for code, cluster in enumerate(clusters, start=1):
        box = " ".join(str(value) for value in cluster.bounds)
        content = (
            f"{cluster.width} 0 {box} d1\n".encode("ascii") + cluster.outline + (b"\nf" if cluster.outline else b"")
        )
        glyph = generic.StreamObject(stream_data=content)
        glyph.compress()
        streams[pdf_name(f"/g{code}")] = writer.add_object(glyph)
    lefts, bottoms, rights, tops = zip(*(cluster.bounds for cluster in clusters), strict=True)
    to_unicode = generic.StreamObject(
        stream_data=_to_unicode({code: cluster.text for code, cluster in enumerate(clusters, start=1)}, 1)
    )
    to_unicode.compress()
    differences: list[Any] = [generic.NumberObject(1), *streams]
    return writer.add_object(
        generic.DictionaryObject(
            {
                pdf_name("/Type"): pdf_name("/Font"),
                pdf_name("/Subtype"): pdf_name("/Type3"),
                pdf_name("/FontBBox"): numbers(min(lefts), min(bottoms), max(rights), max(tops)),
                pdf_name("/FontMatrix"): numbers(1 / EM, 0, 0, 1 / EM, 0, 0),
                pdf_name("/CharProcs"): generic.DictionaryObject(streams),
                pdf_name("/Encoding"): generic.DictionaryObject(
                    {
                        pdf_name("/Type"): pdf_name("/Encoding"),
                        pdf_name("/Differences"): generic.ArrayObject(differences),
                    }
                ),
                pdf_name("/FirstChar"): generic.NumberObject(1),
                pdf_name("/LastChar"): generic.NumberObject(len(clusters)),
                pdf_name("/Widths"): numbers(*(cluster.width for cluster in clusters)),
                pdf_name("/Resources"): generic.DictionaryObject(),
                pdf_name("/ToUnicode"): writer.add_object(to_unicode),
            }
        )
    )


def _to_unicode(texts: dict[int, str], code_bytes: int) -> bytes:
    """A map from codes of so many bytes to what they spell."""
    digits = 2 * code_bytes
    pairs = sorted(texts.items())
    lines = [
        "/CIDInit /ProcSet findresource begin 12 dict begin begincmap",
        "/CIDSystemInfo << /Registry (Adobe) /Ordering (UCS) /Supplement 0 >> def",
        "/CMapName /Adobe-Identity-UCS def /CMapType 2 def",
        f"1 begincodespacerange <{'0' * digits}> <{'F' * digits}> endcodespacerange",
    ]
    for start in range(0, len(pairs), 100):
        chunk = pairs[start : start + 100]
        lines.append(f"{len(chunk)} beginbfchar")
        lines.extend(f"<{code:0{digits}X}> <{text.encode('utf-16-be').hex().upper()}>" for code, text in chunk)
        lines.append("endbfchar")
    lines.append("endcmap CMapName currentdict /CMap defineresource pop end end")
    return "\n".join(lines).encode("ascii")


def _tag(subset: Subset) -> str:
    """Six capital letters that depend on the glyphs in the subset (ISO 32000-2, 9.9.2)."""
    value = 0
    for character in sorted(subset.glyphs):
        value = (value * 1_000_003 + ord(character)) % 26**6
    letters = ""
    for _ in range(6):
        value, letter = divmod(value, 26)
        letters += chr(ord("A") + letter)
    return letters


def numbers(*values: float) -> generic.ArrayObject:
    return generic.ArrayObject(
        generic.NumberObject(value) if isinstance(value, int) else generic.FloatObject(round(value, 4))
        for value in values
    )


def short(value: float) -> str:
    return f"{value:.3f}".rstrip("0").rstrip(".")
