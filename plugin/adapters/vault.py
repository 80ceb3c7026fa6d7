"""What cannot be rebuilt from files: chain heads, salts, "opened" marks, claims on work, keys that were seen."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from plugin.adapters.chain import from_instant, instant
from plugin.adapters.claims import SqlClaims
from plugin.adapters.sql import heads, known_keys, opened, salts, troubles
from plugin.ports_state import StatePlace
from plugin.ports_vault import Trouble


@dataclass(frozen=True, slots=True)
class Anchor:
    """The last head of a flow that was acknowledged, and where its state file lies."""

    flow_id: str
    head: str
    length: int
    fence: int
    place: StatePlace
    file_id: str | None


class SqlVault(SqlClaims):
    """The port ``Vault``, and what the store keeps there."""

    # ---- heads and salts --------------------------------------------------------------------------------------------
    def anchor(self, flow_id: str) -> Anchor | None:
        with self._database.vault() as connection:
            row = connection.execute(sa.select(heads).where(heads.c.flow_id == flow_id)).one_or_none()
        return None if row is None else _anchor(row)

    def anchor_for_update(self, connection: Connection, flow_id: str) -> Anchor | None:
        """Nobody changes it before this transaction ends."""
        row = connection.execute(sa.select(heads).where(heads.c.flow_id == flow_id).with_for_update()).one_or_none()
        return None if row is None else _anchor(row)

    def anchors(self) -> list[Anchor]:
        """Every flow that was ever acknowledged."""
        with self._database.vault() as connection:
            return [_anchor(row) for row in connection.execute(sa.select(heads).order_by(heads.c.flow_id))]

    def anchors_of(self, flow_ids: Collection[str]) -> dict[str, Anchor]:
        with self._database.vault() as connection:
            rows = connection.execute(sa.select(heads).where(heads.c.flow_id.in_(flow_ids)))
            return {row.flow_id: _anchor(row) for row in rows}

    def salts_of(self, flow_ids: Collection[str]) -> dict[str, dict[str, bytes]]:
        """Flow -> person -> salt; a flow without any is missing."""
        found: dict[str, dict[str, bytes]] = {}
        with self._database.vault() as connection:
            for row in connection.execute(sa.select(salts).where(salts.c.flow_id.in_(flow_ids))):
                found.setdefault(row.flow_id, {})[row.person] = bytes(row.salt)
        return found

    def put_anchor(self, connection: Connection, anchor: Anchor) -> None:
        """A place or file id that is known already is kept where ``anchor`` has none."""
        values = {
            "head": anchor.head,
            "length": anchor.length,
            "fence": anchor.fence,
            "owner": anchor.place.owner,
            "path": anchor.place.path,
        }
        if anchor.file_id is not None:
            values["file_id"] = anchor.file_id
        changed = connection.execute(sa.update(heads).where(heads.c.flow_id == anchor.flow_id).values(values))
        if changed.rowcount == 0:
            connection.execute(sa.insert(heads).values(flow_id=anchor.flow_id, **values))

    def salts(self, flow_id: str) -> dict[str, bytes]:
        with self._database.vault() as connection:
            rows = connection.execute(sa.select(salts.c.person, salts.c.salt).where(salts.c.flow_id == flow_id))
            return {person: bytes(salt) for person, salt in rows.all()}

    def put_salts(self, connection: Connection, flow_id: str, new: Mapping[str, bytes]) -> None:
        """Also in the place of others, that were held for a line that never came."""
        held = self.hold_salts(connection, flow_id, new)
        for person in (person for person in new if held[person] != new[person]):
            mine = (salts.c.flow_id == flow_id, salts.c.person == person)
            connection.execute(sa.update(salts).where(*mine).values(salt=new[person]))

    def hold_salts(self, connection: Connection, flow_id: str, new: Mapping[str, bytes]) -> dict[str, bytes]:
        """Those of whom there is none. Returns: what there now is of all these persons."""
        if not new:
            return {}
        mine = (salts.c.flow_id == flow_id, salts.c.person.in_(new))
        rows = connection.execute(sa.select(salts.c.person, salts.c.salt).where(*mine)).all()
        known = {person: bytes(salt) for person, salt in rows}
        self.put_salts_of(connection, {flow_id: {p: salt for p, salt in new.items() if p not in known}})
        return {**new, **known}

    def put_salts_of(self, connection: Connection, new: Mapping[str, Mapping[str, bytes]]) -> None:
        """Of many flows, in one statement."""
        rows = [
            {"flow_id": flow_id, "person": person, "salt": salt}
            for flow_id, persons in new.items()
            for person, salt in persons.items()
        ]
        if rows:
            connection.execute(sa.insert(salts), rows)

    def forget_salts(self, connection: Connection, flow_id: str, persons: Collection[str]) -> bool:
        """Their values can be read by nobody any more (but by whoever has a copy of a salt). Returns: whether one was
        there."""
        mine = (salts.c.flow_id == flow_id, salts.c.person.in_(persons))
        return connection.execute(sa.delete(salts).where(*mine)).rowcount > 0

    # ---- keys -------------------------------------------------------------------------------------------------------
    def knows_keys(self) -> bool:
        """Data was signed or encrypted before: the start must not make new keys."""
        with self._database.vault() as connection:
            seen = connection.execute(sa.select(known_keys.c.kid).limit(1)).first()
            return seen is not None or connection.execute(sa.select(heads.c.flow_id).limit(1)).first() is not None

    def kids(self) -> set[str]:
        """Of every chain key that may have signed a line."""
        with self._database.vault() as connection:
            return set(connection.execute(sa.select(known_keys.c.kid)).scalars())

    def remember_keys(self, kids: Iterable[str]) -> None:
        with self._database.vault_writing() as connection:
            seen = set(connection.execute(sa.select(known_keys.c.kid)).scalars())
            for kid in sorted(set(kids) - seen):
                connection.execute(sa.insert(known_keys).values(kid=kid))

    # ---- opened -----------------------------------------------------------------------------------------------------
    def mark_opened(self, flow_id: str, recipient: str, round_: int, now: datetime) -> None:
        key = (opened.c.flow_id == flow_id, opened.c.recipient == recipient, opened.c.round == round_)
        with self._database.vault() as connection:
            if connection.execute(sa.select(opened.c.at).where(*key)).first() is not None:
                return
        try:
            with self._database.vault_writing() as connection:
                connection.execute(
                    sa.insert(opened).values(flow_id=flow_id, recipient=recipient, round=round_, at=instant(now))
                )
        except sa.exc.IntegrityError:
            return

    def opened(self, flow_id: str) -> Mapping[tuple[str, int], datetime]:
        with self._database.vault() as connection:
            rows = connection.execute(sa.select(opened).where(opened.c.flow_id == flow_id)).all()
        return {(row.recipient, row.round): from_instant(row.at) for row in rows}

    # ---- troubles ---------------------------------------------------------------------------------------------------
    def note_trouble(self, flow_id: str, reason: str, person: str, now: datetime) -> None:
        values = {"flow_id": flow_id, "reason": reason, "person": person}
        if any((t.reason, t.person) == (reason, person) for t in self.troubles(flow_id)):
            return
        with contextlib.suppress(sa.exc.IntegrityError), self._database.vault_writing() as connection:
            connection.execute(sa.insert(troubles).values(**values, since=instant(now)))

    def troubles(self, flow_id: str | None = None) -> list[Trouble]:
        wanted = sa.select(troubles).order_by(
            troubles.c.since, troubles.c.flow_id, troubles.c.reason, troubles.c.person
        )
        if flow_id is not None:
            wanted = wanted.where(troubles.c.flow_id == flow_id)
        with self._database.vault() as connection:
            rows = connection.execute(wanted).all()
        return [Trouble(row.flow_id, row.reason, row.person, from_instant(row.since)) for row in rows]

    def end_trouble(self, flow_id: str, reason: str, person: str) -> None:
        mine = (troubles.c.flow_id == flow_id, troubles.c.reason == reason, troubles.c.person == person)
        with self._database.vault_writing() as connection:
            connection.execute(sa.delete(troubles).where(*mine))


def _anchor(row: Any) -> Anchor:
    return Anchor(row.flow_id, row.head, row.length, row.fence, StatePlace(row.owner, row.path), row.file_id)
