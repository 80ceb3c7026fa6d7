"""Where the results of a flow are, in words: for the creator's last mail and for the page that he follows it on."""

from __future__ import annotations

from typing import Final, Protocol

from plugin.flow.model import Document, Flow, Instead, SaveMode
from plugin.i18n import mark as _

MAX_NAMES: Final = 5

OF_VERSIONS: Final = {
    Instead.CHANGED: _("Changed meanwhile, so left as it is, with the signed copy as a file of its own: %(names)s."),
    Instead.GONE: _("No longer there, so the signed copy is a file of its own: %(names)s."),
    Instead.LOCKED: _(
        "In use at that moment, so left as it is, with the signed copy as a file of its own: %(names)s."
    ),
    Instead.READ_ONLY: _("Only to be read, so left as it is, with the signed copy as a file of its own: %(names)s."),
}
OF_FOLDERS: Final = {
    Instead.GONE: _("The folder that was chosen for the results is not there any more."),
    Instead.READ_ONLY: _("Nothing may be written in the folder that was chosen for the results."),
}


class Words(Protocol):
    def gettext(self, message: str, /) -> str: ...

    def ngettext(self, one: str, many: str, count: int, /) -> str: ...


def where_the_copies_are(flow: Flow, words: Words) -> str:
    """With why they are not where they were to be, where that is so; "" for a flow without copies."""
    signed = [document for document in flow.documents if document.signed is not None]
    if not signed:
        return ""
    return " ".join([_places(flow, signed, words), *why_elsewhere(flow, words)])


def why_elsewhere(flow: Flow, words: Words) -> list[str]:
    names: dict[Instead, list[str]] = {}
    for document in flow.documents:
        if document.signed is not None and document.signed.instead is not None:
            names.setdefault(document.signed.instead, []).append(document.name.value or "")
    sentences = OF_FOLDERS if flow.save.mode is SaveMode.FOLDER else OF_VERSIONS
    return [
        words.gettext(sentences[instead]) % {"names": _listed(found)}
        for instead, found in names.items()
        if instead in sentences
    ]


def where_the_evidence_is(flow: Flow, words: Words) -> str:
    """ "" where it is not laid down yet."""
    if flow.evidence is None or not flow.evidence.path.value:
        return ""
    return words.gettext("The evidence record is stored as “%(path)s”.") % {"path": flow.evidence.path.value}


def _places(flow: Flow, signed: list[Document], words: Words) -> str:
    count = len(signed)
    match sorted({_place(flow, document) for document in signed}):
        case ["beside"]:
            return words.ngettext(
                "The signed copy lies beside the original.", "The signed copies lie beside the originals.", count
            )
        case ["home"]:
            return words.ngettext(
                "The signed copy is at the top of your own files.",
                "The signed copies are at the top of your own files.",
                count,
            )
        case ["beside", "home"]:
            return words.gettext(
                "The signed copies lie beside the originals, or at the top of your own files where a folder takes "
                "none."
            )
        case ["version"]:
            return words.ngettext(
                "The signed copy is the newest version of the original.",
                "The signed copies are the newest versions of the originals.",
                count,
            )
        case ["folder"]:
            folder = _path(signed[0]).rpartition("/")[0]
            return words.ngettext(
                "The signed copy is in the folder “%(folder)s”.",
                "The signed copies are in the folder “%(folder)s”.",
                count,
            ) % {"folder": folder}
        case _:
            paths = {"paths": _listed([_path(document) for document in signed])}
            return words.gettext("The signed copies are stored as: %(paths)s.") % paths


def _place(flow: Flow, document: Document) -> str:
    assert document.signed is not None
    if flow.save.mode is SaveMode.VERSION and document.signed.file_id == document.file_id:
        return "version"
    if flow.save.mode is SaveMode.FOLDER and document.signed.instead is None:
        return "folder" if "/" in _path(document) else "home"
    is_at_the_top = "/" not in _path(document) and bool(document.folder.value)
    return "home" if document.kept_at_home or is_at_the_top else "beside"


def _path(document: Document) -> str:
    return (document.signed.path.value or "") if document.signed is not None else ""


def _listed(names: list[str]) -> str:
    return ", ".join(names[:MAX_NAMES]) + (", …" if len(names) > MAX_NAMES else "")
