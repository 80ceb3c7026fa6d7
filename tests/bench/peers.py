"""What others take for the same: pyHanko used plainly, poppler's pdfsig; and their verdicts on what was made."""

from __future__ import annotations

import asyncio
import datetime as dt
import io
import shutil
import subprocess
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs12
from PIL import Image
from pyhanko.pdf_utils.images import PdfImage
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.layout import AxisAlignment, Margins, SimpleBoxLayoutRule
from pyhanko.sign import PdfSignatureMetadata, PdfSigner
from pyhanko.sign.fields import SigSeedSubFilter
from pyhanko.sign.signers import SimpleSigner
from pyhanko.stamp import TextStampStyle

from pdfops.signer import make_organisation_certificate
from tests.pdfops import oracles

NICK, PASSWORD = "bench", "bench"


def plainly(data: bytes, ink: Image.Image, field: str, signer: SimpleSigner) -> bytes:
    """The library as its documentation shows it."""
    writer = IncrementalPdfFileWriter(io.BytesIO(data), strict=False)
    left = SimpleBoxLayoutRule(AxisAlignment.ALIGN_MIN, AxisAlignment.ALIGN_MID, Margins(2, 110, 2, 2))
    right = SimpleBoxLayoutRule(AxisAlignment.ALIGN_MAX, AxisAlignment.ALIGN_MID, Margins(100, 2, 2, 2))
    style = TextStampStyle(
        stamp_text="%(signer)s\n%(ts)s\nBon pour accord",
        background=PdfImage(ink),
        background_layout=left,
        background_opacity=1.0,
        inner_content_layout=right,
        border_width=0,
    )
    metadata = PdfSignatureMetadata(
        field_name=field, subfilter=SigSeedSubFilter.PADES, reason="Bon pour accord", name="Zoe Lukaszewicz"
    )
    output = asyncio.run(
        PdfSigner(metadata, signer, stamp_style=style).async_sign_pdf(writer, existing_fields_only=True)
    )
    return bytes(output.getvalue())


class Pdfsig:
    """``pdfsig -add-signature`` with an RSA-3072 key in an NSS database: a field of its own, visible, text alone.

    Asked to sign a field that is there (``-sign``), poppler 22.12 draws nothing.
    """

    def __init__(self, folder: Path) -> None:
        """``missing`` names what is not installed; then it cannot be used."""
        programs = {"pdfsig": "poppler-utils", "certutil": "libnss3-tools", "pk12util": "libnss3-tools"}
        self.missing = sorted({package for program, package in programs.items() if shutil.which(program) is None})
        self._folder = folder
        self._database = f"sql:{folder / 'nss'}"
        if not self.missing:
            self._make_database()

    def _make_database(self) -> None:
        (self._folder / "nss").mkdir()
        key_pem, certificate_pem = make_organisation_certificate("Bench", dt.datetime.now(dt.UTC))
        key = serialization.load_pem_private_key(key_pem, None)
        certificate = x509.load_pem_x509_certificate(certificate_pem)
        lock = serialization.BestAvailableEncryption(PASSWORD.encode())
        bundle = self._folder / "key.p12"
        bundle.write_bytes(pkcs12.serialize_key_and_certificates(NICK.encode(), key, certificate, None, lock))  # type: ignore[arg-type]  # a key by its file
        for command in (
            ["certutil", "-N", "-d", self._database, "--empty-password"],
            ["pk12util", "-i", str(bundle), "-d", self._database, "-W", PASSWORD],
        ):
            subprocess.run(command, check=True, capture_output=True)

    def sign(self, source: Path) -> bytes:
        target = self._folder / "pdfsig.pdf"
        target.unlink(missing_ok=True)
        command = ["pdfsig", "-nssdir", self._database, "-nick", NICK, "-add-signature", "-reason", "Bon pour accord"]
        subprocess.run([*command, str(source), str(target)], check=False, capture_output=True)
        return target.read_bytes()


class Verdicts:
    """How many outputs were put before pdfsig and pyHanko, and how many each held for valid."""

    def __init__(self) -> None:
        self.has_pdfsig = shutil.which("pdfsig") is not None
        self.asked = self.by_pdfsig = self.by_pyhanko = 0

    def ask(self, data: bytes) -> None:
        """One signature, over the whole file."""
        self.asked += 1
        self.by_pyhanko += [is_well for is_well, _level in oracles.library(data).values()] == [True]
        if self.has_pdfsig:
            self.by_pdfsig += [one.is_valid and one.covers_file for one in oracles.poppler(data)] == [True]

    @property
    def are_all_well(self) -> bool:
        return self.asked == self.by_pyhanko and (not self.has_pdfsig or self.asked == self.by_pdfsig)

    def __str__(self) -> str:
        pdfsig = f"by pdfsig {self.by_pdfsig}" if self.has_pdfsig else "pdfsig is not installed"
        asked = f"outputs of seal, workshop and pyHanko: {self.asked}"
        return f"{asked}; held for valid by pyHanko {self.by_pyhanko}, {pdfsig}"
