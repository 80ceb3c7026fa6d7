"""The OCS paths the product calls, answered in the platform's envelope: JSON when asked for, else XML."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from importlib.metadata import version
from typing import Any, Final
from urllib.parse import parse_qs, unquote
from xml.etree.ElementTree import Element, SubElement, tostring

from plugin.adapters.mail import set_bodies
from plugin.demo.bell import Bell, TooLong
from plugin.demo.entries import Hooked
from plugin.demo.people import PEOPLE, Accounts, DemoPerson
from plugin.demo.wire import APP_ID, Environ, StartResponse, answer, appapi_user, basic_user, raw_path, read_body

_MESSAGES: Final = {
    100: "OK",
    200: "OK",
    997: "Current user is not logged in",
    404: "",
    403: "Logged in account must be an admin",
}
_Json = Any
COMPANION_VERSION: Final = version("parapheur")
HOOKS: Final = (
    "/apps/app_api/api/v1/ui/",
    "/apps/app_api/api/v2/ui/",
    "/apps/app_api/api/v1/ex-app/config",
    "/apps/webhook_listeners/",
)


class Refusal(Exception):
    def __init__(self, status: int, code: int) -> None:
        super().__init__(status)
        self.status = status
        self.code = code


class Ocs:
    """WSGI application for ``/ocs/v1.php`` and ``/ocs/v2.php``."""

    def __init__(self, secret: str, keep_mail: Callable[[str, list[str], bytes], None], accounts: Accounts) -> None:
        self._secret = secret
        self._accounts = accounts
        self._keep_mail = keep_mail
        self.bell = Bell()
        self.hooked = Hooked()
        self.told: list[tuple[int, str]] = []
        """What the app told about its set-up: percent, and an error or nothing."""

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        path = raw_path(environ)
        query = parse_qs(str(environ.get("QUERY_STRING", "")), keep_blank_values=True)
        version = 1 if path.startswith("/ocs/v1.php") else 2
        try:
            data = self._route(re.sub(r"^/ocs/v[12]\.php", "", path), query, environ)
            status, code = 200, 100 if version == 1 else 200
        except Refusal as refused:
            data, status, code = [], refused.status, refused.code
            if version == 1 and status != 401:
                status = 200  # the first version tells failures in the envelope only
        wants_json = query.get("format") == ["json"] or "application/json" in str(environ.get("HTTP_ACCEPT", ""))
        meta = {
            "status": "ok" if code in (100, 200) else "failure",
            "statuscode": code,
            "message": _MESSAGES.get(code, ""),
        }
        body, mime = _envelope(meta, data, wants_json)
        return answer(start_response, status, body, [("Content-Type", f"{mime}; charset=utf-8")])

    def _caller(self, environ: Environ) -> str:
        """The user; "" for the app itself. Refusal when nobody, or without the OCS header."""
        is_app = "HTTP_AUTHORIZATION_APP_API" in environ
        user = appapi_user(environ, self._secret) if is_app else basic_user(environ)
        if user is None or user in self._accounts.disabled | self._accounts.deleted:
            raise Refusal(401, 997)
        if str(environ.get("HTTP_OCS_APIREQUEST", "")).lower() != "true":
            raise Refusal(412, 412)
        return user

    def _route(self, path: str, query: dict[str, list[str]], environ: Environ) -> _Json:
        user = self._caller(environ)
        method = environ["REQUEST_METHOD"]
        is_app = "HTTP_AUTHORIZATION_APP_API" in environ
        match method, path.rstrip("/"):
            case "PUT", "/apps/app_api/ex-app/status" if is_app:
                self.told.append(_progress(environ))
                return []
            case "GET", "/apps/app_api/ex-app/state" if is_app:
                return True
            case _, hook if is_app and not user and hook.startswith(HOOKS):
                return self._hook(method, hook, environ)
            case "GET", "/apps/app_api/api/v1/users" if is_app:
                return [uid for uid in PEOPLE if uid not in self._accounts.deleted]
            case "GET", "/apps/parapheur_companion/status" if is_app:
                return {"version": COMPANION_VERSION}
            case "POST", "/apps/parapheur_companion/mail" if is_app:
                return {"version": COMPANION_VERSION, **self._mail(_body(environ))}
            case "GET" | "POST" | "DELETE", _ if not user:
                raise Refusal(401, 997)
            case "POST", "/apps/app_api/api/v1/notification" if is_app:
                return self._ring(user, _body(environ))
            case "GET", "/apps/notifications/api/v2/notifications":
                return self.bell.of(user)
            case "DELETE", one if re.fullmatch(r"/apps/notifications/api/v2/notifications/[0-9]{1,9}", one):
                self.bell.dismiss(user, int(one.rpartition("/")[2]))
                return []
            case "GET", "/cloud/user":
                return _record(PEOPLE[user])
            case "GET", "/cloud/users":
                if "admin" not in PEOPLE[user].groups:
                    raise Refusal(403, 403)
                return {"users": [uid for uid in PEOPLE if (query.get("search") or [""])[0] in uid]}
            case "GET", named if named.startswith("/cloud/users/"):
                return self._record_for(user, unquote(named.removeprefix("/cloud/users/")))
            case "GET", "/core/autocomplete/get":
                return _suggestions((query.get("search") or [""])[0], (query.get("limit") or ["10"])[0])
            case _:
                raise Refusal(404, 998)

    def _hook(self, method: str, path: str, environ: Environ) -> _Json:
        try:
            return self.hooked.answer(method, path, {} if method == "GET" else _body(environ))
        except LookupError as missing:
            raise Refusal(404, 404) from missing

    def _ring(self, user: str, wanted: dict[str, _Json]) -> _Json:
        try:
            self.bell.ring(APP_ID, user, wanted["params"])
        except TooLong as too_long:
            raise Refusal(500, 996) from too_long
        except (KeyError, TypeError, AttributeError) as wrong:
            raise Refusal(400, 400) from wrong
        return []

    def _mail(self, wanted: dict[str, _Json]) -> dict[str, _Json]:
        """As the companion app answers."""
        try:
            message = EmailMessage(policy=SMTP)
            message["To"] = Address(str(wanted["to_name"]), addr_spec=str(wanted["to"]))
            for header, field in (("Subject", "subject"), ("Message-ID", "message_id")):
                message[header] = str(wanted[field])
            set_bodies(message, str(wanted["text"]), str(wanted["html"]))
        except KeyError as missing:
            raise Refusal(400, 400) from missing
        except (ValueError, IndexError):
            return {"outcome": "refused", "reason": "bad-address"}
        self._keep_mail("host@example.org", [str(wanted["to"])], message.as_bytes())
        return {"outcome": "accepted"}

    def _record_for(self, user: str, uid: str) -> _Json:
        if uid not in PEOPLE or (uid != user and "admin" not in PEOPLE[user].groups):
            raise Refusal(404, 404)
        return _record(PEOPLE[uid])


def _record(person: DemoPerson) -> dict[str, _Json]:
    return {
        "enabled": True,
        "id": person.uid,
        "email": person.email,
        "displayname": person.name,
        "display-name": person.name,
        "groups": list(person.groups),
        "language": person.language,
        "locale": person.language,
        "timezone": "Europe/Paris",
        "phone": "",
    }


def _suggestions(text: str, limit: str) -> list[_Json]:
    wanted = text.strip().casefold()
    found = [
        {
            "id": person.uid,
            "label": person.name,
            "icon": "icon-user",
            "source": "users",
            "status": "",
            "subline": person.email,
            "shareWithDisplayNameUnique": person.email,
        }
        for person in PEOPLE.values()
        if any(wanted in value.casefold() for value in (person.uid, person.name, person.email))
    ]
    return found[: int(limit) if limit.isdigit() else 10]


def _progress(environ: Environ) -> tuple[int, str]:
    body = _body(environ)
    if not isinstance(body.get("progress"), int):
        raise Refusal(400, 400)
    return body["progress"], str(body.get("error", ""))


def _body(environ: Environ) -> dict[str, _Json]:
    try:
        value = json.loads(read_body(environ, 5_000_000) or b"{}")
    except ValueError as wrong:
        raise Refusal(400, 400) from wrong
    if not isinstance(value, dict):
        raise Refusal(400, 400)
    return value


def _envelope(meta: dict[str, _Json], data: _Json, wants_json: bool) -> tuple[bytes, str]:
    if wants_json:
        return json.dumps({"ocs": {"meta": meta, "data": data}}, ensure_ascii=False).encode(), "application/json"
    root = Element("ocs")
    _fill(SubElement(root, "meta"), meta)
    _fill(SubElement(root, "data"), data)
    body: bytes = tostring(root, encoding="utf-8", xml_declaration=True)
    return body, "application/xml"


def _fill(element: Element, value: _Json) -> None:
    if isinstance(value, dict):
        for name, child in value.items():
            _fill(SubElement(element, name), child)
    elif isinstance(value, list):
        for child in value:
            _fill(SubElement(element, "element"), child)
    else:
        element.text = str(int(value) if isinstance(value, bool) else value)
