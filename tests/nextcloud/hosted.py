"""What people do on the host beside the product: share, move, lock, throw away, take back. By the host's own ways."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from urllib.parse import quote

import requests

from tests.nextcloud.instance import Nextcloud, User
from tests.world import until

READ, EDIT, READ_AND_CREATE, EDIT_AND_CREATE, ALL = 1, 3, 5, 7, 31
FILE_ID = '<d:propfind xmlns:d="DAV:" xmlns:o="http://owncloud.org/ns"><d:prop><o:fileid/></d:prop></d:propfind>'
APP_LOCK = {"X-User-Lock": "1", "X-User-Lock-Type": "1"}
"""As a text editor holds a file: nobody else writes it, its owner neither."""
USER_LOCK = {"X-User-Lock": "1", "X-User-Lock-Type": "0"}


def share(nextcloud: Nextcloud, owner: User, path: str, to: User, permissions: int) -> str:
    """Returns: the share's id."""
    body = {"path": f"/{path}", "shareType": 0, "shareWith": to.uid, "permissions": permissions}
    return str(nextcloud.ocs("POST", "/apps/files_sharing/api/v1/shares", owner, body)["id"])


def reshare(nextcloud: Nextcloud, owner: User, share_id: str, permissions: int) -> None:
    nextcloud.ocs("PUT", f"/apps/files_sharing/api/v1/shares/{share_id}", owner, {"permissions": permissions})


def move(nextcloud: Nextcloud, who: User, path: str, to: str) -> None:
    """As people do: once more where the host says 423, or 500 (34), since something is written there just now."""
    target = f"{nextcloud.url}/remote.php/dav/files/{quote(who.uid)}/{quote(to)}"

    def moved() -> bool:
        answer = nextcloud.dav(who, "MOVE", path, headers={"Destination": target})
        is_locked = answer.status_code == 423 or "locked" in answer.text.lower()
        assert answer.status_code == 201 or is_locked, (path, to, answer.status_code, answer.text[:300])
        return answer.status_code == 201

    until(moved)


def delete(nextcloud: Nextcloud, who: User, path: str) -> None:
    """Into the trash."""
    answer = nextcloud.dav(who, "DELETE", path)
    assert answer.status_code == 204, (path, answer.status_code)


def restore(nextcloud: Nextcloud, who: User, name: str) -> None:
    """The newest of that name, from the trash to where it was."""
    trash = f"{nextcloud.url}/remote.php/dav/trashbin/{quote(who.uid)}"
    listed = requests.request("PROPFIND", f"{trash}/trash/", auth=who.auth, headers={"Depth": "1"}, timeout=60)
    assert listed.status_code == 207
    hrefs = re.findall(r"<d:href>([^<]*)</d:href>", listed.text)
    found = [
        href for href in hrefs if requests.utils.unquote(href).rstrip("/").rpartition("/")[2].startswith(f"{name}.d")
    ]
    source = f"{nextcloud.url.partition('/remote.php')[0]}/remote.php{max(found).partition('/remote.php')[2]}"
    headers = {"Destination": f"{trash}/restore/{quote(name)}"}
    answer = requests.request("MOVE", source, auth=who.auth, headers=headers, timeout=60)
    assert answer.status_code == 201, answer.status_code


def file_id(nextcloud: Nextcloud, who: User, path: str) -> str | None:
    answer = nextcloud.dav(who, "PROPFIND", path, headers={"Depth": "0"}, data=FILE_ID)
    found = re.search(r"<oc:fileid>([0-9]+)<", answer.text)
    return found.group(1) if found is not None else None


def versions(nextcloud: Nextcloud, who: User, of: str) -> int:
    """How many earlier versions the host keeps of a file, by its id."""
    address = f"{nextcloud.url}/remote.php/dav/versions/{quote(who.uid)}/versions/{of}/"
    answer = requests.request("PROPFIND", address, auth=who.auth, headers={"Depth": "1"}, timeout=60)
    assert answer.status_code == 207, answer.status_code
    return answer.text.count("<d:response>") - 1


def bring_back(nextcloud: Nextcloud, who: User, of: str, content: bytes) -> None:
    """The earlier version that holds this, as people do it."""
    root = f"{nextcloud.url}/remote.php/dav/versions/{quote(who.uid)}"
    listed = requests.request("PROPFIND", f"{root}/versions/{of}/", auth=who.auth, headers={"Depth": "1"}, timeout=60)
    assert listed.status_code == 207, listed.status_code
    for href in re.findall(r"<d:href>([^<]*)</d:href>", listed.text)[1:]:
        address = f"{root}/versions/{of}/{href.rstrip('/').rpartition('/')[2]}"
        if requests.get(address, auth=who.auth, timeout=60).content == content:
            to = {"Destination": f"{root}/restore/target"}
            assert requests.request("MOVE", address, auth=who.auth, headers=to, timeout=60).status_code in (201, 204)
            return
    raise AssertionError("the host keeps no such version")


def age_s(nextcloud: Nextcloud, who: User, path: str) -> float:
    """Since it was written, by this machine's clock."""
    answer = nextcloud.dav(who, "HEAD", path)
    return time.time() - parsedate_to_datetime(answer.headers["Last-Modified"]).timestamp()


@contextmanager
def locked(nextcloud: Nextcloud, who: User, path: str, how: dict[str, str]) -> Iterator[None]:
    """The lock goes with its owner's UNLOCK. A host without files_lock has none: 501."""
    answer = nextcloud.dav(who, "LOCK", path, headers=how)
    assert answer.status_code == 200, (path, answer.status_code)
    try:
        yield
    finally:
        assert nextcloud.dav(who, "UNLOCK", path, headers=how).status_code == 200


def set_quota(nextcloud: Nextcloud, user: User, quota: str) -> None:
    """``quota``: as an administrator types it; "none" for no limit."""
    path = f"/cloud/users/{quote(user.uid, safe='')}"
    nextcloud.ocs("PUT", path, nextcloud.admin, {"key": "quota", "value": quota})


def has_app(nextcloud: Nextcloud, name: str) -> bool:
    return name in json.loads(nextcloud.occ("app:list", "--output=json"))["enabled"]
