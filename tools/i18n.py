"""The catalogue: `python tools/i18n.py extract|update|compile|check`.

extract: sources -> plugin/locale/messages.pot (not in git). update: extract, then merge into each .po. compile: .po ->
.mo for Python and, for each bundle and language, the subset it needs -> plugin/static/ui/i18n.json. check: every
string has a French text that keeps its placeholders and French typography; prints what is missing and exits 1.
"""

from __future__ import annotations

import json
import re
import sys
from datetime import UTC, datetime
from pathlib import Path

from babel import Locale
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.mofile import write_mo
from babel.messages.plurals import get_plural
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).resolve().parent.parent
LOCALE = ROOT / "plugin" / "locale"
UI = ROOT / "plugin" / "ui" / "src"
STATIC = ROOT / "plugin" / "static" / "ui"
BUNDLES = ("sign", "main", "files", "follow", "verify")
LANGUAGES = ("fr",)
KEYWORDS = {
    "_": None, "gettext": None, "ngettext": (1, 2), "mark": None, "t": None, "tn": (1, 2),
}  # fmt: skip

_STRING = r"""\"((?:[^"\\]|\\.)*)\""""
_ONE = re.compile(rf"(?<![\w.])t\(\s*{_STRING}")
_MANY = re.compile(rf"(?<![\w.])tn\(\s*{_STRING},\s*{_STRING}")
_ANY = re.compile(r"(?<![\w.])(?<!function )tn?\((?=\s*[^\s)])")
_IMPORT = re.compile(r"""(?:from|import)\s*"(\.{1,2}/[^"]+)\"""")
_PLACEHOLDER = re.compile(r"\{(\w+)\}|%\((\w+)\)s")
_FRENCH_SPACING = re.compile(r"[^\u202f\u00a0\s][;!?](?=\s|$)| [;!?:»]| %(?!\()|« |\w'\w")


def extracted() -> Catalog:
    with (ROOT / "babel.cfg").open(encoding="utf-8") as file:
        methods, options = parse_mapping_cfg(file)
    catalogue = Catalog(project="Parapheur", version="0.1.0", charset="utf-8", fuzzy=False)
    found = extract_from_dir(ROOT, methods, options, KEYWORDS, strip_comment_tags=True)
    for name, _line, msgid, _comments, context in sorted(found, key=lambda row: (row[0], row[1])):
        catalogue.add(msgid, locations=[(name, 0)], context=context)
    for path in sorted(UI.rglob("*.ts")):  # Babel loses calls with braces inside nested template strings
        where = [(path.relative_to(ROOT).as_posix(), 0)]
        for texts in calls(path):
            catalogue.add(texts if len(texts) > 1 else texts[0], locations=where)
    return catalogue


def calls(path: Path) -> list[tuple[str, ...]]:
    """The texts of every t("…") and tn("…", "…") of a TypeScript file. Raises on one that is not a literal."""
    source = path.read_text(encoding="utf-8")
    found = [*_ONE.finditer(source), *_MANY.finditer(source)]
    if path.name != "i18n.ts":
        strays = {match.start() for match in _ANY.finditer(source)} - {match.start() for match in found}
        if strays:
            raise ValueError(f"{path}: t() without a literal: {source[min(strays) :][:60]!r}")
    return [tuple(json.loads(f'"{text}"') for text in match.groups()) for match in found]


def po_path(language: str) -> Path:
    return LOCALE / language / "LC_MESSAGES" / "messages.po"


def read(language: str) -> Catalog:
    path = po_path(language)
    if not path.exists():
        return Catalog(locale=language, project="Parapheur", version="0.1.0", charset="utf-8", fuzzy=False)
    with path.open("rb") as file:
        return read_po(file, locale=language)


def extract() -> None:
    LOCALE.mkdir(exist_ok=True)
    with (LOCALE / "messages.pot").open("wb") as file:
        write_po(file, extracted(), omit_header=True, sort_by_file=True, include_lineno=False, width=119)


