"""What operators and programs ask: does it work, what was counted, what does the interface look like."""

from __future__ import annotations

from flask import Blueprint, Response, current_app, jsonify
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from plugin.web.callers import anyone, direct
from plugin.web.office import office
from plugin.web.openapi import spec
from plugin.web.schemas import Health

service = Blueprint("service", __name__)


@service.get("/healthz")
@direct
def health() -> Response:
    """200 whenever the sidecar can answer, degraded or not; 503 only before the start is finished."""
    checks = office().checks()
    if checks is None:
        answer = jsonify(Health(status="starting", checks=[]).model_dump())
        answer.status_code = 503
        answer.headers["Retry-After"] = "1"
        return answer
    works = all(check.state == "ok" for check in checks)
    return jsonify(Health(status="ok" if works else "degraded", checks=checks).model_dump())


@service.get("/metrics")
@direct
def metrics() -> Response:
    """Counts of outcomes; no names, no ids."""
    return Response(generate_latest(), content_type=CONTENT_TYPE_LATEST)


@service.get("/openapi.json")
@anyone
def openapi() -> Response:
    with current_app.app_context():
        return jsonify(spec.spec)
