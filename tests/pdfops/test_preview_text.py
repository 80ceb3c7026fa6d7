"""The text of a page, for those who hear it."""

from __future__ import annotations

import pytest

from pdfops.errors import PdfError
from pdfops.preview import page_text
from pdfops.rehearsal import blank_pdf
from pdfops.sandbox import Workshop
from tests.pdfops import samples


def test_it_comes_line_by_line_without_what_cannot_be_read_out() -> None:
    assert page_text(samples.simple_pdf(3, text="Loyer annuel"), 3) == "Loyer annuel 3"
    assert page_text(blank_pdf(), 1) == ""


def test_it_is_read_in_a_child_and_refused_as_pictures_are() -> None:
    sealed = samples.sealed_pdf(samples.simple_pdf(), 1)
    with Workshop(children=1) as workshop:
        assert "Convention" in workshop.page_text(sealed, 1)
        with pytest.raises(PdfError) as caught:
            workshop.page_text(sealed, 2)
        assert caught.value.code == "no-such-page"
        with pytest.raises(PdfError):
            workshop.page_text(b"no PDF", 1)
