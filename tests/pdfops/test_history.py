"""Where objects are used, in every revision: the same answers as the library's own walk, and sooner."""

from __future__ import annotations

import io
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.diff_analysis import DEFAULT_DIFF_POLICY, DiffResult

from pdfops import quick
from pdfops.history import Reader
from pdfops.objects import from_library
from pdfops.verify import verify
from tests.pdfops import oracles, samples

SHARED = Path(__file__).parents[3] / "shared" / "pdfs"


TAGGED = [
    b"<< /Type /Catalog /Pages 2 0 R /StructTreeRoot 5 0 R /Names << /Dests << /Names [(a) [3 0 R]] >> >> >>",
    b"<< /Type /Pages /Kids [3 0 R 4 0 R] /Count 2 /MediaBox [0 0 595 842] >>",
    b"<< /Type /Page /Parent 2 0 R /StructParents 0 >>",
    b"<< /Type /Page /Parent 2 0 R /StructParents 1 >>",
    b"<< /Type /StructTreeRoot /K 6 0 R /ParentTree << /Nums [0 [7 0 R] 1 [8 0 R]] >> >>",
    b"<< /Type /StructElem /S /Document /P 5 0 R /K [7 0 R 8 0 R] >>",
    b"<< /S /P /P 6 0 R /Pg 3 0 R /K 0 >>",
    b"<< /S /P /P 6 0 R /Pg 4 0 R /K << /Type /MCR /MCID 0 /Pg 3 0 R >> >>",
]
"""A structure tree that refers to its pages and is referred to by its parent tree, and a named destination."""


def compressed_pdf(objects: list[bytes]) -> bytes:
    """The objects in an object stream; the first one is the catalog."""
    starts, body = [], b""
    for number, content in enumerate(objects, start=1):
        starts.append(b"%d %d" % (number, len(body)))
        body += content + b" "
    head = b" ".join(starts) + b" "
    holder, table = len(objects) + 1, len(objects) + 2
    packed = samples.stream(head + body, b"/Type /ObjStm /N %d /First %d " % (len(objects), len(head)))
    data = b"%PDF-1.7\n"
    at = len(data)
    data += b"%d 0 obj\n%s\nendobj\n" % (holder, packed)
    rows = [(0, 0, 65535), *((2, holder, index) for index in range(len(objects))), (1, at, 0), (1, len(data), 0)]
    entries = b"".join(
        bytes([kind]) + where.to_bytes(4, "big") + last.to_bytes(2, "big") for kind, where, last in rows
    )
    xref = samples.stream(entries, b"/Type /XRef /W [1 4 2] /Size %d /Root 1 0 R " % (table + 1))
    return data + b"%d 0 obj\n%s\nendobj\nstartxref\n%d\n%%%%EOF\n" % (table, xref, len(data))


def changed(data: bytes, number: int) -> bytes:
    """One more revision, in which an object says something else."""
    writer = IncrementalPdfFileWriter(io.BytesIO(data), strict=False)
    found = writer.get_object(generic.Reference(number, 0, writer))
    if isinstance(found, generic.DictionaryObject):
        found["/Odd"] = generic.NumberObject(number)
    writer.mark_update(generic.Reference(number, 0, writer))
    output = io.BytesIO()
    writer.write(output)
    return output.getvalue()


def documents() -> list[Any]:
    made = {
        "linked": samples.linked_pdf(5),
        "tagged": samples.build(TAGGED),
        "in an object stream": compressed_pdf(TAGGED),
        "signed by a stranger": samples.signed_pdf(),
        "page tree in a loop": samples.kids_loop(),
    }
    given = {str(path.relative_to(SHARED)): path.read_bytes() for path in sorted(SHARED.rglob("*.pdf"))}
    return [pytest.param(data, id=name) for name, data in {**made, **given}.items()]


def uses(reader: Any) -> list[Any]:
    """For every revision: where each object of the file is used in it, or that it cannot be told."""
    refs = set().union(*(reader.xrefs.explicit_refs_in_revision(n) for n in range(reader.xrefs.total_revisions)))
    answers: list[Any] = []
    for revision in range(reader.xrefs.total_revisions):
        view = reader.get_historical_resolver(revision)
        try:
            view._load_reverse_xref_cache()
            answers.append({(ref.idnum, ref.generation): view._get_usages_of_ref(ref) for ref in refs})
        except Exception as error:
            answers.append(type(error))
    return answers


def assert_uses_agree(ours: Any, theirs: Any) -> None:
    """Ours are the library's, and besides them only what it overlooks by the names /Parent and /P."""
    for mine, known in zip(uses(ours), uses(theirs), strict=True):
        if isinstance(known, type):
            assert mine == known
            continue
        for ref, paths in known.items():
            assert mine[ref] >= paths, ref
            assert all({"/Parent", "/P"} & set(path) for path in mine[ref] - paths), ref


def opened(kind: Any, data: bytes) -> Any:
    try:
        reader = kind(io.BytesIO(data), strict=False)
        return None if reader.encrypted else reader
    except Exception:
        return None


