"""Who attests times and vouches for certificates, from what an operator set."""

from __future__ import annotations

from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from pdfops.lasting import Lasting, with_own
from plugin.adapters.outbound import Outbound
from plugin.settings import BadSettings, Settings


def trusted_roots(path: Path | None) -> tuple[bytes, ...]:
    """The certificates of a PEM file, in DER. Raises: BadSettings."""
    if path is None:
        return ()
    try:
        found = x509.load_pem_x509_certificates(path.read_bytes())
    except (OSError, ValueError) as error:
        raise BadSettings("PARAPHEUR_TRUST_ROOTS: there are no certificates (PEM) to be read in that file") from error
    return tuple(one.public_bytes(Encoding.DER) for one in found)


def lasting_of(settings: Settings, roots: tuple[bytes, ...], own: bytes) -> Lasting | None:
    """None for seals without timestamps. ``own``: the certificate of our seals, DER."""
    if settings.seal_level == "b-b":
        return None
    user, password = settings.tsa_user, settings.tsa_password.get_secret_value()
    authority = Outbound(
        settings.tsa_urls,
        settings.outbound_origins,
        settings.outbound_private_hosts,
        (user, password) if user else None,
    )
    return Lasting(settings.seal_level, with_own(roots, own), authority)
