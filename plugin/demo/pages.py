"""What the embedded host shows people: the file manager page, its JSON, the login, the caught mails."""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlsplit

from flask import Flask, Response, abort, jsonify, render_template, request
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as BaseResponse

from plugin.demo.area import Area, AreaError, Node, Parts
from plugin.demo.embedded import asset, embedded
from plugin.demo.host import EmbeddedHost
from plugin.demo.people import PEOPLE, DemoPerson
from plugin.demo.provider import mime_of
from plugin.demo.sessions import COOKIE, token_of
from plugin.i18n import bundle_words

_CSP: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; font-src 'self';"
    " connect-src 'self'; worker-src 'self' blob:; frame-src 'self'; form-action 'none'; base-uri 'none';"
    " frame-ancestors 'self'"
)
_MAIL_CSP: Final = (
    "default-src 'none'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-src 'self';"
    " form-action 'none'; base-uri 'none'; frame-ancestors 'self'"
)
_CHUNK: Final = 1 << 18
_UPLOAD_MAX_BYTES: Final = 500_000_000


class Problem(Exception):
    """Answered as problem+json."""

    def __init__(self, status: int, code: str) -> None:
        super().__init__(code)
        self.status = status
        self.code = code


def _json() -> object:
    """The request's JSON; None for anything that is none, however deep it is nested."""
    try:
        return request.get_json(force=True, silent=True)
    except RecursionError:
        return None


def create_pages(host: EmbeddedHost, public_url: str) -> Flask:
    """The Flask application behind ``/``, ``/demo`` and ``/demo/api``."""
    here = Path(__file__).parent
    app = Flask(__name__, template_folder=str(here / "templates"), static_folder=None)
    app.json.ensure_ascii = False  # type: ignore[attr-defined]  # its default provider has it
    allowed_hosts = {"localhost", urlsplit(public_url).hostname or ""}

    @app.before_request
    def only_from_here() -> None:
        name = urlsplit(f"//{request.host}").hostname or ""
        if not (name in allowed_hosts or _is_loopback(name)) or not _is_loopback(request.remote_addr or ""):
            raise Problem(404, "not-found")
        if request.method not in ("GET", "HEAD"):
            _refuse_foreign_origin()

    @app.after_request
    def keep_safe(response: Response) -> Response:
        response.headers.setdefault("Content-Security-Policy", _CSP)
        response.headers.setdefault("Cache-Control", "no-store, private")
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "no-referrer"
        return response

    @app.errorhandler(Problem)
    def told(problem: Problem) -> BaseResponse:
        return _problem(problem.status, problem.code)

    @app.errorhandler(AreaError)
    def refused(error: AreaError) -> BaseResponse:
        known = {404: "not-found", 412: "already-there", 403: "not-allowed", 405: "already-there", 409: "not-found"}
        status = {412: 409, 405: 409, 400: 422}.get(error.status, error.status)
        return _problem(status, known.get(error.status, "invalid"))

    @app.errorhandler(HTTPException)
    def failed(error: HTTPException) -> BaseResponse:
        return _problem(error.code or 500, "not-found" if error.code == 404 else "invalid")

    app.register_blueprint(embedded)
    _add_session_routes(app, host)
    _add_file_routes(app, host)
    _add_mail_routes(app, host, here / "assets" / "demo.css")
    return app


def _add_session_routes(app: Flask, host: EmbeddedHost) -> None:
    @app.get("/")
    def files_page() -> str:
        """@user or nobody: the file manager, or the three people to log in as."""
        lang, person = _language(), host.sessions.person(request.environ)
        return render_template("files.html", lang=lang, person=person, asset=asset, i18n=bundle_words(lang, "files"))

    @app.post("/demo/login")
    def login() -> Response:
        body = _json()
        uid = body.get("user") if isinstance(body, dict) else None
        if not isinstance(uid, str) or uid not in PEOPLE:
            raise Problem(422, "unknown-user")
        response = jsonify(user=_described(PEOPLE[uid]))
        response.set_cookie(COOKIE, host.sessions.begin(uid), httponly=True, samesite="Lax", path="/")
        return response

    @app.post("/demo/logout")
    def logout() -> Response:
        host.sessions.end(token_of(request.environ))
        response = jsonify(user=None)
        response.delete_cookie(COOKIE, httponly=True, samesite="Lax", path="/")
        return response

    @app.get("/demo/api/session")
    def session() -> Response:
        person = host.sessions.person(request.environ)
        return jsonify(
            user=None if person is None else _described(person), users=[_described(each) for each in PEOPLE.values()]
        )


