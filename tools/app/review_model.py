"""What a review shows, without Qt: recordings, their curves, a clock that plays, reps and passes, remarks.

Numbers come from the functions of `rom compare` and `rom measure`; here they are only put into words.
"""

import csv
import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue

import numpy as np

from imu.errors import InputError
from imu.recording import Recording
from rom.agreement import apart
from rom.annotations import Annotation, Kind, annotate
from rom.catalogue.loader import Catalogue
from rom.replay import ReplayStep
from rom.trial import analyse
from rom.trials import analyse_pair, compare_trials, symmetry_of_trials
from tools.app.body import pose_of
from tools.app.jobs import Job
from tools.app.opened import NOTHING, Opened, curve_of
from tools.app.scene import Curve, Pose, Span

SPEEDS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
WINDOW_S = 16.0
SPOKEN = 6
"""Places that a sentence names."""


class ReviewModel:
    """One recording, or two side by side.

    Parameters
    ----------
    catalogue
        The movements.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self.job: Job[None] | None = None
        self._begin()

    def _begin(self) -> None:
        self.opened: list[Opened] = []
        self.job = None
        self.problem = ""
        self.sentence = ""
        self.at = 0.0
        self.speed = 1.0
        self.playing = False
        self.chosen: int | None = None
        self._steps: SimpleQueue[tuple[int, ReplayStep]] = SimpleQueue()
        self._looked_at = False

    # ---- opening ----------------------------------------------------------------------------------

    def open(self, *paths: Path) -> None:
        """Open one recording, or two to compare; what was open is closed. Measuring goes on beside."""
        self.close()
        try:
            if not 1 <= len(paths) <= 2:
                raise InputError(f"one recording, or two to compare, can be opened; got {len(paths)}")
            for path in paths:
                if not path.is_file():
                    raise InputError(f"{path}: there is no such file")
            self.opened = [Opened(Recording.open(path), self._catalogue) for path in paths]
        except Exception as error:  # noqa: BLE001  a file from anywhere must not end the program
            self.opened, self.problem = [], str(error)
            return
        self.opened.sort(key=lambda one: one.recording.header.created_at)
        self.job = Job("measuring", self._measure)

    def close(self) -> None:
        """Close what is open; work under way is cancelled."""
        if self.job is not None:
            self.job.cancel()
        self._begin()

    def pull(self) -> bool:
        """Take what the work has found since the last call; return whether there is anything new."""
        fresh: dict[int, list[ReplayStep]] = {}
        while True:
            try:
                number, step = self._steps.get_nowait()
            except Empty:
                break
            fresh.setdefault(number, []).append(step)
        for number, steps in fresh.items():
            self.opened[number].take(steps)
        looked_at = bool(self.first and len(self.first.activity.seconds))
        news = bool(fresh) or looked_at != self._looked_at
        self._looked_at = looked_at
        if self.job is not None and self.job.over:
            self.problem = self.job.error
            self.job = None
            return True
        return news

    def _measure(self, report: Callable[[float], None]) -> None:
        """Measure what is open, as `rom compare` and `rom symmetry` do; runs in the job's thread."""
        opened, steps = self.opened, self._steps
        lengths = [one.recording.duration for one in opened]
        whole = max(sum(lengths), 1e-9)

        def seen(number: int, step: ReplayStep) -> None:
            steps.put((number, step))
            if len(step.series):
                report(min(1.0, (sum(lengths[:number]) + float(step.series.t[-1])) / whole))

        for one in opened:
            if not len(one.activity.seconds):
                one.look_for_activity()
            report(0.0)
        if len(opened) == 1:
            opened[0].trial = analyse(opened[0].recording, seen=partial(seen, 0))
            return
        first, second = opened
        if first.recording.header.side == second.recording.header.side:
            first.trial, second.trial = analyse_pair(first.recording, second.recording, seen=seen)
            self.sentence = compare_trials(first.trial, second.trial).sentence()
        else:
            first.trial = analyse(first.recording, seen=partial(seen, 0))
            second.trial = analyse(second.recording, seen=partial(seen, 1))
            left, right = sorted((first.trial, second.trial), key=lambda trial: trial.side)
            self.sentence = symmetry_of_trials(left, right).sentence()

    def estimate_best(self) -> None:
        """Work out the best estimate of the one open recording, and where it contradicts the live one."""
        if len(self.opened) == 1 and self.opened[0].trial is not None and self.job is None:
            self.job = Job("best estimate", self._estimate_best)

    def _estimate_best(self, report: Callable[[float], None]) -> None:
        opened = self.opened[0]
        whole = max(opened.recording.duration, 1e-9)
        live = opened.trial
        best = analyse(opened.recording, estimate="best", progress=lambda t: report(min(1.0, t / whole)))
        opened.best = curve_of(best.series)
        opened.apart = () if live is None else apart(live.series, best.series)
        places = ", ".join(f"{start:.0f} s" for start, _ in opened.apart[:SPOKEN])
        self.sentence = (
            f"As seen live and best estimate differ by more than their error bars at {places}."
            if places
            else "As seen live and best estimate differ nowhere by more than their error bars."
        )

    # ---- what is seen -----------------------------------------------------------------------------

    @property
    def first(self) -> Opened | None:
        """The recording that the clock runs over."""
        return self.opened[0] if self.opened else None

    @property
    def duration(self) -> float:
        """Length of the first recording, s."""
        return self.first.recording.duration if self.first else 0.0

    @property
    def title(self) -> str:
        """What is open, in words."""
        if self.first is None:
            return "Drop a recording here, or two to compare"
        header = self.first.recording.header
        name = self.first.name if len(self.opened) == 1 else ""
        simulated = "   simulated: no person was measured" if header.simulated else ""
        return f"{header.client}   {name}{simulated}"

    @property
    def legend(self) -> str:
        """Which line is which recording; empty with one."""
        if len(self.opened) == 1 and self.opened[0].best is not None:
            return "with its band: as seen live   thin: best estimate"
        if len(self.opened) < 2:
            return ""
        first, second = (one.recording.header for one in self.opened)
        if first.side != second.side:
            letters = [f"{header.side[:1].upper()} {header.side}" for header in (first, second)]
            return f"solid: {letters[0]}   dotted: {letters[1]}"
        return f"dashed: before ({self.opened[0].name})   solid: after ({self.opened[1].name})"

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a reader must know."""
        said = [text for one in self.opened if one.trial is not None for text in one.trial.warnings]
        return tuple(dict.fromkeys(said))

    @property
    def shift(self) -> float:
        """How far the second recording is moved so that the chosen rep or pass begins together, s."""
        if len(self.opened) < 2 or not self.opened[1].spans or not self.opened[0].spans:
            return 0.0
        place = self.chosen or 0
        mine = self.opened[0].spans[min(place, len(self.opened[0].spans) - 1)]
        same = [span for span in self.opened[1].spans if span.kind == mine.kind]
        other = same[min(mine.number, len(same)) - 1] if same else self.opened[1].spans[0]
        return mine.start - other.start

    def window(self, number: int = 0) -> Curve:
        """Return the stretch of a recording around the clock, its times on the first one's clock."""
        best = self.opened[0].best if len(self.opened) == 1 else None
        if number >= len(self.opened) and best is None:
            return NOTHING
        shift = 0.0 if number == 0 or best is not None else self.shift
        curve = best if number == 1 and best is not None else self.opened[number].curve
        low, high = self.window_ends
        first, last = np.searchsorted(curve.seconds, [low - shift, high - shift])
        return Curve(
            curve.seconds[first:last] + shift, curve.degrees[first:last], curve.sigma_deg[first:last]
        )

    @property
    def window_ends(self) -> tuple[float, float]:
        """Where the visible stretch begins and ends, s."""
        return self.at - WINDOW_S / 2.0, self.at + WINDOW_S / 2.0

    def angle_at(self, t: float) -> float:
        """Return the angle of the first recording at an instant, degrees; NaN where not known."""
        if self.first is None or not len(self.first.curve.seconds):
            return math.nan
        seconds = self.first.curve.seconds
        place = int(np.searchsorted(seconds, t))
        if place >= len(seconds) or abs(seconds[place] - t) > 0.5:
            return math.nan
        return float(self.first.curve.degrees[place])

    @property
    def pose(self) -> Pose | None:
        """The figure at the clock; None before the movement is known."""
        movement, side = (self.first.movement, self.first.side) if self.first else (None, None)
        if movement is None or side is None:
            return None
        return pose_of(movement, side, math.radians(self.angle_at(self.at)))

    @property
    def measured(self) -> str:
        """How far the first recording is measured, in words; empty once all of it is."""
        if self.first is None or self.first.trial is not None or self.job is None:
            return ""
        known = self.first.known_until
        return "not measured here yet" if self.at > known else f"measured to {known / 60.0:.0f} min"

    # ---- the clock --------------------------------------------------------------------------------

    def advance(self, seconds: float) -> None:
        """Let the clock run for so many real seconds."""
        if self.playing:
            self.seek(self.at + seconds * self.speed)
            self.playing = self.at < self.duration

    def seek(self, t: float) -> None:
        """Set the clock, s."""
        self.at = min(max(t, 0.0), self.duration)

    def jump(self, place: int) -> None:
        """Go to a rep or pass and choose it."""
        spans = self.first.spans if self.first else ()
        if spans:
            self.chosen = min(max(place, 0), len(spans) - 1)
            self.seek(spans[self.chosen].start)

    def faster(self, steps: int) -> None:
        """Play so many steps faster, or slower."""
        place = min(max(SPEEDS.index(self.speed) + steps, 0), len(SPEEDS) - 1)
        self.speed = SPEEDS[place]

    # ---- remarks ----------------------------------------------------------------------------------

    @property
    def span(self) -> Span | None:
        """The chosen rep or pass."""
        spans = self.first.spans if self.first else ()
        return spans[self.chosen] if self.chosen is not None and self.chosen < len(spans) else None

    def discard(self, reason: str) -> None:
        """Discard the chosen rep, with a reason."""
        self._remark("discard", reason)

    def restore(self, reason: str) -> None:
        """Let the chosen rep or pass count again as it was found."""
        self._remark("restore", reason)

    def move(self, start: float, stop: float, reason: str) -> None:
        """Move the boundaries of the chosen rep or pass, s."""
        self._remark("edit", reason, start, stop)

    def _remark(self, kind: Kind, reason: str, start: float = math.nan, stop: float = math.nan) -> None:
        span, first = self.span, self.first
        if span is None or first is None:
            raise InputError("choose a rep or a pass first")
        annotate(first.recording, Annotation(kind, span.kind, span.number, reason, start, stop))
        self.problem, self.sentence = "", ""
        for one in self.opened:
            one.begin_anew()
        self.job = Job("measuring again", self._measure)

    # ---- export -----------------------------------------------------------------------------------

    def export_csv(self, path: Path) -> None:
        """Write what is seen: the curves of the visible stretch, one row an instant.

        Raises
        ------
        InputError
            If the file cannot be written.
        """
        try:
            with path.open("w", newline="", encoding="utf-8") as file:
                table = csv.writer(file)
                table.writerow(["recording", "t_s", "angle_deg", "sigma_deg"])
                for number, one in enumerate(self.opened):
                    curve = self.window(number)
                    rows = np.stack([curve.seconds, curve.degrees, curve.sigma_deg], axis=1)
                    table.writerows([one.name, *(f"{value:.4f}" for value in row)] for row in rows.tolist())
        except OSError as error:
            raise InputError(f"{path}: could not be written ({error}); choose another folder") from None
