"""The bench as one table: a line a world or a kind of trial, a column a method."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from tools.bench.estimate import LIVE, METHODS, OWN, REVIEW, ROMCAP, TOLD
from tools.bench.intervals import mean_and_error
from tools.bench.scoring import Row
from tools.bench.world_scores import Score

FRAMES_30_MINUTES = 30 * 60 * 120
"""Instants of half an hour at 120 Hz."""

ALLOWED = {LIVE: 1.1, REVIEW: 1.0, TOLD: 1.1}
"""What romcap may have of the best peer's error on a real trial: its goal."""

WORST = 3
"""So many cases are named in a sentence."""

PRINTED = 0.005
"""Differences that two printed decimals do not show, deg."""


@dataclass(frozen=True, slots=True)
class Line:
    """One method in one world or on one kind of trial: medians over seeds or trials, NaN where not defined.

    Shares of intervals in worlds are means over seeds instead: one treatment holds or fails as a whole.

    Parameters
    ----------
    place
        The world, or data set, joint and mode.
    method
        One of `METHODS`.
    count
        Seeds or trials with an answer.
    rmse_deg, rom_deg, worst_rom_deg
        Of the angle; of the ranges of passes or half-cycles, and the worst of those.
    drift_deg_min
        Absolute slope of the error, deg/min.
    coverage, range_coverage, minutes_inside
        Shares: of instants and of ranges whose 95 % interval holds the truth, of minutes whose mean error it
        holds.
    frame_us
        Processor time for each instant of two sensors, microseconds.
    """

    place: str
    method: str
    count: int
    rmse_deg: float
    rom_deg: float
    worst_rom_deg: float
    drift_deg_min: float = math.nan
    coverage: float = math.nan
    range_coverage: float = math.nan
    minutes_inside: float = math.nan
    frame_us: float = math.nan

    def to_document(self) -> dict[str, object]:
        """Return the line for JSON."""
        return {
            "place": self.place,
            "method": self.method,
            "count": self.count,
            "rmse_deg": self.rmse_deg,
            "rom_error_deg": self.rom_deg,
            "worst_rom_error_deg": self.worst_rom_deg,
            "drift_deg_per_min": self.drift_deg_min,
            "coverage95": self.coverage,
            "range_coverage95": self.range_coverage,
            "minutes_inside": self.minutes_inside,
            "us_per_frame": self.frame_us,
        }


def world_lines(scores: Sequence[Score]) -> list[Line]:
    """Return a line a world and method."""
    lines: list[Line] = []
    for world in dict.fromkeys(score.world for score in scores):
        for method in METHODS:
            mine = [score for score in scores if score.world == world and score.method == method]
            if mine:
                lines.append(
                    Line(
                        world.name,
                        method,
                        len(mine),
                        _median(score.angle_deg for score in mine),
                        _median(score.rom_deg for score in mine),
                        max(score.rom_deg for score in mine),
                        _median(abs(score.drift_deg_min) for score in mine),
                        mean_and_error([score.held.angle for score in mine])[0],
                        mean_and_error([score.held.ranges for score in mine])[0],
                        mean_and_error([score.minutes_inside for score in mine])[0],
                        _median(score.frame_us for score in mine),
                    )
                )
    return lines


def trial_lines(rows: Sequence[Row]) -> list[Line]:
    """Return a line a data set, joint, mode and method."""
    lines: list[Line] = []
    for place in dict.fromkeys(_place(row) for row in rows):
        for method in METHODS:
            mine = [row for row in rows if _place(row) == place and row["method"] == method]
            rmse, rom = _numbers(mine, "rmse_deg"), _numbers(mine, "rom_error_deg")
            ranges = _numbers(mine, "range_coverage95_of_both") or _numbers(mine, "range_coverage95")
            shares = [_median(each) for each in (_numbers(mine, "coverage95"), ranges)]
            if rmse:
                worst = max(rom, default=math.nan)
                lines.append(
                    Line(place, method, len(rmse), _median(rmse), _median(rom), worst, math.nan, *shares)
                )
    return lines


def page(lines: Sequence[Line]) -> str:
    """Return the table as Markdown, and what it cost."""
    from rich.box import MARKDOWN
    from rich.console import Console
    from rich.table import Table

    methods = [method for method in METHODS if any(line.method == method for line in lines)]
    table = Table("Where", "n", *methods, *_OF_OWN, box=MARKDOWN)
    for place in dict.fromkeys(line.place for line in lines):
        here = {line.method: line for line in lines if line.place == place}
        own = [here[method] for method in OWN if method in here]
        table.add_row(
            place,
            str(max(line.count for line in here.values())),
            *(_cell(here.get(method)) for method in methods),
            _both(_percent(line.coverage) for line in own),
            _both(_percent(line.range_coverage) for line in own),
            _both(_decimals(line.drift_deg_min) for line in own),
            _both(_percent(line.minutes_inside) for line in own),
        )
    console = Console(width=400)
    with console.capture() as drawn:
        console.print(table)
    rows = [line.rstrip() for line in drawn.get().splitlines() if line.strip()]
    title = (
        "Degrees: RMSE of the angle / error of ranges, medians over n seeds or trials; "
        "the last four columns: romcap live / review."
    )
    return "\n".join([title, *rows, *_costs(lines)])


