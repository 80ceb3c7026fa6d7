"""What is on a page, as a renderer sees it that the product's own code has no part in."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pypdfium2
from PIL import Image, ImageChops

Pixels = tuple[int, int, int, int]


def rendered(data: bytes, page: int, width_px: int) -> Image.Image:
    document = pypdfium2.PdfDocument(data)
    document.init_forms()
    try:
        sheet = document[page - 1]
        return sheet.render(scale=width_px / sheet.get_width(), may_draw_forms=True).to_pil().convert("RGB")
    finally:
        document.close()


def added(before: bytes, after: bytes, page: int, width_px: int, within: Pixels | None = None) -> Pixels:
    """The smallest box around what the second document shows more than the first."""
    difference = ImageChops.difference(rendered(before, page, width_px), rendered(after, page, width_px))
    mask = difference.convert("L").point(lambda value: 255 if value > 40 else 0)
    if within is not None:
        mask = mask.crop(within)
    box = mask.getbbox()
    assert box is not None, "nothing was added"
    left, top = (within[0], within[1]) if within is not None else (0, 0)
    return box[0] + left, box[1] + top, box[2] + left, box[3] + top


def signatures(path: Path) -> list[str]:
    """What poppler says about each signature of a file."""
    told = subprocess.run(["pdfsig", "-nocert", str(path)], capture_output=True, text=True, check=False).stdout
    return re.findall(r"Signature Validation: (.*)", told)
