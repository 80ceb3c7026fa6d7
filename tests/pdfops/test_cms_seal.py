"""The CMS of a seal is put together from bytes; pyHanko builds a tree and encodes it. They agree to the byte.

What they may differ in: pyHanko sorts certificates as DER sorts a set, we keep the signer's first. RFC 5652, 5.1 asks
for neither.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest
from asn1crypto import cms
from asn1crypto import keys as asn1_keys
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given, settings
from hypothesis import strategies as st
from pyhanko.sign.signers import SimpleSigner
from pyhanko.sign.signers.pdf_cms import PdfCMSSignedAttributes
from pyhanko_certvalidator.registry import SimpleCertificateStore

from pdfops.cms_seal import package, reserved_bytes, signed_attributes
from pdfops.signer import KeySigner

KINDS = ("RSA", "P-256")
NAME_PARTS = (
    x509.NameOID.COMMON_NAME,
    x509.NameOID.ORGANIZATION_NAME,
    x509.NameOID.ORGANIZATIONAL_UNIT_NAME,
    x509.NameOID.LOCALITY_NAME,
    x509.NameOID.STATE_OR_PROVINCE_NAME,
)
names = st.lists(
    st.text(st.characters(codec="utf-8", exclude_categories=["C"]), min_size=1, max_size=16), min_size=1, max_size=5
)
serials = st.integers(1, 2**159 - 1)
digests = st.binary(min_size=32, max_size=32)
times = st.integers(-600_000_000, 2_500_000_000).map(lambda value: dt.datetime.fromtimestamp(value, dt.UTC))
kinds = st.sampled_from(KINDS)


@cache
def key_of(kind: str) -> rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey:
    return rsa.generate_private_key(65_537, 2_048) if kind == "RSA" else ec.generate_private_key(ec.SECP256R1())


def chain_of(kind: str, called: Sequence[str], serial: int, issuers: int) -> list[x509.Certificate]:
    """The signer's certificate, then those of so many issuers, the last of them a root. One key serves them all."""
    key = key_of(kind)
    subject = x509.Name([x509.NameAttribute(part, text) for part, text in zip(NAME_PARTS, called, strict=False)])
    holders = [subject, *(_common_name(f"Issuer {number}") for number in range(issuers))]
    start = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    return [
        x509.CertificateBuilder()
        .subject_name(holder)
        .issuer_name(holders[min(number + 1, issuers)])
        .public_key(key.public_key())
        .serial_number(serial if number == 0 else number)
        .not_valid_before(start)
        .not_valid_after(start + dt.timedelta(days=900))
        .sign(key, hashes.SHA256())
        for number, holder in enumerate(holders)
    ]


def _common_name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])


@dataclass(frozen=True)
class Holder:
    """A signer whose key is parsed once a run: that takes a hundred times as long as all else here."""

    kind: str
    chain: tuple[bytes, ...]

    @property
    def algorithm(self) -> str:
        return keys_of(self.kind)[0].algorithm

    @property
    def signature_size_bytes(self) -> int:
        return keys_of(self.kind)[0].signature_size_bytes

    def sign(self, data: bytes) -> bytes:
        return keys_of(self.kind)[0].sign(data)


@cache
def keys_of(kind: str) -> tuple[KeySigner, asn1_keys.PrivateKeyInfo]:
    """The key of `key_of`, as we and as pyHanko take it."""
    key, unlocked = key_of(kind), serialization.NoEncryption()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, unlocked)
    der = key.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, unlocked)
    certificate = chain_of(kind, ["A"], 1, 0)[0].public_bytes(serialization.Encoding.PEM)
    return KeySigner(pem, certificate), asn1_keys.PrivateKeyInfo.load(der)


def both(kind: str, chain: Sequence[x509.Certificate]) -> tuple[Holder, SimpleSigner]:
    """Our signer and pyHanko's, with the same key and certificates."""
    encoded = tuple(one.public_bytes(serialization.Encoding.DER) for one in chain)
    certificates = [asn1_x509.Certificate.load(one) for one in encoded]
    store = SimpleCertificateStore()
    store.register_multiple(certificates[1:])
    return Holder(kind, encoded), SimpleSigner(certificates[0], keys_of(kind)[1], store)


def theirs(signer: SimpleSigner, digest: bytes, *, is_signed: bool = False) -> cms.ContentInfo:
    """Not by ``use_pades``: pyHanko leaves the protection of algorithms out there, which we have. Without a signature
    there is something of its size instead."""
    return asyncio.run(signer.async_sign(digest, "sha256", dry_run=not is_signed))


def parts(content: cms.ContentInfo) -> tuple[bytes, set[bytes], bytes]:
    """A CMS object without its certificates; these; its signer."""
    signed = content["content"]
    certificates = {one.dump() for one in signed["certificates"]}
    head = b"".join(signed[name].dump() for name in ("version", "digest_algorithms", "encap_content_info"))
    return head, certificates, signed["signer_infos"][0].dump()


@given(kinds, names, serials, digests)
@settings(deadline=None, max_examples=20)
def test_the_attributes_to_sign_are_pyhankos_to_the_byte(
    kind: str, called: list[str], serial: int, digest: bytes
) -> None:
    ours, library = both(kind, chain_of(kind, called, serial, 0))
    expected = asyncio.run(library.signed_attrs(digest, "sha256"))
    assert signed_attributes(ours, digest) == expected.dump()


