"""Record one guided capture: header, steps, file, live chain."""

import math
from collections.abc import Callable, Sequence
from contextlib import ExitStack

from calibration.segment import JointCalibration
from imu.acquisition import Acquisition
from imu.health import Notice
from imu.recording import RecordingHeader, RecordingWriter, SensorInfo
from rom.live import LiveTrial
from rom.replay import ReplayStep
from tools.cli.capture_flow import Flow, Found
from tools.cli.capture_order import Order
from tools.cli.capture_screen import Screen
from tools.cli.capture_steps import (
    calibration_steps,
    distal_alone,
    played_steps,
    treatment_step,
    trial_step,
)
from tools.cli.check import CONNECT_SECONDS
from tools.cli.common_time import by_taps
from tools.cli.keys import Keys
from tools.sources import Opened


def record(
    order: Order,
    opened: Opened,
    screen: Screen,
    keys: Keys,
    *,
    given: Sequence[JointCalibration] = (),
    seen: Callable[[ReplayStep], None] | None = None,
) -> Found:
    """Guide through a capture with sensors that are being connected; return what the live chain found.

    Parameters
    ----------
    order
        What is to be captured.
    opened
        The sensors.
    screen, keys
        The terminal.
    given
        Calibrations that make the calibration steps needless.
    seen
        Called with every step of the live chain.
    """
    acquisition, limbs = opened.acquisition, opened.limbs
    screen.prompt("Connecting")
    acquisition.wait_for_all(CONNECT_SECONDS)
    told = [*opened.notes, *([by_taps(acquisition, screen.prompt)] if order.taps else [])]
    header = _header(order, acquisition, simulated=limbs is not None)
    segments = [request.sensor for request in acquisition.requests]
    one_sensor = distal_alone(order.movement, order.side, segments)
    live = LiveTrial(header, order.movement, order.side, one_sensor=one_sensor)
    calibrating = [] if len(segments) == 1 else calibration_steps(order.movement, order.side)
    steps = [] if given else list(calibrating)
    if order.structure:
        steps.append(treatment_step(order.structure, order.technique, order.seconds))
    else:
        steps.append(trial_step(order.movement, order.side, order.phase, order.seconds, order.reps))
    with ExitStack() as stack:
        writer = stack.enter_context(RecordingWriter(order.file, header))
        stack.callback(acquisition.record, None)
        acquisition.record(writer)
        for note in told:
            acquisition.event("note", note)
        zero = _first_sample(acquisition)
        if limbs is not None:
            steps = played_steps(steps, limbs.events, zero)
        return Flow(acquisition, writer, live, screen, keys, seen=seen).run(steps, given, calibrating)


def _first_sample(acquisition: Acquisition) -> float:
    """Return the time of the very first sample; what came before the recording is thrown away."""
    first = math.inf
    while True:
        item = acquisition.queue.get(timeout=CONNECT_SECONDS)
        if isinstance(item, Notice):
            if item.kind == "recording":
                return first
        else:
            first = min(first, float(item.t[0]))


def _header(order: Order, acquisition: Acquisition, *, simulated: bool) -> RecordingHeader:
    health = {item.sensor: item for item in acquisition.health()}
    return RecordingHeader(
        created_at=acquisition.started_at,
        client=order.client,
        movement=order.movement.id,
        side=order.side,
        phase=order.phase,
        sensors=tuple(
            SensorInfo(
                request.sensor,
                request.sensor,
                request.driver.capability.family,
                request.settings.rate_hz,
                serial=health[request.sensor].serial,
                firmware=health[request.sensor].firmware,
                gyr_range_dps=request.settings.gyr_range_dps,
                acc_range_g=request.settings.acc_range_g,
            )
            for request in acquisition.requests
        ),
        simulated=simulated,
        notes="Simulated: no person was measured." if simulated else "",
    )
