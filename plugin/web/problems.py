"""Errors as problem+json (RFC 9457), in the caller's language: the one place that maps codes to sentences."""

from __future__ import annotations

from flask import Response, current_app, json

from pdfops.errors import PdfError
from plugin.actions.papers import unusable
from plugin.flow.errors import Conflict, Forbidden, Invalid, NotFound, ParapheurError, Refused, Unavailable
from plugin.i18n import mark as _
from plugin.i18n import translations

SENTENCES: dict[str, str] = {
    "internal": _("Something went wrong on our side. Nothing was lost; please try again."),
    "invalid": _("This value cannot be used."),
    "unknown-field": _("This field is not known."),
    "field-missing": _("This field is required."),
    "not-json": _("The request is not valid JSON."),
    "too-large": _("The request is too large."),
    "not-available-yet": _("This is not available yet."),
    "not-found": _("Not for this account, or not there."),
    "not-signed-in": _("Please log in first."),
    "not-the-host": _("Only the platform may call this."),
    "method-not-allowed": _("This cannot be done here."),
    "foreign-origin": _("The request came from another site."),
    "page-expired": _("This page was open for too long. It has been refreshed; please try again."),
    "not-your-turn": _("It is not your turn yet."),
    "already-decided": _("You have already decided."),
    "replaced": _("Somebody else has taken your place in this workflow."),
    "not-needed": _("Enough others have decided. Nothing is left for you to do."),
    "all-decided": _("Everybody has decided already: nothing can be changed any more."),
    "nobody-to-remind": _("At the moment it is nobody’s turn whom you could remind."),
    "not-invited-yet": _("The invitation is still on its way: nobody is reminded before it."),
    "reminded-recently": _("Reminded a moment ago: please wait an hour."),
    "email-only": _("Give an e-mail address."),
    "delegation-not-allowed": _("The sender has not allowed to hand this over to somebody else."),
    "only-validations-restart": _("Signatures cannot be asked for again in the same workflow. Start a new one."),
    "flow-running": _("This person still takes part. Personal data can be erased once the workflow has ended."),
    "source-changed": _("A file was changed after it was sent. The sender chooses how it goes on."),
    "source-gone": _("A file is not there any more. The sender chooses how it goes on."),
    "flow-suspended": _("This workflow is suspended."),
    "flow-ended": _("This workflow has ended."),
    "flow-newer": _(
        "A newer version of this server has written to this workflow. It can be read; it goes on once the server is "
        "updated."
    ),
    "not-suspended": _("This workflow is not suspended."),
    "creator-out": _("The sender’s account is disabled. The workflow goes on once it is enabled."),
    "creator-gone": _("The sender’s account was deleted. The workflow cannot go on."),
    "no-access": _(
        "The sender has no access to the documents any more, or only to read. The workflow goes on once it is back."
    ),
    "account-out": _("The platform does not let the sender’s account act at the moment."),
    "documents-changed": _("The documents have changed since you opened this page. Please read them again."),
    "state-changed": _("Somebody else was faster. Please look again."),
    "wrong-act": _("Your part in this workflow is another one."),
    "consent-required": _("Please confirm that you agree to sign electronically."),
    "reason-required": _("Please give a reason."),
    "no-such-document": _("There is no such document in this workflow."),
    "document-missing": _("Your decision must name every document."),
    "no-documents": _("Choose at least one document."),
    "too-many-documents": _("A workflow can hold %(limit)s documents at most."),
    "not-for-your-groups": _("Your groups may not start this type of workflow."),
    "duplicate-document": _("This document is already in the list."),
    "no-recipients": _("Choose at least one recipient."),
    "too-many-recipients": _("A workflow can have %(limit)s recipients at most."),
    "duplicate-recipient": _("This person is already in the list."),
    "no-such-recipient": _("There is no such recipient."),
    "no-signatory": _("A signature needs at least one signatory."),
    "no-such-user": _("There is no such user, or the account is disabled."),
    "user-or-email": _("Give either a user or an e-mail address."),
    "bad-email": _("This is not a complete e-mail address."),
    "role-does-not-fit": _("In an approval everybody is a validator."),
    "mixed-step": _("People who act side by side have the same part: all approve, or all sign."),
    "more-than-there-are": _("This step has %(most)s people: ask for 1 to %(most)s of them."),
    "no-such-step": _("Nobody acts in this step."),
    "duplicate-step": _("This step is already in the list."),
    "bad-time": _("Give a date, or a time with its time zone, as in 2026-01-31T18:00:00+01:00."),
    "no-such-time-zone": _("There is no such time zone."),
    "folder-without-mode": _("A folder is chosen only where the results are to go to another folder."),
    "no-such-group": _("You are not in this group."),
    "too-many-kept": _("You can keep %(limit)s of these at most. Throw one away first."),
    "no-such-folder": _("There is no such folder."),
    "folder-read-only": _("You may only read in this folder. Choose another one."),
    "only-observers": _("Somebody has to approve or to sign."),
    "in-the-past": _("This time has passed already."),
    "too-far": _("This time is too far ahead."),
    "not-later": _("The deadline can only be moved to a later time."),
    "out-of-range": _("Choose a number from %(least)s to %(most)s."),
    "no-version-of-a-validation": _("An approval makes no new version of the file."),
    "validator-after-signatory": _("Validators come before signatories."),
    "no-stamps-in-a-validation": _("An approval has no stamps."),
    "no-such-page": _("There is no such page."),
    "outside-page": _("The stamp lies outside the page."),
    "stamp-too-small": _("The stamp is too small: %(width_pt)s × %(height_pt)s points at least."),
    "stamp-for-non-signatory": _("Only signatories have stamps."),
    "stamp-missing": _("Every signatory needs at least one stamp in every document."),
    "no-such-file": _("This file is not there any more."),
    "is-a-folder": _("A folder cannot be sent; choose files."),
    "over-the-limit": _("Refused: the documents of one signature may hold %(limit_mb)s MB together."),
    "file-over-the-limit": _("Refused: a file to approve may hold %(limit_mb)s MB at most."),
    "not-a-pdf": _("Refused: only a PDF can be signed. Convert it to PDF."),
    "encrypted": _("Password-protected PDF: remove the protection."),
    "damaged": _("This PDF is damaged and cannot be signed."),
    "certified": _("This PDF is certified: its author allows no further signature."),
    "already-signed": _("This PDF carries a signature already, so it can no longer be certified."),
    "xfa-form": _("This PDF is an XFA form, whose pages are made only when it is opened. Print it as a PDF first."),
    "too-many-pages": _("This PDF has too many pages."),
    "unrenderable": _("Page %(page)s of this PDF cannot be shown, so it cannot be signed."),
    "too-slow": _("This PDF takes too long to read and cannot be used."),
    "too-heavy": _("This PDF needs too much memory and cannot be used."),
    "bad-image": _("This image cannot be used. Choose a PNG or JPEG with a signature on it."),
    "image-too-large": _("This image is too large: 2 MB at most."),
    "glyph-missing": _("No font here can draw these characters of “%(text)s” on a stamp: %(characters)s"),
    "not-verified": _("The sealed PDF did not pass our own check; nothing was signed."),
    "key-unavailable": _(
        "The organisation’s key cannot be reached at the moment. Nothing was signed; please try again in a moment."
    ),
    "too-much-growth": _("This image would make the document too large."),
    "no-free-name": _("Too many files have that name already."),
    "host-unavailable": _("The platform is not responding. Nothing was lost; please try again in a moment."),
    "host-maintenance": _("The platform is in maintenance. Nothing was lost; please try again in a few minutes."),
    "host-slow": _("The platform is very slow at the moment. Nothing was lost; please try again in a moment."),
    "host-refuses": _(
        "Parapheur is not connected to the platform at the moment. Nothing was lost; an administrator has to look at "
        "it."
    ),
    "wrong-secret": _(
        "The platform and Parapheur do not recognise each other at the moment. Nothing was lost; an administrator has "
        "to look at it."
    ),
    "host-busy": _("The file is in use at the moment. Please try again shortly."),
    "flow-busy": _("Somebody else is acting on this workflow right now. Please try again shortly."),
    "still-launching": _("The documents of this workflow are still being read. Please ask again in a moment."),
    "document-changing": _("This file is being changed at the moment. Please try again once it is saved."),
    "file-too-large": _("A file of this workflow was replaced by one that is too large to be read."),
    "host-full": _("There is no room left in the owner's files."),
    "read-only": _(
        "The sender can no longer write in the document's folder. Nothing was lost; please try again later."
    ),
    "half-written": _("The platform did not store the file whole. Nothing was lost; please try again."),
    "revision-missing": _("The document cannot be reached at the moment. The sender has to look at it."),
    "storage-unavailable": _("The server cannot store anything at the moment. Nothing was lost; please try again."),
    "time-not-attested": _(
        "The time of the signature cannot be attested at the moment. Nothing was signed or lost; please try again in "
        "a few minutes."
    ),
    "unreachable": _("An authority that has to be asked does not answer."),
    "timestamp-refused": _("What the timestamp authority answered is not a timestamp of this document."),
    "validation-data-missing": _("It cannot be shown that a certificate of the seal is good."),
    "workshop-busy": _("Many documents are being worked on right now. Please try again shortly."),
    "index-missing": _("The list of workflows is being rebuilt. Please try again in a moment."),
    "unknown-key": _("The record of this workflow is signed by a key this server does not know. Nothing was changed."),
    "chain-broken": _("The record of this workflow is not what was written. The sender has to look at it."),
    "unavailable": _("Not possible at the moment. Please try again shortly."),
}
"""Every code there is. A test compares it with the codes that the product raises."""

