"""A revision of ours, read back by pyHanko, pypdf and qpdf: what was there, and what was added."""

from __future__ import annotations

import io
from typing import Any

import pypdf
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.reader import PdfFileReader

from pdfops.appending import Appender
from pdfops.reading import open_reader
from tests.pdfops import kinds, oracles, samples

DOCUMENTS = {
    "table": samples.simple_pdf(2),
    "table, no newline at its end": samples.simple_pdf().rstrip(),
    "cross-reference stream": kinds.xref_stream_pdf(),
    "hybrid": kinds.hybrid_pdf(),
    "signed": samples.signed_pdf(),
}
texts = st.text(st.characters(codec="utf-8", exclude_characters="\0", exclude_categories=["Cs"]), max_size=40)
payloads = st.binary(max_size=300)


def appended(data: bytes, text: str, payload: bytes, revisions: int = 1) -> bytes:
    """The document with /Ours in its catalogue, again in each revision: a text, and a stream."""
    for number in range(1, revisions + 1):
        writer = Appender(data, open_reader(data))
        stream = generic.StreamObject(stream_data=payload)
        if number % 2:
            stream.compress()
        content: dict[Any, Any] = {
            generic.pdf_name("/Text"): generic.pdf_string(text),
            generic.pdf_name("/Number"): generic.NumberObject(number),
            generic.pdf_name("/Stream"): writer.add_object(stream),
        }
        writer.root["/Ours"] = writer.add_object(generic.DictionaryObject(content))
        writer.update_root()
        data += writer.tail()
    return data


@pytest.mark.parametrize("name", DOCUMENTS)
@given(texts, payloads, st.integers(1, 3))
@settings(deadline=None, max_examples=15)
def test_what_is_appended_is_read_back_by_both_libraries(name: str, text: str, payload: bytes, revisions: int) -> None:
    before = DOCUMENTS[name]
    after = appended(before, text, payload, revisions)
    assert after.startswith(before)
    reader = PdfFileReader(io.BytesIO(after), strict=False)
    theirs = pypdf.PdfReader(io.BytesIO(after))
    assert (
        reader.xrefs.total_revisions
        == PdfFileReader(io.BytesIO(before), strict=False).xrefs.total_revisions + revisions
    )
    for ours in (reader.root["/Ours"], theirs.trailer["/Root"]["/Ours"]):
        assert str(ours["/Text"]) == text
        assert ours["/Number"] == revisions
    assert reader.root["/Ours"]["/Stream"].data == payload
    assert theirs.trailer["/Root"]["/Ours"]["/Stream"].get_data() == payload
    old = pypdf.PdfReader(io.BytesIO(before))
    assert [page.extract_text() for page in theirs.pages] == [page.extract_text() for page in old.pages]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_qpdf_finds_nothing_wrong_with_what_is_appended(name: str) -> None:
    before = DOCUMENTS[name]
    assert oracles.qpdf_complaints(appended(before, "Zoé", bytes(range(256)), 3)) <= oracles.qpdf_complaints(before)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_revision_before_is_still_what_it_was(name: str) -> None:
    """A reader that stops at the earlier end of file reads the earlier document."""
    before = DOCUMENTS[name]
    after = appended(before, "later", b"later")
    history = PdfFileReader(io.BytesIO(after), strict=False)
    earlier = history.get_historical_root(history.xrefs.total_revisions - 2)
    assert "/Ours" not in earlier
    assert "/Ours" in history.root
