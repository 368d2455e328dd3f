"""The figures of a course: range and pain over the visits, one axis of days for both."""

import math
from typing import TYPE_CHECKING

from tools.report.ink import BEFORE, COLOUR, MARKER, new_figure, whole_ticks
from tools.report.model import CourseData, CoursePoint, Figure, PainData

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas


def draw_course(data: CourseData, figure: Figure, *, wide: bool) -> "Canvas":
    """Return range over visits: before dashed, after solid marks, at home triangles, the band of chance."""
    canvas, panels = new_figure(wide, 1.95)
    axes = panels[0]
    before = [(p.day, p.before_deg) for p in data.points if math.isfinite(p.before_deg)]
    after = [(p.day, p.after_deg) for p in data.points if math.isfinite(p.after_deg)]
    if before and data.mdc_deg is not None:
        first = before[0][1]
        axes.axhspan(first - data.mdc_deg, first + data.mdc_deg, color="#868e96", alpha=0.16, linewidth=0.0)
    colour = COLOUR[data.side]
    _line(axes, before, "--", BEFORE, marker=MARKER[data.side], fill="white", label=figure.labels["before"])
    for start, end in ((p.before_deg, p) for p in data.points):
        if math.isfinite(start) and math.isfinite(end.after_deg):
            axes.plot([end.day, end.day], [start, end.after_deg], "-", color=colour, linewidth=0.8)
    _line(axes, after, "", colour, marker=MARKER[data.side], fill=colour, label=figure.labels["after"])
    _line(axes, list(data.home), "", colour, marker="^", fill="white", label=figure.labels["home"])
    _days(axes, data.points, figure)
    axes.set_ylabel(figure.labels["angle"])
    whole_ticks(axes.yaxis)
    return canvas


def draw_pain(data: PainData, figure: Figure, *, wide: bool) -> "Canvas":
    """Return pain over visits."""
    canvas, panels = new_figure(wide, 1.95)
    axes = panels[0]
    before = [(p.day, p.pain_before) for p in data.points if math.isfinite(p.pain_before)]
    after = [(p.day, p.pain_after) for p in data.points if math.isfinite(p.pain_after)]
    _line(axes, before, "--", BEFORE, marker="o", fill="white", label=figure.labels["before"])
    _line(axes, after, "", "#212529", marker="s", fill="#212529", label=figure.labels["after"])
    _days(axes, data.points, figure)
    axes.set_ylim(-0.5, 10.5)
    axes.set_ylabel(figure.labels["nprs"])
    whole_ticks(axes.yaxis)
    return canvas


def _line(
    axes: "Axes",
    points: list[tuple[float, float]],
    dash: str,
    colour: str,
    *,
    marker: str,
    fill: str,
    label: str,
) -> None:
    if points:
        days, values = zip(*points, strict=True)
        axes.plot(
            days, values, linestyle=dash, color=colour, marker=marker, markersize=5, markerfacecolor=fill,
            label=label, linewidth=1.2,
        )  # fmt: skip


def _days(axes: "Axes", points: tuple[CoursePoint, ...], figure: Figure) -> None:
    axes.set_xticks([p.day for p in points], [p.label for p in points])
    axes.margins(x=0.06, y=0.15)
    axes.set_xlabel(figure.labels["visit"])
    handles, labels = axes.get_legend_handles_labels()
    if handles:
        axes.legend(
            handles, labels, loc="lower right", bbox_to_anchor=(1.0, 0.97), ncols=3, fontsize=7.5,
            frameon=False, borderaxespad=0.0, handlelength=1.8, columnspacing=1.0,
        )  # fmt: skip
