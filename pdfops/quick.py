"""A quick reader of single PDF objects: it knows dictionaries, arrays and references, and keeps the rest as opaque.

It exists for questions about the whole of a document, where the library's parser takes most of the time. What it does
not know beyond doubt (comments, nested brackets in strings, odd names, anything that does not end as it should) it
refuses with `Unclear`; the caller then asks the library. Source of the syntax: ISO 32000-2, 7.2 and 7.3.
"""

from __future__ import annotations

import re
from typing import Any, Final, NamedTuple

MAX_DEPTH: Final = 60


class Ref(NamedTuple):
    number: int
    generation: int


class Unclear(Exception):
    """Not read: only the library can say what this is."""


class Opaque:
    """A number, a string, a name in the place of a value, true, false or null."""

    __slots__ = ()


class Name(str):
    """A name in the place of a value."""

    __slots__ = ()


OPAQUE: Final = Opaque()
Value = Any
"""dict[str, Value] | list[Value] | Ref | Name | Opaque"""

_SPACE: Final = rb"[\x00\t\n\x0c\r ]"
_SPACES: Final = (b"", b"\x00", b"\t", b"\n", b"\x0c", b"\r", b" ")
_END: Final = rb"(?=[\x00\t\n\x0c\r ()<>\[\]{}/%]|$)"
_TOKEN: Final = re.compile(
    rb"%b*+(?:" % _SPACE
    + rb"/([!\"$&'*-.0-;=?-Z\\^-z|~]*+)"  # 1: a name; neither delimiters nor # nor bytes beyond ASCII
    + rb"|([0-9]{1,10}+)[\t\n\x0c\r ]([0-9]{1,5}+)[\t\n\x0c\r ]R%b" % _END  # 2, 3: a reference, plainly written
    + rb"|([+-]?+(?:[0-9]++\.?+[0-9]*+|\.[0-9]++)%b)" % _END  # 4: a number
    + rb"|(\((?:[^()\\]++|\\.)*+\))"  # 5: a string without brackets in it
    + rb"|(<<)|(>>)|(\[)|(\])"  # 6 7 8 9
    + rb"|(<[0-9A-Fa-f\x00\t\n\x0c\r ]*+>)"  # 10: a string in hexadecimal
    + rb"|(true|false|null)%b" % _END  # 11
    + rb"|(endobj)%b" % _END  # 12
    + rb"|(stream\r?\n)"  # 13
    + rb")",
    re.DOTALL,
)
_HEADER: Final = re.compile(rb"%b*+([0-9]{1,10}+)%b++([0-9]{1,5}+)%b++obj%b" % (_SPACE, _SPACE, _SPACE, _END))
_AFTER_STREAM: Final = re.compile(rb"%b*+endstream%b*+endobj" % (_SPACE, _SPACE))


def indirect(data: bytes, offset: int, expected: Ref) -> Value:
    """The object whose header stands at ``offset``. A stream is its dictionary. Raises: Unclear."""
    header = _HEADER.match(data, offset)
    if header is None or (int(header[1]), int(header[2])) != expected:
        raise Unclear
    value, position = _value(data, header.end())
    if isinstance(value, Ref):
        raise Unclear  # an object that is but another's name
    end = _TOKEN.match(data, position)
    if end is None or end.lastindex not in (12, 13):
        raise Unclear
    if end.lastindex == 13:
        length = _length(data, header.end(), value)
        if _AFTER_STREAM.match(data, end.end() + length) is None:
            raise Unclear
    return value


def within_stream(data: bytes, offset: int, until: int) -> Value:
    """The object at ``offset`` of a decoded object stream, which must end by ``until``. Raises: Unclear."""
    if data[offset : offset + 1] in _SPACES:
        raise Unclear
    value, position = _value(data, offset)
    if isinstance(value, Ref) or position > until or data[position:until].strip(b"\x00\t\n\x0c\r "):
        raise Unclear
    return value


_LENGTH: Final = re.compile(rb"/Length%b++([0-9]{1,10}+)(?!%b++[0-9]++%b++R)" % (_SPACE, _SPACE, _SPACE))


def _length(data: bytes, start: int, value: Value) -> int:
    """The length of a stream that says it directly, and once."""
    if not isinstance(value, dict) or value.get("/Length") is not OPAQUE:
        raise Unclear
    end = data.index(b"stream", start)
    found = _LENGTH.findall(data, start, end)
    if len(found) != 1:
        raise Unclear
    return int(found[0])


def _value(data: bytes, position: int) -> tuple[Value, int]:
    """A value and where it ends; without recursion. Raises: Unclear."""
    stack: list[tuple[Value, str | None]] = []
    holder: Value = None
    key: str | None = None
    while True:
        token = _TOKEN.match(data, position)
        if token is None:
            raise Unclear
        position = token.end()
        kind = token.lastindex
        value: Value
        if kind == 1:
            name = "/" + token[1].decode("ascii")
            if isinstance(holder, dict) and key is None:
                key = name
                continue
            value = Name(name)
        elif isinstance(holder, dict) and key is None and kind != 7:
            raise Unclear
        elif kind == 3:
            value = Ref(int(token[2]), int(token[3]))
        elif kind in (4, 5, 10, 11):
            value = OPAQUE
        elif kind in (6, 8):
            if len(stack) >= MAX_DEPTH:
                raise Unclear
            stack.append((holder, key))
            holder, key = ({} if kind == 6 else []), None
            continue
        elif (kind == 7 and isinstance(holder, dict) and key is None) or (kind == 9 and isinstance(holder, list)):
            value = holder
            holder, key = stack.pop()
        else:
            raise Unclear
        if holder is None:
            return value, position
        if isinstance(holder, dict):
            assert key is not None
            if key in holder:
                raise Unclear
            holder[key] = value
            key = None
        else:
            holder.append(value)
