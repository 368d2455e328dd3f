"""What data sheets promise about three grades of inertial sensor, and about a perfect one."""

from dataclasses import dataclass

import numpy as np

from imu.block import STANDARD_GRAVITY


@dataclass(frozen=True, slots=True)
class SensorGrade:
    """What a data sheet says about one model of sensor. All errors are one sigma per axis; 0 is none.

    Parameters
    ----------
    name
        Name of the grade.
    source
        Where the numbers come from, and which are assumed.
    gyr_noise, acc_noise
        White noise density, rad/s/sqrt(Hz) and m/s^2/sqrt(Hz).
    gyr_bias, acc_bias
        Offset at turn-on, constant for a run, rad/s and m/s^2.
    gyr_instability, gyr_walk
        Bias wander within a run: stationary part with a memory of 100 s, rad/s, and random walk,
        rad/s/sqrt(s).
    gyr_scale, acc_scale
        Relative error of sensitivity.
    misalignment
        Off-diagonal terms of the sensitivity matrices of all three signals, rad.
    gyr_range, acc_range
        Largest value that can be told, rad/s and m/s^2, in 16-bit steps; infinite: no limit, no steps.
    mag_noise, mag_hard, mag_soft
        Noise of a sample and hard-iron offset, uT; soft-iron distortion, relative.
    clock
        Relative error of the sensor's crystal.
    stamp
        What is left of the transmission delay once device ticks are mapped to the capture clock, s; samples
        are stamped late, never early.
    """

    name: str
    source: str
    gyr_noise: float = 0.0
    gyr_bias: float = 0.0
    gyr_instability: float = 0.0
    gyr_walk: float = 0.0
    gyr_scale: float = 0.0
    gyr_range: float = np.inf
    acc_noise: float = 0.0
    acc_bias: float = 0.0
    acc_scale: float = 0.0
    acc_range: float = np.inf
    misalignment: float = 0.0
    mag_noise: float = 0.0
    mag_hard: float = 0.0
    mag_soft: float = 0.0
    clock: float = 0.0
    stamp: float = 0.0


_DEG = np.pi / 180.0
_MILLI_G = STANDARD_GRAVITY / 1000.0
# .03 deg/s in 10 minutes (../shared/reference/algorithms.md, error budget: assumed), as a random walk.
_WALK = 0.03 * _DEG / np.sqrt(600.0)

PERFECT = SensorGrade("perfect", "no error at all")
CONSUMER = SensorGrade(
    "consumer",
    "Bosch BMI270 (BST-BMI270-DS000): 7 mdps/rtHz and 160 ug/rtHz (read), zero-rate +-0.5 deg/s (read in a "
    "maker's forum), zero-g +-20 mg (to verify), 16 bit; magnetometer, sensitivity after factory trim, "
    "misalignment, bias wander and crystal are typical of the class (assumed)",
    gyr_noise=0.007 * _DEG,
    gyr_bias=0.5 * _DEG,
    gyr_instability=0.003 * _DEG,
    gyr_walk=_WALK,
    gyr_scale=0.004,
    gyr_range=2000.0 * _DEG,
    acc_noise=0.16 * _MILLI_G,
    acc_bias=20.0 * _MILLI_G,
    acc_scale=0.004,
    acc_range=16.0 * STANDARD_GRAVITY,
    misalignment=0.003,
    mag_noise=0.6,
    mag_hard=15.0,
    mag_soft=0.05,
    clock=40e-6,
    stamp=2e-3,
)
MID = SensorGrade(
    "mid",
    "ST LSM6DSO (DS12140): 3.8 mdps/rtHz, 70 ug/rtHz (to verify); offsets and sensitivity as a maker's "
    "trim at one temperature leaves them, about a third of the data sheet's (assumed); the rest between the "
    "other grades (assumed)",
    gyr_noise=0.0038 * _DEG,
    gyr_bias=0.3 * _DEG,
    gyr_instability=0.003 * _DEG,
    gyr_walk=_WALK,
    gyr_scale=0.003,
    gyr_range=2000.0 * _DEG,
    acc_noise=0.07 * _MILLI_G,
    acc_bias=7.0 * _MILLI_G,
    acc_scale=0.002,
    acc_range=16.0 * STANDARD_GRAVITY,
    misalignment=0.002,
    mag_noise=0.4,
    mag_hard=10.0,
    mag_soft=0.04,
    clock=20e-6,
    stamp=1e-3,
)
RESEARCH = SensorGrade(
    "research",
    "Movella DOT, sensing element of the MTi-1: 7 mdps/rtHz and 10 deg/h, 120 ug/rtHz (read in "
    "doi 10.2478/tar-2023-0022, table of the MTi-1); offsets, scale, misalignment, magnetometer and clock "
    "after factory calibration and synchronisation are assumed",
    gyr_noise=0.007 * _DEG,
    gyr_bias=0.1 * _DEG,
    gyr_instability=10.0 / 3600.0 * _DEG,
    gyr_walk=_WALK / 3.0,
    gyr_scale=0.001,
    gyr_range=2000.0 * _DEG,
    acc_noise=0.12 * _MILLI_G,
    acc_bias=2.0 * _MILLI_G,
    acc_scale=0.001,
    acc_range=16.0 * STANDARD_GRAVITY,
    misalignment=0.001,
    mag_noise=0.15,
    mag_hard=2.0,
    mag_soft=0.01,
    clock=5e-6,
    stamp=5e-4,
)
GRADES = {grade.name: grade for grade in (PERFECT, CONSUMER, MID, RESEARCH)}
