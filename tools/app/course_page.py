"""The course: range over the visits with what could be chance, pain beside it, sentences below."""

# pyright: basic

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QScrollArea, QVBoxLayout, QWidget

from tools.app.angle_plot import pen_on
from tools.app.course_model import CourseLine, CourseModel
from tools.app.theme import Theme, Themed
from tools.app.widgets import words


class CoursePage(Themed, QWidget):
    """One client's course."""

    def __init__(self, theme: Theme, model: CourseModel) -> None:
        super().__init__()
        self.model = model
        self._theme = theme
        self._clients = QComboBox()
        self._clients.setAccessibleName("Client")
        known = model.clients()
        self._clients.addItems(["", *known])
        self._title = words(role="title")
        self._charts = QHBoxLayout()
        self._shown: list[pg.PlotWidget] = []
        self._text = words()
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setWidget(self._text)
        area.setAccessibleName("The course in words")
        self._text.setAlignment(Qt.AlignmentFlag.AlignTop)
        top = QHBoxLayout()
        top.addWidget(self._title, 1)
        top.addWidget(self._clients)
        column = QVBoxLayout(self)
        column.addLayout(top)
        column.addLayout(self._charts, 3)
        column.addWidget(area, 2)
        self._clients.currentTextChanged.connect(lambda code: code and self.choose(code))
        if len(known) == 1:
            self.choose(known[0])

    def choose(self, code: str) -> None:
        """Show a client."""
        self.model.choose(code)
        before = self._clients.blockSignals(True)
        self._clients.setCurrentText(code)
        self._clients.blockSignals(before)
        self._draw()

    def wear(self, theme: Theme) -> None:
        """Draw with another theme from now on."""
        super().wear(theme)
        if self.model.lines:
            self._draw()

    def _draw(self) -> None:
        model = self.model
        self._title.setText(model.problem or model.title)
        for chart in self._shown:
            self._charts.removeWidget(chart)
            chart.hide()
            chart.deleteLater()
        self._shown = []
        for line in model.lines[:2]:
            self._show(self._range_chart(line), 3)
        if model.lines:
            self._show(self._pain_chart(model.lines[0]), 2)
        parts = [
            f"{line.title}\n" + "\n".join(f"   {each}" for each in line.sentences) for line in model.lines
        ]
        parts += [f"{title}\n" + "\n".join(f"   {each}" for each in lines) for title, lines in model.sections]
        if model.home:
            tests = tuple(f"{point.day}: {point.value_deg:.1f}°" for point in model.home)
            parts.append(_section("Tests at home", tests))
        self._text.setText("\n\n".join(parts))

    def _show(self, chart: pg.PlotWidget, stretch: int) -> None:
        self._shown.append(chart)
        self._charts.addWidget(chart, stretch)

    def _range_chart(self, line: CourseLine) -> pg.PlotWidget:
        chart = self._chart(f"{line.title}, degrees")
        theme, side = self._theme, self._theme.side(line.side)
        before, after = _numbers(line.before_deg), _numbers(line.after_deg)
        visits = np.arange(1, len(before) + 1, dtype=float)
        known = before[np.isfinite(before)]
        if line.mdc_deg is not None and len(known):
            shade = QColor(theme.soft)
            shade.setAlphaF(0.18)
            ends = (known[0] - line.mdc_deg, known[0] + line.mdc_deg)
            band = pg.LinearRegionItem(
                ends, "horizontal", movable=False, brush=pg.mkBrush(shade), pen=pg.mkPen(None)
            )
            band.setZValue(-10)
            chart.addItem(band)
        dashed = pen_on(self, theme.before, 1, Qt.PenStyle.DashLine)
        solid = pen_on(self, side, 1)
        grey, full = pg.mkBrush(theme.ground), pg.mkBrush(side)
        chart.plot(
            visits,
            before,
            pen=dashed,
            symbol="o",
            symbolBrush=grey,
            symbolPen=theme.before,
            name="before",
        )
        chart.plot(visits, after, pen=solid, symbol="o", symbolBrush=full, symbolPen=side, name="after")
        other = _numbers(line.other_deg)
        if np.isfinite(other).any():
            name = {"left": "right", "right": "left"}[line.side]
            ink = theme.side(name)
            dotted = pen_on(self, ink, 1, Qt.PenStyle.DotLine)
            chart.plot(
                visits, other, pen=dotted, symbol="d", symbolBrush=grey, symbolPen=ink, name=f"{name}, before"
            )
        if self.model.home:
            values = np.array([point.value_deg for point in self.model.home])
            places = len(visits) + 0.4 * np.arange(1, len(values) + 1) / len(values)
            chart.plot(
                places, values, pen=None, symbol="t", symbolBrush=pg.mkBrush(theme.accent), name="home"
            )
        return chart

    def _pain_chart(self, line: CourseLine) -> pg.PlotWidget:
        chart = self._chart("Pain before treatment, 0 to 10")
        pain = _numbers(line.pain)
        visits = np.arange(1, len(pain) + 1, dtype=float)
        ink = self._theme.ink
        chart.plot(visits, pain, pen=pen_on(self, ink, 1), symbol="s", symbolBrush=pg.mkBrush(ink))
        chart.getViewBox().setYRange(0, 10)
        return chart

    def _chart(self, title: str) -> pg.PlotWidget:
        chart = pg.PlotWidget(background=self._theme.ground)
        chart.setAccessibleName(title)
        chart.setTitle(title, color=self._theme.ink)
        chart.setMenuEnabled(False)
        chart.hideButtons()
        chart.setMouseEnabled(x=False, y=False)
        chart.showGrid(x=False, y=True, alpha=0.25)
        chart.addLegend(labelTextColor=self._theme.ink)
        chart.setLabel("bottom", "visit")
        axis = chart.getAxis("bottom")
        axis.setTickSpacing(1, 1)
        for name in ("left", "bottom"):
            chart.getAxis(name).setPen(pg.mkPen(self._theme.line))
            chart.getAxis(name).setTextPen(pg.mkPen(self._theme.soft))
        return chart


def _section(title: str, lines: tuple[str, ...]) -> str:
    return "\n".join([title, *(f"   {line}" for line in lines)])


def _numbers(values: tuple[float | None, ...]) -> np.ndarray:
    return np.array([np.nan if value is None else value for value in values], dtype=float)
