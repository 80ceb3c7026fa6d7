"""A short run of `tests.pdfops.fuzz`; `make fuzz` is the long one."""

from __future__ import annotations

from tests.pdfops import fuzz


def test_mutated_documents_and_images_end_in_an_answer_or_a_known_refusal() -> None:
    report = fuzz.run(pdfs=120, images=100, seed=20_261_130)
    assert sum(report.outcomes.values()) == 120 * 5 + 100
    refused = {outcome for outcome in report.outcomes if not outcome.endswith(": fine")}
    assert len(refused) >= 5, report.outcomes
