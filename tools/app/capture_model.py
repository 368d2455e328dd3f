"""What a capture shows, without Qt: the number, the arc, the curve, the sensors, the step, the warnings.

`pull` takes whatever the capture said since the last frame; a timer of the view calls it, so drawing never
holds samples up and samples never hurry drawing.
"""

import math
import time
from collections.abc import Callable

import numpy as np

from imu.ble_link import LinkState
from imu.health import Health
from imu.recording import Event
from rom.alert import Alert
from rom.angles import FLAG_WORDS, HEADING_UNKNOWN, SATURATED, UNCALIBRATED, UNSURE
from rom.passes import Pass, Rep
from tools.app.acting import acted
from tools.app.alert_board import AlertBoard
from tools.app.body import pose_of
from tools.app.ring import Ring
from tools.app.scene import ArcState, Curve, Light, Pose, ReadoutState, SensorLight, Shape, StepState, Sweep
from tools.app.session import Session
from tools.app.tally import Standing, Tally
from tools.app.tones import Tone
from tools.cli.capture_steps import TIMES

SHOWN_SECONDS = 12.0
FASTEST_HZ = 416.0
MARKED = 20
"""Reps or passes that are marked on the curve."""
DRAWN = 1500
"""Points of the ring that are drawn at most; the ring holds more time than the screen shows."""
GOOD_RESIDUAL_DEG = 5.0
"""From here on the two sensors tell clearly different axes of one hinge."""
NOTED_SECONDS = 4.0
"""How long it is shown what a key has written down, s."""
HEALTH_S = 0.1
"""How often it is asked how the sensors do, s; a number of seconds on the screen needs no more."""
LOW_BATTERY = 20.0
LOSSY = 0.02
"""Share of lost samples from which a sensor counts as weak; the report mentions it from there on too."""
WARN = (HEADING_UNKNOWN, SATURATED, UNSURE, UNCALIBRATED)


