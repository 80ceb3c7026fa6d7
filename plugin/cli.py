"""``parapheur``: what an admin does on a command line. Settings come from the environment, as for the server.

``--data`` names the data folder of the embedded host (``make run``) instead.
"""

from __future__ import annotations

import argparse
import getpass
import json
import os
import sys
import threading
from contextlib import AbstractContextManager
from pathlib import Path

from plugin.actions.rebuild import Report
from plugin.cli_pdf import add_commands
from plugin.flow.errors import IndexMissing, ParapheurError, RebuildElsewhere
from plugin.logs import configure
from plugin.operating import Operator, demo_operator, open_operator, put_keys_back
from plugin.ports_state import Progress
from plugin.serve import CannotServe, serve
from plugin.settings import BadSettings, StartRefused, from_environment
from plugin.ticker import Ticker

_LOOK_EVERY_S = 0.5


def main(arguments: list[str] | None = None) -> int:
    """Returns: 0 done, 1 refused, 2 wrong words or settings."""
    configure("warning")
    chosen = _parser().parse_args(arguments)
    try:
        if chosen.without_operator:
            return int(chosen.run(chosen))
        with _operator(chosen.data) as operator:
            return int(chosen.run(operator, chosen))
    except (BadSettings, CannotServe) as error:
        print(f"settings: {error}", file=sys.stderr)
        return 2
    except (StartRefused, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    except ParapheurError as error:
        print(f"{error.code}: try again later" if not error.permanent else error.code, file=sys.stderr)
        return 1


def _operator(data: Path | None) -> AbstractContextManager[Operator]:
    demo = _demo_data(data)
    return open_operator(from_environment()) if demo is None else demo_operator(demo)


def _demo_data(data: Path | None) -> Path | None:
    """The data of a ``make run``; None where the environment names a host."""
    if data is None and not {"NEXTCLOUD_URL", "PARAPHEUR_HOST_URL"} & set(os.environ):
        data = Path(os.environ.get("DATA") or "data")
    if data is not None and not (data / "app_secret").is_file():
        raise BadSettings(f"{data} is not the data of a `make run`, and no host is set in the environment")
    return data


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="parapheur", description=__doc__)
    parser.set_defaults(without_operator=False)
    parser.add_argument("--data", type=Path, help="the data folder of a `make run` (default: $DATA, else data)")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    server = commands.add_parser("serve", help="the sidecar's server, on APP_HOST:APP_PORT or behind HaRP")
    server.set_defaults(run=lambda _: serve(os.environ), without_operator=True)
    rebuild = commands.add_parser("rebuild", help="make the index again from the state files on the host")
    rebuild.add_argument("--json", action="store_true", help="the report as JSON")
    rebuild.add_argument("--quiet", action="store_true", help="no progress on stderr")
    rebuild.set_defaults(run=_rebuild)
    troubles = commands.add_parser("troubles", help="the flows that need a hand, and why")
    troubles.add_argument("--json", action="store_true", help="as JSON")
    troubles.add_argument("--seen", metavar="FLOW", help="its state file was looked at: not listed any more for that")
    troubles.set_defaults(run=_troubles)
    erase = commands.add_parser("erase", help="make what is known of a person in a flow that has ended unreadable")
    erase.add_argument("flow", help="the flow's id")
    erase.add_argument("person", help="r1, r2, … as in the flow's recipients, or creator")
    erase.set_defaults(run=_erase)
    add_commands(commands)
    keys = commands.add_parser("keys", help="the keys of this server").add_subparsers(required=True, metavar="WHAT")
    export = keys.add_parser("export", help="a backup of all keys, protected by a passphrase")
    export.add_argument("file", type=Path)
    export.set_defaults(run=_export)
    rotate = keys.add_parser("rotate", help="a new key for the lines of state files; the old ones stay, to verify")
    rotate.set_defaults(run=_rotate)
    restore = keys.add_parser("restore", help="puts such a backup back; keys that are there are never overwritten")
    restore.add_argument("file", type=Path)
    restore.set_defaults(run=_restore, without_operator=True)
    return parser


