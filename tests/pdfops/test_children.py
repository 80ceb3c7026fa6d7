"""One child, and who else may end it while it works."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pdfops import wire
from pdfops.children import RESIDENT_CAP_BYTES, Lost, Mother
from tests.pdfops import samples


def test_a_child_that_is_buried_under_a_job_gives_no_number_of_its_pipes_away() -> None:
    mother = Mother()
    forged: list[int] = []

    def close_and_open_others() -> None:
        child.kill()
        child.bury()
        for _ in range(8):
            ours, theirs = os.pipe()
            os.write(theirs, b"".join(wire.pack({"value": {}}, ())))
            forged.extend((ours, theirs))

    try:
        mother.await_ready(20.0)
        child = mother.bear()
        child.await_ready(20.0)
        job = {"job": "preview", "page": 1, "width_px": 500, "image_format": "jpeg"}
        with pytest.raises(Lost, match="damaged"):
            child.do(job, (samples.form_recursion(),), 20.0, RESIDENT_CAP_BYTES, close_and_open_others)
        assert forged
        ended = len(list(Path("/proc/self/fd").iterdir()))
        child.bury()
        with pytest.raises(Lost, match="damaged"):
            child.do({"job": "inspect"}, (samples.simple_pdf(),), 20.0, RESIDENT_CAP_BYTES)
        assert len(list(Path("/proc/self/fd").iterdir())) == ended
    finally:
        mother.kill()
        mother.bury()
        for descriptor in forged:
            os.close(descriptor)
