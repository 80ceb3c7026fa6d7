"""The index's tables. They are made again from the state files: a change needs another ``FORM``, and no migration."""

from __future__ import annotations

from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from plugin.flow.errors import IndexMissing
from plugin.ports_state import Progress

FORM = 4
"""Rises with the tables, and with what stands in them: an index of another form is made again."""
READY = f"ready {FORM}"
_SOONEST_S, _LATEST_S = 3, 300

index_tables = sa.MetaData()
ix_meta = sa.Table(
    "ix_meta",
    index_tables,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)
# Its rows are long: what is asked often is answered from an index alone.
ix_flow = sa.Table(
    "ix_flow",
    index_tables,
    sa.Column("flow_id", sa.Text, primary_key=True),
    sa.Column("owner", sa.Text, nullable=False),
    sa.Column("path", sa.Text, nullable=False),
    sa.Column("etag", sa.Text, nullable=False),
    sa.Column("head", sa.Text, nullable=False),
    sa.Column("length", sa.BigInteger, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("creator", sa.Text, nullable=False),
    sa.Column("creator_account", sa.Text, nullable=False),
    sa.Column("creator_name", sa.Text, nullable=False),
    sa.Column("creator_email", sa.Text),
    sa.Column("search", sa.Text, nullable=False),
    sa.Column("created_at", sa.Text, nullable=False),
    sa.Column("updated_at", sa.Text, nullable=False),
    sa.Column("steps_done", sa.Integer, nullable=False),
    sa.Column("steps_total", sa.Integer, nullable=False),
    sa.Column("due_at", sa.Text),
    sa.Column("request_key", sa.Text),
    sa.Column("erased", sa.Integer, nullable=False),
    sa.Column("log", sa.LargeBinary, nullable=False),
    sa.Index("ix_flow_creator", "creator", "flow_id"),
    sa.Index("ix_flow_ended", "creator", "state", "creator_account", "flow_id"),
    sa.Index("ix_flow_due", "due_at", "flow_id"),
    sa.Index("ix_flow_state", "state", "flow_id"),
    sa.Index("ix_flow_erased", "erased", "flow_id"),
    sa.Index("ix_flow_owner", "owner", "path", "flow_id"),
    sa.Index("ix_flow_request", "creator", "request_key", "flow_id"),
)
ix_file = sa.Table(
    "ix_file",
    index_tables,
    sa.Column("flow_id", sa.Text, primary_key=True),
    sa.Column("n", sa.Integer, primary_key=True),
    sa.Column("what", sa.Text, primary_key=True),
    sa.Column("file_id", sa.Text, nullable=False),
    sa.Index("ix_file_file", "file_id", "flow_id"),
)
ix_link = sa.Table(
    "ix_link",
    index_tables,
    sa.Column("token_hash", sa.Text, primary_key=True),
    sa.Column("flow_id", sa.Text, nullable=False),
    sa.Column("recipient", sa.Text, nullable=False),
    sa.Column("round", sa.Integer, nullable=False),
    sa.Index("ix_link_flow", "flow_id"),
)
ix_person = sa.Table(
    "ix_person",
    index_tables,
    sa.Column("flow_id", sa.Text, primary_key=True),
    sa.Column("recipient", sa.Text, primary_key=True),
    sa.Column("uid", sa.Text, nullable=False),
    sa.Column("account", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("my_turn", sa.Integer, nullable=False),
    sa.Index("ix_person_uid", "uid", "account", "my_turn", "state", "flow_id"),
)
ix_kept = sa.Table(
    "ix_kept",
    index_tables,
    sa.Column("flow_id", sa.Text, primary_key=True),
    sa.Column("owner", sa.Text, nullable=False),
    sa.Column("path", sa.Text, nullable=False),
    sa.Column("etag", sa.Text, nullable=False),
    sa.Column("head", sa.Text, nullable=False),
    sa.Column("log", sa.LargeBinary, nullable=False),
)
"""While a rebuild runs: the copies from before it. What the host lost or damaged can be proven by nothing else."""
ix_taken = sa.Table(
    "ix_taken",
    index_tables,
    sa.Column("flow_id", sa.Text, primary_key=True),
    sa.Column("salts", sa.Text, nullable=False),
)
"""While a rebuild runs: the flows that it has taken in, and a digest of the salts that their rows were made with."""


class State(NamedTuple):
    """``told``: "" for an index that was never made. ``until_ms``: how long whoever rebuilds it is believed to be at
    it; ``progress``: what he wrote last."""

    told: str
    until_ms: int
    progress: Progress | None


def state_of(connection: Connection) -> State:
    rows = {row.name: str(row.value) for row in connection.execute(sa.select(ix_meta))}
    done, total, left_s = (int(part) for part in rows.get("progress", "0 0 -1").split())
    progress = Progress(done, total, left_s if left_s >= 0 else None) if total else None
    return State(rows.get("state", ""), int(rows.get("until", "0")), progress)


def check_ready(connection: Connection) -> None:
    """Raises: IndexMissing, which says when to ask again."""
    state = connection.execute(sa.select(ix_meta.c.value).where(ix_meta.c.name == "state")).scalar_one_or_none()
    if state == READY:
        return
    progress = state_of(connection).progress
    if progress is None:
        raise IndexMissing
    left_s = progress.left_s
    raise IndexMissing(
        progress.done, progress.total, None if left_s is None else min(max(left_s, _SOONEST_S), _LATEST_S)
    )
