"""A client in a process of its own: ``python -m tests.machine.submit``.

Reads from stdin one JSON line ``{url, headers, cookies, bodies}``, says "ready", waits for a line, posts the bodies
one after another, answers with one JSON line ``[[status, text], …]``.
"""

from __future__ import annotations

import json
import sys

import requests


def main() -> None:
    order = json.loads(sys.stdin.readline())
    with requests.Session() as session:
        session.trust_env = False
        session.headers.update(order["headers"])
        session.cookies.update(order["cookies"])
        session.get(order["url"].rpartition("/api/")[0] + "/healthz", timeout=10)  # the connection stands
        print("ready", flush=True)
        sys.stdin.readline()
        answers = [session.post(order["url"], json=body, timeout=60) for body in order["bodies"]]
    print(json.dumps([[answer.status_code, answer.text] for answer in answers]))


if __name__ == "__main__":
    main()
