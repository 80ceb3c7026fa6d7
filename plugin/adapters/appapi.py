"""How the sidecar proves to the host who it is, and in whose name it asks."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass

from requests import PreparedRequest
from requests.auth import AuthBase


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

    ``app_version`` must be exactly the registered one.
    """

    secret: str
    app_version: str
    app_id: str = "parapheur"
    aa_version: str = "32.0.0"

    def __call__(self, user: str) -> AuthBase:
        return AppApiAuth(
            user, self.secret, app_id=self.app_id, app_version=self.app_version, aa_version=self.aa_version
        )

    def __repr__(self) -> str:
        return f"AppApi(app_id={self.app_id!r}, app_version={self.app_version!r})"


__all__ = ["AppApi", "AppApiAuth"]
