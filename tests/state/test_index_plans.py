"""Lists and sweeps stay fast with many flows: how the database looks for them, whatever their number."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import pytest
import sqlalchemy as sa

from plugin.adapters.index import SqlIndex
from tests.state.world import NOW, World

Ask = Callable[[SqlIndex], object]


def box(name: str, **how: object) -> Ask:
    asked = {"text": "", "state": "", "before": None, "limit": 51} | how
    return lambda index: index.box("bob", "7", name, **asked)  # type: ignore[arg-type]  # passed on


def plan(world: World, ask: Ask) -> list[str]:
    """What SQLite does for it, but for the look whether the index is there."""
    asked: list[tuple[str, object]] = []

    def note(_connection: object, _cursor: object, statement: str, parameters: object, *_: object) -> None:
        if "ix_meta" not in statement:
            asked.append((statement, parameters))

    with world.database.index() as connection:
        engine = connection.engine
    sa.event.listen(engine, "before_cursor_execute", note)
    ask(world.index)
    sa.event.remove(engine, "before_cursor_execute", note)
    assert asked
    with world.database.index() as connection:
        return [
            str(step[3])
            for statement, parameters in asked
            for step in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)  # type: ignore[arg-type]  # passed on
        ]


@pytest.mark.parametrize(
    "ask",
    [
        *(box(name, **how) for name in ("todo", "sent", "done") for how in ({}, {"before": "x"}, {"text": "bail"})),
        lambda index: index.running(),
        lambda index: index.due(NOW + dt.timedelta(days=1), 200),
        lambda index: index.flows_below("alice", "Contracts"),
        lambda index: index.flows_of_file("77"),
        lambda index: index.flow_of_request("alice", "k" * 64),
        lambda index: index.link("0" * 64),
        lambda index: index.copy("x"),
    ],
)
def test_no_list_and_no_look_up_reads_all_flows(world: World, ask: Ask) -> None:
    steps = plan(world, ask)
    assert [step for step in steps if step.startswith("SCAN ix_")] == []
    assert any(step.startswith("SEARCH ix_") for step in steps)


@pytest.mark.parametrize(
    "ask",
    [
        lambda index: index.running(),
        lambda index: index.due(NOW, 200),
        lambda index: index.flows_below("alice", "Contracts"),
        lambda index: index.flow_of_request("alice", "k" * 64),
    ],
)
def test_what_sweeps_ask_is_answered_without_the_flows_own_rows(world: World, ask: Ask) -> None:
    searched = [step for step in plan(world, ask) if step.startswith("SEARCH ix_flow")]
    assert searched
    assert all("COVERING INDEX" in step for step in searched)


def test_the_inbox_looks_at_the_flows_of_his_turn_alone(world: World) -> None:
    steps = plan(world, box("todo"))
    assert [step for step in steps if step.startswith("SEARCH ix_flow")] == [
        "SEARCH ix_flow USING INDEX sqlite_autoindex_ix_flow_1 (flow_id=?)"
    ]
    assert all(step.endswith("(uid=? AND account=? AND my_turn=?)") for step in steps if "ix_person" in step)


def test_what_is_due_is_found_in_its_order(world: World) -> None:
    assert [step for step in plan(world, lambda index: index.due(NOW, 200)) if "TEMP B-TREE" in step] == []
