"""How the sidecar proves to the host who it is, and in whose name it asks."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from requests import PreparedRequest
from requests.auth import AuthBase

from plugin.adapters.ocs_calls import OcsCalls


class AppApiAuth(AuthBase):
    """Puts the AppAPI headers on a request. ``user`` "" is the app itself.

    The secret opens everybody's account: it never appears in ``repr``. Source: AppAPI, "Authentication".
    """

    def __init__(self, user: str, secret: str, *, app_id: str, app_version: str, aa_version: str) -> None:
        self.username = user
        self._secret = secret
        self._app_id = app_id
        self._app_version = app_version
        self._aa_version = aa_version

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        request.headers["EX-APP-ID"] = self._app_id
        request.headers["EX-APP-VERSION"] = self._app_version
        request.headers["AA-VERSION"] = self._aa_version
        request.headers["AUTHORIZATION-APP-API"] = b64encode(f"{self.username}:{self._secret}".encode()).decode()
        request.headers["OCS-APIRequest"] = "true"
        return request

    def __repr__(self) -> str:
        return f"AppApiAuth(user={self.username!r})"


@dataclass(frozen=True, slots=True)
class AppApi:
    """The app's own identity on the host. Calling it with a login gives the auth object for that user.

    ``app_version`` must be exactly the registered one: a text, or what gives it.
    """

    secret: str
    app_version: str | Callable[[], str]
    app_id: str = "parapheur"
    aa_version: str = "32.0.0"

    def __call__(self, user: str) -> AuthBase:
        version = self.app_version if isinstance(self.app_version, str) else self.app_version()
        return AppApiAuth(user, self.secret, app_id=self.app_id, app_version=version, aa_version=self.aa_version)

    def __repr__(self) -> str:
        return f"AppApi(app_id={self.app_id!r})"


__all__ = ["AppApi", "AppApiAuth"]
_CONFIG = "/apps/app_api/api/v1/ex-app/config"


class AppApiPlatform:
    """``plugin.ports.Platform`` on AppAPI's OCS routes. Source: AppAPI, "UI" and "Ex-App lifecycle"."""

    def __init__(self, calls: OcsCalls) -> None:
        self._calls = calls

    def report_progress(self, percent: int, error: str = "") -> None:
        body: dict[str, object] = {"progress": percent}
        if error:
            body["error"] = error
        self._calls.send("PUT", "", "/apps/app_api/ex-app/status", body)

    def put_entry(self, what: str, body: Mapping[str, object]) -> None:
        self._calls.send("POST", "", f"/apps/app_api/api/{what}", body)

    def remove_entry(self, what: str, body: Mapping[str, object]) -> None:
        """Everything is removed at the first version of its route, whichever version put it there."""
        self._calls.send("DELETE", "", f"/apps/app_api/api/v1/{what.partition('/')[2]}", body)

    def recall(self, key: str) -> str:
        kept = self._calls.send("POST", "", f"{_CONFIG}/get-values", {"configKeys": [key]})
        for one in kept if isinstance(kept, list) else ():
            if isinstance(one, dict) and one.get("configkey") == key:
                return str(one.get("configvalue") or "")
        return ""

    def remember(self, key: str, value: str) -> None:
        self._calls.send("POST", "", _CONFIG, {"configKey": key, "configValue": value})

    def subscribe(self, event: str, path: str) -> None:
        """The host calls a relative address of an app directly, with AppAPI headers, without a declared route."""
        known = self._calls.get("", "/apps/webhook_listeners/api/v1/webhooks")
        for one in known if isinstance(known, list) else ():
            if isinstance(one, dict) and one.get("event") == event and one.get("uri") == path:
                return
        body = {"httpMethod": "POST", "uri": path, "event": event, "authMethod": "none"}
        self._calls.send("POST", "", "/apps/webhook_listeners/api/v1/webhooks", body)
