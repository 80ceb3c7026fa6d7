"""What happens once after an installation or an update, while the platform shows a progress bar.

The start of the process has made keys, migrated the vault and refused what cannot be. Left are the things that only
show in this place: whether PDFs can be worked on, whether the seal is valid now, whether the platform lets us in.
Source: AppAPI, "Ex-App lifecycle": progress 100 enables the app, an error stands until the next attempt.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable

import stamina
import structlog
from cryptography.x509 import load_der_x509_certificate

from plugin.actions.context import Context
from plugin.flow.errors import HostUnavailable
from plugin.i18n import mark, translations
from plugin.ports import Platform

log = structlog.get_logger()

WARM_WITHIN_S = 60.0
HOST_WITHIN_S = 600.0
"""The platform may be busy, restarting or slow; it gives up on us after 40 minutes."""

_NO_CHILDREN = mark("PDF documents cannot be worked on here: the processes for it do not start.")
_SEAL_NOT_NOW = mark("The seal's certificate is not valid at this machine's time: check its clock.")
_HOST_REFUSES = mark("The platform does not answer the app: check NEXTCLOUD_URL, the secret and the version.")


class _NotReady(Exception):
    """``sentence`` for an administrator, in English."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


def set_up(
    ctx: Context, host: Platform, *, warm_within_s: float = WARM_WITHIN_S, within_s: float = HOST_WITHIN_S
) -> None:
    """Tells the platform each step; the last one makes it enable the app, a failed one is told as its error."""
    done = 0
    checks: tuple[tuple[int, Callable[[], None]], ...] = (
        (30, lambda: _children_work(ctx, warm_within_s)),
        (60, lambda: _seal_is_valid(ctx)),
        (90, lambda: _host_answers(ctx, within_s)),
        (100, lambda: None),
    )
    try:
        for percent, check in checks:
            check()
            _told(host, percent, "", within_s)
            done = percent
    except _NotReady as failed:
        log.warning("init.failed", after=done, reason=failed.sentence)
        _told(host, done, translations(ctx.default_language).gettext(failed.sentence), within_s)
    else:
        log.info("init.done")


def _told(host: Platform, percent: int, error: str, within_s: float) -> None:
    """As often as it takes; telling the same again is fine."""
    try:
        for attempt in _patiently(within_s):
            with attempt:
                host.report_progress(percent, error)
    except HostUnavailable as unheard:
        log.warning("init.not_reported", percent=percent, reason=unheard.code)


def _patiently(within_s: float) -> Iterable[stamina.Attempt]:
    return stamina.retry_context(on=HostUnavailable, attempts=None, timeout=within_s, wait_initial=0.2, wait_max=10.0)


def _children_work(ctx: Context, within_s: float) -> None:
    if not ctx.workshop.await_warm(within_s):
        raise _NotReady(_NO_CHILDREN)


def _seal_is_valid(ctx: Context) -> None:
    certificate = load_der_x509_certificate(base64.b64decode(str(ctx.identity.key_statement["certificate"])))
    if not certificate.not_valid_before_utc <= ctx.clock() <= certificate.not_valid_after_utc:
        raise _NotReady(_SEAL_NOT_NOW)


def _host_answers(ctx: Context, within_s: float) -> None:
    try:
        for attempt in _patiently(within_s):
            with attempt:
                ctx.directory.users()
    except HostUnavailable as error:
        raise _NotReady(_HOST_REFUSES) from error
