"""The application under load: start, frames a second, share of a core, arrival to screen, half an hour, soak.

    .venv/bin/python tests/bench/app.py [--seconds 20] [--minutes 30] [--soak 600]

Everything runs in one process and without a screen; the emulated sensors' own work is told apart by thread.
"""

import argparse
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import psutil
from screen_lateness import Lateness

from imu.acquisition import Acquisition
from imu.ble_link import SensorRequest
from imu.sensors.registry import driver_named
from imu.virtual import RESEARCH
from rom.catalogue.loader import load_catalogue
from rom.limb import simulate_limb
from rom.limb_recording import write_recording
from rom.limb_script import Reps
from tools.app.setting import Setting
from tools.app.start import application
from tools.emulator.limbs import KNEE, Pace, world_of, worn_parts
from tools.emulator.stage import on_air
from tools.sources import Opened, Source

RATE = 120.0
SENSORS = 4
FAMILY = "open"
OURS = ("MainThread", "capture", "acquisition", "recording", "calibration")
"""How threads of the application begin; the others emulate the sensors."""
START = """
import os, sys, time
import psutil
from PySide6.QtCore import QEvent, QObject, QTimer
import tools.app.start as start
from tools.cli.main import main

make, begun = start.application, psutil.Process().create_time()

class FirstPaint(QObject):
    begun = False

    def eventFilter(self, watched, event):
        if event.type() == QEvent.Type.Paint and not self.begun:
            self.begun = True
            QTimer.singleShot(0, self.told)
        return False

    def told(self):
        print(f"painted and answering {time.time() - begun:.2f} s after its process began, "
              f"{time.process_time():.2f} s CPU", flush=True)
        os._exit(0)

def application():
    app = make()
    app.first_paint = FirstPaint(app)
    app.installEventFilter(app.first_paint)
    return app

start.application = application
main()
"""
"""Runs `rom app` until its window is painted and the event loop has come round once."""


def four_sensors(seconds: float) -> Source:
    """Return two limbs with two sensors each at 120 Hz, moving for so long after the calibration."""

    @contextmanager
    def begin() -> Generator[Opened]:
        movement = load_catalogue().movement("kn_ake")
        pace = Pace(still=3.0, functional=1.2, functional_times=3, reps=math.ceil(seconds / 8.5))
        driver = driver_named(FAMILY)
        limbs = worn_parts(driver, world_of(movement, "left", pace), SENSORS, 7)
        with on_air([item.part for item in limbs.sensors]) as backend:
            requests = [
                SensorRequest(item.segment, item.part.address, driver, driver.settings(rate_hz=RATE))
                for item in limbs.sensors
            ]
            with Acquisition(requests, backend=backend) as acquisition:
                yield Opened(acquisition, limbs)

    return begin


def threads(process: psutil.Process) -> dict[int, float]:
    """Return the CPU time of every thread, s."""
    return {thread.id: thread.user_time + thread.system_time for thread in process.threads()}


def own_memory() -> float:
    """Return what this process has written into, MB.

    Not its unique pages: those of libraries count as soon as no other process on the machine has loaded them,
    which made a live page of 300 MB read 430 whenever a test run beside it ended.
    """
    fields = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(fields["RssAnon"].split()[0]) / 1e3


def names() -> dict[int, str]:
    """Return the names of the threads that Python knows."""
    import threading

    return {thread.native_id or 0: thread.name for thread in threading.enumerate()}


def wait(done: Any, longest: float) -> None:
    """Let the application run, as it does for a person, until something is true."""
    from PySide6.QtCore import QEventLoop, QTimer

    end, loop = time.monotonic() + longest, QEventLoop()

    def look() -> None:
        if done() or time.monotonic() > end:
            loop.quit()

    timer = QTimer()
    timer.timeout.connect(look)
    timer.start(100)
    loop.exec()
    timer.stop()


