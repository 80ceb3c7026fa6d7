"""A public key infrastructure that answers: root, intermediate, OCSP, CRLs, timestamp authority; on loopback.

Keys are made anew; certificates, responses and tokens are certomancer's. Whoever asks meets a real HTTP server.
"""

from __future__ import annotations

import datetime as dt
import io
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from certomancer.integrations.animator import Animator, AnimatorArchStore
from certomancer.registry import ArchLabel, CertLabel, CertomancerConfig, PKIArchitecture
from cheroot.wsgi import Server
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import pkcs12

from pdfops.signer import KeySigner
from plugin.adapters.outbound import Outbound

ARCH = "test"
KEYS = ("root", "inter", "signer", "revoked", "ocsp", "tsa", "tsa2", "revoked-tsa", "other-root", "other-tsa")
SIGNER_DAYS = 200
"""How long the signer's certificate is valid still; the others for years."""

Interfere = Callable[[dict[str, Any], bytes], "tuple[str, list[tuple[str, str]], bytes] | None"]


@dataclass
class Pki:
    """``interfere``: sees every request (WSGI environment, body) first and may answer it himself."""

    port: int
    arch: PKIArchitecture
    folder: Path
    interfere: Interfere | None = None
    asked: list[str] | None = None

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def tsa(self, label: str = "tsa") -> str:
        return f"{self.origin}/{ARCH}/tsa/{label}"

    def certificate(self, label: str) -> bytes:
        return bytes(self.arch.get_cert(CertLabel(label)).dump())

    @property
    def roots(self) -> tuple[bytes, ...]:
        return (self.certificate("root"),)

    def signer(self, label: str = "signer", above: tuple[str, ...] = ("inter",)) -> KeySigner:
        key = (self.folder / f"{label}.pem").read_bytes()
        chain = [self.certificate(one) for one in (label, *above)]
        return KeySigner(key, b"".join(_pem(one) for one in chain))

    def pkcs12(self, label: str) -> bytes:
        """Key and chain, without a password."""
        key = serialization.load_pem_private_key((self.folder / f"{label}.pem").read_bytes(), None)
        own, above = (x509.load_der_x509_certificate(self.certificate(one)) for one in (label, "inter"))
        return pkcs12.serialize_key_and_certificates(None, key, own, [above], serialization.NoEncryption())  # type: ignore[arg-type]  # any key

    def outbound(self, tsa: str = "tsa", total_s: float = 8.0) -> Outbound:
        return Outbound([self.tsa(tsa)], [self.origin], ["127.0.0.1"], total_s=total_s)


def _pem(der: bytes) -> bytes:
    return x509.load_der_x509_certificate(der).public_bytes(serialization.Encoding.PEM)


@contextmanager
def running(folder: Path, *, rsa_bits: int = 0, now: dt.datetime | None = None) -> Iterator[Pki]:
    """``rsa_bits``: of the signer's key, else P-256."""
    for label in KEYS:
        key: Any = (
            rsa.generate_private_key(public_exponent=65_537, key_size=rsa_bits)
            if rsa_bits and label == "signer"
            else ec.generate_private_key(ec.SECP256R1())
        )
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        (folder / f"{label}.pem").write_bytes(pem)
    holder: dict[str, Any] = {}

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        pki: Pki = holder["pki"]
        if pki.asked is not None:
            pki.asked.append(environ["PATH_INFO"])
        if pki.interfere is not None:
            length = int(environ.get("CONTENT_LENGTH") or 0)
            body = environ["wsgi.input"].read(length) if length else b""
            answer = pki.interfere(environ, body)
            if answer is not None:
                start_response(answer[0], answer[1])
                return [answer[2]]
            environ["wsgi.input"] = io.BytesIO(body)
        return holder["animator"](environ, start_response)

    server = Server(("127.0.0.1", 0), app, numthreads=4)
    server.prepare()
    port = server.bind_addr[1]
    moment = now or dt.datetime.now(dt.UTC)
    config = CertomancerConfig(_config(port, moment), key_search_dir=str(folder))
    arch = config.get_pki_arch(ArchLabel(ARCH))
    holder["pki"] = Pki(port, arch, folder)
    holder["animator"] = Animator(AnimatorArchStore(config.pki_archs), with_web_ui=False)
    thread = threading.Thread(target=server.serve, daemon=True)
    thread.start()
    try:
        yield holder["pki"]
    finally:
        server.stop()
        thread.join(5)


