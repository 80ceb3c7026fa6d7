from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops

from pdfops.errors import PdfError
from pdfops.fields import Place, prepare
from pdfops.ink import MAX_BYTES, MAX_KEPT_PIXELS, encode, normalise_ink, raster
from pdfops.seal import SealOrder, seal
from tests.pdfops import oracles, samples

OUTCOMES = ("ink", "bad-image", "image-too-large")


def ink_or_code(image: bytes) -> str:
    try:
        normalise_ink(image)
    except PdfError as error:
        return error.code
    return "ink"


def opened(png: bytes) -> Image.Image:
    return Image.open(io.BytesIO(png))


def test_drawn_ink_is_trimmed_to_what_was_drawn() -> None:
    canvas = Image.new("RGBA", (800, 400), (0, 0, 0, 0))
    canvas.paste((0, 0, 128, 255), (300, 150, 420, 200))
    picture = opened(normalise_ink(samples.encoded(canvas)))
    assert picture.size == (120, 50)
    assert picture.mode == "RGBA"


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_paper_becomes_transparent_and_ink_stays(mode: str) -> None:
    paper = Image.new(mode, (400, 200), "white")
    paper.paste("black", (100, 50, 300, 150))
    picture = opened(normalise_ink(samples.encoded(paper)))
    assert picture.size == (200, 100)
    ring = Image.new("RGB", (400, 200), "white")
    ring.paste("navy", (100, 50, 300, 150))
    ring.paste("white", (150, 80, 250, 120))
    picture = opened(normalise_ink(samples.encoded(ring)))
    assert picture.getpixel((100, 50))[3] == 0  # type: ignore[index]  # RGBA
    assert picture.getpixel((2, 2)) == (0, 0, 128, 255)


def test_an_opaque_image_with_an_alpha_channel_loses_its_paper_too() -> None:
    paper = Image.new("RGBA", (100, 100), "white")
    paper.paste("black", (40, 40, 60, 60))
    assert opened(normalise_ink(samples.encoded(paper))).size == (20, 20)


def test_grey_paper_of_a_photograph_is_paper() -> None:
    paper = Image.new("RGB", (100, 100), (236, 234, 230))
    paper.paste("black", (40, 40, 60, 60))
    assert opened(normalise_ink(samples.encoded(paper, "JPEG", quality=95))).size[0] < 40


CORNERS = {1: (0, 0), 2: (1, 0), 3: (1, 1), 4: (0, 1), 5: (0, 0), 6: (1, 0), 7: (1, 1), 8: (0, 1)}
"""Orientation in the file -> where its first corner is seen: right or not, below or not. Source: Exif 2.32, 4.6.4."""


@pytest.mark.parametrize("orientation", sorted(CORNERS))
def test_a_photograph_is_turned_as_its_camera_says(orientation: int) -> None:
    paper = Image.new("RGB", (300, 100), "white")
    paper.paste("black", (20, 20, 280, 80))
    paper.paste("red", (20, 20, 60, 40))
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = opened(normalise_ink(samples.encoded(paper, "JPEG", exif=exif, quality=95)))
    assert (picture.height > picture.width) == (orientation >= 5)
    is_right, is_below = CORNERS[orientation]
    corner = picture.getpixel((3 + is_right * (picture.width - 7), 3 + is_below * (picture.height - 7)))
    assert corner[0] > 180 > 90 > corner[2], corner  # type: ignore[index]  # RGB


