"""What a capture shows in the terminal: the angle large, the sensors, what to do, the keys."""

import math
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from imu.ble_link import LinkState
from imu.health import Health

if TYPE_CHECKING:
    from rich.console import RenderableType

    from calibration.segment import JointCalibration
    from imu.recording import Event

LIGHTS = {LinkState.STREAMING: "[green]●[/]", LinkState.WEAK: "[yellow]▲[/]", LinkState.READY: "[yellow]▲[/]"}
LOST = "[red]✕[/]"
AGAIN_KEY = "c calibrate again   "
AGAIN_KEYS = f"{AGAIN_KEY}q end"
KEYS = "space start/stop   m mark   d discard rep   0-9 pain   s sharp pain: stop   q end"
REFRESH = 0.1


@dataclass
class View:
    """What there is to show; angles in rad, NaN if not known."""

    words: str = ""
    notice: str = ""
    warning: str = ""
    angle: float = math.nan
    sigma: float = math.nan
    reps: int = 0
    passes: int = 0
    left: float | None = None
    health: tuple[Health, ...] = field(default_factory=tuple[Health, ...])
    calibrations: "tuple[JointCalibration, ...]" = ()
    problem: str = ""
    calibrating: bool = False
    """Whether a calibration is being done: what angles there were no longer tell anything."""
    again: bool = False
    """Whether a key may ask for a calibration now."""
    shown: float | None = None
    """How often a calibration movement was seen there and back; None while none is asked for."""
    keyed: "tuple[Event, ...]" = ()
    """What was said by a key: marks, pain, reps taken back."""

    @property
    def missing(self) -> Health | None:
        """A sensor without data now, None if all are well: its absence makes the angle unknown."""
        return next((item for item in self.health if item.state is not LinkState.STREAMING), None)

    @property
    def number(self) -> str:
        """The angle for a screen: whole degrees, or why there is none."""
        if self.missing is not None:
            age = f" {self.missing.age:.1f} s" if math.isfinite(self.missing.age) else ""
            return f"– {self.missing.sensor}: no data{age}"
        if math.isnan(self.angle) or self.calibrating:
            return "–"
        sigma = "" if math.isnan(self.sigma) else f" ± {math.degrees(self.sigma):.0f}°"
        return f"{math.degrees(self.angle):.0f}°{sigma}"


class Screen:
    """Says what to do, one line at a time: for scripts and pipes, on standard error."""

    def prompt(self, words: str) -> None:
        """Say what to do now."""
        print(words, file=sys.stderr, flush=True)

    def warn(self, words: str) -> None:
        """Say what went wrong; a view that is shown has it too."""
        self.prompt(words)

    def show(self, view: View) -> None:
        """Show nothing in between."""
        del view

    def __enter__(self) -> "Screen":
        """Begin."""
        return self

    def __exit__(self, *_: object) -> None:
        """End."""


class LiveScreen(Screen):
    """Redraws one panel ten times a second."""

    def __init__(self) -> None:
        from rich.live import Live

        self._live = Live(auto_refresh=False, transient=True)
        self._drawn = -math.inf

    def prompt(self, words: str) -> None:
        """Leave it to the panel."""
        del words

    def show(self, view: View) -> None:
        """Redraw, if it is time."""
        now = time.monotonic()
        if now - self._drawn >= REFRESH:
            self._drawn = now
            self._live.update(panel(view), refresh=True)

    def __enter__(self) -> "LiveScreen":
        """Take the terminal."""
        self._live.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        """Give it back."""
        self._live.__exit__(None, None, None)


def panel(view: View) -> "RenderableType":
    """Return the panel of a view."""
    from rich.console import Group
    from rich.panel import Panel
    from rich.text import Text

    from tools.cli.capture_steps import TIMES

    left = "" if view.left is None else f"   {max(0.0, view.left):.0f} s"
    number = Text(view.number, style="dim" if view.missing else "bold", justify="center")
    sensors = "   ".join(_sensor(item) for item in view.health)
    counts = f"{view.reps} reps   {view.passes} passes"
    rows = [Text(), number, Text(), Text(counts, justify="center"), Text.from_markup(sensors)]
    if view.shown is not None:
        full = min(TIMES, int(view.shown))
        rows.append(Text(f"{'■ ' * full}{'□ ' * (TIMES - full)}", justify="center"))
    if view.warning:
        rows.append(Text(view.warning, style="yellow"))
    if view.notice:
        rows.append(Text(view.notice, style="dim"))
    if view.problem:
        rows.append(Text(view.problem, style="bold"))
    keys = AGAIN_KEYS if view.problem else f"{AGAIN_KEY if view.again else ''}{KEYS}"
    return Panel(Group(*rows, Text(keys, style="dim")), title=f"{view.words}{left}")


def _sensor(item: Health) -> str:
    light = LIGHTS.get(item.state, LOST)
    battery = "" if math.isnan(item.battery) else f" {item.battery:.0f} %"
    return f"{light} {item.sensor} {item.words}{battery}"
