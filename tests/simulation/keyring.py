"""The chain keys of one world: the folder that its replicas share, who ran with which key, and what lines may bear."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from plugin.adapters.keys import Keys
from plugin.adapters.vault import SqlVault
from tests.simulation.chronicle import Unlawful
from tests.simulation.keys import signer
from tests.simulation.process import Process
from tests.state import independent_verifier

Line = dict[str, Any]


@dataclass(frozen=True)
class Run:
    """``kid``: of the key with which this process signs, from its start on."""

    kid: str
    process: Process
    since: datetime


class Keyring:
    """``folder``: a real one, there while the world runs. The seal's key lies elsewhere, as on a token."""

    folder: Path

    def __init__(self, *, is_steady: bool) -> None:
        """``is_steady``: nobody sets the clock, so that times can be compared."""
        self._is_steady = is_steady
        self._runs: list[Run] = []
        self._certificate = hashlib.sha256(signer().chain[0]).hexdigest()

    # ---- as the product does ----------------------------------------------------------------------------------------
    def started(self, process: Process, vault: SqlVault) -> Keys:
        """As `plugin.app` does."""
        keys = self._opened(known_elsewhere=vault.knows_keys())
        keys.check(vault.kids())
        vault.remember_keys(keys.chain_keys)
        self._runs.append(Run(keys.active.kid, process, process.clock()))
        return keys

    def rotate(self, vault: SqlVault) -> str:
        """As `plugin.operating` does. Returns: the kid of the new key."""
        kid = self._opened(known_elsewhere=vault.knows_keys()).rotate()
        vault.remember_keys([kid])
        return kid

    def _opened(self, *, known_elsewhere: bool) -> Keys:
        keys = Keys.open(self.folder, "Simulated", known_elsewhere, lambda _: (b"", signer().certificate_pem))
        return keys.sealed_by(signer())

    # ---- as the oracle does -----------------------------------------------------------------------------------------
    def check(self, lines: Sequence[Line]) -> int:
        """A key is brought in by the first line, or by one that stands for that alone, is the first that it signs, and
        of the same go as the one for whose sake it was written; and some server ran with it then.

        Returns: how many keys there are. Raises: Unlawful.
        """
        known: set[str] = set()
        for number, line in enumerate(lines):
            kid, is_rotation = line["kid"], line["type"] == "key.rotated"
            brings_in = "key" in line["data"]
            if brings_in != (kid not in known) and (brings_in or is_rotation):
                raise Unlawful(f"{kid} is brought in twice")
            if kid not in known and not (brings_in and (number == 0 or is_rotation)):
                raise Unlawful(f"line {line['seq']} is signed with {kid}, which no line brought in")
            if is_rotation and (line["actor"] != "system" or line["data"].keys() != {"key"}):
                raise Unlawful(f"{kid} is brought in by {line['actor']}, with {sorted(line['data'])}")
            follower = lines[number + 1] if number + 1 < len(lines) else None
            go = (line["kid"], line["at"], line["fence"])
            if is_rotation and (follower is None or (follower["kid"], follower["at"], follower["fence"]) != go):
                raise Unlawful(f"{kid} is brought in, and signs nothing")
            known.add(kid)
            self._check_run(kid, datetime.fromisoformat(line["at"]))
        return len(known)

    def verify(self, state: bytes, flow_id: str, anchor: tuple[str, int]) -> None:
        """By the verifier that shares no code with the product. It trusts the seal. Raises: Unlawful."""
        try:
            independent_verifier.verify(state, flow_id, {self._certificate}, anchor)
        except independent_verifier.Bad as bad:
            raise Unlawful(f"the chain proves nothing: {bad}") from bad

    def verify_record(self, data: bytes, heads: Sequence[str]) -> None:
        """An evidence record, that was not drawn: it names a line of the chain, and its key is one that the seal
        vouches for.

        Raises: Unlawful.
        """
        record: Line = json.loads(data[data.index(b"{") :])
        signed = independent_verifier.canonical({name: value for name, value in record.items() if name != "sig"})
        head, length = record["chain"]["head"], record["chain"]["length"]
        if not 0 < length <= len(heads) or heads[length - 1] != head:
            raise Unlawful("the evidence record is about another chain")
        vouched = {"kid": record["kid"], "data": {"key": record["key"]}}
        try:
            key = independent_verifier.introduced(vouched, {self._certificate})
            key.verify(base64.urlsafe_b64decode(record["sig"] + "=="), signed)
        except Exception as error:
            raise Unlawful(f"the evidence record proves nothing: {error!r}") from error
        self._check_run(record["kid"], datetime.fromisoformat(record["made_at"]))

    def _check_run(self, kid: str, at: datetime) -> None:
        """Raises: Unlawful."""
        mine = [run for run in self._runs if run.kid == kid]
        if not mine:
            raise Unlawful(f"{kid} is no key with which a server ran")
        first, slack = min(run.since for run in mine), timedelta(milliseconds=1)
        ends = [run.process.died_at for run in mine]
        last = None if None in ends else max(end for end in ends if end is not None)
        if self._is_steady and not (first - slack <= at and (last is None or at <= last + slack)):
            raise Unlawful(f"{kid} signed at {at}, when no server ran with it")
