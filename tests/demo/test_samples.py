"""The sample files are what they claim to be."""

from __future__ import annotations

import io
import zipfile

import pypdfium2
import pytest
from PIL import Image

from plugin.demo.samples import SAMPLES

PDFS = [(owner, path) for owner, files in SAMPLES.items() for path in files if path.endswith(".pdf")]
PAGES = {"Contrat de prestation 2026.pdf": 3, "Plan rotatif.pdf": 3}


@pytest.mark.parametrize(("owner", "path"), PDFS)
def test_a_sample_pdf_opens_with_its_pages(owner: str, path: str) -> None:
    document = pypdfium2.PdfDocument(SAMPLES[owner][path]())
    try:
        assert len(document) == PAGES.get(path, 1)
    finally:
        document.close()


def test_the_plan_is_rotated_cropped_and_of_mixed_sizes() -> None:
    document = pypdfium2.PdfDocument(SAMPLES["alice"]["Plan rotatif.pdf"]())
    try:
        pages = [document[number] for number in range(3)]
        assert [page.get_rotation() for page in pages] == [90, 270, 0]
        assert pages[0].get_cropbox() != pages[0].get_mediabox()
        assert len({page.get_size() for page in pages}) == 2
    finally:
        document.close()


def test_the_other_samples_are_a_picture_and_two_office_packages() -> None:
    files = SAMPLES["alice"]
    assert Image.open(io.BytesIO(files["Photo du site.jpg"]())).format == "JPEG"
    for name, part in (("Devis 2026-014.docx", "word/document.xml"), ("Budget 2026.xlsx", "xl/workbook.xml")):
        with zipfile.ZipFile(io.BytesIO(files[name]())) as package:
            assert part in package.namelist()