def live(seconds: float, soak: float) -> None:
    """Measure the live page."""
    from tools.app.chooser_model import Choice, order_for
    from tools.app.window import Window

    app = application()
    catalogue = load_catalogue()
    late = Lateness()
    with late.watched(), tempfile.TemporaryDirectory() as folder:
        whole = max(seconds, soak)
        setting = Setting(
            catalogue, "dark", Path(folder), lambda _m, _s: four_sensors(1.15 * whole + 30.0), virtual=True
        )
        window = Window(setting)
        window.resize(1280, 800)
        window.show()
        app.processEvents()
        capture = window.capture
        choice = Choice("P0042", catalogue.movement("kn_ake"), "left")
        capture.begin(order_for(choice, Path(folder), "bench", phase="test"))
        model = capture.live.model
        assert model is not None
        wait(lambda: model.session.over or len(model.curve.seconds) > 100, 120.0)
        if model.session.error:
            print(model.session.error)
            return
        wait(lambda: False, 3.0)
        process = psutil.Process()
        rounds = max(1, round(soak / 60.0)) if soak else 1
        length = 60.0 if soak else seconds
        memory: list[float] = []
        for number in range(rounds):
            late.clear()
            began, before = time.monotonic(), threads(process)
            wait(lambda: model.session.over, length)
            passed = time.monotonic() - began
            used = {t: cpu - before.get(t, 0.0) for t, cpu in threads(process).items()}
            known = names()
            ours = sum(cpu for thread, cpu in used.items() if known.get(thread, "").startswith(OURS))
            drawn = late.frames
            window_cpu = sum(cpu for thread, cpu in used.items() if known.get(thread, "") == "MainThread")
            memory.append(own_memory())
            print(
                f"{f'minute {number + 1}: ' if soak else ''}{SENSORS} sensors at {RATE:g} Hz: "
                f"{drawn / passed:.1f} frames/s of {1e3 * window_cpu / max(1, drawn):.1f} ms CPU, "
                f"{ours / passed:.0%} of a core (all threads {sum(used.values()) / passed:.0%}); "
                f"{late.sentence}; memory {memory[-1]:.1f} MB, load {os.getloadavg()[0]:.1f}"
            )
            for thread, cpu in sorted(used.items(), key=lambda item: -item[1])[:5] if number == 0 else ():
                print(f"    {known.get(thread, 'other')}: {cpu / passed:.1%}")
        if rounds > 2:
            grown = np.polyfit(np.arange(rounds - 1), memory[1:], 1)[0]
            print(f"memory of this process alone grows by {grown:.2f} MB a minute, the first minute left out")
        window.close()


def review(minutes: float) -> None:
    """Measure opening and scrubbing a long recording."""
    from tools.app.review_page import ReviewPage
    from tools.app.window import Window

    app = application()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "long.mcap"
        calibrating = tuple(phase for phase in KNEE.programme if not isinstance(phase, Reps))
        reps = Reps(math.ceil(minutes * 60.0 / 7.0), start=1.4, end=0.3, seconds=2.0, hold=1.0, rest=2.0)
        spec = replace(KNEE, programme=(*calibrating, reps), grade=RESEARCH, rate=60.0, movement="kn_flexion")
        write_recording(file, [simulate_limb(spec, 1)], datetime.now(UTC))
        window = Window(Setting(load_catalogue(), "dark", Path(folder), lambda _m, _s: four_sensors(1.0)))
        window.resize(1280, 800)
        window.show()
        app.processEvents()
        began, cpu = time.monotonic(), time.process_time()
        window.review(file)
        app.processEvents()
        page = window.page("Review")
        assert isinstance(page, ReviewPage)
        usable = time.monotonic() - began
        wait(lambda: page.model.job is None or len(page.model.opened[0].curve.seconds) > 60, 60.0)
        first = time.monotonic() - began
        wait(lambda: page.model.job is None, 600.0)
        print(
            f"{page.model.duration / 60.0:.0f} minutes: window answers after {usable:.2f} s, "
            f"first curve after {first:.2f} s, all measured after {time.monotonic() - began:.1f} s wall, "
            f"{time.process_time() - cpu:.1f} s CPU; {page.model.problem}"
        )
        took: list[float] = []
        for share in np.linspace(0.05, 0.95, 60):
            start = time.monotonic()
            page.model.seek(float(share) * page.model.duration)
            page.tick()
            app.processEvents()
            took.append(1e3 * (time.monotonic() - start))
        middle, most = np.percentile(took, [50, 95])
        print(f"scrubbing: {middle:.0f} ms a step median, {most:.0f} ms 95th percentile")
        window.close()


def main() -> None:
    """Measure."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seconds", type=float, default=20.0, help="of the live page")
    options.add_argument("--minutes", type=float, default=30.0, help="of the long recording; 0: none")
    options.add_argument("--soak", type=float, default=0.0, help="seconds of a soak of the live page")
    chosen = options.parse_args()
    load = os.getloadavg()[0]
    print(f"load of this machine before: {load:.1f} on {os.cpu_count()} cores")
    # what is compiled once after installing is compiled by another process: it takes memory
    subprocess.run([sys.executable, "-c", "from rom.prepared import prepare; prepare()"], check=True)
    with tempfile.TemporaryDirectory() as folder:
        practice = ["--clinician", "bench", "--practice", folder]
        for options in ([], [], ["--home"], practice, practice):
            print(f"rom app {' '.join(options[:2])}: ", end="", flush=True)
            subprocess.run([sys.executable, "-c", START, "app", *options], check=True)
    live(chosen.seconds, chosen.soak)
    if chosen.minutes:
        review(chosen.minutes)


if __name__ == "__main__":
    main()