def _config(port: int, now: dt.datetime) -> dict[str, Any]:
    def at(days: int) -> str:
        return (now + dt.timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%S+0000")

    validity = {"valid-from": at(-400), "valid-to": at(3_000)}
    stamps = [
        {"id": "key_usage", "critical": True, "smart-value": {"schema": "key-usage", "params": ["digital_signature"]}},
        {"id": "extended_key_usage", "critical": True, "value": ["time_stamping"]},
    ]
    with_inter = {"issuer": "inter", "validity": validity}
    return {
        "external-url-prefix": f"http://127.0.0.1:{port}",
        "keysets": {"keys": {"path-prefix": ".", "keys": {label: {"path": f"{label}.pem"} for label in KEYS}}},
        "pki-architectures": {
            ARCH: {
                "keyset": "keys",
                "entity-defaults": {"country-name": "FR", "organization-name": "Essais"},
                "entities": {label: {"common-name": f"Essai {label}"} for label in KEYS},
                "certs": {
                    "root": {
                        "subject": "root",
                        "issuer": "root",
                        "validity": validity,
                        "profiles": [{"id": "simple-ca", "params": {"crl-repo": "root"}}],
                    },
                    "other-root": {
                        "subject": "other-root",
                        "issuer": "other-root",
                        "validity": validity,
                        "profiles": ["simple-ca"],
                    },
                    "inter": {
                        "issuer": "root",
                        "validity": validity,
                        "profiles": [{"id": "simple-ca", "params": {"ocsp-service": "inter", "max-path-len": 0}}],
                    },
                    "signer": {
                        "issuer": "inter",
                        "validity": {"valid-from": at(-400), "valid-to": at(SIGNER_DAYS)},
                        "profiles": ["digsig-commitment"],
                    },
                    "revoked": {
                        **with_inter,
                        "profiles": ["digsig-commitment"],
                        "revocation": {"revoked-since": at(-10), "reason": "key_compromise"},
                    },
                    "ocsp": {**with_inter, "profiles": ["ocsp-responder"]},
                    "tsa": {"issuer": "root", "validity": validity, "extensions": stamps},
                    "tsa2": {**with_inter, "extensions": stamps},
                    "revoked-tsa": {
                        **with_inter,
                        "extensions": stamps,
                        "revocation": {"revoked-since": at(-10), "reason": "key_compromise"},
                    },
                    "other-tsa": {"issuer": "other-root", "validity": validity, "extensions": stamps},
                },
                "services": {
                    "ocsp": {"inter": {"for-issuer": "inter", "responder-cert": "ocsp", "signing-key": "ocsp"}},
                    "crl-repo": {
                        "root": {
                            "for-issuer": "root",
                            "signing-key": "root",
                            "simulated-update-schedule": "P1D",
                        }
                    },
                    "time-stamping": {
                        "tsa": {"signing-cert": "tsa"},
                        "tsa2": {"signing-cert": "tsa2", "certs-to-embed": ["inter"]},
                        "other-tsa": {"signing-cert": "other-tsa"},
                        "revoked-tsa": {"signing-cert": "revoked-tsa", "certs-to-embed": ["inter"]},
                        "no-tsa": {"signing-cert": "signer", "certs-to-embed": ["inter"]},
                        "large": {"signing-cert": "tsa", "certs-to-embed": ["inter", "root", "other-root"]},
                        "huge": {"signing-cert": "tsa", "certs-to-embed": ["inter", "root", "other-root", *KEYS]},
                    },
                },
            }
        },
    }
