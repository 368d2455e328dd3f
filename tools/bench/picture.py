"""The bench as one picture: a panel a kind of world and a data set, every seed or trial a mark."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tools.bench.scoring import Row
from tools.bench.world_scores import Score
from tools.bench.worlds import INCLINATIONS

COLOURS = {
    "romcap-live": "#d9480f",
    "romcap-review": "#a61e4d",
    "romcap-told": "#e8590c80",
    "vqf-6d": "#1c6fb5",
    "vqf-9d": "#4dabf7",
    "ahrs-madgwick": "#868e96",
    "ahrs-ekf": "#495057",
    "qmt-chain": "#2b8a3e",
}

COLUMNS = 3

Mark = tuple[str, str, float]
"""Method, place on the axis, degrees."""


def draw(scores: Sequence[Score], rows: Sequence[Row], path: Path) -> None:
    """Draw range errors of worlds and angle errors of trials, on a log scale, as an SVG or PNG file."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    panels = [*_of_worlds(scores), *_of_trials(rows)]
    tall = -(-len(panels) // COLUMNS)
    with rc_context({"svg.fonttype": "none", "font.size": 7.0, "svg.hashsalt": "romcap"}):
        figure = Figure(figsize=(9.6, 0.7 + 2.0 * tall), layout="constrained")
        grid: Any = figure.subplots(tall, COLUMNS, squeeze=False).ravel()
        there = {method for _, marks in panels for method, _, _ in marks}
        methods = [method for method in COLOURS if method in there]
        for panel, (title, marks) in zip(grid, panels, strict=False):
            _panel(panel, title, marks, methods)
        for panel in grid[len(panels) :]:
            panel.set_visible(False)
        handles = [
            grid[0].plot([], [], "o", markersize=3.0, color=COLOURS[method], label=method)[0]
            for method in methods
        ]
        figure.legend(handles=handles, loc="outside upper center", ncols=len(methods), frameon=False)
        drawn = io.BytesIO()
        figure.savefig(drawn, format=path.suffix.removeprefix(".") or "svg", dpi=160)
    path.write_bytes(drawn.getvalue())


def _panel(panel: Any, title: str, marks: Sequence[Mark], methods: Sequence[str]) -> None:
    places = list(dict.fromkeys(place for _, place, _ in marks))
    for method, place, value in marks:
        at = places.index(place) + (methods.index(method) - (len(methods) - 1) / 2) * 0.11
        panel.plot([at], [value], "o", markersize=2.5, color=COLOURS[method])
    panel.set_yscale("log")
    panel.yaxis.set_major_formatter("{x:g}°")
    panel.set_xticks(range(len(places)), places)
    panel.set_title(title, fontsize=7)
    panel.grid(visible=True, axis="y", color="#e9ecef")


def _of_worlds(scores: Sequence[Score]) -> list[tuple[str, list[Mark]]]:
    def kind(score: Score) -> str:
        world = score.world
        return f"ranges, {world.minutes:g} min, {world.grade.name}, {world.proximal} proximal"

    order = list(INCLINATIONS)
    ordered = sorted(scores, key=lambda score: order.index(score.world.axis))
    titles = dict.fromkeys(kind(score) for score in scores)
    return [
        (
            title,
            [(s.method, s.world.axis, s.rom_deg) for s in ordered if kind(s) == title and s.rom_deg > 0.0],
        )
        for title in titles
    ]


def _of_trials(rows: Sequence[Row]) -> list[tuple[str, list[Mark]]]:
    def kind(row: Row) -> str:
        return f"angle RMSE, {str(row['trial']).split('/', maxsplit=1)[0]}, {row['mode']}"

    return [
        (
            title,
            [
                (str(row["method"]), str(row["joint"]).replace(" ", "\n"), rmse)
                for row in rows
                if kind(row) == title and isinstance(rmse := row["rmse_deg"], float)
            ],
        )
        for title in dict.fromkeys(kind(row) for row in rows)
    ]
