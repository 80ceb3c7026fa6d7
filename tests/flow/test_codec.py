"""Events as the state file holds them."""

from __future__ import annotations

import pytest

from plugin.flow.codec import UnknownEvent, from_data, to_data
from plugin.flow.events import BY_TYPE, Viewed
from plugin.flow.model import Personal, Role
from tests.flow.builders import Story, approving, order, signing, viewing


def every_value(value: object) -> list[object]:
    if isinstance(value, dict):
        return [inner for member in value.values() for inner in every_value(member)]
    if isinstance(value, list):
        return [inner for member in value for inner in every_value(member)]
    return [value]


def test_lines_hold_strings_whole_numbers_and_personal_values_only() -> None:
    story = Story(order([Role.VALIDATOR, Role.SIGNATORY], 2, copy_to_all=True))
    story.do(viewing("r1", 0))
    story.do(approving(story.now, "r1"))
    story.do(signing(story.now, "r2"))
    for event, _ in story.events:
        data = to_data(event)
        assert {type(value) for value in every_value(data)} <= {str, int, Personal}
        assert from_data(event.type, data) == event
        assert from_data(event.type, {**data, "of_a_later_version": 1}) == event


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"recipient": "r1", "round": "1", "documents": []},
        {"recipient": "r1", "round": 1, "documents": "0"},
        {"recipient": "r1", "round": True, "documents": [0]},
        {"recipient": "r1", "round": 1, "documents": [0.0]},
        {"recipient": None, "round": 1, "documents": [0]},
    ],
)
def test_a_line_of_another_shape_is_unknown(data: dict[str, object]) -> None:
    with pytest.raises(UnknownEvent):
        from_data(Viewed.type, data)


def test_a_line_of_another_type_is_unknown() -> None:
    with pytest.raises(UnknownEvent):
        from_data("flow.folded", {})


def test_names_of_events_are_past_tense_and_dotted() -> None:
    assert all(name.count(".") == 1 and name.islower() for name in BY_TYPE)