def held_sentences(scores: Sequence[Score]) -> list[str]:
    """Return in words how often romcap's intervals held the truth over all imagined treatments."""
    said: list[str] = []
    for method in OWN:
        mine = [score.held for score in scores if score.method == method]
        shares = {
            "angle": [held.angle for held in mine],
            "angle since the pose": [held.since_pose for held in mine],
            "range of a pass": [held.ranges for held in mine],
        }
        parts = [
            f"{what} {100.0 * mean:.1f} % (standard error {100.0 * error:.1f})"
            for what, (mean, error) in ((what, mean_and_error(each)) for what, each in shares.items())
        ]
        if mine:
            said.append(f"{method}, truth in 95 % over {len(mine)} treatments: {', '.join(parts)}.")
    return said


@dataclass(frozen=True, slots=True)
class Case:
    """A trial, joint and mode in which a method has more of the best peer's RMSE than allowed; deg."""

    trial: str
    joint: str
    mode: str
    method: str
    rmse_deg: float
    best: str
    best_deg: float


@dataclass(frozen=True, slots=True)
class Behind:
    """Where romcap has more than its goal allows of the best peer's error, on real trials.

    Parameters
    ----------
    compared
        Trials, joints and modes where both have an answer, by romcap's method.
    cases
        Those behind, with both errors.
    """

    compared: dict[str, int]
    cases: tuple[Case, ...]

    def sentences(self) -> list[str]:
        """Return a sentence for each of romcap's methods, with the worst cases."""
        said: list[str] = []
        for method, total in self.compared.items():
            mine = [case for case in self.cases if case.method == method]
            worst = sorted(mine, key=lambda case: case.best_deg / case.rmse_deg)[:WORST]
            names = "; ".join(
                f"{case.trial} {case.joint} {case.mode} {case.rmse_deg:.2f} against {case.best_deg:.2f} of "
                f"{case.best}"
                for case in worst
            )
            said.append(
                f"{method} has more than {ALLOWED[method]:g} x the RMSE of the best peer in {len(mine)} of "
                f"{total} single trials" + (f", most of all in {names}." if names else ".")
            )
        return said


def behind(rows: Sequence[Row]) -> Behind:
    """Return where romcap is behind the best peer, by the RMSE of single trials."""
    groups: dict[tuple[str, str, str], dict[str, float]] = {}
    for row in rows:
        if isinstance(rmse := row["rmse_deg"], float) and math.isfinite(rmse):
            key = str(row["trial"]), str(row["joint"]), str(row["mode"])
            groups.setdefault(key, {})[str(row["method"])] = rmse
    compared = dict.fromkeys(ROMCAP, 0)
    cases: list[Case] = []
    for (trial, joint, mode), found in groups.items():
        peers = {method: rmse for method, rmse in found.items() if method not in ROMCAP}
        if not peers:
            continue
        best = min(peers, key=lambda method: peers[method])
        for method in ROMCAP:
            if method in found:
                compared[method] += 1
                if found[method] > ALLOWED[method] * peers[best] + PRINTED:
                    cases.append(Case(trial, joint, mode, method, found[method], best, peers[best]))
    return Behind({method: total for method, total in compared.items() if total}, tuple(cases))


_OF_OWN = ("angle in 95 %", "range in 95 %", "drift, deg/min", "minutes inside")


def _costs(lines: Sequence[Line]) -> list[str]:
    """Return what the methods cost, over all worlds."""
    parts: list[str] = []
    for method in METHODS:
        cost = _median(line.frame_us for line in lines if line.method == method)
        if math.isfinite(cost):
            parts.append(f"{method} {cost:.1f}")
            if method == REVIEW:
                parts[-1] += f" ({cost * FRAMES_30_MINUTES * 1e-6:.1f} s for 30 min)"
    return [f"Processor time, us for each instant of two sensors: {', '.join(parts)}."] if parts else []


def _place(row: Row) -> str:
    return f"{str(row['trial']).split('/', maxsplit=1)[0]}, {row['joint']}, {row['mode']}"


def _cell(line: Line | None) -> str:
    if line is None:
        return ""
    rom = _decimals(line.rom_deg)
    return f"{line.rmse_deg:.2f} / {rom}" if rom else f"{line.rmse_deg:.2f}"


def _both(parts: Iterable[str]) -> str:
    found = list(parts)
    return " / ".join(found) if any(found) else ""


def _decimals(value: float) -> str:
    return f"{value:.2f}" if math.isfinite(value) else ""


def _percent(share: float) -> str:
    return f"{100.0 * share:.0f} %" if math.isfinite(share) else ""


def _numbers(rows: Sequence[Row], key: str) -> list[float]:
    return [value for row in rows if isinstance(value := row.get(key), float) and math.isfinite(value)]


def _median(values: Iterable[float]) -> float:
    known = [value for value in values if math.isfinite(value)]
    return float(np.median(known)) if known else math.nan
