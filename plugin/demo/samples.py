# ruff: noqa: E501 - the running text of sample documents
"""What the three people find in their files at the first start."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from plugin.demo import sample_files, sample_pdfs
from plugin.demo.area import Area, Parts

_SIGN_FR: Final = "Nom, date et signature"


def seed(area: Area) -> None:
    """Put the samples where nothing is yet; what is there stays as it is."""
    for owner, files in SAMPLES.items():
        for path, make in files.items():
            put(area, owner, tuple(path.split("/")), make())


def put(area: Area, owner: str, parts: Parts, data: bytes) -> None:
    for depth in range(1, len(parts)):
        if area.node(owner, parts[:depth]) is None:
            area.make_folder(owner, parts[:depth])
    if area.node(owner, parts) is None:
        spooled = area.incoming()
        spooled.write_bytes(data)
        area.put(owner, parts, spooled)


def _order() -> bytes:
    return sample_pdfs.letter(
        "Bon de commande n° 117",
        "Ateliers Belorme-Vasseur · 9 mars 2026",
        [
            ("Fournisseur", "Papeterie du Vieux Pont, 22 place de la Halle, Montclair-sur-Orbe."),
            (
                "Commande",
                "Deux cents registres cousus, format A4, couverture grise, à 11,40 € HT l’unité, soit 2 280 € HT.",
            ),
            ("Livraison", "Avant le 3 avril 2026, au magasin central, quai 2, entre 8 h et 16 h."),
        ],
        "Le demandeur",
        "La responsable des achats",
        _SIGN_FR,
    )


def _terms() -> bytes:
    return sample_pdfs.letter(
        "Conditions générales d’achat",
        "Ateliers Belorme-Vasseur · édition 2026",
        [
            ("1. Commandes", "Seules les commandes signées engagent l’acheteur. Le fournisseur en accuse réception sous cinq jours."),
            ("2. Livraison", "Les délais sont de rigueur. La réception sans réserve n’exonère pas des vices cachés."),
            ("3. Factures", "Une facture par commande, avec son numéro ; paiement à trente jours fin de mois."),
        ],
        "L’acheteur",
        "Le fournisseur",
        _SIGN_FR,
    )  # fmt: skip


def _proposal() -> bytes:
    return sample_pdfs.letter(
        "Statement of work",
        "Studio Quatre Rivières · 2 February 2026",
        [
            ("Scope", "Design and build of the document portal, in four lots, as described in contract CP-2026-031."),
            ("Team", "One designer, two developers, one trainer. Fortnightly progress notes, in English and French."),
            ("Acceptance", "Each lot is accepted in writing within ten working days of its delivery."),
        ],
        "For the client",
        "For the contractor",
        "Name, date and signature",
    )


def _amendment() -> bytes:
    return sample_pdfs.letter(
        "Avenant n° 2",
        "Contrat CP-2025-008 · 16 février 2026",
        [
            (
                "Objet",
                "Le présent avenant prolonge le contrat de six mois, jusqu’au 31 août 2026, sans changement de prix.",
            ),
            ("Autres clauses", "Toutes les autres stipulations du contrat demeurent applicables."),
        ],
        "Pour le Client",
        "Pour le Prestataire",
        _SIGN_FR,
    )


def _quote() -> bytes:
    return sample_files.docx(
        "Devis 2026-014",
        ["Aménagement de l’atelier, rez-de-chaussée.", "Montant : 18 640 € HT. Validité : soixante jours."],
    )


def _budget() -> bytes:
    return sample_files.xlsx(
        "Budget", [["Poste", "2025", "2026"], ["Fournitures", 12400, 13100], ["Prestations", 58000, 61250]]
    )


def _legal_note() -> bytes:
    return sample_files.docx(
        "Note juridique", ["Points à vérifier avant signature : durée, plafond de responsabilité."]
    )


SAMPLES: Final[dict[str, dict[str, Callable[[], bytes]]]] = {
    "alice": {
        "Contrat de prestation 2026.pdf": sample_pdfs.service_contract,
        "Annexe 1 – Calendrier.pdf": sample_pdfs.calendar_annex,
        "Plan rotatif.pdf": sample_pdfs.rotated_plan,
        "Devis 2026-014.docx": _quote,
        "Budget 2026.xlsx": _budget,
        "Photo du site.jpg": sample_files.photo,
        "Lisez-moi.txt": "Faites un clic droit sur un fichier, puis « Flux de travail ».\n".encode,
        "Achats/2026/Bon de commande 117.pdf": _order,
        "Achats/2026/Conditions générales d’achat.pdf": _terms,
    },
    "bob": {
        "Statement of work.pdf": _proposal,
        "Notes.txt": "Right-click a file, then choose Workflow.\n".encode,
    },
    "carol": {
        "Avenant n° 2.pdf": _amendment,
        "Note juridique.docx": _legal_note,
    },
}  # fmt: skip
