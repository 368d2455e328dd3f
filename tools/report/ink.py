"""How figures look: colours, markers, line styles, sizes."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

COLOUR = {"left": "#d9480f", "right": "#1c6fb5", "midline": "#5b4a9c"}
MARKER = {"left": "o", "right": "s", "midline": "D"}
BEFORE = "#6c757d"
INTERVAL = 1.96
WIDE_IN, HALF_IN = 7.1, 3.5
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "romcap",
    "font.family": "DejaVu Sans",
    "font.size": 8.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#868e96",
    "axes.labelcolor": "#343a40",
    "axes.linewidth": 0.7,
    "xtick.color": "#343a40",
    "ytick.color": "#343a40",
    "lines.linewidth": 1.4,
    "hatch.linewidth": 0.6,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "grid.color": "#e9ecef",
    "grid.linewidth": 0.7,
}


def of_side(side: str, phase: str) -> str:
    """Return the colour of a test: grey before, else that of its side."""
    return BEFORE if phase == "before" else COLOUR[side]


def new_figure(wide: bool, height: float, rows: int = 1) -> "tuple[Figure, list[Axes]]":
    """Return an empty figure and its panels, from top to bottom; inches."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(WIDE_IN if wide else HALF_IN, height), layout="constrained")
        axes = figure.subplots(rows, 1, squeeze=False, sharex=True)
    return figure, list(axes[:, 0])


def whole_ticks(axis: "Axis", most: int = 6) -> None:
    """Put ticks at whole numbers only, so that no language needs a decimal sign."""
    from matplotlib.ticker import MaxNLocator

    axis.set_major_locator(MaxNLocator(nbins=most, integer=True))
