"""What lies in ``.flows``: anybody can check it, nobody can read who it is about."""

from __future__ import annotations

import ast
import base64
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.machine.machine import Server, case, people, until
from tests.state import independent_verifier

pytestmark = pytest.mark.machine
REVISION = re.compile(r"[0-9a-f]{64}")
AGENT = "Explorateur-Secret/4.2"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Beside the documents of a flow in which everybody said something: completed, and one that was refused."""
    with Server(tmp_path_factory.mktemp("machine") / "data") as server:
        server.start(within_s=30)
        with people(server, "alice", "bob", None) as (alice, bob, outside):
            outside.http.headers["User-Agent"] = AGENT
            one, other = case(alice, 1).launched(alice), case(alice, 2).launched(alice)
            assert bob.post(f"/api/v1/flows/{one.id}/view", {"documents": [0, 1]}).status_code == 200
            assert one.sign_as_bob(bob).status_code == 200
            assert one.sign_outside(outside).status_code == 200
            assert other.sign_as_bob(bob).status_code == 200
            link = other.link(outside)
            token = outside.json(f"{link}/flow.json")["csrf_token"]
            refused = outside.post(f"{link}/refuse", {"reason": "Motif inavouable"}, **{"X-CSRF-Token": token})
            assert refused.status_code == 200
            for ended in (one, other):
                until(lambda ended=ended: ended.events(alice)[-1]["type"] == "mail.accepted", 30, "all is done")
        server.end()
        yield server.files("alice")


def flows(folder: Path) -> list[Path]:
    found = sorted(folder.glob("*/.flows/*/flow.jsonl"))
    assert len(found) == 2
    return found


def test_a_reader_with_nothing_but_the_standard_library_and_cryptography_verifies_it(folder: Path) -> None:
    source = Path(independent_verifier.__file__)
    nodes = list(ast.walk(ast.parse(source.read_text())))
    names = {alias.name.partition(".")[0] for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {(node.module or "").partition(".")[0] for node in nodes if isinstance(node, ast.ImportFrom)}
    assert names - sys.stdlib_module_names == {"cryptography"}
    for path in flows(folder):
        run = subprocess.run([sys.executable, "-I", source, path], capture_output=True, text=True, check=False)
        assert (run.returncode, run.stderr) == (0, "")
        assert int(run.stdout.split()[1]) == len(path.read_bytes().splitlines())


def test_the_same_reader_notices_any_changed_line(folder: Path) -> None:
    log = flows(folder)[0].read_bytes()
    lines = log.splitlines(keepends=True)
    for number, line in enumerate(lines):
        middle = len(line) // 2
        altered = line[:middle] + (b"1" if line[middle : middle + 1] != b"1" else b"2") + line[middle + 1 :]
        with pytest.raises(independent_verifier.Bad):
            independent_verifier.verify(b"".join([*lines[:number], altered, *lines[number + 1 :]]))
    head = independent_verifier.verify(log)
    with pytest.raises(independent_verifier.Bad):
        independent_verifier.verify(b"".join(lines[:-1]), anchor=head)


def test_nobody_and_nothing_of_the_flow_stands_there_in_clear(folder: Path) -> None:
    secrets = [
        "alice", "Alice", "Martin", '"bob"', "bob@", "Bob Leroy", "Leroy", "Zénobie", "Durand-Kowalczyk", "zenobie1@",
        "zenobie2@", "ailleurs.example", "Affaire confidentielle", "Commentaire très privé", "Merci de relire",
        "clause 7", "Motif inavouable", "Pièce", "Dossier secret", "Bon pour accord", AGENT, "127.0.0.1", "signé",
    ]  # fmt: skip
    needles = {(secret, form) for secret in secrets for form in forms(secret)}
    files = [path for path in folder.glob("*/.flows/**/*") if path.is_file() and not REVISION.fullmatch(path.name)]
    assert {path.name for path in files} == {"flow.jsonl", "salts.json"}
    for path in files:
        data = path.read_bytes()
        assert [secret for secret, form in needles if form in data] == [], path.name
        assert [secret for secret in secrets if len(secret) > 8 and secret.lower().encode() in data.lower()] == []
        assert not any(secret.lower() in str(path.relative_to(path.parents[1])).lower() for secret in secrets)


def forms(secret: str) -> list[bytes]:
    """As it could stand in a file: plain, escaped, encoded. Short words only where chance does not write them."""
    plain = secret.encode()
    found = [plain, secret.encode("ascii", "backslashreplace")]
    if len(plain) >= 5:
        found += [plain.hex().encode(), secret.encode("utf-16-le")]
    if len(plain) >= 9:
        for shift in range(3):
            encoded = base64.b64encode(b"\0" * shift + plain).decode()
            found += [encoded[4:-4].encode(), encoded[4:-4].translate(str.maketrans("+/", "-_")).encode()]
    return found
