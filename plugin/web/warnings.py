"""What creator and admin are told about a flow that needs a hand."""

from __future__ import annotations

from plugin.actions.acting import RECIPIENT_GONE
from plugin.actions.reach import RECIPIENT_OUT
from plugin.flow.model import Flow, Kind, SourceState, SuspendReason
from plugin.i18n import mark as _
from plugin.i18n import translations
from plugin.ports import DAMAGED, QUARANTINED, RESTORED
from plugin.web.language import language
from plugin.web.office import office

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
}


def warnings_of(flow: Flow, uid: str | None) -> list[str]:
    words = translations(language()).gettext
    found = []
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
