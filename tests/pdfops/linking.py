"""Documents whose objects were moved, made readable again: a mutation that breaks the table alone teaches little."""

from __future__ import annotations

import re

OBJECT = re.compile(rb"(?<![0-9])([0-9]{1,5}) 0 obj\b(.*?)endobj", re.DOTALL)


def relinked(data: bytes) -> bytes:
    """``data`` with one table at the end that names every object where it is found."""
    found = {int(one[1]): one.start() for one in OBJECT.finditer(data)}
    root = next((n for n in sorted(found) if b"/Catalog" in data[found[n] : found[n] + 300]), 1)
    table = b"".join(b"%d 1\n%010d 00000 n \n" % (number, at) for number, at in sorted(found.items()))
    trailer = b"<< /Size %d /Root %d 0 R >>" % (max(found, default=0) + 1, root)
    start = len(data) + 1
    return (
        data
        + b"\nxref\n0 1\n0000000000 65535 f \n"
        + table
        + b"trailer\n%s\nstartxref\n%d\n%%%%EOF\n" % (trailer, start)
    )
