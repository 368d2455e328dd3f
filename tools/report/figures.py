"""The figures of a report, as SVG text with real text inside or as a picture. Here matplotlib draws.

Left is orange-red with circles and the letter L, right is blue with squares and R; before is grey and
dashed, after is solid. No meaning rests on colour alone.
"""

import io
import math
import re
from typing import TYPE_CHECKING, Any

import numpy as np

from tools.report.figures_course import draw_course, draw_pain
from tools.report.ink import (
    BEFORE,
    INTERVAL,
    MARKER,
    STYLE,
    new_figure,
    of_side,
    whole_ticks,
)
from tools.report.model import (
    BandData,
    CourseData,
    Curve,
    CurvesData,
    Figure,
    FigureData,
    PainData,
    PassesData,
    RepsData,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

MOST_POINTS = 450
"""Points of a curve that a page can show."""


def figure_rows(figures: tuple[Figure, ...]) -> list[tuple[Figure, ...]]:
    """Return the figures as they stand on the page: two beside each other, a last odd one alone."""
    return [figures[place : place + 2] for place in range(0, len(figures), 2)]


def as_svg(figure: Figure, *, wide: bool) -> str:
    """Return a figure as SVG that takes the width it is given; `wide` is the width of the page."""
    import matplotlib as mpl

    text = io.StringIO()
    with mpl.rc_context(STYLE):
        draw(figure.data, figure, wide=wide).savefig(
            text, format="svg", metadata={"Date": None, "Creator": None}, transparent=True
        )
    body = text.getvalue()
    body = body[body.index("<svg") :]
    return re.sub(r'^(<svg [^>]*?) height="[^"]*"( [^>]*?) width="[^"]*"', r"\1\2", body)


def as_png(figure: Figure, *, wide: bool, dpi: int = 220) -> tuple[bytes, float]:
    """Return a figure as a picture for print, and its height as a share of its width."""
    import matplotlib as mpl

    out = io.BytesIO()
    with mpl.rc_context(STYLE):
        canvas = draw(figure.data, figure, wide=wide)
        canvas.savefig(out, format="png", dpi=dpi, metadata={"Software": None})
    width, height = canvas.get_size_inches()
    return out.getvalue(), float(height / width)


def draw(data: FigureData, figure: Figure, *, wide: bool) -> "Canvas":
    """Return a figure drawn."""
    match data:
        case RepsData():
            return _reps(data, figure, wide=wide)
        case CurvesData():
            return _curves(data, figure, wide=wide)
        case PassesData():
            return _passes(data, figure, wide=wide)
        case CourseData():
            return draw_course(data, figure, wide=wide)
        case PainData():
            return draw_pain(data, figure, wide=wide)
        case BandData():
            return _band(data, figure, wide=wide)


def _reps(data: RepsData, figure: Figure, *, wide: bool) -> "Canvas":
    canvas, panels = new_figure(wide, 1.95)
    axes = panels[0]
    anchors: set[str] = set()
    for column, group in enumerate(data.groups):
        colour = of_side(group.side, group.phase)
        count = len(group.values_deg)
        spread = np.linspace(-0.2, 0.12, count) if count > 1 else np.zeros(1)
        for offset, value, counted in zip(spread, group.values_deg, group.counts, strict=True):
            axes.plot(
                column + offset, value, MARKER[group.side], markersize=4.0, color=colour,
                markerfacecolor=colour if counted else "white", zorder=3,
            )  # fmt: skip
        if group.side not in anchors and data.mdc_deg is not None and group.phase == "before":
            anchors.add(group.side)
            span = sum(1 for other in data.groups if other.side == group.side)
            axes.fill_between(
                [column - 0.42, column + span - 0.55], group.mean_deg - data.mdc_deg,
                group.mean_deg + data.mdc_deg, color="#868e96", alpha=0.16, linewidth=0.0, zorder=1,
            )  # fmt: skip
        dash = "--" if group.phase == "before" else "-"
        axes.plot([column - 0.28, column + 0.2], [group.mean_deg] * 2, dash, color=colour, zorder=4)
        if math.isfinite(group.low_deg):
            axes.plot([column + 0.24] * 2, [group.low_deg, group.high_deg], color=colour, zorder=4)
        axes.annotate(
            f"{group.mean_deg:.0f}°".replace("-", "−"), (column + 0.28, group.mean_deg), va="center",
            color="#212529", fontsize=8.5,
        )  # fmt: skip
    axes.set_xticks(range(len(data.groups)), [group.label for group in data.groups])
    room = 1.2 if len(data.groups) == 1 else 0.0
    axes.set_xlim(-0.55 - room, len(data.groups) - 0.3 + room)
    axes.margins(y=0.15)
    axes.set_ylabel(figure.labels["angle"])
    whole_ticks(axes.yaxis)
    return canvas


def _curves(data: CurvesData, figure: Figure, *, wide: bool) -> "Canvas":
    sides = list(dict.fromkeys(curve.side for curve in data.curves))
    canvas, panels = new_figure(wide, 1.95 if not wide or len(sides) > 1 else 1.8, rows=len(sides))
    for axes, side in zip(panels, sides, strict=True):
        for curve in (curve for curve in data.curves if curve.side == side):
            _curve(axes, curve)
            if data.numbered:
                _spans(axes, curve)
        if not data.numbered:
            axes.legend(
                loc="lower right", bbox_to_anchor=(1.0, 0.96), ncols=2, fontsize=7.5, frameon=False,
                handlelength=1.8, borderaxespad=0.0, columnspacing=1.0,
            )  # fmt: skip
        axes.set_ylabel(figure.labels["angle"])
        axes.margins(x=0.01)
        whole_ticks(axes.yaxis, most=4 if len(sides) > 1 else 6)
    panels[-1].set_xlabel(figure.labels["time"])
    return canvas


def _passes(data: PassesData, figure: Figure, *, wide: bool) -> "Canvas":
    structures = list(dict.fromkeys(arrow.structure for arrow in data.passes))
    canvas, panels = new_figure(wide, 0.5 + 0.3 * len(structures) if wide else 1.95)
    axes = panels[0]
    for row, structure in enumerate(structures):
        own = [arrow for arrow in data.passes if arrow.structure == structure]
        places = row + (np.linspace(-0.3, 0.3, len(own)) if len(own) > 1 else np.zeros(1))
        for arrow, height in zip(own, places, strict=True):
            axes.annotate(
                "", (arrow.end_deg, height), (arrow.start_deg, height),
                arrowprops={
                    "arrowstyle": "-|>,head_width=0.18,head_length=0.3",
                    "color": of_side(arrow.side, "after"), "linewidth": 0.9, "shrinkA": 0, "shrinkB": 0,
                },
            )  # fmt: skip
    ends = [value for arrow in data.passes for value in (arrow.start_deg, arrow.end_deg)]
    pad = 0.06 * (max(ends) - min(ends) or 1.0)
    axes.set_xlim(min(ends) - pad, max(ends) + pad)
    axes.set_ylim(len(structures) - 0.45, -0.55)
    axes.set_yticks(range(len(structures)), [_wrapped(name, 40 if wide else 24) for name in structures])
    axes.set_xlabel(figure.labels["passes_axis"], x=1.0, ha="right")
    axes.grid(visible=True, axis="x")
    axes.grid(visible=False, axis="y")
    whole_ticks(axes.xaxis)
    return canvas


def _band(data: BandData, figure: Figure, *, wide: bool) -> "Canvas":
    canvas, panels = new_figure(wide, 1.35)
    axes = panels[0]
    colour = of_side(data.side, "after")
    if data.chance_deg is not None:
        low, high = data.clinic_deg - data.chance_deg, data.clinic_deg + data.chance_deg
        axes.axvspan(low, high, color="#868e96", alpha=0.2, linewidth=0.0)
    axes.axvline(data.clinic_deg, color=BEFORE, linestyle="--")
    if math.isfinite(data.low_deg):
        axes.plot([data.low_deg, data.high_deg], [0, 0], "-", color=colour, linewidth=2.0)
    axes.plot(data.today_deg, 0, MARKER[data.side], color=colour, markersize=9)
    axes.annotate(
        f"{data.today_deg:.0f}°".replace("-", "−"), (data.today_deg, 0.35), ha="center", fontsize=10
    )
    axes.annotate(
        f"{data.clinic_deg:.0f}°".replace("-", "−"), (data.clinic_deg, -0.75), ha="center", fontsize=9,
        color="#495057", backgroundcolor="white",
    )  # fmt: skip
    axes.set_ylim(-1, 1)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.margins(x=0.15)
    axes.set_xlabel(figure.labels["angle"])
    whole_ticks(axes.xaxis)
    return canvas


def _curve(axes: "Axes", curve: Curve) -> None:
    step = max(1, len(curve.t_s) // MOST_POINTS)
    t, angle, sigma = (values[::step] for values in (curve.t_s, curve.angle_deg, curve.sigma_deg))
    colour = of_side(curve.side, curve.phase)
    half = INTERVAL * sigma
    axes.fill_between(t, angle - half, angle + half, color=colour, alpha=0.2, linewidth=0.0)
    dash = "--" if curve.phase == "before" else "-"
    axes.plot(t, angle, dash, color=colour, label=curve.label, linewidth=1.1)


def _spans(axes: "Axes", curve: Curve) -> None:
    """Write the number of each rep over it; hatch those that do not count."""
    for number, ((start, stop), counts) in enumerate(zip(curve.spans_s, curve.counts, strict=True), start=1):
        look: dict[str, Any] = {"alpha": 0.07, "color": of_side(curve.side, "after"), "linewidth": 0.0}
        if not counts:
            look = {"facecolor": "none", "edgecolor": "#868e96", "hatch": "////", "linewidth": 0.0}
        axes.axvspan(start, stop, **look)
        axes.annotate(
            str(number), (0.5 * (start + stop), 1.0), xycoords=("data", "axes fraction"), ha="center",
            va="bottom", fontsize=8, color="#212529",
        )  # fmt: skip


def _wrapped(name: str, width: int) -> str:
    from textwrap import wrap

    return "\n".join(wrap(name, width)[:3])
