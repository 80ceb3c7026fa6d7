from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image

from pdfops.ink import normalise_ink
from pdfops.seal import seal
from tests.bench.peers import Pdfsig, Verdicts, plainly
from tests.bench.seal_bench import FIELD, document, order
from tests.pdfops import oracles, samples


def sealed() -> bytes:
    return seal(document(0), order(normalise_ink(samples.ink_png())), samples.organisation())


def test_what_peers_sign_is_valid(tmp_path: Path) -> None:
    data, picture = document(0), Image.open(io.BytesIO(normalise_ink(samples.ink_png())))
    for is_p256 in (False, True):
        assert oracles.all_well(plainly(data, picture, FIELD, samples.stranger(is_p256)), 1)
    (tmp_path / "in.pdf").write_bytes(data)
    (verdict,) = oracles.poppler(Pdfsig(tmp_path).sign(tmp_path / "in.pdf"))
    assert verdict.is_valid


def test_an_output_that_others_do_not_hold_for_valid_is_counted() -> None:
    made = sealed()
    verdicts = Verdicts()
    verdicts.ask(made)
    assert verdicts.are_all_well
    verdicts.ask(made.replace(b"/Parapheur", b"/Paraphxur"))
    assert (verdicts.asked, verdicts.by_pyhanko, verdicts.by_pdfsig) == (2, 1, 1)
    assert not verdicts.are_all_well


def test_programs_that_are_missing_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert Pdfsig(tmp_path).missing == ["libnss3-tools", "poppler-utils"]
    verdicts = Verdicts()
    verdicts.ask(sealed())
    assert verdicts.are_all_well
    assert "pdfsig is not installed" in str(verdicts)
