"""The ink: what a signatory drew, typed or imported, as an image that can lie on any page.

A PNG or JPEG, judged by its content alone, is decoded, freed of the paper around and behind it, and encoded anew:
nothing of the file that was sent survives but its pixels.
"""

from __future__ import annotations

import io
import warnings
import zlib
from dataclasses import dataclass
from typing import Any, Final

from PIL import Image, ImageChops, ImageOps

from pdfops.errors import PdfError

MAX_BYTES: Final = 2_000_000
MAX_PIXELS: Final = 25_000_000
MAX_KEPT_PIXELS: Final = 300_000
"""Ink is scaled down to this many pixels: 300 dpi on a stamp of 9 by 3 cm, and far below a revision's 2 MB."""

FAINTEST: Final = 12
"""Alpha at or below this (of 255) is not ink."""

LEAST_PIXELS: Final = 64
"""Less ink than a square of 8 by 8 pixels is a speck, not a signature."""

PAPER: Final = 225
INKED: Final = 150
"""Of an opaque image: as light as PAPER is paper, as dark as INKED is ink, between the two it fades."""

MAX_SHADES: Final = 512
"""Ink of one colour has one shade for each alpha; unseen pixels have what they like."""

COLOUR_LEVEL: Final = 3
"""How hard colours are deflated: one more takes twice as long and saves a kilobyte."""

_PNG: Final = b"\x89PNG\r\n\x1a\n"
_JPEG: Final = b"\xff\xd8\xff"


def normalise_ink(image: bytes) -> bytes:
    """Turn an uploaded image into ink: a PNG (RGBA) on transparent ground, trimmed to what was drawn.

    An opaque image loses its paper: white becomes transparent, so that the stamp does not hide the text below.

    Units: at most `MAX_BYTES` and `MAX_PIXELS` come in, at most `MAX_KEPT_PIXELS` go out.
    Raises: PdfError bad-image (no PNG or JPEG, damaged, blank, or a speck), image-too-large.
    """
    if len(image) > MAX_BYTES:
        raise PdfError("image-too-large", limit=MAX_BYTES)
    kind = "PNG" if image.startswith(_PNG) else "JPEG" if image.startswith(_JPEG) else None
    if kind is None:
        raise PdfError("bad-image")
    try:
        with warnings.catch_warnings(), Image.open(io.BytesIO(image), formats=[kind]) as opened:
            warnings.simplefilter("ignore")
            _check_size(opened)
            opened.draft("RGB", (2_000, 2_000))
            picture = ImageOps.exif_transpose(opened)
            has_alpha = picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info
            if picture.mode.startswith("I"):
                # Grey of 16 bits: converted as it comes, all but the darkest would be white.
                picture = picture.convert("I").point(lambda value: value * (1 / 257)).convert("L")
            picture = picture.convert("RGBA")
    except (PdfError, MemoryError):
        raise
    except Image.DecompressionBombError as error:
        raise PdfError("image-too-large", limit=MAX_PIXELS) from error
    except Exception as error:
        # A decoder on hostile bytes raises whatever it likes.
        raise PdfError("bad-image") from error
    alpha = picture.getchannel("A")
    if not has_alpha or alpha.getextrema()[0] == 255:
        alpha = _without_paper(picture)
    drawn = alpha.point(lambda value: 255 if value > FAINTEST else 0).getbbox()
    if drawn is None:
        raise PdfError("bad-image")
    picture.putalpha(alpha)
    ink = _scaled(picture.crop(drawn))
    if sum(ink.getchannel("A").histogram()[FAINTEST + 1 :]) < LEAST_PIXELS:
        raise PdfError("bad-image")
    return encode(ink)


def encode(picture: Image.Image) -> bytes:
    """An image as PNG, with nothing else in the file."""
    output = io.BytesIO()
    clean = Image.frombytes("RGBA", picture.size, picture.convert("RGBA").tobytes())
    clean.save(output, "PNG", compress_level=6)
    return output.getvalue()


