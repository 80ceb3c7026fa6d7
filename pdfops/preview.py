"""A page as an image: every signatory sees the same pixels."""

from __future__ import annotations

import contextlib
import io
import time
from collections.abc import Callable, Iterator
from typing import Any, Final, Literal

import pypdfium2 as pdfium

from pdfops.errors import PdfError
from pdfops.reading import MAX_PAGES, check_bounds
from pdfops.text import printable

ImageFormat = Literal["jpeg", "webp", "png"]

MAX_PIXELS: Final = 25_000_000
MAX_WIDTH_PX: Final = 10_000
QUALITY: Final = 80
MAX_TEXT: Final = 50_000
ROUNDING_PX: Final = 1e-3
"""pdfium rounds up: a width that is but a little too large would come out a pixel wider."""

CHECK_SIDE_PX: Final = 32
"""How large pages are drawn to see whether they can be: the mean of width and height."""

CHECK_S: Final = 1.0
"""No further page is tried after this time: those before it took their turn by `_sampled`."""

CHECK_SAMPLE: Final = 100


def render(data: bytes, page: int, width_px: int, image_format: ImageFormat = "jpeg") -> bytes:
    """One page (1-based), as displayed, ``width_px`` wide, on white, form fields drawn.

    The image is made narrower where it would exceed `MAX_PIXELS`. pdfium is not safe to call from two threads: one
    caller a process, which is what the sandbox does.

    Raises: PdfError not-a-pdf, damaged, encrypted, too-many-pages, no-such-page.
    """
    if not 1 <= width_px <= MAX_WIDTH_PX:
        raise ValueError("width_px is out of bounds")
    with _opened(data) as document:
        count = len(document)
        if not 1 <= page <= count:
            raise PdfError("no-such-page", page=page, pages=count)
        try:
            with contextlib.closing(document[page - 1]) as opened:
                width_pt, height_pt = opened.get_size()
                if not (width_pt > 0 and height_pt > 0):
                    raise PdfError("damaged")
                scale = min((width_px - ROUNDING_PX) / width_pt, (MAX_PIXELS / (width_pt * height_pt)) ** 0.5)
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


def page_text(data: bytes, page: int) -> str:
    """The text of a page (1-based), line by line in the document's order; "" where there is none, as on a scan.

    Units: at most `MAX_TEXT` characters, without control and bidi characters.
    Raises: PdfError not-a-pdf, damaged, encrypted, too-many-pages, no-such-page.
    """
    with _opened(data) as document:
        count = len(document)
        if not 1 <= page <= count:
            raise PdfError("no-such-page", page=page, pages=count)
        try:
            with contextlib.closing(document[page - 1]) as opened, contextlib.closing(opened.get_textpage()) as text:
                found = str(text.get_text_range(0, min(text.count_chars(), MAX_TEXT)))
        except pdfium.PdfiumError as error:
            raise PdfError("damaged") from error
    return "\n".join(line for line in map(printable, found.splitlines()) if line)


def check_renders(data: bytes, pages: int | None = None, trying: Callable[[int], None] = lambda _page: None) -> int:
    """Draw the pages, tiny, to see that all can be shown; returns how many were tried. Stops at the first that fails.

    The first and the last page come first, then every k-th of a long document, then the others, for `CHECK_S`: beyond
    that this is a sample. One page may take as long as its caller lets it, so ``trying`` hears of each before it is
    tried. ``pages`` is how many there should be; a page that only one parser knows cannot be shown.

    Raises: PdfError not-a-pdf, damaged, encrypted, too-many-pages, unrenderable with ``page``.
    """
    end = time.monotonic() + CHECK_S
    tried = 0
    with _opened(data) as document:
        count = len(document)
        if pages is not None and pages != count:
            raise PdfError("unrenderable", page=min(pages, count) + 1)
        for page in _sampled(count):
            if tried and time.monotonic() > end:
                break
            trying(page)
            try:
                _draw_tiny(document, page)
            except Exception as error:
                # MemoryError too: whatever it is, this page cannot be shown.
                raise PdfError("unrenderable", page=page) from error
            tried += 1
    return tried


def _sampled(count: int) -> list[int]:
    """Every page once: first, last, about a hundred between them, the rest."""
    step = max(1, count // CHECK_SAMPLE)
    return list(dict.fromkeys((1, count, *range(1, count + 1, step), *range(1, count + 1)))) if count else []


def _draw_tiny(document: Any, page: int) -> None:
    with contextlib.closing(document[page - 1]) as opened:
        width_pt, height_pt = opened.get_size()
        if not (width_pt > 0 and height_pt > 0):
            raise ValueError("no area")
        scale = max(CHECK_SIDE_PX / (width_pt * height_pt) ** 0.5, 1 / min(width_pt, height_pt))
        if width_pt * height_pt * scale * scale > MAX_PIXELS:
            raise ValueError("too long for its width")
        opened.render(scale=scale, may_draw_forms=True).close()


@contextlib.contextmanager
def _opened(data: bytes) -> Iterator[Any]:
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
        document.init_forms()
        yield document