def sixteen_bits(colour_type: int, ink: tuple[int, ...], paper: tuple[int, ...]) -> bytes:
    """A PNG of 200 by 100 with 16 bits a sample, its middle inked."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    inked, blank = (struct.pack(f">{len(values)}H", *values) for values in (ink, paper))
    rows = [b"\0" + (blank * 50 + inked * 100 + blank * 50 if 25 <= y < 75 else blank * 200) for y in range(100)]
    header = struct.pack(">IIBBBBB", 200, 100, 16, colour_type, 0, 0, 0)
    pixels = zlib.compress(b"".join(rows))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def inked(mode: str, paper: Any, ink: Any, file_format: str = "PNG", **more: Any) -> bytes:
    """The same in eight bits or less."""
    picture = Image.new(mode, (200, 100), paper)
    if mode == "P":
        picture.putpalette([0, 0, 128, 255, 255, 255])
    picture.paste(ink, (50, 25, 150, 75))
    return samples.encoded(picture, file_format, **more)


NAVY, BLACK, HALF = (0, 0, 128, 255), (0, 0, 0, 255), (0, 0, 128, 128)
FULL = 65_535
KINDS = {
    "grey-16": (sixteen_bits(0, (0,), (FULL,)), BLACK),
    "grey-alpha-16": (sixteen_bits(4, (0, FULL), (0, 0)), BLACK),
    "rgb-16": (sixteen_bits(2, (0, 0, 32_896), (FULL, FULL, FULL)), NAVY),
    "rgba-16": (sixteen_bits(6, (0, 0, 32_896, FULL), (0, 0, 0, 0)), NAVY),
    "bitmap": (inked("1", 1, 0), BLACK),
    "palette": (inked("P", 1, 0), NAVY),
    "palette-clear-ground": (inked("P", 1, 0, transparency=1), NAVY),
    "palette-half-clear-ink": (inked("P", 1, 0, transparency=bytes([128, 0])), HALF),
    "rgb-clear-ground": (inked("RGB", "white", "navy", transparency=(255, 255, 255)), NAVY),
    "grey-clear-ground": (inked("L", 255, 0, transparency=255), BLACK),
    "animated": (
        inked("RGBA", (0, 0, 0, 0), NAVY, save_all=True, append_images=[Image.new("RGBA", (200, 100), "red")]),
        NAVY,
    ),
}


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_of_png_gives_its_ink(name: str) -> None:
    """Of an animated one the first picture, as it is shown where nothing moves."""
    image, colour = KINDS[name]
    picture = opened(normalise_ink(image))
    assert picture.size == (100, 50)
    assert picture.getpixel((50, 25)) == colour


def test_the_grey_between_ink_and_paper_survives_sixteen_bits() -> None:
    def alpha(image: bytes) -> int:
        return int(opened(normalise_ink(image)).getpixel((50, 25))[3])  # type: ignore[index]  # RGBA

    assert alpha(sixteen_bits(0, (200 * 257,), (FULL,))) == alpha(inked("L", 255, 200))


def test_the_inks_of_a_printers_jpeg_are_its_colours() -> None:
    picture = opened(normalise_ink(inked("CMYK", (0, 0, 0, 0), (255, 255, 0, 0), "JPEG", quality=95)))
    red, green, blue, alpha = picture.getpixel((picture.width // 2, picture.height // 2))  # type: ignore[misc]  # RGBA
    assert red < 60
    assert green < 60
    assert blue > 200
    assert alpha == 255


def test_nothing_of_the_file_survives_but_its_pixels() -> None:
    from PIL.PngImagePlugin import PngInfo

    notes = PngInfo()
    notes.add_text("Comment", "secret-comment")
    picture = opened(samples.ink_png())
    output = io.BytesIO()
    picture.save(output, "PNG", pnginfo=notes)
    normalised = normalise_ink(output.getvalue() + b"<script>trailing</script>")
    assert b"secret-comment" not in normalised
    assert b"script" not in normalised
    assert opened(normalised).info == {}


@pytest.mark.parametrize(
    "image",
    [
        b"",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"<html><body>ink</body></html>",
        b"GIF89a" + bytes(100),
        samples.encoded(Image.new("RGB", (10, 10)), "WEBP"),
        samples.encoded(Image.new("RGB", (10, 10)), "BMP"),
        samples.ink_png()[:100],
        b"\x89PNG\r\n\x1a\n" + bytes(200),
        b"\xff\xd8\xff\xe0" + bytes(200),
        samples.encoded(Image.new("RGB", (300, 100), "white")),
        samples.encoded(Image.new("RGBA", (300, 100), (0, 0, 0, 0))),
        samples.encoded(Image.new("RGBA", (300, 100), (0, 0, 0, 3))),
    ],
    ids=["empty", "svg", "html", "gif", "webp", "bmp", "cut", "png-junk", "jpeg-junk", "blank", "clear", "faint"],
)
def test_what_is_no_ink_is_refused(image: bytes) -> None:
    with pytest.raises(PdfError) as caught:
        normalise_ink(image)
    assert caught.value.code == "bad-image"


def specks(at: list[tuple[int, int]], size: tuple[int, int] = (400, 200)) -> bytes:
    picture = Image.new("RGBA", size, (0, 0, 0, 0))
    for x, y in at:
        picture.putpixel((x, y), (0, 0, 0, 255))
    return samples.encoded(picture)


@pytest.mark.parametrize(
    "image",
    [
        samples.block_png((1, 1)),
        samples.block_png((7, 7)),
        samples.block_png((63, 1)),
        specks([(200, 100)]),
        specks([(0, 0), (399, 199)]),
        specks([(x, x) for x in range(0, 3_000, 30)], (3_000, 3_000)),
    ],
    ids=["1x1", "7x7", "63x1", "one-dot", "two-corners", "dust"],
)
def test_a_speck_is_no_signature(image: bytes) -> None:
    with pytest.raises(PdfError) as caught:
        normalise_ink(image)
    assert caught.value.code == "bad-image"


def test_eight_by_eight_pixels_are_a_small_signature() -> None:
    assert opened(normalise_ink(samples.block_png((8, 8)))).size == (8, 8)


def test_too_many_bytes_are_refused_unread() -> None:
    with pytest.raises(PdfError, match="image-too-large"):
        normalise_ink(samples.ink_png() + bytes(MAX_BYTES))


def png_that_claims(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes(10_000_000), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


@pytest.mark.parametrize("size", [(100_000, 100_000), (2**31 - 1, 1), (5_001, 5_000)])
def test_too_many_pixels_are_refused_before_they_are_decoded(size: tuple[int, int]) -> None:
    with pytest.raises(PdfError) as caught:
        normalise_ink(png_that_claims(*size))
    assert caught.value.code in ("image-too-large", "bad-image")


def test_large_ink_is_scaled_down_with_its_ratio() -> None:
    picture = opened(normalise_ink(samples.block_png((3_000, 1_000))))
    assert picture.width * picture.height <= MAX_KEPT_PIXELS
    assert picture.width / picture.height == pytest.approx(3, rel=0.01)


def test_a_thin_line_survives_scaling() -> None:
    assert opened(normalise_ink(samples.block_png((4_900, 1)))).height == 1


def test_normalised_ink_normalises_to_itself() -> None:
    once = normalise_ink(samples.ink_png())
    assert normalise_ink(once) == once


def test_ink_of_one_colour_looks_as_with_a_colour_for_each_pixel() -> None:
    ink = Image.new("RGBA", (300, 100), (18, 38, 79, 0))
    for x in range(300):
        for y in range(100):
            ink.putpixel((x, y), (18, 38, 79, 1 + (x * y) % 255))
    corner = ink.copy()
    corner.putpixel((0, 0), (200, 0, 0, 255))  # one pixel more, of another colour
    one, many = (raster(encode(picture)) for picture in (ink, corner))
    assert one.pen == bytes((18, 38, 79))
    assert many.pen == b""
    assert len(one.colour) < len(many.colour)
    pages = []
    for picture in (ink, corner):
        prepared = prepare(samples.simple_pdf(), [Place("f", "p", 1, 100_000, 500_000, 500_000, 100_000)])
        order = SealOrder(("f",), encode(picture), "n", "r", samples.SIGNED_AT)
        pages.append(seal(prepared, order, samples.organisation()))
    for shown in (oracles.pdfium_page, oracles.poppler_page):
        plain, other = (shown(page, 1) for page in pages)
        differs = ImageChops.difference(plain, other)
        left, top, right, bottom = differs.getbbox() or (0, 0, 0, 0)
        assert 0 < right - left <= 4, shown
        assert 0 < bottom - top <= 4, shown


def test_hidden_colours_under_full_transparency_do_not_reach_the_pdf() -> None:
    picture = Image.new("RGBA", (10, 10), (255, 0, 0, 0))
    picture.putpixel((0, 0), (0, 0, 0, 255))
    assert set(zlib.decompress(raster(encode(picture)).colour)) == {0}


@given(st.binary(max_size=400), st.sampled_from([b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b""]))
@settings(deadline=None, max_examples=150)
def test_any_bytes_are_ink_or_refused(junk: bytes, start: bytes) -> None:
    assert ink_or_code(start + junk) in OUTCOMES


@given(st.integers(0, 5_000), st.integers(0, 255))
@settings(deadline=None, max_examples=150)
def test_a_damaged_image_is_ink_or_refused(at: int, value: int) -> None:
    data = bytearray(samples.ink_png((60, 40)))
    data[at % len(data)] = value
    assert ink_or_code(bytes(data)) in OUTCOMES