def reviewed(reader: Any) -> list[Any]:
    found: list[Any] = []
    for revision in range(reader.xrefs.total_revisions):
        try:
            result = DEFAULT_DIFF_POLICY.review_file(reader, revision)
        except Exception as error:
            found.append(type(error))
        else:
            is_result = isinstance(result, DiffResult)
            found.append((result.modification_level, result.changed_form_fields) if is_result else type(result))
    return found


@pytest.mark.parametrize("data", documents())
def test_uses_and_verdicts_are_the_librarys(data: bytes) -> None:
    theirs, ours = opened(PdfFileReader, data), opened(Reader, data)
    assert (theirs is None) == (ours is None)
    if theirs is not None:
        assert_uses_agree(ours, theirs)
        assert reviewed(ours) == reviewed(theirs)


@settings(max_examples=40, deadline=None)
@given(st.sampled_from([0, 1, 2]), st.lists(st.integers(1, 10), min_size=1, max_size=3))
def test_uses_and_verdicts_are_the_librarys_after_any_change(which: int, numbers: list[int]) -> None:
    data = (samples.linked_pdf(2, 2), samples.build(TAGGED), compressed_pdf(TAGGED))[which]
    for number in numbers:
        data = changed(data, number)
    theirs, ours = opened(PdfFileReader, data), opened(Reader, data)
    assert_uses_agree(ours, theirs)
    assert reviewed(ours) == reviewed(theirs)


def test_a_long_signed_document_is_judged_in_a_fraction_of_the_librarys_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = samples.sealed_pdf(samples.linked_pdf(80, 40), 3)
    times, verdicts = [], []
    for kind in (Reader, oracles.LibraryWalk):
        monkeypatch.setattr("pdfops.reading.Reader", kind)
        begun = time.process_time()
        verdicts.append(verify(data))
        times.append(time.process_time() - begun)
    assert verdicts[0] == verdicts[1]
    assert [one.changes for one in verdicts[0].signatures] == ["allowed", "allowed", "none"]
    assert times[0] < times[1] / 3


# ---- the quick reader -----------------------------------------------------------------------------------------------
WRITTEN = [
    b"<< /A 1 /B [1 2 0 R (a) <AB> /N [3 0 R]] /C << /D 4 0 R>>/E/F/G true >>",
    b"<</Kids[5 0 R 6 0 R]/Count 2/T(\\(x\\) 9 0 R)>>",
    b"[1 0 R null -1.5 .5 +3 4. << >> []]",
    b"<< /Length 5 /X 7 0 R >>\nstream\n12345\nendstream",
    b"<</A<AB>/B<</C<CD>>>>>",
    b"7 0 R",
    b"(text)",
]


def read_both(content: bytes) -> tuple[Any, Any]:
    """What the quick reader says, and the library; None where one refuses."""
    data = b"%PDF-1.7\n1 0 obj\n" + content + b"\nendobj\n"
    try:
        ours = quick.indirect(data, 9, quick.Ref(1, 0))
    except quick.Unclear:
        ours = None
    base = samples.build([content, b"<< /Type /Catalog /Pages 3 0 R >>", b"<< /Type /Pages /Kids [] /Count 0 >>"], 2)
    try:
        reader = PdfFileReader(io.BytesIO(base), strict=False)
        theirs = from_library(reader.get_object(generic.Reference(1, 0, reader)))
    except Exception:
        theirs = None
    return ours, theirs


@pytest.mark.parametrize("content", WRITTEN)
def test_what_is_written_plainly_is_read_as_the_library_reads_it(content: bytes) -> None:
    ours, theirs = read_both(content)
    if content != b"7 0 R":  # but another's name: the library does not follow it
        assert ours is not None
        assert ours == theirs


@pytest.mark.parametrize(
    "content",
    [
        b"<< /A (nested (brackets)) >>",
        b"<< /A 1 % a comment\n >>",
        b"<< /A#42 1 >>",
        b"<< /A 1 /A 2 0 R >>",
        b"<< /A 1",
        b"<< /A ] >>",
        b"[ << ] >>",
        b"<< /A (endobj\n2 0 obj 3 0 R",
        b"<< /Length 4 >>\nstream\n12345\nendstream",
        b"<< /Length 3 0 R >>\nstream\n12345\nendstream",
        b"[" * 100 + b"]" * 100,
        b"<< 1 /A >>",
        b"",
    ],
)
def test_what_is_not_plain_is_left_to_the_library(content: bytes) -> None:
    assert read_both(content)[0] is None


@settings(max_examples=400, deadline=None)
@given(
    st.sampled_from(WRITTEN), st.integers(0, 80), st.binary(max_size=3) | st.sampled_from([b"<<", b">>", b" 9 0 R "])
)
def test_whatever_the_quick_reader_reads_the_library_reads_alike(content: bytes, at: int, put: bytes) -> None:
    ours, theirs = read_both(content[:at] + put + content[at + len(put) :])
    if ours is not None and not isinstance(ours, quick.Ref) and theirs is not None:
        assert ours == theirs
