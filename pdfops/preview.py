"""A page as an image: every signatory sees the same pixels."""

from __future__ import annotations

import contextlib
import io
from typing import Any, Final, Literal

import pypdfium2 as pdfium

from pdfops.errors import PdfError
from pdfops.reading import MAX_PAGES, check_bounds

ImageFormat = Literal["jpeg", "webp", "png"]

MAX_PIXELS: Final = 25_000_000
MAX_WIDTH_PX: Final = 10_000
QUALITY: Final = 80


def render(data: bytes, page: int, width_px: int, image_format: ImageFormat = "jpeg") -> bytes:
    """One page (1-based), as displayed, ``width_px`` wide, on white, form fields drawn.

    The image is made narrower where it would exceed `MAX_PIXELS`. pdfium is not safe to call from two threads: one
    caller a process, which is what the sandbox does.

    Raises: PdfError not-a-pdf, damaged, encrypted, too-many-pages, no-such-page.
    """
    if not 1 <= width_px <= MAX_WIDTH_PX:
        raise ValueError("width_px is out of bounds")
    check_bounds(data)
    try:
        document: Any = pdfium.PdfDocument(data)
    except pdfium.PdfiumError as error:
        is_locked = "password" in str(error).lower() or "security" in str(error).lower()
        raise PdfError("encrypted" if is_locked else "damaged") from error
    with contextlib.closing(document):
        count = len(document)
        if count > MAX_PAGES:
            raise PdfError("too-many-pages", limit=MAX_PAGES, pages=count)
        if not 1 <= page <= count:
            raise PdfError("no-such-page", page=page, pages=count)
        document.init_forms()
        try:
            with contextlib.closing(document[page - 1]) as opened:
                width_pt, height_pt = opened.get_size()
                if not (width_pt > 0 and height_pt > 0):
                    raise PdfError("damaged")
                scale = min(width_px / width_pt, (MAX_PIXELS / (width_pt * height_pt)) ** 0.5)
                if min(width_pt, height_pt) * scale < 1:
                    raise PdfError("damaged")
                with contextlib.closing(opened.render(scale=scale, may_draw_forms=True)) as bitmap:
                    picture = bitmap.to_pil().convert("RGB")
        except pdfium.PdfiumError as error:
            raise PdfError("damaged") from error
    output = io.BytesIO()
    if image_format == "png":
        picture.save(output, "PNG", compress_level=3)
    elif image_format == "webp":
        picture.save(output, "WEBP", quality=QUALITY, method=2)
    else:
        picture.save(output, "JPEG", quality=QUALITY)
    return output.getvalue()
