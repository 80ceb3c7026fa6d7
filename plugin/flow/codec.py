"""Events to and from the values that a state file may hold: objects, lists, strings and integers.

A ``Personal`` stays as it is: the chain adapter encrypts it on the way out and puts it back on the way in.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import StrEnum
from functools import cache
from typing import Any

from plugin.flow.events import BY_TYPE, Event
from plugin.flow.model import Personal

Data = dict[str, Any]


class UnknownEvent(ValueError):
    """A line of a type or shape that this version does not know: the flow is readable, never rewritten."""


def to_data(event: Event) -> Data:
    """Promise: members that are None are left out; ``from_data(event.type, to_data(event)) == event``."""
    data = _plain(event)
    assert isinstance(data, dict)
    return data


def _plain(value: Any) -> Any:
    if isinstance(value, Personal):
        return value
    if is_dataclass(value) and not isinstance(value, type):
        members = ((f.name, getattr(value, f.name)) for f in fields(value))
        return {name: _plain(member) for name, member in members if member is not None}
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, StrEnum):
        return str(value)
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value


def from_data(event_type: str, data: Mapping[str, Any]) -> Event:
    """Members that are not known are passed over.

    Raises: UnknownEvent.
    """
    cls = BY_TYPE.get(event_type)
    if cls is None:
        raise UnknownEvent(event_type)
    try:
        return typing.cast("Event", _build(cls, data))
    except (KeyError, TypeError, ValueError) as error:
        raise UnknownEvent(event_type) from error


def is_understood(event_type: str, data: Mapping[str, Any]) -> bool:
    """Whether every member of data that ``from_data`` takes is one that this version knows."""
    return _knows(BY_TYPE[event_type], data)


def _knows(cls: type, data: Mapping[str, Any]) -> bool:
    members = _members(cls)
    for name, value in data.items():
        if name not in members:
            return False
        inner = members[name]
        if inner is not None and not all(_knows(inner, one) for one in (value if type(value) is list else (value,))):
            return False
    return True


@cache
def _members(cls: type) -> Mapping[str, type | None]:
    """Name -> the class of the objects in it, alone or in a list; None where there are none."""
    hints = _hints(cls)
    return {f.name: _inner(hints[f.name]) for f in fields(cls)}


def _inner(wanted: Any) -> type | None:
    if typing.get_origin(wanted) in (types.UnionType, tuple):
        return next((found for found in map(_inner, typing.get_args(wanted)) if found is not None), None)
    return wanted if is_dataclass(wanted) and wanted is not Personal else None  # type: ignore[return-value]  # a class, as is_dataclass has said


@cache
def _hints(cls: type) -> dict[str, Any]:
    return typing.get_type_hints(cls)


def _build(wanted: Any, value: Any) -> Any:
    origin = typing.get_origin(wanted)
    if origin is types.UnionType:
        inner = [arg for arg in typing.get_args(wanted) if arg is not type(None)]
        return _build(inner[0], value)
    if origin is tuple:
        if not isinstance(value, list):
            raise TypeError(wanted)
        return tuple(_build(typing.get_args(wanted)[0], item) for item in value)
    if wanted is Personal:
        if not isinstance(value, Personal):
            raise TypeError(wanted)
        return value
    if is_dataclass(wanted):
        if not isinstance(value, Mapping):
            raise TypeError(wanted)
        hints = _hints(typing.cast("type", wanted))
        members = {}
        for f in fields(wanted):
            if f.name in value:
                members[f.name] = _build(hints[f.name], value[f.name])
            elif type(None) in typing.get_args(hints[f.name]):
                members[f.name] = None
            else:
                raise KeyError(f.name)
        return typing.cast("type", wanted)(**members)
    if wanted is bool:
        return bool(_exactly(int, value))
    if isinstance(wanted, type) and issubclass(wanted, StrEnum):
        return wanted(_exactly(str, value))
    return _exactly(wanted, value)


def _exactly(wanted: type, value: Any) -> Any:
    if type(value) is not wanted:
        raise TypeError(wanted)
    return value
