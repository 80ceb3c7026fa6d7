"""Second opinions: other programs' verdicts on signatures, and where a mark really is on a rendered page."""

from __future__ import annotations

import io
import math
import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pypdfium2 as pdfium
from asn1crypto import cms
from PIL import Image, ImageChops
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.diff_analysis import ModificationLevel
from pyhanko.sign.validation import validate_pdf_signature
from pyhanko.sign.validation.status import SignatureCoverageLevel
from pyhanko_certvalidator import ValidationContext

from pdfops.history import Reader, View
from pdfops.preview import render

PER_PT = 25
"""How finely marks are looked for. Images are drawn in whole pixels, so a mark seems larger by up to one a side."""


@dataclass(frozen=True)
class PopplerVerdict:
    field: str
    is_valid: bool
    covers_file: bool


def poppler(data: bytes) -> list[PopplerVerdict]:
    """What pdfsig says of each signature; fields nobody has signed yet, which it lists too, are left out."""
    with tempfile.NamedTemporaryFile(suffix=".pdf") as file:
        file.write(data)
        file.flush()
        run = subprocess.run(["pdfsig", "-nocert", file.name], capture_output=True, text=True, check=False)
    verdicts = []
    for block in run.stdout.split("Signature #")[1:]:
        if "The signature form field is not signed" in block:
            continue
        name = block.split("Signature Field Name: ")[1].splitlines()[0]
        verdicts.append(PopplerVerdict(name, "Signature is Valid" in block, "Total document signed" in block))
    return verdicts


def library(data: bytes) -> dict[str, tuple[bool, ModificationLevel | None]]:
    """pyHanko's verdict with its full difference analysis: field -> (all is well, what later revisions changed)."""
    reader = PdfFileReader(io.BytesIO(data), strict=False)
    verdicts = {}
    for signature in reader.embedded_signatures:
        context = ValidationContext(trust_roots=[signature.signer_cert])
        status = validate_pdf_signature(signature, context)
        verdicts[signature.field_name] = (
            bool(
                status.bottom_line
                and status.intact
                and status.valid
                and status.docmdp_ok
                and status.coverage >= SignatureCoverageLevel.ENTIRE_REVISION
            ),
            status.modification_level,
        )
    return verdicts


@dataclass(frozen=True)
class Detached:
    """A signature taken out of its PDF, with the bytes it is about."""

    cms: bytes
    covered: bytes


def detached(data: bytes) -> list[Detached]:
    """The signatures of a PDF in the order of the file, found without any PDF parser."""
    found = []
    for match in re.finditer(rb"/ByteRange\s*\[\s*(\d+)\s+(\d+)\s+(\d+)\s+(\d+)\s*\]", data):
        a, b, c, d = map(int, match.groups())
        hole = bytes.fromhex(data[a + b : c].strip().strip(b"<>").decode("ascii"))
        found.append(Detached(cms.ContentInfo.load(hole, strict=False).dump(), data[a : a + b] + data[c : c + d]))
    return found


def openssl(signature: Detached) -> bool:
    """Whether ``openssl cms`` finds that the signature is over these bytes; it is not asked whom to trust."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "seal.der").write_bytes(signature.cms)
        (Path(folder) / "covered").write_bytes(signature.covered)
        command = ["openssl", "cms", "-verify", "-binary", "-noverify", "-inform", "DER", "-in", "seal.der"]
        command += ["-content", "covered", "-out", "out"]
        run = subprocess.run(command, cwd=folder, capture_output=True, check=False)
        return run.returncode == 0 and (Path(folder) / "out").read_bytes() == signature.covered


def qpdf_complaints(data: bytes) -> set[str]:
    """What ``qpdf --check`` finds wrong, without where: an empty set when it finds nothing."""
    with tempfile.NamedTemporaryFile(suffix=".pdf") as file:
        file.write(data)
        file.flush()
        run = subprocess.run(["qpdf", "--check", file.name], capture_output=True, text=True, check=False)
    lines = {re.sub(r"\(?offset \d+\)?", "", line.replace(file.name, "")) for line in run.stderr.splitlines()}
    return lines | ({f"exit code {run.returncode}"} if run.returncode else set())


def all_well(data: bytes, expected: int) -> bool:
    """Whether both say that there are ``expected`` signatures and that nothing is wrong with any of them."""
    theirs, ours = poppler(data), library(data)
    return (
        len(theirs) == len(ours) == expected
        and all(verdict.is_valid for verdict in theirs)
        and sum(verdict.covers_file for verdict in theirs) == 1
        and all(is_well for is_well, _level in ours.values())
    )


def pdfium_page(data: bytes, page: int, width_px: int = 900) -> Image.Image:
    """A page as a preview shows it."""
    return Image.open(io.BytesIO(render(data, page, width_px, "png"))).convert("RGB")


def poppler_page(data: bytes, page: int, dpi: int = 72) -> Image.Image:
    """A page as pdftoppm shows it when it is told to respect the CropBox."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "in.pdf"
        path.write_bytes(data)
        command = ["pdftoppm", "-cropbox", "-r", str(dpi), "-f", str(page), "-l", str(page), "-png", "-singlefile"]
        subprocess.run([*command, str(path), str(Path(folder) / "out")], check=True, capture_output=True)
        return Image.open(io.BytesIO((Path(folder) / "out.png").read_bytes())).convert("RGB")


