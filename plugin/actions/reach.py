"""Can a flow still be served: is its creator's account there, does he reach the documents, are the others there."""

from __future__ import annotations

from plugin.actions.acting import RECIPIENT_GONE
from plugin.actions.context import Context
from plugin.actions.revisions import may_write, revision_folder
from plugin.flow.errors import NotFound, OutOfReach
from plugin.flow.model import Flow
from plugin.ports import Account
from plugin.ports_files import READ_ONLY
from plugin.ports_state import Loaded

RECIPIENT_OUT = "recipient-out"
"""The account of somebody whose turn it is was disabled."""


def check_reach(ctx: Context, flow_id: str) -> Loaded:
    """Looks at the state file, which is taken in or put right, and at every folder that holds a document: what lies
    there must be there for the creator, and his to write.

    Raises: AccountOut, OutOfReach; NotFound; ChainBroken; Unavailable.
    """
    ctx.flows.check(flow_id)
    loaded = ctx.flows.load(flow_id)
    if loaded is None:
        raise NotFound
    first = loaded.flow.documents[0].folder.value
    lies_beside_first = loaded.place.folder != revision_folder("", flow_id)
    for folder, file_ids in _folders(loaded.flow).items():
        kept = revision_folder(folder, flow_id)
        if kept == loaded.place.folder or (lies_beside_first and folder == first):
            continue  # the state file is there, wherever that folder was moved to
        owner = loaded.place.owner
        if all(ctx.files.by_id(owner, one) is None for one in file_ids) and ctx.files.stat(owner, kept) is None:
            raise OutOfReach
    if not may_write(ctx, loaded):
        raise OutOfReach(READ_ONLY)
    return loaded


def _folders(flow: Flow) -> dict[str, list[str]]:
    """Where revisions lie beside documents -> the ids of those documents."""
    found: dict[str, list[str]] = {}
    for document in flow.documents:
        if not document.kept_at_home and document.folder.value:
            found.setdefault(document.folder.value, []).append(document.file_id)
    return found


def note_absences(ctx: Context, loaded: Loaded) -> None:
    """Whose turn it is and whose account is out of service stands among the troubles, and no longer than that."""
    flow = loaded.flow
    noted = {(t.person, t.reason) for t in ctx.vault.troubles(flow.id) if t.person}
    for recipient in flow.recipients:
        is_asked = recipient.state.is_open and not flow.state.is_ended
        states = {reason for person, reason in noted if person == recipient.id}
        if not is_asked or recipient.user is None or not recipient.user.value:
            account = Account.ACTIVE
        else:
            meant = recipient.account.value if recipient.account is not None else None
            if RECIPIENT_GONE in states and meant is None:
                continue  # nothing tells the one who bears that login now from the one who was asked
            account = ctx.accounts.state(recipient.user.value, meant)
        if account is not Account.ACTIVE:
            reason = RECIPIENT_GONE if account is Account.GONE else RECIPIENT_OUT
            ctx.vault.note_trouble(flow.id, reason, recipient.id, ctx.clock())
            states.discard(reason)
        for reason in states:
            ctx.vault.end_trouble(flow.id, reason, recipient.id)
