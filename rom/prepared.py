"""Compile the loops of a live session before it begins, on a limb that swings for some seconds.

What `imu.compiled` makes is kept on disk, so this takes long once after installing. Left to the capture
itself, the first angles would come a minute late.
"""

import math

import numpy as np

from calibration.segment import JointCalibration, SegmentAlignment
from imu.block import ImuBlock
from rom.angles import JointSeries
from rom.catalogue.movement import AngleRule
from rom.passes import PassDetector
from rom.reading import TrackedSensor, TrackerSetup
from rom.tracker import JointTracker

RATE = 60.0
SECONDS = 16.0
"""Long enough for a hinge's axes to be searched in the past."""


def prepare() -> None:
    """Run every kind of joint through the live chain once, and drop what comes out."""
    for freedom in (1, 2, 3):
        swing(freedom)


def swing(freedom: int) -> list[JointSeries]:
    """Return the angles of an imagined joint of 1 to 3 axes that swings by a radian and back in 4 s."""
    upper, lower = (_sensor(name, reach) for name, reach in (("upper", 0.2), ("lower", 1.2)))
    z, y = np.eye(3)[2], np.eye(3)[1]
    axes = {1: (z, z), 2: (z, y), 3: (np.full(3, np.nan), np.full(3, np.nan))}[freedom]
    calibration = JointCalibration(
        "imagined",
        freedom,
        SegmentAlignment.identity("upper", "left_thigh"),
        SegmentAlignment.identity("lower", "left_shank"),
        *axes,
        math.radians(2.0),
        carrying=math.radians(90.0) if freedom == 2 else math.nan,
        azimuth_sigma=math.radians(60.0) if freedom == 1 else math.nan,
        limits=np.radians([[-20.0, 150.0], [-60.0, 60.0], [-60.0, 60.0]]),
    )
    rule = AngleRule("cardan_zxy", 0, 1, 1)
    setup = TrackerSetup(
        rule, "left", TrackedSensor("lower", RATE), TrackedSensor("upper", RATE), calibration=calibration
    )
    tracker, detector = JointTracker(setup), PassDetector()
    found: list[JointSeries] = []
    for first in range(0, len(upper), 4):
        for block in (upper, lower):
            series = tracker.feed(block[first : first + 4])
            detector.feed(series.t, series.angle[:, 0])
            found.append(series)
    return found


def _sensor(name: str, reach: float) -> ImuBlock:
    t = np.arange(int(SECONDS * RATE)) / RATE
    swung = (1.0 - np.cos(2.0 * math.pi * t / 4.0)) / 2.0
    angle = reach * np.clip(1.5 * swung - 0.25, 0.0, 1.0)  # held for a second at both ends
    gyr, acc = np.zeros((len(t), 3)), np.zeros((len(t), 3))
    gyr[:, 2] = np.gradient(angle, t)
    acc[:, 0], acc[:, 1] = 9.81 * np.sin(angle), 9.81 * np.cos(angle)
    mag = np.stack([20.0 * np.cos(angle), -20.0 * np.sin(angle), np.full(len(t), -40.0)], axis=1)
    return ImuBlock(name, t, gyr, acc, mag)
