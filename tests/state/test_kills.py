from __future__ import annotations

import random
import subprocess
import sys
import threading
from pathlib import Path

from tests.state import independent_verifier
from tests.state.disk_host import opened
from tests.state.world import FLOW_ID, FOLDER, place

ROOT = Path(__file__).parent.parent.parent


def test_a_process_killed_at_any_moment_loses_and_doubles_nothing(tmp_path: Path) -> None:
    world = opened(tmp_path)
    world.files.make_folder("alice", FOLDER)
    world.launch()
    world.close()
    dice, acknowledged = random.Random(5), -1
    for _ in range(6):
        command = [sys.executable, "-m", "tests.state.disk_host", str(tmp_path)]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            timer = threading.Timer(dice.uniform(0.0, 0.02), child.kill)
            for line in child.stdout:
                acknowledged = int(line)
                if not timer.is_alive() and timer.ident is None and dice.random() < 0.1:
                    timer.start()
            timer.join()
    again = opened(tmp_path)
    loaded = again.store.refresh(FLOW_ID)
    assert loaded is not None
    assert [mail.person for mail in loaded.flow.mails] == [f"p{number}" for number in range(len(loaded.flow.mails))]
    assert len(loaded.flow.mails) in (acknowledged + 1, acknowledged + 2)
    assert independent_verifier.verify(again.files.read("alice", place().path) or b"") == (loaded.head, loaded.length)
    again.close()
