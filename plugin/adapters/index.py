"""The index: a copy of each log and the lists made from it. Every row follows from the state files alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from plugin.adapters.chain import from_instant, instant
from plugin.adapters.index_tables import check_ready, ix_file, ix_flow, ix_link, ix_person
from plugin.adapters.sql import Database
from plugin.flow.events import PersonErased
from plugin.flow.model import Flow, FlowState, Personal, RecipientState
from plugin.flow.owed import due_at
from plugin.flow.tokens import link_token, token_hash
from plugin.ports_state import (
    LinkRow,
    ListRow,
    Loaded,
    StatePlace,
)

_LISTED = [column for column in ix_flow.c if column.name not in ("log", "search", "path", "etag", "erased")]
_TABLES = (ix_flow, ix_file, ix_link, ix_person)
_ENDED = [str(state) for state in FlowState if state.is_ended]
_NOT_ENDED = [str(state) for state in FlowState if not state.is_ended]
_NOT_HIS_BUSINESS = [str(RecipientState.WAITING), str(RecipientState.SKIPPED), str(RecipientState.REPLACED)]


@dataclass(frozen=True, slots=True)
class Copy:
    """What the index keeps of one state file. Nothing of it is trusted before it was verified."""

    flow_id: str
    place: StatePlace
    etag: str
    log: bytes
    head: str


class Row(NamedTuple):
    """What the rows of one flow are made from."""

    loaded: Loaded
    log: bytes
    etag: str


class SqlIndex:
    """The port ``Index``, and what the store writes there."""

    def __init__(self, database: Database, link_key: bytes, postponed: Callable[[], Mapping[str, str]] = dict) -> None:
        """``postponed``: flows that ``due`` names last, because their work failed, each with the time to which it was
        put off: whoever has waited longest comes first."""
        self._database = database
        self._link_key = link_key
        self._postponed = postponed

    def check(self) -> None:
        """Raises: IndexMissing."""
        with self._database.index() as connection:
            check_ready(connection)

    # ---- the store's side -------------------------------------------------------------------------------------------
    def copy(self, flow_id: str) -> Copy | None:
        """Raises: IndexMissing."""
        wanted = sa.select(ix_flow.c.owner, ix_flow.c.path, ix_flow.c.etag, ix_flow.c.log, ix_flow.c.head)
        row = self._one(wanted.where(ix_flow.c.flow_id == flow_id))
        if row is None:
            return None
        return Copy(flow_id, StatePlace(row.owner, row.path), row.etag, bytes(row.log), row.head)

    def put(self, connection: Connection, loaded: Loaded, log: bytes, etag: str) -> None:
        """Every row of one flow, made new; but links, of which each costs an HMAC and follows from its recipient and
        round alone, only where there are others than before. ``log`` are the bytes that ``loaded`` was read from."""
        self.put_all(connection, [Row(loaded, log, etag)])

    def put_all(self, connection: Connection, flows: Sequence[Row]) -> None:
        """The same for many flows: a few statements for all of them."""
        flow_ids = [row.loaded.flow.id for row in flows]
        there: dict[str, set[tuple[str, int]]] = {}
        links = sa.select(ix_link.c.flow_id, ix_link.c.recipient, ix_link.c.round)
        for flow_id, recipient, round_ in connection.execute(links.where(ix_link.c.flow_id.in_(flow_ids))).all():
            there.setdefault(flow_id, set()).add((recipient, round_))
        relinked = [row.loaded.flow for row in flows if there.get(row.loaded.flow.id) != _rounds(row.loaded.flow)]
        for table in _TABLES:
            stale = flow_ids if table is not ix_link else [flow.id for flow in relinked]
            connection.execute(sa.delete(table).where(table.c.flow_id.in_(stale)))
        each: Iterable[tuple[sa.Table, list[dict[str, Any]]]] = (
            (ix_flow, [_flow_row(*row) for row in flows]),
            (ix_file, [made for row in flows for made in _file_rows(row.loaded.flow)]),
            (ix_link, [made for flow in relinked for made in self._link_rows(flow)]),
            (ix_person, [made for row in flows for made in _person_rows(row.loaded)]),
        )
        for table, rows in each:
            if rows:
                connection.execute(sa.insert(table), rows)

    def remove(self, connection: Connection, flow_id: str) -> None:
        for table in _TABLES:
            connection.execute(sa.delete(table).where(table.c.flow_id == flow_id))

    def flow_ids(self) -> list[str]:
        return [row.flow_id for row in self._all(sa.select(ix_flow.c.flow_id).order_by(ix_flow.c.flow_id))]

    # ---- the port ---------------------------------------------------------------------------------------------------
    def link(self, token_hash: str) -> LinkRow | None:
        row = self._one(sa.select(ix_link).where(ix_link.c.token_hash == token_hash))
        return None if row is None else LinkRow(row.flow_id, row.recipient, row.round)

    def flows_of_file(self, file_id: str) -> Sequence[str]:
        wanted = sa.select(ix_file.c.flow_id).where(ix_file.c.file_id == file_id).distinct()
        return [row.flow_id for row in self._all(wanted.order_by(ix_file.c.flow_id.desc()))]

    def flow_of_request(self, creator: str, request_key: str) -> str | None:
        wanted = sa.select(ix_flow.c.flow_id).where(ix_flow.c.creator == creator, ix_flow.c.request_key == request_key)
        row = self._one(wanted.order_by(ix_flow.c.flow_id).limit(1))
        return None if row is None else str(row.flow_id)

    def box(
        self, uid: str, account: str | None, box: str, text: str, state: str, before: str | None, limit: int
    ) -> Sequence[ListRow]:
        if not uid:
            return []
        accounts = ("", account or "")
        mine = sa.select(ix_person.c.flow_id).where(ix_person.c.uid == uid, ix_person.c.account.in_(accounts))
        by_him = sa.and_(ix_flow.c.creator == uid, ix_flow.c.creator_account.in_(accounts))
        his_turn = mine.where(ix_person.c.my_turn == 1)
        took_part = mine.where(ix_person.c.state.not_in(_NOT_HIS_BUSINESS))
        wanted = sa.select(*_LISTED, ix_flow.c.flow_id.in_(his_turn).label("my_turn"))
        match box:
            case "todo":
                wanted = wanted.where(ix_flow.c.flow_id.in_(his_turn))
            case "sent":
                wanted = wanted.where(by_him)
            case "done":
                his = sa.select(ix_flow.c.flow_id).where(by_him, ix_flow.c.state.in_(_ENDED))
                concerned = his.union(took_part)
                wanted = wanted.where(ix_flow.c.state.in_(_ENDED), ix_flow.c.flow_id.in_(concerned))
            case _:
                raise ValueError(box)
        for word in text.casefold().split():
            wanted = wanted.where(ix_flow.c.search.contains(word, autoescape=True))
        if state:
            wanted = wanted.where(ix_flow.c.state == state)
        if before is not None:
            wanted = wanted.where(ix_flow.c.flow_id < before)
        return [_list_row(row) for row in self._all(wanted.order_by(ix_flow.c.flow_id.desc()).limit(limit))]

    def listed(self, flow_ids: Sequence[str]) -> Sequence[ListRow]:
        wanted = sa.select(*_LISTED, sa.literal(0).label("my_turn")).where(ix_flow.c.flow_id.in_(flow_ids))
        return [_list_row(row) for row in self._all(wanted.order_by(ix_flow.c.flow_id.desc()))]

    def flows_below(self, owner: str, folder: str) -> Sequence[str]:
        inside = f"{folder.strip('/')}/" if folder.strip("/") else ""
        wanted = sa.select(ix_flow.c.flow_id).where(ix_flow.c.owner == owner)
        wanted = wanted.where(ix_flow.c.path.startswith(inside, autoescape=True))
        return [row.flow_id for row in self._all(wanted.order_by(ix_flow.c.flow_id))]

    def running(self) -> Sequence[str]:
        rows = self._all(
            sa.select(ix_flow.c.flow_id).where(ix_flow.c.state.in_(_NOT_ENDED)).order_by(ix_flow.c.flow_id)
        )
        return [row.flow_id for row in rows]

    def with_erased(self) -> Sequence[str]:
        rows = self._all(sa.select(ix_flow.c.flow_id).where(ix_flow.c.erased == 1).order_by(ix_flow.c.flow_id))
        return [row.flow_id for row in rows]

    def due(self, now: datetime, limit: int) -> Sequence[str]:
        waiting = self._postponed()
        wanted = sa.select(ix_flow.c.flow_id).where(ix_flow.c.due_at <= instant(now))
        rows = self._all(wanted.order_by(ix_flow.c.due_at, ix_flow.c.flow_id).limit(limit + len(waiting)))
        return sorted((row.flow_id for row in rows), key=lambda flow_id: waiting.get(flow_id, ""))[:limit]

    # ---- rows -------------------------------------------------------------------------------------------------------
    def _link_rows(self, flow: Flow) -> list[dict[str, Any]]:
        return [
            {
                "token_hash": token_hash(link_token(self._link_key, flow.id, recipient, round_)),
                "flow_id": flow.id,
                "recipient": recipient,
                "round": round_,
            }
            for recipient, round_ in sorted(_rounds(flow))
        ]

    def _one(self, wanted: sa.Select[Any]) -> Any:
        with self._database.index() as connection:
            check_ready(connection)
            return connection.execute(wanted).first()

    def _all(self, wanted: sa.Select[Any]) -> Sequence[Any]:
        with self._database.index() as connection:
            check_ready(connection)
            return connection.execute(wanted).all()


def _rounds(flow: Flow) -> set[tuple[str, int]]:
    """(recipient, round): each has a link."""
    return {(recipient.id, round_) for recipient in flow.recipients for round_ in range(1, recipient.round + 1)}


def _flow_row(loaded: Loaded, log: bytes, etag: str) -> dict[str, Any]:
    flow = loaded.flow
    last = instant(loaded.records[-1].at)
    due = None if loaded.is_newer else due_at(flow, loaded.records[-1].at)
    names = [_clear(flow.title), _clear(flow.creator.name), *(_clear(d.name) for d in flow.documents)]
    return {
        "flow_id": flow.id,
        "owner": loaded.place.owner,
        "path": loaded.place.path,
        "etag": "" if loaded.is_newer else etag,  # asked for again, until a version comes that knows what it says
        "log": log,
        "head": loaded.head,
        "length": loaded.length,
        "kind": str(flow.kind),
        "state": str(flow.state),
        "title": _clear(flow.title),
        "creator": _clear(flow.creator.user),
        "creator_account": _clear(flow.creator.account),
        "creator_name": _clear(flow.creator.name),
        "creator_email": flow.creator.email.value if flow.creator.email else None,
        "search": "\n".join(names).casefold(),
        "created_at": instant(flow.created_at),
        "updated_at": last,
        "steps_done": flow.steps_done,
        "steps_total": len(flow.steps),
        "due_at": instant(due) if due is not None else None,
        "request_key": flow.request_key,
        "erased": int(any(record.type == PersonErased.type for record in loaded.records)),
    }


def _file_rows(flow: Flow) -> list[dict[str, Any]]:
    rows = [{"flow_id": flow.id, "n": d.n, "what": "original", "file_id": d.file_id} for d in flow.documents]
    signed = [d.signed for d in flow.documents if d.signed is not None]
    rows += [{"flow_id": flow.id, "n": s.n, "what": "signed", "file_id": s.file_id} for s in signed]
    if flow.evidence is not None:
        rows.append({"flow_id": flow.id, "n": 0, "what": "evidence", "file_id": flow.evidence.file_id})
    return rows


def _person_rows(loaded: Loaded) -> list[dict[str, Any]]:
    flow = loaded.flow
    running = flow.state is FlowState.RUNNING and not loaded.is_newer
    return [
        {
            "flow_id": flow.id,
            "recipient": recipient.id,
            "uid": _clear(recipient.user),
            "account": _clear(recipient.account),
            "state": str(recipient.state),
            "my_turn": int(running and recipient.state.is_open),
        }
        for recipient in flow.recipients
    ]


def _list_row(row: Any) -> ListRow:
    return ListRow(
        flow_id=row.flow_id,
        kind=row.kind,
        state=row.state,
        title=row.title,
        creator=row.creator,
        creator_name=row.creator_name,
        creator_email=row.creator_email,
        created_at=from_instant(row.created_at),
        updated_at=from_instant(row.updated_at),
        steps_done=row.steps_done,
        steps_total=row.steps_total,
        my_turn=bool(row.my_turn),
    )


def _clear(value: Personal | None) -> str:
    return (value.value or "") if value is not None else ""
