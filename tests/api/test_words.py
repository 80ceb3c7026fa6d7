"""Every code that the product can say has a sentence, in both languages; every setting has a row."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from pdfops.errors import CODES
from plugin.i18n import translations
from plugin.settings import Settings
from plugin.web.problems import SENTENCES, sentence

ROOT = Path(__file__).parents[2]
CODE = re.compile(r"[a-z]+(-[a-z]+)+|internal|invalid|encrypted|damaged|certified|replaced|unavailable")
RAISERS = {
    # the call, and where its code stands among the arguments
    "Invalid": 1,
    "Conflict": 0,
    "NotFound": 0,
    "Forbidden": 0,
    "Refused": 0,
    "UnusableDocument": 0,
    "ParapheurError": 0,
    "Unavailable": 0,
    "HostUnavailable": 0,
    "HostBusy": 0,
    "HostFull": 0,
    "IndexMissing": 0,
    "Examined": 3,
}
NEVER_SHOWN = {"mail-later", "mail-unreachable"}
"""Reasons of a mail's delivery: the creator's page words them."""


def sources() -> Iterator[tuple[Path, ast.Module]]:
    for package in ("plugin", "hooks", "pdfops"):
        for path in sorted((ROOT / package).rglob("*.py")):
            if "demo" not in path.parts and "node_modules" not in path.parts:
                yield path, ast.parse(path.read_text())


def raised() -> dict[str, str]:
    """Every code that some call or class gives an error -> where."""
    found: dict[str, str] = {}
    for path, tree in sources():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
                position = RAISERS.get(name)
                if position is not None and len(node.args) > position:
                    given = node.args[position]
                    if isinstance(given, ast.Constant) and isinstance(given.value, str):
                        found[given.value] = f"{path.name}:{node.lineno}"
            if isinstance(node, ast.ClassDef) and path.name == "errors.py" and path.parent.name == "flow":
                for inner in node.body:
                    target = getattr(inner, "targets", [getattr(inner, "target", None)])[0]
                    value = getattr(inner, "value", None)
                    if isinstance(target, ast.Name) and target.id == "code" and isinstance(value, ast.Constant):
                        found[str(value.value)] = f"{path.name}:{inner.lineno}"
    return found


def test_every_code_that_is_raised_has_a_sentence() -> None:
    codes = raised()
    assert len(codes) > 50
    assert {code: where for code, where in codes.items() if code not in SENTENCES and code not in NEVER_SHOWN} == {}


def test_every_code_of_a_parser_that_can_reach_a_person_has_a_sentence() -> None:
    internal = {"field-taken"}
    assert set(SENTENCES) >= CODES - internal


def test_every_sentence_belongs_to_a_code_that_can_be_said() -> None:
    text = "\n".join(path.read_text() for path, _ in sources() if path.name != "problems.py")
    said = set(re.findall(r'"([a-z]+(?:-[a-z]+)*)"', text)) | set(CODES)
    assert set(SENTENCES) - said == set()


def test_every_sentence_is_translated() -> None:
    french = translations("fr")
    assert [text for text in SENTENCES.values() if french.gettext(text) == text] == []
    for code, text in SENTENCES.items():
        names = set(re.findall(r"%\((\w+)\)s", text))
        assert set(re.findall(r"%\((\w+)\)s", french.gettext(text))) == names, code


def test_a_sentence_without_its_values_and_an_unknown_code_still_speak() -> None:
    assert sentence("over-the-limit", "fr", {"limit_mb": 15}).endswith("15 Mo ensemble.")
    assert sentence("over-the-limit", "en")
    assert sentence("never-heard-of", "en") == SENTENCES["internal"]


def test_every_setting_has_a_row_and_every_row_a_setting() -> None:
    rows = re.findall(r"^\|\s*`(PARAPHEUR_[A-Z0-9_]+)`", (ROOT / "docs" / "settings.md").read_text(), re.MULTILINE)
    assert len(rows) == len(set(rows))
    assert set(rows) == {f"PARAPHEUR_{name.upper()}" for name in Settings.model_fields}
