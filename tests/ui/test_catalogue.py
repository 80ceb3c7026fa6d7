"""Every string of the product has a French text, in French typography."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def i18n() -> ModuleType:
    spec = importlib.util.spec_from_file_location("parapheur_i18n", ROOT / "tools" / "i18n.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_no_french_text_is_missing_fuzzy_or_badly_set(i18n: ModuleType) -> None:
    assert i18n.problems() == []


@pytest.mark.parametrize("bundle", ["sign", "main", "files"])
def test_each_bundle_finds_its_texts(i18n: ModuleType, bundle: str) -> None:
    texts = i18n.msgids(bundle)
    assert len(texts) > 50
    french = {i18n._singular(message) for message in i18n.read("fr") if message.id and message.string}
    assert texts <= french


def test_a_text_that_is_no_literal_is_refused(i18n: ModuleType, tmp_path: Path) -> None:
    source = tmp_path / "wrong.ts"
    source.write_text('export const text = (name: string) => t(name) + t("Sign");\n')
    with pytest.raises(ValueError, match="without a literal"):
        i18n.calls(source)


def test_the_typography_check_knows_a_straight_apostrophe_and_a_plain_space(i18n: ModuleType) -> None:
    for wrong in ("l'image", "Vraiment ?", "Motif : vide", "100 %", "« oui »", "Non!"):
        assert i18n._FRENCH_SPACING.search(wrong), wrong
    for right in ("l’image", "Vraiment\u202f?", "Motif\u00a0: vide", "100\u00a0%", "«\u202foui\u202f»", "10:30"):
        assert not i18n._FRENCH_SPACING.search(right), right
