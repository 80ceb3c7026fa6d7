"""What creator and admin are told about a flow that needs a hand."""

from __future__ import annotations

from plugin.actions.acting import RECIPIENT_GONE
from plugin.actions.reach import RECIPIENT_OUT
from plugin.actions.waiting import (
    BUSY,
    COPIES,
    EVIDENCE,
    FULL,
    MISSING,
    NO_ACCESS,
    NOT_MADE,
    OUT,
    waiting,
)
from plugin.flow.model import Flow, Kind, SourceState, SuspendReason
from plugin.i18n import mark as _
from plugin.i18n import translations
from plugin.ports_files import READ_ONLY
from plugin.ports_state import (
    DAMAGED,
    NEWER,
    QUARANTINED,
    RESTORED,
    UNKNOWN_KEY,
)
from plugin.web.language import language
from plugin.web.office import office
from plugin.web.schemas import WaitingOut
from plugin.whereabouts import why_elsewhere

TO_CREATOR = {
    SuspendReason.CREATOR_OUT: _("Suspended: your account was out of service. It goes on by itself in a moment."),
    SuspendReason.CREATOR_GONE: _("Suspended: this account is not the one that sent it."),
    SuspendReason.NO_ACCESS: _(
        "Suspended: you have no access to its documents any more, or only to read. It goes on once you have it again."
    ),
    SuspendReason.SOURCE_CHANGED: _("Suspended: a file was changed after it was sent. Choose how it goes on."),
    SuspendReason.SOURCE_GONE: _("Suspended: a file is not there any more. Choose how it goes on."),
}
TO_OTHERS = {
    SuspendReason.CREATOR_OUT: _("Suspended: {name}’s account is disabled. It goes on once the account is enabled."),
    SuspendReason.CREATOR_GONE: _("Suspended: {name}’s account was deleted, and the documents with it."),
    SuspendReason.NO_ACCESS: _(
        "Suspended: {name} has no access to its documents any more, or only to read. It goes on once it is back."
    ),
    SuspendReason.SOURCE_CHANGED: _("Suspended: a file was changed after it was sent. {name} chooses how it goes on."),
    SuspendReason.SOURCE_GONE: _("Suspended: a file is not there any more. {name} chooses how it goes on."),
}
OF_RECIPIENTS = {
    RECIPIENT_OUT: _("{name}’s account is disabled: nothing goes on here until it is enabled again."),
    RECIPIENT_GONE: _("{name}’s account was deleted: nobody can decide in this place any more."),
}
OF_SOURCES = {
    (Kind.VALIDATION, SourceState.CHANGED): _("“{name}” was changed after it was sent: what counts is what was sent."),
    (Kind.VALIDATION, SourceState.GONE): _("“{name}” is not there any more: what counts is what was sent."),
    (Kind.SIGNATURE, SourceState.CHANGED): _(
        "“{name}” was changed after it was sent: what was sent is what is signed."
    ),
    (Kind.SIGNATURE, SourceState.GONE): _("“{name}” is not there any more: what was sent is what is signed."),
}
OF_STATE_FILES = {
    QUARANTINED: _("What lay in this workflow’s folder was not what the server had written. It was set aside there."),
    RESTORED: _(
        "This workflow’s record was altered or deleted in its folder and has been put back from a signed copy."
    ),
    DAMAGED: _("This workflow’s record is not what was written, and there is no signed copy to put back."),
    UNKNOWN_KEY: _(
        "Suspended: its record is signed by a key this server does not know. It goes on once that key is put back."
    ),
    NEWER: _("Suspended: a newer version of this server has written to it. It goes on once the server is updated."),
}
ERASED_HERE = _(
    "Erased on this server. The sender’s account was deleted, and its files cannot be reached: where the platform "
    "still keeps some of them, these data may be there, too."
)

WHY_WAITING = {
    FULL: _("There is no room left in {name}’s files."),
    BUSY: _("A file is in use at the moment."),
    READ_ONLY: _("Nothing may be written in the folder at the moment."),
    NO_ACCESS: _("{name} has no access to the folder at the moment."),
    OUT: _("The platform does not answer as it should."),
    MISSING: _("A signed revision is missing beside its document."),
    NOT_MADE: _("It could not be made or sealed."),
}
WHAT_WAITS = {
    COPIES: _("Everyone has signed. The signed copies wait and are stored by themselves. {why}"),
    EVIDENCE: _("The evidence record waits and is stored by itself. {why}"),
}


def waiting_of(flow: Flow) -> WaitingOut | None:
    found = waiting(office().ctx.vault, flow)
    if found is None:
        return None
    words = translations(language()).gettext
    why = words(WHY_WAITING[found.reason]).format(name=flow.creator.name.value or "")
    sentence = words(WHAT_WAITS[found.work]).format(why=why)
    since = found.since.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return WaitingOut(reason=found.reason, since=since, sentence=sentence)


def warnings_of(flow: Flow, uid: str | None) -> list[str]:
    catalogue = translations(language())
    words = catalogue.gettext
    found = why_elsewhere(flow, catalogue)
    waits = waiting_of(flow)
    if waits is not None:
        found.append(waits.sentence)
    if flow.suspension is not None:
        sentences = TO_CREATOR if uid is not None and flow.creator.user.value == uid else TO_OTHERS
        found.append(words(sentences[flow.suspension.reason]).format(name=flow.creator.name.value or ""))
    if not flow.state.is_ended:
        kind = Kind.VALIDATION if flow.kind is Kind.VALIDATION else Kind.SIGNATURE
        for document in flow.documents:
            if (kind, document.source) in OF_SOURCES:
                found.append(words(OF_SOURCES[kind, document.source]).format(name=document.name.value or ""))
    for trouble in office().ctx.vault.troubles(flow.id):
        if trouble.reason in OF_STATE_FILES:
            found.append(words(OF_STATE_FILES[trouble.reason]))
        elif flow.state.is_ended:
            continue
        elif trouble.reason in OF_RECIPIENTS and trouble.person:
            name = flow.recipient(trouble.person).name
            found.append(words(OF_RECIPIENTS[trouble.reason]).format(name=name))
    return found
