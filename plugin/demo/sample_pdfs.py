# ruff: noqa: E501 - the running text of sample documents
"""Sample PDFs of the embedded host, drawn by code. Every name in them is invented."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import reportlab
from pypdf import PdfReader, PdfWriter
from pypdf.generic import RectangleObject
from reportlab.lib.colors import HexColor
from reportlab.lib.enums import TA_JUSTIFY
from reportlab.lib.pagesizes import A3, A4, landscape
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import (
    KeepTogether,
    PageBreak,
    Paragraph,
    SimpleDocTemplate,
    Spacer,
    Table,
    TableStyle,
)

_INK: Final = HexColor("#1f2933")
_ACCENT: Final = HexColor("#0b5cad")
_RULE: Final = HexColor("#c8d2dc")
_SHADE: Final = HexColor("#eef3f8")
_NORMAL, _BOLD, _ITALIC = "Vera", "Vera-Bold", "Vera-Italic"

Flow = list[Any]


def _register() -> None:
    folder = Path(reportlab.__file__).parent / "fonts"
    for name, file in ((_NORMAL, "Vera.ttf"), (_BOLD, "VeraBd.ttf"), (_ITALIC, "VeraIt.ttf")):
        if name not in pdfmetrics.getRegisteredFontNames():
            pdfmetrics.registerFont(TTFont(name, str(folder / file)))
    pdfmetrics.registerFontFamily(_NORMAL, normal=_NORMAL, bold=_BOLD, italic=_ITALIC, boldItalic=_BOLD)


def _style(size: float, font: str = _NORMAL, **more: Any) -> ParagraphStyle:
    settings = {"leading": size * 1.5, "textColor": _INK, **more}
    return ParagraphStyle("s", fontName=font, fontSize=size, **settings)


def _title(text: str) -> Paragraph:
    return Paragraph(text, _style(19, _BOLD, textColor=_ACCENT, spaceAfter=4, leading=25))


def _lead(text: str) -> Paragraph:
    return Paragraph(text, _style(9.5, textColor=HexColor("#52606d"), spaceAfter=14))


def _section(heading: str, *paragraphs: str) -> KeepTogether:
    body = _style(9.5, alignment=TA_JUSTIFY, spaceAfter=6)
    return KeepTogether(
        [
            Paragraph(heading, _style(11.5, _BOLD, spaceBefore=10, spaceAfter=4)),
            *(Paragraph(text, body) for text in paragraphs),
        ]
    )


def _grid(rows: list[list[str]], widths_mm: list[float]) -> Table:
    cell, head = _style(8.5, leading=12), _style(8.5, _BOLD, leading=12, textColor=_ACCENT)
    cells = [[Paragraph(text, head if number == 0 else cell) for text in row] for number, row in enumerate(rows)]
    table = Table(cells, colWidths=[width * mm for width in widths_mm], repeatRows=1, hAlign="LEFT")
    table.setStyle(
        TableStyle(
            [
                ("BACKGROUND", (0, 0), (-1, 0), _SHADE),
                ("LINEBELOW", (0, 0), (-1, -1), 0.5, _RULE),
                ("VALIGN", (0, 0), (-1, -1), "TOP"),
                ("TOPPADDING", (0, 0), (-1, -1), 4),
                ("BOTTOMPADDING", (0, 0), (-1, -1), 5),
            ]
        )
    )
    return table


def _signature_boxes(left: str, right: str, words: str) -> Table:
    small = _style(8.5, leading=12)
    table = Table(
        [[Paragraph(f"<b>{left}</b><br/>{words}", small), Paragraph(f"<b>{right}</b><br/>{words}", small)]],
        colWidths=[82 * mm, 82 * mm],
        rowHeights=[42 * mm],
        hAlign="LEFT",
    )
    table.setStyle(TableStyle([("BOX", (0, 0), (0, 0), 0.7, _RULE), ("BOX", (1, 0), (1, 0), 0.7, _RULE),
                               ("VALIGN", (0, 0), (-1, -1), "TOP")]))  # fmt: skip
    return table


def _document(title: str, footer: str, story: Flow, pages_word: str = "Page") -> bytes:
    _register()
    out = io.BytesIO()

    def frame(canvas: Canvas, document: Any) -> None:
        canvas.saveState()
        canvas.setFillColor(_ACCENT)
        canvas.rect(0, A4[1] - 9 * mm, A4[0], 9 * mm, stroke=0, fill=1)
        canvas.setFont(_NORMAL, 7.5)
        canvas.setFillColor(HexColor("#616e7c"))
        canvas.drawString(22 * mm, 12 * mm, footer)
        canvas.drawRightString(A4[0] - 22 * mm, 12 * mm, f"{pages_word} {document.page}")
        canvas.restoreState()

    template = SimpleDocTemplate(
        out, pagesize=A4, leftMargin=22 * mm, rightMargin=22 * mm, topMargin=24 * mm, bottomMargin=22 * mm,
        title=title, author="Parapheur", lang="fr" if pages_word == "Page" else "en",
    )  # fmt: skip
    template.build(story, onFirstPage=frame, onLaterPages=frame)
    return out.getvalue()


def service_contract() -> bytes:
    """Three pages, in French, with places to sign on the last one."""
    _register()
    story: Flow = [
        _title("Contrat de prestation de services"),
        _lead("Référence CP-2026-031 · établi le 12 janvier 2026"),
        _section(
            "Entre les soussignés",
            "<b>Ateliers Belorme-Vasseur</b>, société par actions simplifiée au capital de 120 000 €, dont le siège est "
            "situé 14 rue des Tilleuls, Montclair-sur-Orbe, représentée par Mme Alice Martin, responsable des achats, "
            "ci-après « le Client »,",
            "et <b>Studio Quatre Rivières</b>, société à responsabilité limitée au capital de 15 000 €, dont le siège est "
            "situé 3 quai du Moulin, Saint-Aubry, représentée par M. Bob Leroy, gérant, ci-après « le Prestataire ».",
        ),
        _section(
            "Article 1 – Objet",
            "Le Prestataire conçoit et réalise la refonte du portail documentaire du Client, depuis l’étude des usages "
            "jusqu’à la mise en service, et forme les équipes appelées à l’exploiter.",
            "Le détail des livrables, leur ordre et leurs critères d’acceptation figurent à l’annexe 1, qui fait partie "
            "intégrante du présent contrat.",
        ),
        _section(
            "Article 2 – Durée",
            "Le contrat prend effet à la date de la dernière signature et s’achève le 18 décembre 2026. Il n’est pas "
            "reconduit tacitement.",
        ),
        _section(
            "Article 3 – Obligations du Prestataire",
            "Le Prestataire affecte à la mission une équipe stable et qualifiée, tient le Client informé de l’avancement "
            "chaque quinzaine et signale sans délai toute difficulté de nature à retarder un livrable.",
        ),
        PageBreak(),
        _section(
            "Article 4 – Prix", "Les prestations sont rémunérées au forfait, hors taxes, selon le tableau suivant."
        ),
        _grid(
            [
                ["Lot", "Contenu", "Livraison", "Montant HT"],
                ["1", "Étude des usages et cadrage", "27 février 2026", "8 400 €"],
                ["2", "Maquettes et prototype testé", "30 avril 2026", "14 200 €"],
                ["3", "Réalisation et reprise des documents", "25 septembre 2026", "31 750 €"],
                ["4", "Formation et mise en service", "18 décembre 2026", "6 900 €"],
                ["", "<b>Total</b>", "", "<b>61 250 €</b>"],
            ],
            [14, 82, 40, 28],
        ),
        Spacer(1, 8),
        _section(
            "Article 5 – Paiement",
            "Chaque lot est facturé à son acceptation. Les factures sont payables à trente jours fin de mois. Tout retard "
            "entraîne de plein droit des pénalités au taux de trois fois l’intérêt légal, ainsi que l’indemnité "
            "forfaitaire de quarante euros pour frais de recouvrement.",
        ),
        _section(
            "Article 6 – Propriété intellectuelle",
            "Les droits d’exploitation des livrables sont cédés au Client au fur et à mesure de leur paiement, pour le "
            "monde entier et pour la durée légale de protection. Les composants libres restent soumis à leur licence.",
        ),
        _section(
            "Article 7 – Confidentialité et données personnelles",
            "Chaque partie garde secrètes les informations de l’autre pendant la durée du contrat et cinq ans après son "
            "terme. Lorsque le Prestataire traite des données personnelles pour le Client, il n’agit que sur instruction "
            "documentée et les supprime à la fin de la mission.",
        ),
        PageBreak(),
        _section(
            "Article 8 – Résiliation",
            "En cas de manquement grave non réparé dans les trente jours d’une mise en demeure, l’autre partie peut "
            "résilier le contrat par lettre recommandée. Les lots acceptés restent dus.",
        ),
        _section(
            "Article 9 – Responsabilité",
            "La responsabilité de chaque partie est limitée au montant total hors taxes du contrat, sauf faute lourde, "
            "dol ou dommage corporel.",
        ),
        _section(
            "Article 10 – Droit applicable",
            "Le contrat est soumis au droit français. Les parties recherchent une solution amiable avant toute action ; à "
            "défaut d’accord sous soixante jours, le tribunal du siège du défendeur est compétent.",
        ),
        _section(
            "Signatures",
            "Les parties conviennent de signer le présent contrat par voie électronique. Chacune en reçoit un exemplaire.",
        ),
        Spacer(1, 10),
        _signature_boxes("Pour le Client", "Pour le Prestataire", "Nom, date et signature"),
    ]
    return _document("Contrat de prestation de services", "Contrat CP-2026-031", story)


def calendar_annex() -> bytes:
    _register()
    story: Flow = [
        _title("Annexe 1 – Calendrier"),
        _lead("Contrat CP-2026-031 · version du 12 janvier 2026"),
        _grid(
            [
                ["Étape", "Début", "Fin", "Responsable", "Critère d’acceptation"],
                ["Réunion de lancement", "19 janv.", "19 janv.", "Client", "Compte rendu approuvé"],
                ["Entretiens avec les équipes", "26 janv.", "13 févr.", "Prestataire", "Douze entretiens restitués"],
                ["Note de cadrage", "16 févr.", "27 févr.", "Prestataire", "Validation écrite du Client"],
                ["Prototype", "9 mars", "30 avril", "Prestataire", "Essai par huit personnes"],
                ["Réalisation", "11 mai", "25 sept.", "Prestataire", "Recette sans anomalie bloquante"],
                ["Reprise des documents", "1 sept.", "23 oct.", "Client", "Contrôle par sondage, 2 %"],
                ["Formation", "2 nov.", "4 déc.", "Prestataire", "Trois sessions tenues"],
                ["Mise en service", "7 déc.", "18 déc.", "Les deux", "Procès-verbal signé"],
            ],
            [40, 20, 20, 28, 56],
        ),
        Spacer(1, 16),
        _signature_boxes("Visa du Client", "Visa du Prestataire", "Initiales et date"),
    ]
    return _document("Annexe 1 – Calendrier", "Annexe 1 au contrat CP-2026-031", story)


def letter(title: str, reference: str, sections: list[tuple[str, str]], left: str, right: str, words: str) -> bytes:
    """A one-page document with two places to sign."""
    _register()
    parts = [_section(heading, text) for heading, text in sections]
    story: Flow = [_title(title), _lead(reference), *parts, Spacer(1, 14), _signature_boxes(left, right, words)]
    return _document(title, reference, story)


def rotated_plan() -> bytes:
    """Three pages a viewer shows upright although their boxes are not: rotated, cropped, of mixed sizes."""
    _register()
    drawn = PdfReader(io.BytesIO(_plan_sheets()))
    writer = PdfWriter()
    for number, page in enumerate(drawn.pages):
        added = writer.add_page(page)
        if number == 0:
            added.rotate(90)
            added.cropbox = RectangleObject((24 * mm, 18 * mm, A3[0] - 12 * mm, A3[1] - 30 * mm))
        if number == 1:
            added.rotate(270)
    writer.add_metadata({"/Title": "Plan rotatif"})
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def _plan_sheets() -> bytes:
    out = io.BytesIO()
    canvas = Canvas(out, pagesize=A3)
    for size, turn, name in ((A3, 90, "Rez-de-chaussée"), (A4, 270, "Étage"), (landscape(A4), 0, "Coupe")):
        canvas.setPageSize(size)
        with _upright(canvas, size, turn) as (width, height):
            _floor_plan(canvas, width, height, name)
        canvas.showPage()
    canvas.save()
    return out.getvalue()


@contextmanager
def _upright(canvas: Canvas, size: tuple[float, float], turn: int) -> Iterator[tuple[float, float]]:
    """Draw so that a page shown with /Rotate ``turn`` stands upright."""
    width, height = size
    canvas.saveState()
    if turn == 90:
        canvas.translate(width, 0)
        canvas.rotate(90)
        width, height = height, width
    elif turn == 270:
        canvas.translate(0, height)
        canvas.rotate(-90)
        width, height = height, width
    yield width, height
    canvas.restoreState()


def _floor_plan(canvas: Canvas, width: float, height: float, name: str) -> None:
    left, bottom = 46 * mm, 40 * mm
    right, top = width - 46 * mm, height - 48 * mm
    canvas.setStrokeColor(_INK)
    canvas.setLineWidth(3)
    canvas.rect(left, bottom, right - left, top - bottom)
    canvas.setLineWidth(1.5)
    middle = left + (right - left) * 0.58
    canvas.line(middle, bottom, middle, top)
    half = bottom + (top - bottom) * 0.5
    canvas.line(left, half, middle - 18 * mm, half)
    draw: Callable[[float, float, str], None] = canvas.drawCentredString
    canvas.setFillColor(_INK)
    canvas.setFont(_NORMAL, 11)
    draw((left + middle) / 2, (half + top) / 2, "Atelier  62 m²")
    draw((left + middle) / 2, (bottom + half) / 2, "Stock  48 m²")
    draw((middle + right) / 2, (bottom + top) / 2, "Bureaux  71 m²")
    canvas.setFont(_BOLD, 17)
    canvas.setFillColor(_ACCENT)
    canvas.drawString(left, top + 8 * mm, f"Plan – {name}")
    canvas.setFont(_NORMAL, 8)
    canvas.drawString(
        left, bottom - 9 * mm, "Échelle 1:100 · indice B · 4 mars 2026 · bon pour accord en bas à droite"
    )
    canvas.setStrokeColor(_RULE)
    canvas.rect(right - 62 * mm, bottom + 4 * mm, 58 * mm, 26 * mm)
