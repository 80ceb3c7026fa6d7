"""What a check of a signed PDF found, in people's words: for the page to verify and for the command line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from pdfops.changes import Change
from pdfops.text import shown_name
from pdfops.trust import judge, together
from pdfops.verify import Integrity, Verification
from plugin.i18n import mark as _
from plugin.i18n import translations

CHANGES: Final[Mapping[str, str]] = {
    "field-filled": _("The field “%(subject)s” was filled in."),
    "field-changed": _("The field “%(subject)s” was changed."),
    "field-added": _("A field was added: “%(subject)s”."),
    "field-removed": _("The field “%(subject)s” was removed."),
    "field-look-changed": _("What the field “%(subject)s” shows was replaced; its value was not."),
    "form-changed": _("How the form's fields are shown was changed."),
    "signature-removed": _("The signature in the field “%(subject)s” was removed or replaced."),
    "page-content-changed": _("The content of page %(number)s was replaced."),
    "page-changed": _("Page %(number)s was changed."),
    "pages-added": _("Pages were added: %(number)s."),
    "pages-removed": _("Pages were removed: %(number)s."),
    "pages-reordered": _("The order of the pages was changed."),
    "note-added": _("Something was put on page %(number)s: a note, a drawing or a link."),
    "note-changed": _("A note, a drawing or a link on page %(number)s was changed."),
    "note-removed": _("A note, a drawing or a link was taken off page %(number)s."),
    "information-changed": _("The document's information, as its title or author, was changed."),
    "start-actions-changed": _("What happens when the document is opened was changed."),
    "attachments-changed": _("The attached files were changed."),
    "layers-changed": _("Which layers of the document are shown was changed."),
    "other-changed": _("Some other part of the document was changed."),
    "bytes-appended": _("%(number)s bytes were put behind the end of the document."),
}
AFTER: Final[tuple[str, ...]] = (
    _("Before the first signature."),
    _("After the first signature."),
    _("After the second signature."),
    _("After signature %(after)s."),
)
VERDICTS: Final[Mapping[Integrity, str]] = {
    "intact": _("The document is intact: it is what was signed."),
    "changed": _("The document was changed after it was signed. Do not rely on it."),
    "broken": _("A signature does not fit this document. Do not rely on it."),
    "unsigned": _("Nobody signed this document."),
    "unverifiable": _("The signatures of this document cannot be checked. Do not rely on it."),
}
UNEXAMINED: Final = _(
    "Every signature fits its bytes, but what was done between them and after could not be examined here. Do not rely "
    "on it without asking whoever sent it."
)
UNLISTED: Final = _("The document was changed in a way that cannot be described.")


def change_sentence(change: Change, language: str) -> str:
    """When and what, as "After the second signature. The field “amount” was changed."."""
    say = translations(language).gettext
    values = {"subject": change.subject, "number": change.number, "after": change.after}
    when = say(AFTER[min(change.after, len(AFTER) - 1)]) % values
    return f"{when} {say(CHANGES[change.kind]) % values}"


def change_sentences(verification: Verification, language: str) -> list[str]:
    """Every change, allowed or not, in order. A change for the worse is told even where nothing could be listed."""
    told = [change_sentence(change, language) for change in verification.changes or ()]
    if not told and verification.integrity == "changed":
        told = [translations(language).gettext(UNLISTED)]
    return told


def verdict(verification: Verification, roots: Sequence[bytes], language: str) -> dict[str, Any]:
    """All of it as values for JSON: integrity, trust, message, signatures, changes. ``roots``: certificates, DER.

    ``signer`` is whom the certificate names, ``name`` what the seal says of itself, as for whom it was put.
    ``signed_at`` is what a signer claims, ``attested_at`` what a trusted timestamp says.
    """
    judged = judge(verification, roots)
    return {
        "integrity": verification.integrity,
        "trust": together(verification, [one.trust for one in judged]),
        "message": translations(language).gettext(_message(verification)),
        "signatures": [
            {
                "field": shown_name(one.field),
                "signer": one.signer,
                "name": one.name,
                "signed_at": one.signed_at.isoformat() if one.signed_at else None,
                "covers": one.covers,
                "integrity": one.integrity,
                "trust": judgement.trust,
                "attested_at": judgement.attested_at.isoformat() if judgement.attested_at else None,
                "level": None if one.is_timestamp else one.level,
                "kind": "timestamp" if one.is_timestamp else "signature",
                "reason": one.reason,
            }
            for one, judgement in zip(verification.signatures, judged, strict=True)
        ],
        "changes": change_sentences(verification, language),
    }


def _message(verification: Verification) -> str:
    if verification.integrity == "unverifiable" and all(one.intact for one in verification.signatures):
        return UNEXAMINED
    return VERDICTS[verification.integrity]
