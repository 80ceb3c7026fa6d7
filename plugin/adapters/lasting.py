"""Who attests times and vouches for certificates, from what an operator set."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from pdfops.lasting import Lasting, with_own
from pdfops.longterm import proofs_of, way_to_root
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


def lasting_of(settings: Settings, roots: tuple[bytes, ...], chain: Sequence[bytes]) -> Lasting | None:
    """None for seals without timestamps. ``chain``: of our seals, DER, their own certificate first.

    Raises: BadSettings, where no seal could ever reach its level.
    """
    if settings.seal_level == "b-b":
        return None
    user, password = settings.tsa_user, settings.tsa_password.get_secret_value()
    try:
        authority = Outbound(
            settings.tsa_urls,
            settings.outbound_origins,
            settings.outbound_private_hosts,
            (user, password) if user else None,
        )
    except ValueError as error:
        raise BadSettings(f"PARAPHEUR_TSA_URLS, PARAPHEUR_OUTBOUND_ORIGINS: {error}") from error
    lasting = Lasting(settings.seal_level, with_own(roots, chain[0]), authority)
    if lasting.with_store:
        _check_can_be_shown_good(chain, lasting.roots, authority)
    return lasting


def _check_can_be_shown_good(chain: Sequence[bytes], roots: Sequence[bytes], authority: Outbound) -> None:
    """What would otherwise be found out when the last person of the first flow signs. Raises: BadSettings."""
    way = way_to_root(chain, roots)
    if way is None:
        raise BadSettings(
            "PARAPHEUR_TRUST_ROOTS: the seal's certificate leads to none of them; the certificates between have to "
            "come with its key"
        )
    for place, addresses in enumerate(proofs_of(one) for one in way):
        if not any(authority.is_listed(url) for url in addresses):
            whose = "the seal's certificate" if place == 0 else "the issuer of the seal's certificate"
            named = ", ".join(addresses) or "it names none"
            raise BadSettings(
                f"PARAPHEUR_OUTBOUND_ORIGINS: none of the places where it is said whether {whose} was revoked is "
                f"listed ({named})"
            )
