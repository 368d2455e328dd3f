"""The figures of a report, as SVG text with real text inside. The only place that draws with matplotlib.

Left is orange-red with a solid marker edge and the letter L, right is blue and R; before is grey and
dashed, after is solid and coloured. No meaning rests on colour alone.
"""

import io
import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tools.report.model import Curve, PassRow, RepGroup

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SIDE_COLOUR = {"left": "#d9480f", "right": "#1c6fb5", "midline": "#5b4a9c"}
BEFORE_COLOUR = "#868e96"
SIDE_MARKER = {"left": "o", "right": "s", "midline": "D"}
INTERVAL = 1.96
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "romcap",
    "font.family": "DejaVu Sans",
    "font.size": 9.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#868e96",
    "axes.labelcolor": "#343a40",
    "xtick.color": "#495057",
    "ytick.color": "#495057",
    "axes.grid": True,
    "axes.grid.axis": "y",
    "grid.color": "#e9ecef",
    "grid.linewidth": 0.8,
}


def reps_figure(groups: Sequence[RepGroup], mdc_deg: float | None) -> str:
    """Return an SVG of every rep before and after, a column a test, with the mean and its 95 % interval.

    A band of plus and minus `mdc_deg` around each side's first test shows what could be chance.
    """
    figure, axes = _new(width=6.6, height=2.9)
    ticks: list[str] = []
    anchors: dict[str, float] = {}
    for column, group in enumerate(groups):
        colour = _colour(group.side, group.phase)
        spread = np.linspace(-0.18, 0.18, len(group.values_deg)) if len(group.values_deg) > 1 else np.zeros(1)
        for offset, value, counted in zip(spread, group.values_deg, group.counts, strict=True):
            axes.plot(
                column + offset, value, SIDE_MARKER[group.side], markersize=5.0, color=colour,
                markerfacecolor=colour if counted else "white", zorder=3,
            )  # fmt: skip
        if group.phase == "before" and mdc_deg is not None and group.side not in anchors:
            anchors[group.side] = group.mean_deg
            width = sum(1 for other in groups if other.side == group.side)
            axes.fill_between(
                [column - 0.4, column + width - 0.6], group.mean_deg - mdc_deg, group.mean_deg + mdc_deg,
                color="#868e96", alpha=0.14, linewidth=0.0, zorder=1,
            )  # fmt: skip
        axes.plot([column - 0.26, column + 0.26], [group.mean_deg] * 2, color=colour, linewidth=2.0, zorder=4)
        axes.plot([column + 0.3] * 2, [group.low_deg, group.high_deg], color=colour, linewidth=1.4, zorder=4)
        axes.annotate(
            f"{group.mean_deg:.0f}°", (column + 0.34, group.mean_deg), va="center", color=colour, fontsize=10
        )
        ticks.append(group.label)
    axes.set_xticks(range(len(groups)), ticks)
    axes.set_xlim(-0.6, len(groups) - 0.25)
    axes.margins(y=0.18)
    axes.set_ylabel("angle (°)")
    return _svg(figure)


def curves_figure(curves: Sequence[Curve]) -> str:
    """Return an SVG of angle against time, one panel a side, each with its 95 % error band."""
    sides = list(dict.fromkeys(curve.side for curve in curves))
    figure, panels = _new_panels(rows=len(sides), width=6.6, height=1.9 * len(sides) + 0.3)
    for axes, side in zip(panels, sides, strict=True):
        for curve in (curve for curve in curves if curve.side == side):
            colour = _colour(curve.side, curve.phase)
            t, angle, sigma = _thin(curve)
            axes.fill_between(
                t, angle - INTERVAL * sigma, angle + INTERVAL * sigma, color=colour, alpha=0.22, linewidth=0.0
            )
            axes.plot(
                t,
                angle,
                "--" if curve.phase == "before" else "-",
                color=colour,
                label=curve.label,
                linewidth=1.2,
            )
        axes.set_ylabel(f"{side[0].upper()}  angle (°)" if side != "midline" else "angle (°)")
        axes.legend(loc="lower right", bbox_to_anchor=(1.0, 0.98), ncols=2, fontsize=8, frameon=False)
        axes.margins(x=0.01)
    panels[-1].set_xlabel("time (s)")
    return _svg(figure)


def passes_figure(passes: Sequence[PassRow]) -> str:
    """Return an SVG of each pass as an arrow from its shortened to its lengthened end, a row a structure."""
    structures = list(dict.fromkeys(row.structure for row in passes))
    figure, axes = _new(width=6.6, height=0.9 + 0.55 * len(structures))
    for row in passes:
        members = [other.number for other in passes if other.structure == row.structure]
        height = structures.index(row.structure) + 0.3 * (
            (row.number - min(members)) / max(1, len(members) - 1) - 0.5 if len(members) > 1 else 0.0
        )
        axes.annotate(
            "",
            (row.end_deg, height),
            (row.start_deg, height),
            arrowprops={
                "arrowstyle": "-|>",
                "color": SIDE_COLOUR[row.side],
                "linewidth": 1.2,
                "shrinkA": 0,
                "shrinkB": 0,
            },
        )
    ends = [value for row in passes for value in (row.start_deg, row.end_deg)]
    pad = 0.06 * (max(ends) - min(ends) or 1.0)
    axes.set_xlim(min(ends) - pad, max(ends) + pad)
    axes.set_ylim(len(structures) - 0.5, -0.5)
    axes.set_yticks(range(len(structures)), structures)
    axes.set_xlabel("angle (°), from shortened to lengthened")
    axes.grid(visible=True, axis="x")
    return _svg(figure)


def _colour(side: str, phase: str) -> str:
    return BEFORE_COLOUR if phase == "before" else SIDE_COLOUR[side]


def _thin(curve: Curve) -> Iterable[np.ndarray]:
    step = max(1, len(curve.t_s) // 900)
    return curve.t_s[::step], curve.angle_deg[::step], curve.sigma_deg[::step]


def _new(width: float, height: float) -> tuple["Figure", "Axes"]:
    figure, panels = _new_panels(1, width, height)
    return figure, panels[0]


def _new_panels(rows: int, width: float, height: float) -> tuple["Figure", list["Axes"]]:
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(width, height), layout="constrained")
        axes = figure.subplots(rows, 1, squeeze=False, sharex=True)
    return figure, list(axes[:, 0])


def _svg(figure: "Figure") -> str:
    import matplotlib as mpl

    text = io.StringIO()
    with mpl.rc_context(STYLE):
        figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None}, transparent=True)
    body = text.getvalue()
    return re.sub(r'(<svg [^>]*?) height="[^"]*"( [^>]*?) width="[^"]*"', r"\1\2", body[body.index("<svg") :])
