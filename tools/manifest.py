"""The app store's rules for both info.xml: `python tools/manifest.py FILE…`; prints what breaks one and exits 1.

The rules are written here in our own way, from what the store and the platform publish of theirs: the order of the
elements, how often each may stand, what each may hold. Only what our two manifests use is known; all else is refused.
What needs an address of the publisher (bugs, image, …) may be missing in the tree: tools/package.py puts it in.
Source: the store's and the platform's schemas of info.xml; AppAPI, "Routes" and "Installation".
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree.ElementTree import Element

from defusedxml import ElementTree

ROOT = Path(__file__).resolve().parent.parent
APP = ROOT / "appinfo" / "info.xml"
COMPANION = ROOT / "hooks" / "companion" / "appinfo" / "info.xml"
Holds = Callable[[str], bool]


def is_like(pattern: str, most: int = 256) -> Holds:
    return lambda text: len(text) <= most and re.fullmatch(pattern, text, re.DOTALL) is not None


def is_one_of(*words: str) -> Holds:
    return lambda text: text in words


def is_json_of(kind: type) -> Holds:
    def holds(text: str) -> bool:
        try:
            value = json.loads(text)
        except ValueError:
            return False
        return isinstance(value, list) and all(type(one) is kind for one in value)

    return holds


def is_route(text: str) -> bool:
    """One expression that means the same to every host: anchored, with or without the leading slash, every slash
    escaped. Nextcloud 32 puts it between slashes and asks the bare path; later ones and HaRP ask with the slash."""
    try:
        re.compile(text)
    except re.error:
        return False
    return text.startswith(r"^\/?") and text.endswith("$") and re.search(r"(?<!\\)/", text) is None


def is_verbs(text: str) -> bool:
    verbs = text.split(",")
    return len(verbs) == len(set(verbs)) and set(verbs) <= {"GET", "POST", "PUT", "DELETE"}


@dataclass(frozen=True, slots=True)
class Rule:
    """One element: how often (``most`` 0: any number), what its text is, its attributes, and its children in order.

    ``words``: attributes that must be there. ``more``: those that may.
    """

    least: int = 1
    most: int = 1
    text: Holds | None = None
    words: Mapping[str, Holds] = field(default_factory=dict)
    more: Mapping[str, Holds] = field(default_factory=dict)
    inside: Mapping[str, Rule] = field(default_factory=dict)


ANY = is_like(".+", 100_000)
LINE = is_like(".+")
HTTP = is_like(r"https?://\S+")
HTTPS = is_like(r"https://\S+")
VERSION = is_like(r"[0-9]+(\.[0-9]+){0,2}")
SEMVER = is_like(r"(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*)){2}(-[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?")
LANGUAGE = {"lang": is_one_of("en", "fr")}
CATEGORIES = (
    "customization", "dashboard", "files", "games", "integration", "monitoring", "multimedia", "office",
    "organization", "search", "security", "social", "tools", "workflow",
)  # fmt: skip
LICENCES = (
    "agpl",
    "AGPL-3.0-only",
    "AGPL-3.0-or-later",
    "apache",
    "Apache-2.0",
    "gpl3",
    "mit",
    "MIT",
    "mpl",
    "MPL-2.0",
)

_ROUTE = {
    "url": Rule(text=is_route),
    "verb": Rule(text=is_verbs),
    "access_level": Rule(text=is_one_of("PUBLIC", "USER", "ADMIN")),
    "headers_to_exclude": Rule(least=0, text=is_json_of(str)),
    "bruteforce_protection": Rule(least=0, text=is_json_of(int)),
}
_VARIABLE = {
    "name": Rule(text=is_like("[A-Z][A-Z0-9_]*")),
    "display-name": Rule(text=LINE),
    "description": Rule(least=0, text=is_like(".+", 1000)),
    "default": Rule(least=0, text=LINE),
}
_IMAGE = {
    "registry": Rule(text=is_like(r"[a-z0-9.-]+(:[0-9]+)?(/[a-z0-9._-]+)*")),
    "image": Rule(text=is_like(r"[a-z0-9]+([._-][a-z0-9]+)*(/[a-z0-9]+([._-][a-z0-9]+)*)*")),
    "image-tag": Rule(text=is_like(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", 128)),
}
_EXTERNAL = {
    "docker-install": Rule(least=0, inside=_IMAGE),
    "environment-variables": Rule(least=0, inside={"variable": Rule(most=0, inside=_VARIABLE)}),
    "routes": Rule(inside={"route": Rule(most=0, inside=_ROUTE)}),
}
INFO = Rule(
    inside={
        "id": Rule(text=is_like("[a-z]+[a-z0-9_]*[a-z0-9]+")),
        "name": Rule(most=0, text=is_like(".+", 128), more=LANGUAGE),
        "summary": Rule(most=0, text=is_like(".+", 128), more=LANGUAGE),
        "description": Rule(most=0, text=ANY, more=LANGUAGE),
        "version": Rule(text=SEMVER),
        "licence": Rule(most=0, text=is_one_of(*LICENCES)),
        "author": Rule(most=0, text=LINE, more={"mail": is_like(r"[^@]+@[^.]+\..+"), "homepage": HTTP}),
        "namespace": Rule(least=0, text=LINE),
        "documentation": Rule(
            least=0, inside={name: Rule(least=0, text=HTTPS) for name in ("user", "admin", "developer")}
        ),
        "category": Rule(most=0, text=is_one_of(*CATEGORIES)),
        "website": Rule(least=0, text=HTTP),
        "discussion": Rule(least=0, text=HTTP),
        "bugs": Rule(least=0, text=HTTP),
        "repository": Rule(least=0, text=HTTP, more={"type": is_one_of("git", "mercurial", "subversion", "bzr")}),
        "screenshot": Rule(least=0, most=10, text=HTTPS, more={"small-thumbnail": HTTPS}),
        "dependencies": Rule(
            inside={"nextcloud": Rule(words={"min-version": VERSION, "max-version": VERSION})},
        ),
        "external-app": Rule(least=0, inside=_EXTERNAL),
    },
    more={"{http://www.w3.org/2001/XMLSchema-instance}noNamespaceSchemaLocation": HTTPS},
)
SPOKEN = ("name", "summary", "description")
ONCE = {"licence": ("licence",), "category": ("category",), **{name: (name, "lang") for name in SPOKEN}}
FOR_THE_STORE = {"bugs": "BUGS_URL", "external-app/docker-install": "REGISTRY and IMAGE"}
"""What the store, or a daemon that deploys, will not do without; and what tells tools/package.py."""


def problems(manifest: bytes) -> list[str]:
    """What breaks a rule, as lines for a person; none where all is well. What the publisher adds may be missing."""
    try:
        root = ElementTree.fromstring(manifest)
    except ElementTree.ParseError as error:
        return [f"not XML: {error}"]
    if root.tag != "info":
        return [f"the root is {root.tag}, not info"]
    return [*_broken(root, INFO, "info"), *_said_twice(root), *_not_spoken(root)]


def missing_for_the_store(manifest: bytes) -> list[str]:
    """What the publisher has not told yet, as the names that tools/package.py takes."""
    root = ElementTree.fromstring(manifest)
    is_external = root.find("external-app") is not None
    needed = {path: names for path, names in FOR_THE_STORE.items() if is_external or "/" not in path}
    return [names for path, names in needed.items() if root.find(path) is None]


def _broken(element: Element, rule: Rule, path: str) -> list[str]:
    found = []
    text = (element.text or "").strip()
    if rule.text is None and text:
        found.append(f"{path}: no text may stand here")
    if rule.text is not None and not (text and rule.text(text)):
        found.append(f"{path}: {text[:60]!r} cannot be")
    allowed = {**rule.words, **rule.more}
    for name, value in element.attrib.items():
        if name not in allowed or not allowed[name](value):
            found.append(f"{path}: the attribute {name} {value[:60]!r} cannot be")
    found += [f"{path}: the attribute {name} is missing" for name in rule.words if name not in element.attrib]
    return found + _children(element, rule, path)


def _children(element: Element, rule: Rule, path: str) -> list[str]:
    found = []
    order = list(rule.inside)
    names = [child.tag for child in element]
    known = [name for name in names if name in rule.inside]
    if known != sorted(known, key=order.index):
        found.append(f"{path}: the order is {', '.join(order)}")
    for name, each in rule.inside.items():
        count = names.count(name)
        if count < each.least:
            found.append(f"{path}: {name} is missing")
        if each.most and count > each.most:
            found.append(f"{path}: {name} stands {count} times, {each.most} at most")
    for child in element:
        if (child.tail or "").strip():
            found.append(f"{path}: no text may stand here")
        if child.tag in rule.inside:
            found += _broken(child, rule.inside[child.tag], f"{path}/{child.tag}")
        else:
            found.append(f"{path}: {child.tag} is not known here")
    return found


def _said_twice(root: Element) -> list[str]:
    found = []
    for name, (_, *by) in ONCE.items():
        keys = [each.get(by[0], "en") if by else (each.text or "").strip() for each in root.findall(name)]
        found += [f"info: {name} {key!r} stands twice" for key in sorted(set(keys)) if keys.count(key) > 1]
    offered = [each.text for each in root.iterfind("external-app/environment-variables/variable/name")]
    return found + [
        f"info: the variable {name} stands twice" for name in sorted(set(offered)) if offered.count(name) > 1
    ]


def _not_spoken(root: Element) -> list[str]:
    """The store wants English; we speak every language of the product."""
    spoken = {name: {each.get("lang", "en") for each in root.findall(name)} for name in SPOKEN}
    return [
        f"info: {name} is not said in {lang}" for name in SPOKEN for lang in ("en", "fr") if lang not in spoken[name]
    ]


def main(files: list[str]) -> int:
    found = [f"{path}: {problem}" for path in files or [str(APP), str(COMPANION)] for problem in _of(Path(path))]
    print("\n".join(found) if found else "manifests fit the store's rules")
    return 1 if found else 0


def _of(path: Path) -> list[str]:
    return problems(path.read_bytes())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