Window = tuple[float, float, float, float]
"""Left, top, right, bottom, in points from the top left of the displayed page."""


def pdfium_mark(data: bytes, page: int, window: Window, colour: tuple[int, int, int]) -> Window | None:
    """Where pdfium draws a colour, looking at `PER_PT` pixels a point through a window on the displayed page."""
    document: Any = pdfium.PdfDocument(data)
    document.init_forms()
    opened = document[page - 1]
    width_pt, height_pt = opened.get_size()
    # The page is stretched over a whole number of pixels, and each side is cut by a whole number of them.
    width, height = math.ceil(width_pt * PER_PT), math.ceil(height_pt * PER_PT)
    left, top, right, bottom = window
    sides = (left, height_pt - bottom, width_pt - right, top)
    bitmap = opened.render(scale=PER_PT, crop=[max(side, 0.0) for side in sides], may_draw_forms=True)
    found = _bounds(bitmap.to_pil().convert("RGB"), colour)
    bitmap.close()
    opened.close()
    document.close()
    if found is None:
        return None
    x, y = math.ceil(max(left, 0.0) * PER_PT), math.ceil(max(top, 0.0) * PER_PT)
    across, down = width_pt / width, height_pt / height
    return (found[0] + x) * across, (found[1] + y) * down, (found[2] + x) * across, (found[3] + y) * down


def poppler_mark(data: bytes, page: int, window: Window, colour: tuple[int, int, int]) -> Window | None:
    """The same by pdftoppm, told to respect the CropBox. It never stretches: a point is `PER_PT` pixels."""
    x, y, right, bottom = (max(0, math.floor(value * PER_PT)) for value in window)
    command = ["pdftoppm", "-cropbox", "-r", str(72 * PER_PT), "-f", str(page), "-l", str(page)]
    command += ["-x", str(x), "-y", str(y), "-W", str(right - x), "-H", str(bottom - y)]
    with tempfile.NamedTemporaryFile(suffix=".pdf") as file:
        file.write(data)
        file.flush()
        shown = subprocess.run([*command, file.name], check=True, capture_output=True).stdout
    found = _bounds(Image.open(io.BytesIO(shown)).convert("RGB"), colour)
    if found is None:
        return None
    return (found[0] + x) / PER_PT, (found[1] + y) / PER_PT, (found[2] + x) / PER_PT, (found[3] + y) / PER_PT


def _bounds(picture: Image.Image, colour: tuple[int, int, int]) -> tuple[int, int, int, int] | None:
    """The pixels that are at least half of that colour, on white."""
    distance = ImageChops.difference(picture, Image.new("RGB", picture.size, colour))
    red, green, blue = (band.point([255] * 128 + [0] * 128) for band in distance.split())
    return ImageChops.darker(ImageChops.darker(red, green), blue).getbbox()


def black_edges(picture: Image.Image) -> Window | None:
    """How far one black shape on white reaches along the middle row and column, as fractions of the picture.

    Finer than its pixels: how grey an edge is says how much of the pixel is covered.
    """
    grey = picture.convert("L").point([255 - value for value in range(256)])
    found = grey.getbbox()
    if found is None:
        return None
    left, top, right, bottom = found
    row = grey.crop((0, (top + bottom) // 2, grey.width, (top + bottom) // 2 + 1)).tobytes()
    column = grey.crop(((left + right) // 2, 0, (left + right) // 2 + 1, grey.height)).tobytes()
    (x0, x1), (y0, y1) = _edges(row), _edges(column)
    return x0 / grey.width, y0 / grey.height, x1 / grey.width, y1 / grey.height


def _edges(covered: bytes) -> tuple[float, float]:
    """Where a run of full pixels between two partly covered ones begins and ends. Each value is from 0 to 255."""
    full = [index for index, value in enumerate(covered) if value == 255]
    before, after = sum(covered[: full[0]]) / 255, sum(covered[full[-1] + 1 :]) / 255
    return full[0] - before, full[-1] + 1 + after


def mark(picture: Image.Image, colour: tuple[int, int, int] = (255, 0, 0)) -> tuple[float, float, float, float] | None:
    """Where a colour is found, as fractions of the picture: x, y, w, h from the top left."""
    red, green, blue = picture.convert("RGB").split()
    close = [
        band.point([255 if abs(value - wanted) < 60 else 0 for value in range(256)])
        for band, wanted in zip((red, green, blue), colour, strict=True)
    ]
    both = Image.composite(close[0], Image.new("L", picture.size), close[1])
    found = Image.composite(both, Image.new("L", picture.size), close[2]).getbbox()
    if found is None:
        return None
    x0, y0, x1, y1 = found
    return x0 / picture.width, y0 / picture.height, (x1 - x0) / picture.width, (y1 - y0) / picture.height


class LibraryWalk(Reader):
    """The product's reader, but with the library's own walk to where objects are used."""

    def __init__(self, stream: Any) -> None:
        super().__init__(stream)

    def get_historical_resolver(self, revision: int) -> View:
        view = super().get_historical_resolver(revision)
        view._is_own = False
        return view