def _rebuild(operator: Operator, chosen: argparse.Namespace) -> int:
    shown = Ticker(sys.stderr, is_quiet=chosen.quiet)
    report = _rebuilt(operator, shown)
    shown.end()
    if chosen.json:
        skipped = [{"flow": s.flow_id, "reason": s.reason} for s in report.skipped]
        counts = {"flows": report.flows, "skipped": skipped, "users_skipped": report.users_skipped}
        print(json.dumps({**counts, "restored": report.restored, "resumed": report.resumed}))
    else:
        print(f"{report.flows} flows in the index")
        if report.resumed:
            print(f"{report.resumed} of them were taken in before the last rebuild was cut off")
        for flow_id in report.restored:
            print(f"restored: {flow_id}")
        for one in report.skipped:
            print(f"left out: {one.flow_id} ({one.reason})")
        if report.users_skipped:
            print(f"{report.users_skipped} users' files could not be searched")
    return 0 if not report.users_skipped else 1


def _rebuilt(operator: Operator, shown: Ticker) -> Report:
    """Where another process is at it, its progress is shown, and its index is the result; unless it gives up."""
    is_told = False
    while True:
        try:
            return operator.rebuild(shown)
        except RebuildElsewhere:
            if not is_told:
                shown.say("another process rebuilds the index: waiting for it")
        is_told = True
        threading.Event().wait(_LOOK_EVERY_S)
        try:
            return Report(operator.count_flows(), (), 0)
        except IndexMissing as missing:
            if missing.total:
                shown(Progress(missing.done, missing.total, None))


def _troubles(operator: Operator, chosen: argparse.Namespace) -> int:
    if chosen.seen and not operator.seen(chosen.seen):
        print("nothing of the kind is known of that flow", file=sys.stderr)
        return 1
    found = operator.troubles()
    if chosen.json:
        rows = [{"flow": t.flow_id, "reason": t.reason, "person": t.person, "since": str(t.since)} for t in found]
        print(json.dumps(rows))
        return 0
    for one in found:
        about = f" ({one.person})" if one.person else ""
        print(f"{one.since:%Y-%m-%d %H:%M} UTC  {one.flow_id}  {one.reason}{about}")
    if not found:
        print("no flow needs a hand")
    return 0


def _erase(operator: Operator, chosen: argparse.Namespace) -> int:
    if operator.erase(chosen.flow, chosen.person).is_beside:
        print("erased; copies, versions and backups of the file area may still hold the salt")
    else:
        print(
            "erased on this server alone: the sender's account was deleted, and its files cannot be reached; what the "
            "platform still keeps of them, and backups, may hold the salt"
        )
    return 0


def _export(operator: Operator, chosen: argparse.Namespace) -> int:
    passphrase = _passphrase()
    if len(passphrase) < 8:
        print("the passphrase needs 8 characters at least", file=sys.stderr)
        return 1
    operator.export_keys(chosen.file, passphrase)
    print("keys written; keep the file and the passphrase apart")
    return 0


def _rotate(operator: Operator, _: argparse.Namespace) -> int:
    print(f"new key {operator.rotate_keys()}: the server signs with it from its next start; export the keys again")
    return 0


def _restore(chosen: argparse.Namespace) -> int:
    demo = _demo_data(chosen.data)
    put_keys_back(from_environment().data if demo is None else demo / "parapheur", chosen.file, _passphrase())
    print("keys put back")
    return 0


def _passphrase() -> str:
    """From PARAPHEUR_EXPORT_PASSPHRASE, or asked for; never an argument."""
    return os.environ.get("PARAPHEUR_EXPORT_PASSPHRASE") or getpass.getpass("Passphrase: ")


if __name__ == "__main__":
    sys.exit(main())
