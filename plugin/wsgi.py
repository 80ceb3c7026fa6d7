"""The sidecar for a WSGI server: ``gunicorn 'plugin.wsgi:create()'``, one process with threads."""

from __future__ import annotations

import atexit

from flask import Flask

from plugin.app import create_app
from plugin.logs import configure
from plugin.settings import from_environment


def create() -> Flask:
    """Settings from the environment. Ends threads and children when the process ends."""
    settings = from_environment()
    configure(settings.log_level, as_json=True)
    product = create_app(settings)
    atexit.register(product.close)
    return product.app
