"""A report as PDF: A4, tagged, for print in black and white as well."""

import io
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape

from tools.report.figures import as_png, figure_rows
from tools.report.model import Figure, Progress, ReportModel, Table, untold

SCALES = (1.0, 0.94, 0.88, 0.82)
"""Sizes of type to try until the page fits one sheet; if none does, the last one runs on to the next."""

MARGIN_MM = (13.0, 10.0, 13.0, 13.0)
"""Left, top, right, bottom."""

REGULAR, BOLD = "DejaVuSans", "DejaVuSans-Bold"
INK, SOFT, LINE = "#212529", "#495057", "#adb5bd"


def render_pdf(report: ReportModel, progress: Progress = untold) -> bytes:
    """Return the page as a PDF: one sheet if it fits at a readable size; `progress` may stop it."""
    _fonts()
    steps = len(report.figures) + len(SCALES)
    pictures: dict[int, tuple[bytes, float]] = {}
    for row in figure_rows(report.figures):
        for figure in row:
            progress(len(pictures) / steps)
            pictures[id(figure)] = as_png(figure, wide=len(row) == 1)
    built = b""
    for number, scale in enumerate(SCALES):
        progress((len(pictures) + number) / steps)
        built, pages = _Sheet(report, scale, pictures).build()
        if pages == 1:
            break
    return built


def _fonts() -> None:
    """Register the typeface that matplotlib ships: it has minus, degree and dash, and is embedded."""
    from pathlib import Path

    import matplotlib as mpl
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.ttfonts import TTFont

    if REGULAR in pdfmetrics.getRegisteredFontNames():
        return
    folder = Path(mpl.get_data_path()) / "fonts" / "ttf"
    for name in (REGULAR, BOLD):
        pdfmetrics.registerFont(TTFont(name, str(folder / f"{name}.ttf")))
    pdfmetrics.registerFontFamily(REGULAR, normal=REGULAR, bold=BOLD, italic=REGULAR, boldItalic=BOLD)


