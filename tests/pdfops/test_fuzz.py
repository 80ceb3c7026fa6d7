"""A short run of `tests.pdfops.fuzz`, and what the guided run stands on; `make fuzz` is the long one."""

from __future__ import annotations

import pytest

from pdfops.inspect import inspect
from tests.pdfops import fuzz, guided, samples, tampering
from tests.pdfops.linking import relinked


def test_mutated_documents_and_images_end_in_an_answer_or_a_known_refusal() -> None:
    report = fuzz.run(pdfs=120, images=100, seed=20_261_130)
    assert sum(report.outcomes.values()) == 120 * 5 + 100
    refused = {outcome for outcome in report.outcomes if not outcome.endswith(": fine")}
    assert len(refused) >= 5, report.outcomes


@pytest.mark.parametrize("data", [samples.simple_pdf(3), tampering.document()], ids=["plain", "form"])
def test_a_document_whose_objects_moved_is_read_again_once_it_is_linked_anew(data: bytes) -> None:
    moved = data.replace(b"%PDF-1.7\n", b"%PDF-1.7\n% some bytes more\n")
    assert moved != data
    assert inspect(relinked(moved)).pages == inspect(data).pages


@pytest.mark.parametrize("job", guided.JOBS)
def test_what_is_guided_does_the_whole_job(job: str) -> None:
    """Else it would run for hours and reach nothing."""
    run = guided.answered(job)
    assert run(samples.ink_png() if job == "ink" else samples.simple_pdf(2)) == "fine"
    assert run(b"nothing of the kind") in ("not-a-pdf", "bad-image")
