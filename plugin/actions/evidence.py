"""The evidence record: who did what, when and how, as signed JSON that can be checked without this server."""

from __future__ import annotations

import base64
from typing import Any

import rfc8785

from pdfops.lasting import is_self_issued
from plugin.actions.context import Context
from plugin.flow.model import Flow, Personal, Recipient
from plugin.ports import Loaded

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


def evidence(ctx: Context, loaded: Loaded) -> dict[str, Any]:
    """The full record, signed: ``sig`` is Ed25519 over the canonical JSON (RFC 8785) of all but ``sig``.

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
        "claim": SELF_MADE if is_self_made else OUTSIDE,
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
            "creator": {
                "user": flow.creator.user.value,
                "name": flow.creator.name.value,
                "email": _clear(flow.creator.email),
                "origin": "host account",
            },
        },
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
            {"seq": r.seq, "at": _time(r.at), "type": r.type, "actor": r.actor, "data": clear(r.data)}
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
    }


def _clear(value: Personal | None) -> str | None:
    return value.value if value is not None else None


def _time(at: Any) -> str:
    return str(at.isoformat(timespec="milliseconds")).replace("+00:00", "Z")
