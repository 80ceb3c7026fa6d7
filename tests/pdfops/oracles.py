"""Second opinions: poppler's and pyHanko's verdicts on signatures, and where a mark really is on a rendered page."""

from __future__ import annotations

import io
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.diff_analysis import ModificationLevel
from pyhanko.sign.validation import validate_pdf_signature
from pyhanko_certvalidator import ValidationContext

from pdfops.history import Reader, View


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
            bool(status.bottom_line and status.intact and status.valid and status.docmdp_ok),
            status.modification_level,
        )
    return verdicts


def all_well(data: bytes, expected: int) -> bool:
    """Whether both say that there are ``expected`` signatures and that nothing is wrong with any of them."""
    theirs, ours = poppler(data), library(data)
    return (
        len(theirs) == len(ours) == expected
        and all(verdict.is_valid for verdict in theirs)
        and theirs[-1].covers_file
        and all(is_well for is_well, _level in ours.values())
    )


def poppler_page(data: bytes, page: int, dpi: int = 72) -> Image.Image:
    """A page as pdftoppm shows it when it is told to respect the CropBox."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "in.pdf"
        path.write_bytes(data)
        command = ["pdftoppm", "-cropbox", "-r", str(dpi), "-f", str(page), "-l", str(page), "-png", "-singlefile"]
        subprocess.run([*command, str(path), str(Path(folder) / "out")], check=True, capture_output=True)
        return Image.open(io.BytesIO((Path(folder) / "out.png").read_bytes())).convert("RGB")


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