@given(kinds, names, serials, digests)
@settings(deadline=None, max_examples=20)
def test_with_one_certificate_the_whole_object_is_pyhankos_to_the_byte(
    kind: str, called: list[str], serial: int, digest: bytes
) -> None:
    ours, library = both(kind, chain_of(kind, called, serial, 0))
    expected = theirs(library, digest)
    signature = expected["content"]["signer_infos"][0]["signature"].native
    assert package(ours, signed_attributes(ours, digest), signature) == expected.dump()


def test_an_rsa_signature_is_pyhankos_to_the_byte() -> None:
    ours, library = both("RSA", chain_of("RSA", ["Mairie d'Étampes"], 7, 0))
    attributes = signed_attributes(ours, bytes(32))
    assert package(ours, attributes, ours.sign(attributes)) == theirs(library, bytes(32), is_signed=True).dump()


@given(kinds, names, serials, digests, st.integers(1, 4))
@settings(deadline=None, max_examples=20)
def test_with_a_chain_all_but_the_order_of_certificates_is_pyhankos(
    kind: str, called: list[str], serial: int, digest: bytes, issuers: int
) -> None:
    chain = chain_of(kind, called, serial, issuers)
    ours, library = both(kind, chain)
    expected = theirs(library, digest)
    signature = expected["content"]["signer_infos"][0]["signature"].native
    made = cms.ContentInfo.load(package(ours, signed_attributes(ours, digest), signature), strict=True)
    assert parts(made) == parts(expected)
    listed = [one.chosen.dump() for one in made["content"]["certificates"]]
    assert listed == [one.public_bytes(serialization.Encoding.DER) for one in chain]


@given(kinds, names, digests, times)
@settings(deadline=None, max_examples=20)
def test_the_time_of_signing_is_one_attribute_more_and_it_is_pyhankos(
    kind: str, called: list[str], digest: bytes, moment: dt.datetime
) -> None:
    ours, library = both(kind, chain_of(kind, called, 7, 0))
    without = attributes_of(signed_attributes(ours, digest))
    timed = attributes_of(signed_attributes(ours, digest, moment))
    assert set(timed) - set(without) == {"signing_time"}
    assert without.items() <= timed.items()
    settings_of_theirs = PdfCMSSignedAttributes(signing_time=moment.replace(microsecond=0))
    expected = asyncio.run(library.signed_attrs(digest, "sha256", attr_settings=settings_of_theirs, is_pdf_sig=False))
    assert timed["signing_time"] == attributes_of(expected.dump())["signing_time"]


@pytest.mark.parametrize(
    ("year", "kind"), [(2049, "utc_time"), (2050, "generalized_time"), (2120, "generalized_time")]
)
def test_from_2050_on_a_time_has_four_digits_for_its_year(year: int, kind: str) -> None:
    """RFC 5652, 11.3; pyHanko writes UTC times alone."""
    ours, _ = both("RSA", chain_of("RSA", ["A"], 7, 0))
    moment = dt.datetime(year, 12, 31, 23, 59, 59, tzinfo=dt.UTC)
    attributes: Any = cms.CMSAttributes.load(signed_attributes(ours, bytes(32), moment), strict=True)
    (time,) = (one["values"][0] for one in attributes if one["type"].native == "signing_time")
    assert (time.name, time.native) == (kind, moment)


def test_a_time_is_that_of_its_zone() -> None:
    ours, _ = both("RSA", chain_of("RSA", ["A"], 7, 0))
    paris = dt.datetime(2026, 3, 29, 3, 30, tzinfo=dt.timezone(dt.timedelta(hours=2)))
    assert signed_attributes(ours, bytes(32), paris) == signed_attributes(ours, bytes(32), paris.astimezone(dt.UTC))


def attributes_of(encoded: bytes) -> dict[str, bytes]:
    """By name. Raises: ValueError unless it is DER: read strictly, and a set in its order."""
    attributes: Any = cms.CMSAttributes.load(encoded, strict=True)
    each = [one.dump() for one in attributes]
    if each != sorted(each):
        raise ValueError("a set out of order")
    return {one["type"].native: one.dump() for one in attributes}


@given(kinds, names, serials, st.integers(0, 4))
@settings(deadline=None, max_examples=15)
def test_what_is_reserved_holds_what_is_made(kind: str, called: list[str], serial: int, issuers: int) -> None:
    ours, _ = both(kind, chain_of(kind, called, serial, issuers))
    attributes = signed_attributes(ours, bytes(range(32)))
    made = package(ours, attributes, ours.sign(attributes))
    assert len(made) <= reserved_bytes(ours) <= len(made) + 64


@pytest.mark.parametrize("size", [0, 1, 127, 128, 255, 256, 65_535, 65_536])
def test_lengths_of_every_size_are_der(size: int) -> None:
    """A timestamp token as large as that; asn1crypto, which reads it strictly, writes the same bytes again."""
    ours, _ = both("RSA", chain_of("RSA", ["A"], 7, 0))
    token = cms.ContentInfo({"content_type": "data", "content": bytes(size)}).dump()
    made = package(ours, signed_attributes(ours, bytes(32)), bytes(256), token)
    assert cms.ContentInfo.load(made, strict=True).dump(force=True) == made
    assert token in made