def _add_file_routes(app: Flask, host: EmbeddedHost) -> None:
    area = host.area

    def caller() -> str:
        person = host.sessions.person(request.environ)
        if person is None:
            raise Problem(422, "not-logged-in")
        return person.uid

    @app.get("/demo/api/files")
    def list_files() -> Response:
        uid, parts = caller(), _parts(request.args.get("dir", ""))
        folder = area.node(uid, parts)
        if folder is None or not folder.is_folder:
            raise Problem(404, "not-found")
        nodes = [node for node in area.children(uid, parts) if not node.name.startswith(".")]
        nodes.sort(key=lambda node: (not node.is_folder, node.name.casefold()))
        return jsonify(dir="/".join(parts), entries=[_entry(node) for node in nodes])

    @app.get("/demo/api/download")
    def download() -> Response:
        opened = area.open(caller(), _parts(request.args.get("path", "")))
        if opened is None:
            raise Problem(404, "not-found")
        node, content = opened
        response = Response(iter(lambda: content.read(_CHUNK), b""), mimetype="application/octet-stream")
        response.call_on_close(content.close)
        response.content_length = node.size_bytes
        response.headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(node.name, safe='')}"
        response.headers["Content-Security-Policy"] = "sandbox; default-src 'none'"
        return response

    @app.post("/demo/api/upload")
    def upload() -> tuple[Response, int]:
        uid, folder = caller(), _parts(request.args.get("dir", ""))
        name = request.args.get("name", "")
        if not name or (request.content_length or 0) > _UPLOAD_MAX_BYTES:
            raise Problem(422, "invalid")
        spooled = area.incoming()
        try:
            with spooled.open("xb") as out:
                while chunk := request.stream.read(_CHUNK):
                    out.write(chunk)
            with area.changing(uid):
                free = _free_name(area, uid, folder, name)
                node, _ = area.put(uid, (*folder, free), spooled)
        finally:
            spooled.unlink(missing_ok=True)
        return jsonify(_entry(node)), 201

    @app.post("/demo/api/rename")
    def rename() -> Response:
        uid, body = caller(), _body()
        source = _parts(body.get("path"))
        if not source or not isinstance(body.get("name"), str):
            raise Problem(422, "invalid")
        target = (*source[:-1], str(body["name"]))
        if target != source:
            area.move(uid, source, target, overwrite=False)
        node = area.node(uid, target)
        return jsonify(None if node is None else _entry(node))

    @app.post("/demo/api/delete")
    def delete() -> tuple[str, int]:
        uid, parts = caller(), _parts(_body().get("path"))
        if not parts:
            raise Problem(422, "invalid")
        area.delete(uid, parts)
        return "", 204

    @app.post("/demo/api/folder")
    def folder() -> tuple[Response, int]:
        uid, body = caller(), _body()
        parts = (
            _parts(body.get("path")) if "path" in body else (*_parts(body.get("dir", "")), str(body.get("name", "")))
        )
        return jsonify(_entry(area.make_folder(uid, parts))), 201


def _add_mail_routes(app: Flask, host: EmbeddedHost, stylesheet: Path) -> None:
    def page(template: str, **values: Any) -> Response:
        response = Response(render_template(template, lang=_language(), **values))
        response.headers["Content-Security-Policy"] = _MAIL_CSP
        return response

    @app.get("/demo/mail")
    def mails() -> Response:
        return page("mails.html", mails=host.mailbox.mails()[::-1], title="Mails")

    @app.get("/demo/mail/<int:mail_id>")
    def mail(mail_id: int) -> Response:
        found = next((mail for mail in host.mailbox.mails() if mail["id"] == mail_id), None)
        if found is None:
            abort(404)
        return page("mail.html", mail=found, title=found["subject"])

    @app.get("/demo/mail.json")
    def mail_list() -> Response:
        return jsonify(host.mailbox.mails())

    @app.get("/demo/sms")
    def sms() -> Response:
        return page("sms.html", messages=host.mailbox.sms()[::-1], title="SMS")

    @app.get("/demo/sms.json")
    def sms_list() -> Response:
        return jsonify(host.mailbox.sms())

    @app.get("/demo/demo.css")
    def style() -> Response:
        return Response(stylesheet.read_text(), mimetype="text/css")


def _entry(node: Node) -> dict[str, Any]:
    at = datetime.fromtimestamp(node.mtime_ns / 1_000_000_000, UTC)
    return {
        "file_id": str(node.file_id),
        "name": node.name,
        "path": node.path,
        "is_folder": node.is_folder,
        "size_bytes": node.size_bytes,
        "mime": "" if node.is_folder else mime_of(node.name),
        "modified_at": at.isoformat(timespec="seconds").replace("+00:00", "Z"),
    }


def _described(person: DemoPerson) -> dict[str, str]:
    return {"uid": person.uid, "name": person.name, "email": person.email, "language": person.language}


def _parts(path: object) -> Parts:
    if not isinstance(path, str):
        raise Problem(422, "invalid")
    return tuple(part for part in path.split("/") if part)


def _body() -> dict[str, Any]:
    body = _json()
    if not isinstance(body, dict):
        raise Problem(422, "invalid")
    return body


def _free_name(area: Area, uid: str, folder: Parts, name: str) -> str:
    stem, dot, ending = name.rpartition(".")
    stem, ending = (stem, dot + ending) if stem else (name, "")
    candidate, count = name, 2
    while area.node(uid, (*folder, candidate)) is not None:
        candidate, count = f"{stem} {count}{ending}", count + 1
    return candidate


def _language() -> str:
    chosen = request.cookies.get("lang", "")
    if chosen in ("fr", "en"):
        return chosen
    return request.accept_languages.best_match(["en", "fr"], "en") or "en"


def _is_loopback(name: str) -> bool:
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost" or name.endswith(".localhost")


def _refuse_foreign_origin() -> None:
    origin = request.headers.get("Origin")
    if origin is not None and origin != f"{request.scheme}://{request.host}":
        raise Problem(403, "foreign-origin")


def _problem(status: int, code: str) -> Response:
    response = jsonify(type="about:blank", status=status, code=code, title=code)
    response.status_code = status
    response.mimetype = "application/problem+json"
    return response