@dataclass
class _Sheet:
    """One attempt to lay a report out, at one size of type."""

    report: ReportModel
    scale: float
    pictures: dict[int, tuple[bytes, float]]

    def __post_init__(self) -> None:
        from reportlab.lib.pagesizes import A4
        from reportlab.lib.units import mm

        from tools.report.tags import Element

        self.root = Element("Document")
        left, _, right, _ = (side * mm for side in MARGIN_MM)
        self.width = A4[0] - left - right

    def build(self) -> tuple[bytes, int]:
        """Return the file and how many pages it has."""
        from reportlab.lib.pagesizes import A4
        from reportlab.lib.units import mm
        from reportlab.platypus import BaseDocTemplate, Frame, PageTemplate

        from tools.report.tags import TaggedCanvas

        root, total = self.root, [0]

        class Canvas(TaggedCanvas):
            """The canvas of this attempt."""

            def __init__(self, *arguments: Any, **keywords: Any) -> None:
                super().__init__(*arguments, **keywords)
                self.root = root

        def foot(canvas: Any, document: Any) -> None:
            total[0] = document.page
            self._foot(canvas, document.page)

        out = io.BytesIO()
        left, top, _, bottom = (side * mm for side in MARGIN_MM)
        document = BaseDocTemplate(
            out,
            pagesize=A4,
            title=f"{self.report.title} · {self.report.who}",
            author=f"romcap {self.report.version}",
            subject=f"{self.report.headings['report_' + self.report.kind]}, {self.report.when}",
            creator=f"romcap {self.report.version}",
            lang=self.report.language,
        )
        frame = Frame(left, bottom, self.width, A4[1] - top - bottom, 0, 0, 0, 0)
        document.addPageTemplates(PageTemplate("page", [frame], onPage=foot))
        document.build(self._story(), canvasmaker=Canvas)
        return out.getvalue(), total[0]

    def _foot(self, canvas: Any, page: int) -> None:
        from reportlab.lib.colors import HexColor
        from reportlab.lib.units import mm

        left, _, _, bottom = (side * mm for side in MARGIN_MM)
        heading = self.report.headings
        with canvas.decoration():
            canvas.setFont(REGULAR, 6.4)
            canvas.setFillColor(HexColor(SOFT))
            text = f"{heading['page']} {page}"
            canvas.drawString(left, bottom - 5 * mm, self.report.footer)
            canvas.drawRightString(left + self.width, bottom - 5 * mm, text)

    def _story(self) -> list[Any]:
        report, heading = self.report, self.report.headings
        story: list[Any] = []
        if report.banner:
            story += [self._framed(report.banner), self._space(3)]
        kind = heading[f"report_{report.kind}"]
        story.append(self._text(report.title, "H1", 15, bold=True))
        story.append(self._text(f"{kind} · {report.who} · {report.when}", "P", 8, colour=SOFT, after=4))
        if report.cards:
            story += [self._cards(), self._space(3)]
        story += [self._text(line, "P", 9.2, after=2) for line in report.verdicts]
        for title, lines in ((heading["warnings"], report.warnings), (heading["missing"], report.missing)):
            if lines:
                story.append(
                    self._text(f"<b>{escape(title)}.</b> {escape(' '.join(lines))}", "P", 7.2, markup=True)
                )
        for row in figure_rows(report.figures):
            story.append(self._figures(row))
        for table in report.tables:
            story += self._table(table)
        if report.method:
            story.append(self._heading(heading["method"]))
            story.append(self._method())
        story.append(self._heading(heading["limits"]))
        story.append(self._text(" ".join(report.limits), "P", 6.7))
        story.append(self._text(f"{heading['evidence']}: {report.evidence}", "P", 6.7))
        return story

    def _style(
        self, size: float, colour: str, *, bold: bool, after: float, indent: float, right: bool
    ) -> Any:
        from reportlab.lib.colors import HexColor
        from reportlab.lib.enums import TA_LEFT, TA_RIGHT
        from reportlab.lib.styles import ParagraphStyle

        size *= self.scale
        return ParagraphStyle(
            "text",
            fontName=BOLD if bold else REGULAR,
            fontSize=size,
            leading=size * 1.24,
            textColor=HexColor(colour),
            spaceAfter=after * self.scale,
            leftIndent=indent,
            firstLineIndent=-indent,
            alignment=TA_RIGHT if right else TA_LEFT,
        )

    def _text(
        self,
        text: str,
        role: str,
        size: float,
        *,
        parent: Any = None,
        colour: str = INK,
        bold: bool = False,
        after: float = 0.0,
        indent: float = 0.0,
        right: bool = False,
        markup: bool = False,
    ) -> Any:
        """Return a paragraph that is an element of its own in the structure."""
        from reportlab.platypus import Paragraph

        from tools.report.tags import Tagged

        style = self._style(size, colour, bold=bold, after=after, indent=indent, right=right)
        element = (parent or self.root).add(role)
        return Tagged(Paragraph(text if markup else escape(text), style), element)

    def _heading(self, text: str, parent: Any = None) -> Any:
        from reportlab.platypus import KeepTogether

        return KeepTogether([self._space(3), self._text(text, "H2", 8, parent=parent, bold=True, after=1)])

    def _space(self, height: float) -> Any:
        from reportlab.platypus import Spacer

        return Spacer(1, height * self.scale)

    def _framed(self, text: str) -> Any:
        return self._grid([[self._text(text, "P", 8, bold=True)]], [self.width], boxed=True)

    def _cards(self) -> Any:
        cells: list[Any] = []
        section = self.root.add("Sect")
        for card in self.report.cards:
            cells.append(
                [
                    self._text(card.label, "P", 7, parent=section, colour=SOFT),
                    self._text(card.value, "P", 19, parent=section, bold=True),
                    self._text(card.basis, "P", 6.7, parent=section, colour=SOFT),
                ]
            )
        return self._grid([cells], [self.width / len(cells)] * len(cells), boxed=True)

    def _method(self) -> Any:
        """Return the lines of the method in two columns, the first half on the left."""
        lines = [
            self._text(f'<font color="{SOFT}">{escape(label)}:</font> {escape(text)}', "P", 6.5, markup=True)
            for label, text in self.report.method
        ]
        half = (len(lines) + 1) // 2
        return self._grid([[lines[:half], lines[half:]]], [self.width / 2] * 2, boxed=False)

    def _figures(self, row: tuple[Figure, ...]) -> Any:
        gap = 10.0
        width = (self.width - gap * (len(row) - 1)) / len(row)
        cells: list[Any] = []
        for figure in row:
            section = self.root.add("Sect")
            cells.append(
                [
                    self._text(figure.title, "H2", 8, parent=section, bold=True, after=1),
                    self._picture(figure, width, section),
                    self._text(figure.caption, "P", 6.4, parent=section, colour=SOFT),
                ]
            )
        widths = [width + (gap if place < len(row) - 1 else 0.0) for place in range(len(row))]
        return self._grid([cells], widths, boxed=False)

    def _picture(self, figure: Figure, width: float, section: Any) -> Any:
        from reportlab.platypus import Image

        from tools.report.tags import Tagged

        picture, ratio = self.pictures[id(figure)]
        image = Image(io.BytesIO(picture), width, width * ratio, hAlign="LEFT")
        return Tagged(image, section.add("Figure", figure.alt))

    def _table(self, table: Table) -> list[Any]:
        from reportlab.lib.colors import HexColor

        from tools.report.tags import RuledTable

        whole = self.root.add("Table")
        caption = self._text(table.caption, "Caption", 8, parent=whole, bold=True, after=1)
        line = whole.add("TR")
        cells = [
            [
                self._text(name, "TH", 6.9, parent=line, bold=True, right=place in table.numeric)
                for place, name in enumerate(table.columns)
            ]
        ]
        for row in table.rows:
            line = whole.add("TR")
            cells.append(
                [
                    self._text(cell, "TD", 6.9, parent=line, right=place in table.numeric)
                    for place, cell in enumerate(row)
                ]
            )
        pad = 1.5 * self.scale
        drawn = RuledTable(cells, colWidths=self._widths(table), hAlign="LEFT", repeatRows=1)
        drawn.setStyle(
            [
                ("LINEBELOW", (0, 0), (-1, -1), 0.4, HexColor(LINE)),
                ("VALIGN", (0, 0), (-1, -1), "TOP"),
                ("LEFTPADDING", (0, 0), (-1, -1), 0),
                ("RIGHTPADDING", (0, 0), (-1, -1), 7),
                ("TOPPADDING", (0, 0), (-1, -1), pad),
                ("BOTTOMPADDING", (0, 0), (-1, -1), pad),
            ]
        )
        parts = [self._space(3), caption, drawn]
        return [*parts, self._text(table.note, "P", 6.4, colour=SOFT)] if table.note else parts

    def _widths(self, table: Table) -> list[float]:
        """Return widths that no word breaks in; what is left goes to the columns with the longest texts."""
        from reportlab.pdfbase.pdfmetrics import stringWidth

        size, gap = 6.9 * self.scale, 8.0
        texts = list(zip(table.columns, *table.rows, strict=True))
        words = [
            max(stringWidth(word, BOLD, size) for text in column for word in text.split() or [""])
            for column in texts
        ]
        least = [each + gap for each in words]
        wanted = [max(stringWidth(text, BOLD, size) for text in column) + gap for column in texts]
        more = [want - low for want, low in zip(wanted, least, strict=True)]
        spare = max(0.0, self.width - sum(least))
        share = min(1.0, spare / sum(more)) if sum(more) > 0 else 0.0
        widths = [low + share * extra for low, extra in zip(least, more, strict=True)]
        return [each * self.width / sum(widths) for each in widths]

    def _grid(self, cells: list[list[Any]], widths: list[float], *, boxed: bool) -> Any:
        from reportlab.lib.colors import HexColor

        from tools.report.tags import RuledTable

        drawn = RuledTable(cells, colWidths=widths)
        pad = 4.0 if boxed else 0.0
        style: list[Any] = [
            ("VALIGN", (0, 0), (-1, -1), "TOP"),
            ("LEFTPADDING", (0, 0), (-1, -1), pad),
            ("RIGHTPADDING", (0, 0), (-1, -1), pad if boxed else 8),
            ("TOPPADDING", (0, 0), (-1, -1), pad * 0.7 if boxed else 2),
            ("BOTTOMPADDING", (0, 0), (-1, -1), pad * 0.8),
        ]
        if boxed:
            style += [
                ("BOX", (0, 0), (-1, -1), 0.8, HexColor(INK)),
                ("LINEAFTER", (0, 0), (-2, -1), 0.4, HexColor(LINE)),
            ]
        drawn.setStyle(style)
        return drawn