BY_WHAT = {("replaced", "newer-link"): _("This link was replaced by a newer one. Look for the newest e-mail.")}
"""Where ``by`` of the values says more than the code."""

STATUS = {"not-signed-in": 401, "not-the-host": 401, "too-large": 413, "method-not-allowed": 405, "invalid": 422}


def sentence(code: str, language: str, values: dict[str, object] | None = None) -> str:
    """The code's sentence, filled in. An unknown code speaks as ``internal``."""
    found = BY_WHAT.get((code, str((values or {}).get("by")))) or SENTENCES.get(code, SENTENCES["internal"])
    text = translations(language).gettext(found)
    try:
        return text % (values or {}) if "%(" in text else text
    except KeyError:
        return text


def status_of(error: ParapheurError) -> int:
    if error.code in STATUS:
        return STATUS[error.code]
    if isinstance(error, NotFound):
        return 404
    if isinstance(error, Conflict):
        return 409
    if isinstance(error, Forbidden):
        return 403
    if isinstance(error, Unavailable):
        return 503
    return 422 if isinstance(error, Refused) else 500


def problem(error: ParapheurError, language: str, more: list[dict[str, object]] | None = None) -> Response:
    """The answer for an error: status, stable code, a sentence, the field's path, when to try again."""
    values = dict(error.values)
    body: dict[str, object] = {
        "type": "about:blank",
        "title": sentence(error.code, language, dict(values)),
        "status": status_of(error),
        "code": error.code,
        **{name: value for name, value in values.items() if name not in ("type", "title", "status", "code")},
    }
    if more is not None:
        body["errors"] = more
    elif isinstance(error, Invalid):
        body["errors"] = [{"path": error.path, "code": error.code, "message": body["title"]}]
    answer = current_app.response_class(json.dumps(body), status=status_of(error), mimetype="application/problem+json")
    if isinstance(error, Unavailable):
        answer.headers["Retry-After"] = str(error.retry_after_s)
    return answer


def from_pdf_error(error: PdfError) -> ParapheurError:
    """What a parser refused, as the caller's mistake."""
    return unusable(error, "", "")
