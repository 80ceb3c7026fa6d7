"""Tagged documents: fields join the structure tree, so that a screen reader meets them where the document ends.

In the preparing revision only, and only where the tree is sound: one that we do not understand is left as it is, and
so is the tree of a document that somebody signed, where any change of it counts as an alteration.

Shape: for each widget an element /Form whose /K is a reference to it (/OBJR), the element's place in the tree of
parents under a new number, and that number as the widget's /StructParent. /K is no list: that is how the difference
analysis knows such an element again when its field is filled in.

Source: ISO 32000-2, 14.7.5.3 (PDF objects as content items), 14.7.5.4 (finding elements), 14.8.4.7.3 (Form);
ISO 14289-1, 7.18.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Final

from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.generic import pdf_name
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter

from pdfops.reading import Page, entries, entry

MAX_NODES: Final = 100_000
MAX_DEPTH: Final = 50
HIGHEST_KEY: Final = 2_000_000_000


def tag(writer: IncrementalPdfFileWriter, widgets: Sequence[tuple[Page, generic.IndirectObject]]) -> bool:
    """Put widgets into the structure tree, at its end. Returns whether there was one that could be added to."""
    root = writer.root
    mark, tree = entry(root, "/MarkInfo"), entry(root, "/StructTreeRoot")
    if not isinstance(mark, generic.DictionaryObject) or not isinstance(tree, generic.DictionaryObject):
        return False
    is_marked = entry(mark, "/Marked")
    if not (isinstance(is_marked, generic.BooleanObject) and is_marked.value):
        return False
    top = root.raw_get("/StructTreeRoot")
    parents = entry(tree, "/ParentTree")
    following = _next_key(tree, parents)
    if following is None or not isinstance(top, generic.IndirectObject):
        return False
    parent, holder = _parent(tree, top)
    children = _children(holder)
    pairs: list[Any] = []
    for key, (page, widget) in enumerate(widgets, start=following):
        element = writer.add_object(_element(parent, page, widget))
        children.append(element)
        pairs += [generic.NumberObject(key), element]
        field = widget.get_object()
        field["/StructParent"] = generic.NumberObject(key)
        writer.update_container(field)
        if page.reference is not None and "/Tabs" not in page.dictionary:
            page.dictionary["/Tabs"] = pdf_name("/S")
            writer.mark_update(page.reference)
    writer.update_container(children)
    writer.update_container(holder)
    _add_pairs(writer, parents, pairs)
    tree["/ParentTreeNextKey"] = generic.NumberObject(following + len(widgets))
    writer.update_container(tree)
    return True


def _element(parent: generic.IndirectObject, page: Page, widget: generic.IndirectObject) -> generic.DictionaryObject:
    shown = generic.DictionaryObject({pdf_name("/Type"): pdf_name("/OBJR"), pdf_name("/Obj"): widget})
    element = generic.DictionaryObject(
        {
            pdf_name("/Type"): pdf_name("/StructElem"),
            pdf_name("/S"): pdf_name("/Form"),
            pdf_name("/P"): parent,
            pdf_name("/K"): shown,
        }
    )
    if page.reference is not None:
        where = generic.IndirectObject(page.reference.idnum, page.reference.generation, page.reference.pdf)
        element["/Pg"] = shown["/Pg"] = where
    return element


def _parent(
    tree: generic.DictionaryObject, top: generic.IndirectObject
) -> tuple[generic.IndirectObject, generic.DictionaryObject]:
    """The element that holds the whole document, where there is one; else the root of the tree."""
    raw = tree.raw_get("/K") if "/K" in tree else None
    below = raw.get_object() if isinstance(raw, generic.IndirectObject) else raw
    if isinstance(below, generic.ArrayObject) and len(below) == 1:
        raw = below.raw_get(0)
        below = raw.get_object() if isinstance(raw, generic.IndirectObject) else raw
    if isinstance(raw, generic.IndirectObject) and isinstance(below, generic.DictionaryObject):
        return (raw, below) if entry(below, "/S") == "/Document" else (top, tree)
    return top, tree


def _children(holder: generic.DictionaryObject) -> generic.ArrayObject:
    """The children of an element as a list, which one that had a single child, or none, gets now."""
    held = entry(holder, "/K")
    if not isinstance(held, generic.ArrayObject):
        held = generic.ArrayObject([holder.raw_get("/K")] if "/K" in holder else [])
        holder["/K"] = held
    return held


def _next_key(tree: generic.DictionaryObject, parents: Any) -> int | None:
    """The first number of the tree of parents that is free; None for a tree that is not sound."""
    highest = -1
    waiting: list[tuple[Any, int]] = [(parents, 0)]
    seen = 0
    while waiting:
        node, depth = waiting.pop()
        seen += 1
        if not isinstance(node, generic.DictionaryObject) or depth > MAX_DEPTH or seen > MAX_NODES:
            return None
        pairs, kids = entry(node, "/Nums"), entry(node, "/Kids")
        if isinstance(kids, generic.ArrayObject) and pairs is None and len(kids) <= MAX_NODES:
            waiting.extend((kid, depth + 1) for kid in entries(kids))
            continue
        if not isinstance(pairs, generic.ArrayObject) or kids is not None or len(pairs) % 2:
            return None
        keys = [pairs[index] for index in range(0, len(pairs), 2)]
        if not all(isinstance(key, int) for key in keys) or any(b <= a for a, b in pairwise(keys)):
            return None
        highest = max(highest, *keys) if keys else highest
    noted = entry(tree, "/ParentTreeNextKey")
    following = max(highest + 1, noted if isinstance(noted, int) else 0)
    return int(following) if following <= HIGHEST_KEY else None


def _add_pairs(writer: IncrementalPdfFileWriter, parents: Any, pairs: list[Any]) -> None:
    """Behind all others, so that the numbers stay in order."""
    listed = entry(parents, "/Nums")
    if listed is not None:
        listed.extend(pairs)
    else:
        leaf = generic.DictionaryObject(
            {
                pdf_name("/Limits"): generic.ArrayObject([pairs[0], pairs[-2]]),
                pdf_name("/Nums"): generic.ArrayObject(pairs),
            }
        )
        listed = entry(parents, "/Kids")
        listed.append(writer.add_object(leaf))
    writer.update_container(listed)
    writer.update_container(parents)