class CaptureModel:
    """One capture as it is seen.

    Parameters
    ----------
    session
        The capture.
    baseline
        Value of the baseline, rad; None before there is one.
    play
        Told what to sound.
    """

    def __init__(
        self, session: Session, *, baseline: float | None = None, play: Callable[[Tone], None] | None = None
    ) -> None:
        self.session = session
        self.order = session.order
        self.baseline_deg = None if baseline is None else math.degrees(baseline)
        self.title = self.order.movement.title(self.order.side)
        self._play: Callable[[Tone], None] = play or _silence
        self._ring = Ring(round(SHOWN_SECONDS * FASTEST_HZ), 3)
        self._tally = Tally(self.order)
        self._angle = math.nan
        self._sigma = math.nan
        self._flags = 0
        self._health: tuple[Health, ...] = ()
        self._lost: set[str] = set()
        self._alerts = AlertBoard()
        self._words = ""
        self._words_at = 0.0
        self._keyed: tuple[Event, ...] = ()
        self._keyed_at = -math.inf
        self._began = math.nan
        self._seen = math.nan
        self._asked = math.nan

    @property
    def counts(self) -> str:
        """How many reps and passes were counted, in words."""
        return self._tally.counts

    @property
    def counted(self) -> str:
        """What a key just wrote down; else which reps warm up and which were taken back."""
        if self._keyed and self._seen - self._keyed_at < NOTED_SECONDS:
            return self._tally.said(self._keyed[-1])
        return self._tally.detail

    @property
    def result(self) -> str:
        """What came of it: the end of every rep or pass."""
        return f"{self.title}: {self._tally.ends}"

    @property
    def recorded(self) -> str:
        """How long the recording is by now, in words."""
        if math.isnan(self._began):
            return "not recording yet"
        seconds = int(self._seen - self._began)
        return f"{'recorded' if self.session.over else 'REC'} {seconds // 60:02d}:{seconds % 60:02d}"

    @property
    def step(self) -> StepState:
        """What the person does now."""
        view = self.session.view
        calibrating = (math.isnan(self._angle) or view.calibrating) and not self.session.over
        asked = calibrating and view.left is not None
        shown = None if self.session.over else view.shown
        bars = [] if shown is None else [min(1.0, max(0.0, shown - before)) for before in range(TIMES)]
        return StepState(view.words, view.left, asked, self.calibration, tuple(bars))

    @property
    def calibration(self) -> str:
        """How good the calibration is, in words; empty before it is known."""
        found = self.session.view.calibrations
        if not found:
            return ""
        residual = math.degrees(found[-1].residual)
        if residual < GOOD_RESIDUAL_DEG:
            return f"Alignment good ({residual:.1f}°)"
        return f"Alignment uncertain ({residual:.1f}°): pull the straps tight and calibrate again"

    @property
    def refused(self) -> str:
        """Why the calibration is refused and is done again at a key; empty if it is not."""
        return "" if self.session.over else self.session.view.problem

    @property
    def may_calibrate(self) -> bool:
        """Whether a key may ask for a calibration now: the one before was refused, or a movement runs."""
        return self.session.view.again and not self.session.over

    @property
    def readout(self) -> ReadoutState:
        """The huge number."""
        missing = next((one for one in self._health if one.state is not LinkState.STREAMING), None)
        value = None if math.isnan(self._angle) else round(math.degrees(self._angle))
        if self.session.over:
            return ReadoutState(value, "ended", live=False)
        if missing is not None and self._used(missing):
            age = f" {missing.age:.1f} s" if math.isfinite(missing.age) else ""
            return ReadoutState(value, f"{_place(missing.sensor)}: no data{age}", live=False)
        if value is None or self.session.view.calibrating:
            return ReadoutState(None, "no angle yet", live=False)
        sure = "" if math.isnan(self._sigma) else f"± {1.96 * math.degrees(self._sigma):.0f}°"
        farthest = self._tally.farthest
        peak = "" if farthest is None else f"   farthest {math.degrees(farthest):.0f}°"
        before = "" if self.baseline_deg is None else f"   before {self.baseline_deg:.0f}°"
        return ReadoutState(value, f"{sure}{peak}{before}", live=True)

    @property
    def arc(self) -> ArcState:
        """The arc from shortened to lengthened."""
        movement = self.order.movement
        low, high = math.degrees(movement.plausible_min), math.degrees(movement.plausible_max)
        if movement.gain_sign < 0:
            low, high = high, low
        spans = [
            Sweep(math.degrees(one.start_angle), math.degrees(one.end_angle), standing == "warms up")
            for one, standing in self._tally.standing()[-5:]
        ]
        live = self.readout.live
        sigma = 0.0 if math.isnan(self._sigma) else math.degrees(self._sigma)
        now = math.degrees(self._angle) if live else None
        return ArcState(low, high, now, sigma, self.baseline_deg, tuple(spans), self.order.side)

    @property
    def curve(self) -> Curve:
        """The last seconds of the angle; the newest instant is 0 s."""
        rows = self._ring.newest(DRAWN)
        if not rows.shape[1]:
            return Curve(*(np.zeros(0) for _ in range(3)))
        seconds = rows[0] - self._ring.newest()[0, -1]
        first = int(np.searchsorted(seconds, -SHOWN_SECONDS))
        return Curve(seconds[first:], rows[1, first:], rows[2, first:])

    def marks(self, standing: Standing = "counts") -> tuple[tuple[float, float], ...]:
        """Return the reps or passes on the curve that stand so, s before its newest instant."""
        if not len(self._ring):
            return ()
        now = float(self._ring.newest()[0, -1])
        done = [one for one, its in self._tally.standing()[-MARKED:] if its == standing]
        spans = ((one.start - now, one.stop - now) for one in done)
        return tuple(span for span in spans if span[1] > -SHOWN_SECONDS)

    @property
    def pose(self) -> Pose:
        """The figure as the sensors say; while a step is asked for, it acts that step out."""
        movement, side = self.order.movement, self.order.side
        words = "" if self.session.over else self._words
        return acted(movement, side, words, self._seen - self._words_at) or pose_of(
            movement, side, self._angle
        )

    @property
    def lights(self) -> tuple[SensorLight, ...]:
        """The strip of sensors."""
        return tuple(light_of(one) for one in self._health)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a person should know now, in words."""
        found = [text for text in (self.session.error, self.refused) if text]
        found += [alert.sentence(self.session.started_at) for alert in self._alerts.shown(self._seen)]
        notice = self.session.view.notice
        if notice and not self.session.over and not self._is_good_news(notice):
            found.append(notice)
        if not math.isnan(self._angle):
            found += [FLAG_WORDS[flag] for flag in WARN if self._flags & flag]
        return tuple(found)

    def understood(self) -> None:
        """Take away the alerts that were read."""
        self._alerts.clear()

    def press(self, key: str) -> None:
        """Hand a key over to the capture."""
        self.session.press(key)

    def pull(self) -> bool:
        """Take what was said since the last call; return whether any angle is new."""
        self._seen = time.monotonic()
        if not self._seen - self._asked < HEALTH_S:
            self._asked, self._health = self._seen, self.session.health()
        if math.isnan(self._began) and self.session.recording:
            self._began = self._seen
        self._hear()
        steps = self.session.arrived()
        for step in steps:
            series = step.series
            self._warn(step.alerts)
            self._count(step.reps, step.passes)
            if len(series):
                rows = np.stack([series.t, np.degrees(series.angle[:, 0]), np.degrees(series.sigma[:, 0])], 1)
                self._ring.extend(rows)
                self._angle, self._sigma = float(series.angle[-1, 0]), float(series.sigma[-1, 0])
                self._flags = int(series.flags[-1])
        return any(len(step.series) for step in steps)

    def _used(self, health: Health) -> bool:
        return health.sensor in self.order.movement.segments(self.order.side)

    def _is_good_news(self, notice: str) -> bool:
        """Return whether a notice only says what the strip of sensors shows anyway."""
        fine = [one for one in self._health if one.state is LinkState.STREAMING]
        return notice == "recording" or any(notice.startswith(f"{one.sensor}: {one.words}") for one in fine)

    def _count(self, reps: tuple[Rep, ...], passes: tuple[Pass, ...]) -> None:
        if self._tally.take(reps, passes) and not self.session.over:
            self._play(Tone.COUNTED)

    def _warn(self, alerts: tuple[Alert, ...]) -> None:
        self._alerts.take(alerts, self._seen)
        if any(alert.severity == "warning" for alert in alerts):
            self._play(Tone.LOST)

    def _hear(self) -> None:
        """Sound what changed: a lost sensor, a step that began or ended."""
        lost = {one.sensor for one in self._health if one.state is LinkState.LOST}
        if lost - self._lost and not self.session.over:
            self._play(Tone.LOST)
        self._lost = lost
        keyed = self.session.view.keyed
        if len(keyed) > len(self._keyed):
            self._keyed, self._keyed_at = keyed, self._seen
            self._tally.hear(keyed)
        words = self.session.view.words
        if words != self._words:
            waiting = words.startswith(("Next", "Keep", "Connecting", "Ending"))
            if self.step.calibrating:
                self._alerts.calibrating()
            if self._words:
                self._play(Tone.STOP if waiting else Tone.START)
            self._words, self._words_at = words, self._seen


def light_of(health: Health) -> SensorLight:
    """Return how a sensor is shown: state as colour, shape and word, from what was measured."""
    report = health.clock
    total = report.samples + report.lost
    loss = report.lost / total if total else 0.0
    weak_charge = health.battery < LOW_BATTERY
    light, shape, word = _state(health, loss, weak_charge=weak_charge)
    battery = "" if math.isnan(health.battery) else f"battery {health.battery:.0f} %"
    signal = f"{health.rssi} dBm" if health.rssi else ""
    lost = f"loss {loss:.1%}" if total else ""
    facts = "   ".join(text for text in (battery, signal, lost) if text)
    side, _, rest = health.sensor.partition("_")
    sides = ("left", "right")
    return SensorLight(
        f"{side[0].upper()} {rest}" if side in sides else health.sensor.replace("_", " "),
        side if side in sides else "midline",
        light,
        shape,
        word,
        facts,
    )


def _silence(_tone: Tone) -> None:
    """Play nothing."""


def _state(health: Health, loss: float, *, weak_charge: bool) -> tuple[Light, Shape, str]:
    if health.state in (LinkState.SEARCHING, LinkState.CONNECTING, LinkState.READY):
        return "waiting", "ring", str(health.state)
    if health.state in (LinkState.LOST, LinkState.WRONG, LinkState.CLOSED):
        return "lost", "cross", str(health.state)
    if health.state is LinkState.WEAK:
        return "weak", "triangle", f"no data {health.age:.1f} s"
    if weak_charge:
        return "weak", "triangle", "battery low"
    if loss > LOSSY:
        return "weak", "triangle", "losing data"
    return "live", "dot", "OK"


def _place(sensor: str) -> str:
    return sensor.replace("_", " ")
