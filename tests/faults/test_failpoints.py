"""The places where a test lets the process die: inert unless it was started to."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from plugin.failpoints import NAMES, VARIABLE
from plugin.settings import BadSettings, from_environment

ROOT = Path(__file__).parents[2]
REACHES = "from plugin.failpoints import reach\nfor n in range(3):\n    print(n, flush=True)\n    reach('sealed')\n"


def reached(**environment: str) -> tuple[int, str]:
    run = subprocess.run([sys.executable, "-c", REACHES], cwd=ROOT, env=environment, capture_output=True, text=True)
    return run.returncode, run.stdout


def test_nothing_happens_in_a_process_that_was_not_started_to_die() -> None:
    assert reached() == (0, "0\n1\n2\n")
    assert reached(PARAPHEUR_FAILPOINT="") == (0, "0\n1\n2\n")


def test_a_process_dies_where_it_was_started_to_and_as_late_as_it_was_started_to() -> None:
    assert reached(PARAPHEUR_FAILPOINT="sealed") == (-signal.SIGKILL, "0\n")
    assert reached(PARAPHEUR_FAILPOINT="sealed:2") == (-signal.SIGKILL, "0\n1\n")
    assert reached(PARAPHEUR_FAILPOINT="sealed:4") == (0, "0\n1\n2\n")
    assert reached(PARAPHEUR_FAILPOINT="ink-made") == (0, "0\n1\n2\n")


@pytest.mark.parametrize("wrong", ["nowhere", "sealed:", "sealed:0", "sealed:x", "sealed:1:1", ":1"])
def test_a_name_that_is_no_point_is_refused_at_the_start(wrong: str) -> None:
    code, said = reached(PARAPHEUR_FAILPOINT=wrong)
    assert (code, said) == (1, "")


def test_the_server_of_a_real_platform_does_not_start_with_one() -> None:
    known = {
        "NEXTCLOUD_URL": "https://host.example",
        "PARAPHEUR_PUBLIC_URL": "https://sign.example",
        "APP_SECRET": "x",
    }
    from_environment({**known, "APP_PERSISTENT_STORAGE": "/data"})
    for name in (VARIABLE, f"{VARIABLE}_FILE"):
        with pytest.raises(BadSettings, match=VARIABLE):
            from_environment({**known, "APP_PERSISTENT_STORAGE": "/data", name: "/dev/null"})


def test_every_point_that_has_a_name_is_in_the_code_and_no_other() -> None:
    code = "\n".join(path.read_text() for path in (ROOT / "plugin").rglob("*.py"))
    assert set(NAMES) == set(re.findall(r'\breach\("([a-z-]+)"\)', code))
    assert max(Counter(NAMES).values()) == 1