def update() -> None:
    template = extracted()
    for language in LANGUAGES:
        catalogue = read(language)
        catalogue.update(template, no_fuzzy_matching=True)
        catalogue.obsolete.clear()
        po_path(language).parent.mkdir(parents=True, exist_ok=True)
        with po_path(language).open("wb") as file:
            write_po(file, catalogue, sort_by_file=True, include_lineno=False, width=119)
        _tidy_header(po_path(language), language)


def _tidy_header(path: Path, language: str) -> None:
    """Keeps dates and placeholder names out of git."""
    _, _, body = path.read_text(encoding="utf-8").partition("\n\n")
    plural = Locale.parse(language)
    fields = (
        "Project-Id-Version: Parapheur",
        f"Language: {language}",
        f"Plural-Forms: nplurals={get_plural(plural).num_plurals}; plural={get_plural(plural).plural_expr};",
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=utf-8",
        "Content-Transfer-Encoding: 8bit",
    )
    head = "".join(f'"{field}\\n"\n' for field in fields)
    path.write_text(f'msgid ""\nmsgstr ""\n{head}\n{body}', encoding="utf-8")


def modules(entry: Path) -> set[Path]:
    """The entry and what it imports, directly or not."""
    seen: set[Path] = set()
    waiting = [entry]
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        for target in _IMPORT.findall(path.read_text(encoding="utf-8")):
            candidate = (path.parent / target).with_suffix(".ts")
            if candidate.exists():
                waiting.append(candidate)
    return seen


def msgids(bundle: str) -> set[str]:
    return {texts[0] for path in modules(UI / f"{bundle}.ts") for texts in calls(path)}


def _singular(message: Message) -> str:
    return message.id if isinstance(message.id, str) else str(message.id[0])


def compile_() -> None:
    subsets: dict[str, dict[str, dict[str, str | list[str]]]] = {}
    for language in LANGUAGES:
        catalogue = read(language)
        catalogue.creation_date = catalogue.revision_date = datetime(1980, 1, 1, tzinfo=UTC)  # else: now
        with po_path(language).with_suffix(".mo").open("wb") as file:
            write_mo(file, catalogue)
        texts = {_singular(m): m.string for m in catalogue if m.id and m.string}
        subsets[language] = {
            bundle: {
                msgid: text if isinstance(text, str) else list(text)
                for msgid in sorted(msgids(bundle))
                if (text := texts.get(msgid))
            }
            for bundle in BUNDLES
        }
    STATIC.mkdir(parents=True, exist_ok=True)
    (STATIC / "i18n.json").write_text(json.dumps(subsets, ensure_ascii=False, sort_keys=True), encoding="utf-8")


def _placeholders(text: str) -> set[str]:
    return {a or b for a, b in _PLACEHOLDER.findall(text)}


def _faults(message: Message, language: str) -> list[str]:
    strings = [message.string] if isinstance(message.string, str) else list(message.string)
    if message.fuzzy:
        return ["fuzzy"]
    if not all(strings):
        return ["missing"]
    wanted = _placeholders(message.id if isinstance(message.id, str) else str(message.id[-1]))
    faults = []
    if any(_placeholders(text) - wanted or wanted - _placeholders(strings[-1]) for text in strings):
        faults.append("placeholders differ")
    if language == "fr" and any(_FRENCH_SPACING.search(text) for text in strings):
        faults.append("French spacing or apostrophe")
    return faults


def problems() -> list[str]:
    """What keeps the catalogues from being complete, a line each."""
    template = extracted()
    lines = []
    for language in LANGUAGES:
        catalogue = read(language)
        for message in template:
            if not message.id:
                continue
            mine = catalogue.get(message.id, message.context)
            if mine is None or (message.pluralizable and not mine.pluralizable):
                lines.append(f"{language}: missing {_singular(message)!r}")
                continue
            lines += [f"{language}: {fault} {_singular(message)!r}" for fault in _faults(mine, language)]
    return lines


def check() -> None:
    lines = problems()
    print("\n".join(lines) or "catalogues complete")
    if lines:
        sys.exit(1)


if __name__ == "__main__":
    actions = {"extract": extract, "update": update, "compile": compile_, "check": check}
    if len(sys.argv) != 2 or sys.argv[1] not in actions:
        sys.exit(__doc__)
    actions[sys.argv[1]]()
