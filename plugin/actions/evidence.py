"""The evidence record: who did what, when and how, as signed JSON that can be checked without this server."""

from __future__ import annotations

import base64
from collections.abc import Collection
from typing import Any

import rfc8785

from pdfops.lasting import is_self_issued
from plugin.actions.context import Context
from plugin.flow.model import Flow, Kind, Personal, Recipient
from plugin.ports_state import Loaded

EVIDENCE_FORMAT = 1
SELF_MADE = (
    "Digitised signatures, sealed by the organisation's key. The certificate was made by this server and is confirmed "
    "by nobody else. Times are this server's clock, in UTC; one that an authority attested stands in the document."
)
OUTSIDE = (
    "Digitised signatures, sealed by the organisation's key. Each document holds the certificates of its seals, with "
    "who vouches for them. Times are this server's clock, in UTC; one that an authority attested stands in the "
    "document."
)

APPROVALS = (
    "Decisions about exactly the content whose SHA-256 is given; no signature was put into a document. Times are this "
    "server's clock, in UTC."
)
LEFT_OUT = ("ip", "ip_source", "user_agent", "phone")
"""What stands in the full record alone."""


def evidence(ctx: Context, loaded: Loaded, *, beside: bool = False) -> dict[str, Any]:
    """The full record, signed: ``sig`` is Ed25519 over the canonical JSON (RFC 8785) of all but ``sig``.

    ``beside``: for the copy beside the files, which others may read: without what is in ``LEFT_OUT``.

    ``key`` states the public key and is itself signed by the organisation's seal certificate. ``seal``: how seals are
    made when the record is; each document holds the certificates and timestamps of its own.
    """
    flow = loaded.flow
    is_self_made = is_self_issued(ctx.signer.chain[0])
    record: dict[str, Any] = {
        "evidence_format": EVIDENCE_FORMAT,
        "product": f"Parapheur {ctx.version}",
        "made_at": _time(ctx.clock()),
        "provisional": not flow.state.is_ended,
        "organisation": ctx.identity.organisation,
        "claim": APPROVALS if flow.kind is Kind.VALIDATION else SELF_MADE if is_self_made else OUTSIDE,
        "left_out": list(LEFT_OUT) if beside else [],
        "seal": {"self_made": is_self_made, "level": ctx.lasting.level if ctx.lasting else "b-b"},
        "flow": {
            "id": flow.id,
            "kind": str(flow.kind),
            "state": str(flow.state),
            "title": flow.title.value,
            "comment": _clear(flow.comment),
            "created_at": _time(flow.created_at),
            "ended_at": _time(flow.ended_at) if flow.ended_at else None,
            "time_zone": flow.time_zone,
            "copy_to_all": flow.copy_to_all,
            "expires_at": _time(flow.expires_at) if flow.expires_at else None,
            "ended_by": str(flow.ended_by) if flow.ended_by else None,
            "end_reason": _clear(flow.end_reason),
            "erased": sorted(flow.erased),
            "creator": {
                "user": flow.creator.user.value,
                "name": flow.creator.name.value,
                "email": _clear(flow.creator.email),
                "origin": "host account",
            },
        },
        "steps": [{"rule": step.rule, "n": step.n, "recipients": list(step.recipients)} for step in flow.steps],
        "documents": [_document(flow, n) for n in range(len(flow.documents))],
        "recipients": [_recipient(ctx, flow, r) for r in flow.recipients],
        "placements": [
            {
                "document": p.document,
                "page": p.page,
                "recipient": p.recipient,
                "field": p.field,
                "box_millionths": [p.x, p.y, p.w, p.h],
                "with_text": p.with_text,
                "reason": _clear(p.reason),
            }
            for p in flow.placements
        ],
        "events": [
            {
                "seq": r.seq,
                "at": _time(r.at),
                "type": r.type,
                "actor": r.actor,
                "data": without(clear(r.data), LEFT_OUT) if beside else clear(r.data),
            }
            for r in loaded.records
        ],
        "chain": {"head": loaded.head, "length": loaded.length},
        "kid": ctx.identity.kid,
        "key": ctx.identity.key_statement,
    }
    signature = ctx.identity.sign(rfc8785.dumps(record))
    return {**record, "sig": base64.urlsafe_b64encode(signature).rstrip(b"=").decode()}


def clear(value: Any) -> Any:
    """The values of an event with the personal ones in clear; null where a person was erased."""
    if isinstance(value, Personal):
        return value.value
    if isinstance(value, dict):
        return {name: clear(member) for name, member in value.items()}
    if isinstance(value, list | tuple):
        return [clear(item) for item in value]
    return value


def without(value: Any, names: Collection[str]) -> Any:
    """The same without the members of these names, however deep they stand."""
    if isinstance(value, dict):
        return {name: without(member, names) for name, member in value.items() if name not in names}
    if isinstance(value, list):
        return [without(item, names) for item in value]
    return value


def _document(flow: Flow, n: int) -> dict[str, Any]:
    document = flow.documents[n]
    return {
        "n": n,
        "file_id": document.file_id,
        "name": document.name.value,
        "size_bytes": document.size_bytes,
        "mime": document.mime,
        "pages": document.pages,
        "certified_at_launch": document.is_certified,
        "sha256_original": document.sha256,
        "sha256_revisions": list(document.revisions),
        "sha256_final": document.signed.sha256 if document.signed else None,
        "signed_copy": document.signed.path.value if document.signed else None,
        "signed_copy_instead": str(document.signed.instead) if document.signed and document.signed.instead else None,
        "source": str(document.source),
    }


def _recipient(ctx: Context, flow: Flow, recipient: Recipient) -> dict[str, Any]:
    opened = ctx.vault.opened(flow.id).get((recipient.id, recipient.round))
    return {
        "id": recipient.id,
        "step": next((n for n, step in enumerate(flow.steps) if recipient.id in step.recipients), None),
        "role": str(recipient.role),
        "name": recipient.name,
        "user": _clear(recipient.user),
        "email": _clear(recipient.email),
        "origin": "declared by the sender" if recipient.is_external else "host account",
        "authentication": "personal link by e-mail" if recipient.is_external else "session of the host",
        "state": str(recipient.state),
        "round": recipient.round,
        "invited_at": _time(recipient.invited_at) if recipient.invited_at else None,
        "opened_at": _time(opened) if opened else None,
        "viewed_documents": sorted(recipient.viewed),
        "decided_at": _time(recipient.decided_at) if recipient.decided_at else None,
        "comment": _clear(recipient.comment),
        "reason": _clear(recipient.reason),
        "replaces": recipient.replaces,
        "has_delegated": recipient.has_delegated,
        "reminders": recipient.reminders,
    }


def _clear(value: Personal | None) -> str | None:
    return value.value if value is not None else None


def _time(at: Any) -> str:
    return str(at.isoformat(timespec="milliseconds")).replace("+00:00", "Z")