@dataclass(frozen=True, slots=True)
class Raster:
    """Ink as a PDF image wants it: deflated colour and deflated alpha, 8 bits a sample. Units: pixels.

    ``pen``: the red, green and blue of all ink, where it is of one colour; ``colour`` then holds the number of that
    colour, 0, for each pixel. Empty otherwise: ``colour`` is RGB.
    """

    width: int
    height: int
    colour: bytes
    alpha: bytes
    pen: bytes = b""


def raster(ink_png: bytes) -> Raster:
    """Decode normalised ink. Raises: PdfError bad-image, image-too-large."""
    if len(ink_png) > MAX_BYTES:
        raise PdfError("image-too-large", limit=MAX_BYTES)
    try:
        with Image.open(io.BytesIO(ink_png), formats=["PNG"]) as opened:
            _check_size(opened)
            picture = _scaled(opened.convert("RGBA"))
    except (PdfError, MemoryError):
        raise
    except Exception as error:
        raise PdfError("bad-image") from error
    alpha = picture.getchannel("A")
    deflated = zlib.compress(alpha.tobytes(), 4)
    pen = _pen(picture)
    if pen:
        none = bytes(picture.width * picture.height)
        return Raster(picture.width, picture.height, zlib.compress(none, 1), deflated, pen)
    colour = Image.new("RGB", picture.size)
    colour.paste(picture.convert("RGB"), mask=alpha.point(lambda value: 255 if value else 0))
    return Raster(picture.width, picture.height, zlib.compress(colour.tobytes(), COLOUR_LEVEL), deflated)


def _pen(picture: Image.Image) -> bytes:
    """The red, green and blue of all that is seen, where it is the same everywhere; empty otherwise."""
    found: list[tuple[int, Any]] | None = picture.getcolors(MAX_SHADES)
    colours = {shade[:3] for _count, shade in found or () if shade[3]}
    return bytes(colours.pop()) if len(colours) == 1 else b""


def on_paper(ink: Raster) -> tuple[bytes, bytes]:
    """Ink for documents in which nothing may be transparent: its colours as they are on white, and what is hidden of
    them because no ink is there. Its edge stays soft on white paper; on other ground it is white.

    Returns: deflated RGB, 8 bits a sample; deflated mask, one bit a pixel, 1 where it is hidden.
    """
    size = ink.width, ink.height
    alpha = Image.frombytes("L", size, zlib.decompress(ink.alpha))
    white = Image.new("RGB", size, "white")
    pen = (ink.pen[0], ink.pen[1], ink.pen[2]) if ink.pen else None
    inked = Image.new("RGB", size, pen) if pen else Image.frombytes("RGB", size, zlib.decompress(ink.colour))
    white.paste(inked, mask=alpha)
    hidden = alpha.point([255 if value <= FAINTEST else 0 for value in range(256)]).convert(
        "1", dither=Image.Dither.NONE
    )
    return zlib.compress(white.tobytes(), 4), zlib.compress(hidden.tobytes(), 4)


def _check_size(opened: Image.Image) -> None:
    if opened.width * opened.height > MAX_PIXELS:
        raise PdfError("image-too-large", limit=MAX_PIXELS)


def _scaled(picture: Image.Image) -> Image.Image:
    pixels = picture.width * picture.height
    if pixels <= MAX_KEPT_PIXELS:
        return picture
    factor = (MAX_KEPT_PIXELS / pixels) ** 0.5
    size = (max(1, int(picture.width * factor)), max(1, int(picture.height * factor)))
    # Premultiplied while it is scaled, or transparent pixels bleed their colour into the strokes.
    return picture.convert("RGBa").resize(size, Image.Resampling.LANCZOS).convert("RGBA")


def _without_paper(picture: Image.Image) -> Image.Image:
    """Alpha of an opaque picture: the darker or the more colourful a pixel, the more of it is ink."""
    rgb = picture.convert("RGB")
    darkest_channel = rgb.getchannel("R")
    for name in ("G", "B"):
        darkest_channel = ImageChops.darker(darkest_channel, rgb.getchannel(name))
    return darkest_channel.point([_opacity(value) for value in range(256)])


def _opacity(value: int) -> int:
    if value >= PAPER:
        return 0
    if value <= INKED:
        return 255
    return round(255 * (PAPER - value) / (PAPER - INKED))
