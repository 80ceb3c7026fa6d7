"""``parapheur pdf``: what somebody sees who types it, and what a program reads."""

from __future__ import annotations

import datetime as dt
import io
import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs12
from PIL import Image
from pyhanko.pdf_utils import generic

from pdfops.signer import make_organisation_certificate
from plugin.cli import main
from tests import pki
from tests.pdfops import oracles, samples, tokens

pytestmark = pytest.mark.usefixtures("logs_as_before")
P12_SECRET = "bateau rouge"


class Typed:
    """What a command answered."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *words: object) -> tuple[int, Any]:
        """Returns: the exit code, what ``--json`` printed."""
        self._capsys.readouterr()
        code = main(["pdf", *map(str, words), "--json"])
        return code, json.loads(self._capsys.readouterr().out)


@pytest.fixture
def typed(capsys: pytest.CaptureFixture[str]) -> Typed:
    return Typed(capsys)


@pytest.fixture
def paper(tmp_path: Path) -> Path:
    path = tmp_path / "paper.pdf"
    path.write_bytes(samples.simple_pdf(2))
    return path


@pytest.fixture
def ink(tmp_path: Path) -> Path:
    path = tmp_path / "ink.png"
    path.write_bytes(samples.ink_png())
    return path


@pytest.fixture
def p12(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A P-256 key under a root of its own, whose certificate is beside it as root.pem."""
    now = dt.datetime.now(dt.UTC)
    root_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    issuer = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "A root")])
    holder = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Ville de Brest")])

    def certificate(subject: x509.Name, public: Any, is_root: bool) -> x509.Certificate:
        return (
            x509.CertificateBuilder(issuer, subject, public, x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=1))
            .not_valid_after(now + dt.timedelta(days=30))
            .add_extension(x509.BasicConstraints(ca=is_root, path_length=None), critical=True)
            .add_extension(
                x509.KeyUsage(not is_root, not is_root, False, False, False, is_root, is_root, False, False),
                critical=True,
            )
            .sign(root_key, hashes.SHA256())
        )

    root = certificate(issuer, root_key.public_key(), True)
    own = certificate(holder, key.public_key(), False)
    wrapping = serialization.BestAvailableEncryption(P12_SECRET.encode())
    path = tmp_path / "key.p12"
    path.write_bytes(pkcs12.serialize_key_and_certificates(b"seal", key, own, None, wrapping))
    (tmp_path / "root.pem").write_bytes(root.public_bytes(serialization.Encoding.PEM))
    monkeypatch.setenv("PARAPHEUR_P12_PASSWORD", P12_SECRET)
    return path


@pytest.fixture
def sealed(typed: Typed, paper: Path, ink: Path, p12: Path, tmp_path: Path) -> Path:
    out = tmp_path / "sealed.pdf"
    code, answer = typed("seal", paper, out, "--page", 2, "--box", "0.5,0.7,0.3,0.1", "--image", ink, "--p12", p12)
    assert (code, answer["ok"]) == (0, True), answer
    return out


