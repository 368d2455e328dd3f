"""The bench as one table and one picture."""

import io
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tools.bench.worlds import INCLINATIONS, Score, World

COLOURS = {
    "romcap-live": "#d9480f",
    "romcap-review": "#a61e4d",
    "vqf-6d": "#1c6fb5",
    "vqf-9d": "#4dabf7",
    "ahrs-madgwick": "#868e96",
    "ahrs-ekf": "#495057",
    "qmt-chain": "#2b8a3e",
}


def summary(scores: Sequence[Score]) -> list[dict[str, object]]:
    """Return a row a world and method: medians over seeds, degrees; `seeds` says how many."""
    rows: list[dict[str, object]] = []
    for world in _worlds(scores):
        for method in _methods(scores):
            mine = [score for score in scores if score.world == world and score.method == method]
            if mine:
                rows.append(
                    {
                        "world": world.name,
                        "method": method,
                        "seeds": len(mine),
                        "rom_rms_deg": _median(score.rom_deg for score in mine),
                        "angle_rmse_deg": _median(score.angle_deg for score in mine),
                        "drift_deg_per_min": _median(abs(score.drift_deg_min) for score in mine),
                        "coverage95": _median(score.coverage for score in mine),
                        "worst_rom_rms_deg": max(score.rom_deg for score in mine),
                    }
                )
    return rows


def draw(scores: Sequence[Score], path: Path) -> None:
    """Draw the range error of single passes, a panel a world, every seed a mark, as an SVG or PNG file."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    kinds = list(dict.fromkeys((w.minutes, w.grade.name, w.still) for w in _worlds(scores)))
    methods = _methods(scores)
    with rc_context({"svg.fonttype": "none", "font.size": 8.0, "svg.hashsalt": "romcap"}):
        figure = Figure(figsize=(7.2, 1.1 + 2.0 * math.ceil(len(kinds) / 2)), layout="constrained")
        panels: Any = figure.subplots(math.ceil(len(kinds) / 2), 2, squeeze=False, sharey=True).ravel()
        for panel, (minutes, grade, still) in zip(panels, kinds, strict=False):
            here = [
                s
                for s in scores
                if (s.world.minutes, s.world.grade.name, s.world.still) == (minutes, grade, still)
            ]
            for number, method in enumerate(methods):
                for column, axis in enumerate(INCLINATIONS):
                    values = [s.rom_deg for s in here if s.method == method and s.world.axis == axis]
                    at = column + (number - (len(methods) - 1) / 2) * 0.11
                    panel.plot(
                        [at] * len(values), values, "o", markersize=3.0, color=COLOURS[method],
                        label=method if column == 0 else None,
                    )  # fmt: skip
            panel.set_yscale("log")
            panel.set_xticks(range(len(INCLINATIONS)), list(INCLINATIONS))
            panel.set_title(
                f"{minutes:g} min, {grade}, {'still' if still else 'moving'} proximal", fontsize=8
            )
            panel.grid(visible=True, axis="y", color="#e9ecef")
        for panel in panels[len(kinds) :]:
            panel.set_visible(False)
        figure.supylabel("RMS error of a pass's range (°), log scale")
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(
            handles, labels, loc="outside upper center", ncols=len(methods), frameon=False, fontsize=7
        )
        drawn = io.BytesIO()
        figure.savefig(drawn, format=path.suffix.removeprefix(".") or "svg", dpi=160)
    path.write_bytes(drawn.getvalue())


def _worlds(scores: Iterable[Score]) -> list[World]:
    return list(dict.fromkeys(score.world for score in scores))


def _methods(scores: Iterable[Score]) -> list[str]:
    there = {score.method for score in scores}
    return [method for method in COLOURS if method in there]


def _median(values: Iterable[float]) -> float:
    known = [value for value in values if math.isfinite(value)]
    return float(np.median(known)) if known else math.nan
