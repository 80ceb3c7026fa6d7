"""The core stays linear, and a decision in the largest flow near what nobody can avoid; generous, since machines are
busy. `make bench` prints the figures.
"""

from __future__ import annotations

import statistics

from plugin.flow.model import Role
from tests.bench.core_bench import DOCUMENTS, RECIPIENTS, core, decisions, side_by_side
from tests.flow.builders import approving, order, signing


def test_ten_times_the_events_take_about_ten_times_as_long_and_deciding_reads_none_of_them() -> None:
    few, many = core(300, 25), core(3_000, 25)
    assert many.owed_us < 40 * few.owed_us
    assert many.decide_us < 10 * few.decide_us


def test_a_decision_among_200_people_and_50_documents_costs_little_more_than_its_bytes() -> None:
    signers = order([Role.SIGNATORY] * RECIPIENTS, DOCUMENTS)
    for found in (
        decisions("signing in turn", signers, signing, 5),
        decisions("approving side by side", side_by_side(), approving, 5),
    ):
        assert statistics.median(found.cpu) < 25 * statistics.median(found.limit_cpu), found.line()