# ---- inspect --------------------------------------------------------------------------------------------------------
def test_a_good_pdf_is_told_with_pages_and_sizes(typed: Typed, paper: Path) -> None:
    code, answer = typed("inspect", paper)
    assert code == 0
    assert answer == {
        "ok": True,
        "code": "ok",
        "message": answer["message"],
        "pages": 2,
        "size_bytes": paper.stat().st_size,
        "encrypted": False,
        "signatures": 0,
        "page_sizes_pt": [[595, 842], [595, 842]],
    }


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (samples.encrypted_pdf(), "encrypted"),
        (samples.damaged_pdf(), "damaged"),
        (b"hello", "not-a-pdf"),
        (b"", "not-a-pdf"),
        (samples.kids_loop(), "damaged"),
        (samples.certified_p1_pdf(), "certified"),
        (samples.many_pages(6_000), "too-many-pages"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_bad_one_is_refused_by_code_and_sentence(typed: Typed, tmp_path: Path, data: bytes, code: str) -> None:
    path = tmp_path / "bad.pdf"
    path.write_bytes(data)
    status, answer = typed("inspect", path)
    assert (status, answer["ok"], answer["code"]) == (1, False, code)
    assert answer["message"].endswith(".")
    assert answer["size_bytes"] == len(data)
    assert answer["encrypted"] is (code == "encrypted")
    assert (answer["pages"], answer["page_sizes_pt"]) == (None, [])


def test_a_file_that_is_not_there_is_said(typed: Typed, tmp_path: Path) -> None:
    for words in (["inspect"], ["verify"], ["prove"]):
        status, answer = typed(*words, tmp_path / "nowhere.pdf")
        assert (status, answer["code"]) == (1, "no-such-file")
        assert "Traceback" not in answer["message"]
    assert typed("inspect", tmp_path)[1]["code"] == "no-such-file"


# ---- seal and verify ------------------------------------------------------------------------------------------------
def test_a_seal_is_valid_for_other_readers_and_trusted_under_its_root(
    typed: Typed, paper: Path, sealed: Path, tmp_path: Path
) -> None:
    assert oracles.all_well(sealed.read_bytes(), 1)
    assert sealed.read_bytes().startswith(paper.read_bytes())
    code, answer = typed("verify", sealed)
    assert (code, answer["integrity"], answer["trust"], answer["changes"]) == (0, "intact", "unknown", [])
    (one,) = answer["signatures"]
    assert (one["signer"], one["covers"], one["integrity"]) == ("Ville de Brest", "file", "intact")
    assert dt.datetime.fromisoformat(one["signed_at"]).tzinfo is not None
    assert typed("verify", sealed, "--trust", tmp_path / "root.pem")[1]["trust"] == "trusted"
    (tmp_path / "other.pem").write_bytes(make_organisation_certificate("Other")[1])
    assert typed("verify", sealed, "--trust", tmp_path / "other.pem")[1]["trust"] == "unknown"


def test_the_stamp_is_where_the_box_says(typed: Typed, sealed: Path, paper: Path, tmp_path: Path) -> None:
    pictures = []
    for number, path in enumerate((paper, sealed)):
        out = tmp_path / f"page{number}.png"
        assert typed("preview", path, "--page", 2, "--width", 1000, out)[0] == 0
        with Image.open(out) as picture:
            pictures.append(picture.convert("RGB"))
    before, after = pictures
    width, height = after.size
    drawn = [(x, y) for x in range(width) for y in range(height) if after.getpixel((x, y)) != before.getpixel((x, y))]
    assert drawn
    assert all(499 <= x <= 801 and 0.699 * height <= y <= 0.801 * height for x, y in drawn)


def test_without_a_key_of_ones_own_the_seal_is_a_test_and_says_so(
    typed: Typed, paper: Path, ink: Path, tmp_path: Path
) -> None:
    out = tmp_path / "test.pdf"
    assert typed("seal", paper, out, "--box", "0.1,0.1,0.3,0.1", "--image", ink)[1]["test"] is True
    code, answer = typed("verify", out)
    assert (code, answer["integrity"], answer["trust"]) == (0, "intact", "test")
    assert "TEST - no legal value" in oracles_text(out)


def test_a_key_in_a_token_seals_and_proves(
    typed: Typed, paper: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tokens.opened(tmp_path / "softhsm") as held:
        held.make("Brest")
        public = held.generate("Brest", "seal", "p256")
        chain, root = tmp_path / "chain.pem", tmp_path / "root.pem"
        authority = tokens.Authority()
        chain.write_bytes(authority.chain_pem(public, name="Ville de Brest"))
        root.write_bytes(tokens.pem(authority.certificate))
        monkeypatch.setenv("PARAPHEUR_PKCS11_PIN", tokens.PIN)
        key = ("--pkcs11", tokens.MODULE, "--token", "Brest", "--key", "seal", "--certificate", chain)
        out = tmp_path / "out.pdf"
        code, answer = typed("seal", paper, out, "--box", "0.1,0.7,0.3,0.1", "--text", "Lu", *key)
        assert (code, answer["test"]) == (0, False)
        assert oracles.all_well(out.read_bytes(), 1)
        code, answer = typed("verify", out, "--trust", root)
        assert (code, answer["trust"], answer["signatures"][0]["signer"]) == (0, "trusted", "Ville de Brest")
        assert typed("prove", paper, tmp_path / "proof.p7s", *key)[0] == 0
        for words, said in (
            (("--pkcs11", tokens.MODULE, "--token", "Rennes"), "no token 'Rennes'"),
            (("--pkcs11", "/nowhere.so", "--token", "Brest"), "cannot be loaded"),
            ((*key, "--p12", paper), "Name one key"),
        ):
            code, answer = typed("prove", paper, tmp_path / "other.p7s", *words)
            assert (code, answer["code"]) == (1, "bad-key")
            assert said in answer["message"]
            assert not (tmp_path / "other.p7s").exists()


def oracles_text(path: Path) -> str:
    return subprocess.run(["pdftotext", str(path), "-"], capture_output=True, text=True, check=True).stdout


def test_whatever_was_done_afterwards_is_told_and_the_signed_version_comes_out_again(
    typed: Typed, sealed: Path, tmp_path: Path
) -> None:
    original = sealed.read_bytes()
    changed = tmp_path / "changed.pdf"
    cases = {
        original + b"\n%% more": "bytes were put behind the end",
        samples.with_page_entry(original, "/Rotate", generic.NumberObject(90)): "The content of page 1 was replaced",
        samples.with_page_entry(original, "/Annots", note()): "Something was put on page 1",
    }
    for data, sentence in cases.items():
        changed.write_bytes(data)
        out = tmp_path / "signed version.pdf"
        code, answer = typed("verify", changed, "--extract", out)
        assert (code, answer["ok"], answer["integrity"]) == (1, False, "changed"), sentence
        assert any(one.startswith("After the first signature. ") and sentence in one for one in answer["changes"])
        assert out.read_bytes() == original


def note() -> generic.ArrayObject:
    name, number = generic.NameObject, generic.NumberObject
    return generic.ArrayObject(
        [
            generic.DictionaryObject(
                {
                    name("/Type"): name("/Annot"),
                    name("/Subtype"): name("/Text"),
                    name("/Rect"): generic.ArrayObject([number(1), number(1), number(20), number(20)]),
                }
            )
        ]
    )


def test_a_changed_byte_breaks_it_and_no_signature_is_no_signature(typed: Typed, sealed: Path, paper: Path) -> None:
    data = bytearray(sealed.read_bytes())
    data[data.index(b"Convention")] ^= 1
    sealed.write_bytes(data)
    assert typed("verify", sealed)[1]["integrity"] == "broken"
    code, answer = typed("verify", paper)
    assert (code, answer["integrity"], answer["trust"], answer["signatures"]) == (1, "unsigned", "unknown", [])
    paper.write_bytes(b"hello")
    code, answer = typed("verify", paper)
    assert (code, answer["integrity"], answer["code"]) == (1, "unverifiable", "not-a-pdf")


@pytest.mark.parametrize("box", ["0.1,0.1,0.3", "a,b,c,d", "0.9,0.1,0.3,0.1", "-0.1,0,1,1", "0,0,0,1", "nan,0,1,1"])
def test_a_box_outside_the_page_is_refused(paper: Path, tmp_path: Path, box: str) -> None:
    with pytest.raises(SystemExit) as left:
        main(["pdf", "seal", str(paper), str(tmp_path / "o.pdf"), f"--box={box}", "--text", "a"])
    assert left.value.code == 2


def test_what_cannot_be_sealed_leaves_no_file(
    typed: Typed, paper: Path, ink: Path, p12: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, box = tmp_path / "o.pdf", ("--box", "0.1,0.1,0.3,0.1")
    assert typed("seal", paper, out, *box, "--page", 9, "--image", ink)[1]["code"] == "no-such-page"
    code, answer = typed("seal", paper, out, *box, "--text", "Zoé 😀")
    assert (code, answer["code"]) == (1, "glyph-missing")
    assert answer["message"].endswith("“--text” on a stamp: 😀")
    assert typed("seal", paper, out, *box, "--image", paper)[1]["code"] == "bad-image"
    assert typed("seal", paper, out, *box)[1]["code"] == "nothing-to-show"
    assert typed("seal", paper, out, *box, "--image", ink, "--p12", ink)[1]["code"] == "bad-key"
    monkeypatch.setenv("PARAPHEUR_P12_PASSWORD", "wrong")
    assert typed("seal", paper, out, *box, "--image", ink, "--p12", p12)[1]["code"] == "bad-key"
    assert not out.exists()
    before = paper.read_bytes()
    assert typed("seal", paper, paper, *box, "--image", ink)[1]["code"] == "same-file"
    assert paper.read_bytes() == before


# ---- preview and prove ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("name", "kind"), [("a.jpg", "JPEG"), ("a", "JPEG"), ("a.png", "PNG"), ("a.webp", "WEBP")])
def test_a_page_is_an_image_of_that_width(typed: Typed, paper: Path, tmp_path: Path, name: str, kind: str) -> None:
    assert typed("preview", paper, "--page", 2, "--width", 321, tmp_path / name)[0] == 0
    with Image.open(tmp_path / name) as picture:
        assert (picture.format, picture.width) == (kind, 321)


def test_out_may_be_a_pipe_and_then_holds_the_image_alone(paper: Path, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    assert main(["pdf", "preview", str(paper), "--page", "1", "--width", "100", str(pipe)]) == 0
    reader.join(timeout=10)
    assert Image.open(io.BytesIO(read[0])).width == 100
    words = [sys.executable, "-m", "plugin.cli", "pdf", "preview", str(paper), "--width", "100", "/dev/stdout"]
    done = subprocess.run(words, capture_output=True, check=True)
    assert Image.open(io.BytesIO(done.stdout)).width == 100
    assert done.stdout.endswith(b"\xff\xd9")


def test_a_proof_is_read_by_openssl_and_fits_its_file_alone(
    typed: Typed, ink: Path, p12: Path, tmp_path: Path
) -> None:
    code, answer = typed("prove", ink, "--p12", p12)
    assert (code, answer["test"]) == (0, False)
    words = ["openssl", "cms", "-verify", "-binary", "-inform", "DER", "-cades", "-purpose", "any", "-out", os.devnull]
    check = [*words, "-CAfile", str(tmp_path / "root.pem"), "-in", answer["proof"], "-content", str(ink)]
    assert subprocess.run(check, capture_output=True, check=False).returncode == 0
    ink.write_bytes(ink.read_bytes() + b"x")
    assert subprocess.run(check, capture_output=True, check=False).returncode != 0


# ---- nothing is lost, and what is printed is what it says -----------------------------------------------------------
def test_no_command_overwrites_what_it_reads_by_whatever_name(
    typed: Typed, sealed: Path, p12: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other name.pdf"
    other.symlink_to(sealed)
    before, key = sealed.read_bytes(), p12.read_bytes()
    for words in (
        ("preview", sealed, other),
        ("prove", sealed, other),
        ("prove", sealed, p12, "--p12", p12),
        ("verify", sealed, "--extract", other),
        ("evidence", sealed, other),
        ("seal", sealed, other, "--box", "0,0,1,1", "--text", "a"),
    ):
        code, answer = typed(*words)
        assert (code, answer["code"]) == (1, "same-file"), words
    assert (sealed.read_bytes(), p12.read_bytes()) == (before, key)


def test_json_is_plain_ascii_and_never_stands_in_what_was_made(paper: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.pdf"
    words = [sys.executable, "-m", "plugin.cli", "pdf"]
    with out.open("wb") as target:
        seal = [*words, "seal", str(paper), "/dev/stdout", "--box", "0.1,0.1,0.3,0.1", "--text", "Éloïse", "--json"]
        done = subprocess.run(seal, stdout=target, stderr=subprocess.PIPE, check=True)
    assert json.loads(done.stderr)["ok"] is True
    assert oracles.all_well(out.read_bytes(), 1)
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    nowhere = tmp_path / "\u00e9\U0001f600"
    for more in (["--json"], []):
        done = subprocess.run(
            [*words, "inspect", str(nowhere), *more], capture_output=True, env=environment, check=False
        )
        assert done.returncode == 1
        assert b"Traceback" not in done.stderr
        assert json.loads(done.stdout)["code"] == "no-such-file" if more else b"No such file" in done.stderr


@pytest.mark.parametrize("out", [".", "missing/o.pdf", "x" * 300])
def test_where_nothing_can_be_written_it_is_said_as_json(typed: Typed, paper: Path, tmp_path: Path, out: str) -> None:
    for words in (("preview", paper, tmp_path / out), ("prove", paper, tmp_path / out)):
        code, answer = typed(*words)
        assert (code, answer["code"]) == (1, "not-written")


def test_a_seal_is_made_to_last_by_an_authority(typed: Typed, paper: Path, ink: Path, tmp_path: Path) -> None:
    out, roots = tmp_path / "out.pdf", tmp_path / "roots.pem"
    with pki.running(tmp_path) as found:
        roots.write_bytes(found.certificate("root"))
        key = tmp_path / "key.p12"
        key.write_bytes(found.pkcs12("signer"))
        words = ["seal", paper, out, "--box", "0.1,0.1,0.3,0.1", "--image", ink, "--p12", key, "--roots", roots]
        reach = ["--tsa", found.tsa(), "--origin", found.origin, "--private-host", "127.0.0.1"]
        assert typed(*words, "--level", "b-lta")[1]["code"] == "no-authority"
        assert typed(*words, "--level", "b-lta", "--tsa", "somewhere")[1]["code"] == "bad-address"
        assert typed(*words, "--level", "b-lta", *reach[:4])[1]["code"] == "unreachable"  # a private address
        assert typed(*words, "--level", "b-lta", *reach[:2], *reach[4:])[1]["code"] == "validation-data-missing"
        assert not out.exists()
        code, said = typed(*words, "--level", "b-lta", *reach)
        assert (code, said["code"]) == (0, "ok")
    code, verdict = typed("verify", out, "--trust", roots)
    assert (code, verdict["integrity"], verdict["trust"]) == (0, "intact", "trusted")
    seal, stamp = verdict["signatures"]
    assert (seal["level"], seal["kind"], stamp["kind"]) == ("B-LTA", "signature", "timestamp")
    assert seal["attested_at"] is not None


def test_a_seal_can_certify_and_nothing_is_added_afterwards(
    typed: Typed, paper: Path, ink: Path, p12: Path, tmp_path: Path
) -> None:
    out, again = tmp_path / "certified.pdf", tmp_path / "again.pdf"
    words = ("--box", "0.1,0.1,0.3,0.1", "--image", ink, "--p12", p12)
    code, answer = typed("seal", paper, out, *words, "--certify")
    assert (code, answer["certified"]) == (0, True)
    assert oracles.all_well(out.read_bytes(), 1)
    assert typed("verify", out)[1]["integrity"] == "intact"
    code, answer = typed("seal", out, again, *words)
    assert (code, answer["code"]) == (1, "certified")
    assert not again.exists()


def test_what_somebody_signed_is_not_certified_anymore(typed: Typed, ink: Path, p12: Path, tmp_path: Path) -> None:
    signed, out = tmp_path / "signed.pdf", tmp_path / "certified.pdf"
    signed.write_bytes(samples.signed_pdf())
    code, answer = typed("seal", signed, out, "--box", "0.1,0.1,0.3,0.1", "--image", ink, "--p12", p12, "--certify")
    assert (code, answer["code"], answer["ok"]) == (1, "already-signed", False)
    assert not out.exists()
