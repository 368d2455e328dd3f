"""What can go wrong with emulated sensors, in words: `link-loss@10+5#2`, sensor 2 is gone from 10 to 15 s."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from imu.errors import InputError
from tools.emulator.bus_stage import BusStage
from tools.emulator.device import Link
from tools.emulator.feed import AtRest, Shaken
from tools.emulator.stage import Part

GRAMMAR = "NAME[:VALUE][@SECONDS[+DURATION]][#SENSOR]"
_PATTERN = re.compile(
    r"(?P<name>[a-z-]+)(:(?P<value>[\d.]+))?(@(?P<start>[\d.]+)(\+(?P<duration>[\d.]+))?)?(#(?P<sensor>\d+))?"
)

LINK_FIELDS: Mapping[str, tuple[str, float]] = MappingProxyType(
    {
        "loss": ("loss", 0.05),
        "damage": ("damage", 0.01),
        "bursts": ("interval", 0.05),
        "copies": ("copies", 2),
        "cut": ("cut_every", 33),
        "stall": ("stalled", 1),
        "silent": ("silent", 1),
    }
)
"""Faults of a link: the field of `Link` and its value."""

REFUSALS: Mapping[str, str] = MappingProxyType(
    {
        "connect-fails": "connect_errors",
        "write-refused": "write_errors",
        "subscribe-refused": "subscribe_errors",
    }
)
MOVES: Mapping[str, type[AtRest] | type[Shaken]] = MappingProxyType({"rest": AtRest, "shake": Shaken})
"""Not faults, but what a person does for `rom pair`: a sensor lies still, or is shaken."""
MOMENTS = ("link-loss", "reboot", "adapter-off", "service-killed")
BEFORE = ("wrap", "battery", "same-name", "slow-clock", "unresolved")
NAMES = (*LINK_FIELDS, *REFUSALS, *MOMENTS, *BEFORE, *MOVES)
UNLIKELY = 0x0E
"""ATT code "Unlikely Error"."""
WRAP_S = 2**32 * 1e-6
"""A DOT's microseconds wrap after this time, s."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong.

    Parameters
    ----------
    name
        One of `NAMES`.
    value
        How much of it; None for what is usual.
    start, duration
        When, and for how long, s; infinite: to the end.
    sensor
        Number of the sensor from 1; 0 for all.
    """

    name: str
    value: float | None = None
    start: float = 0.0
    duration: float = float("inf")
    sensor: int = 0

    def concerns(self, index: int) -> bool:
        """Return whether the sensor at an index (from 0) is meant."""
        return self.sensor in (0, index + 1)


def parse(text: str) -> Fault:
    """Return a fault written as `GRAMMAR` says.

    Raises
    ------
    InputError
        If it is not written so, or there is no such fault.
    """
    match = _PATTERN.fullmatch(text)
    if match is None or match["name"] not in NAMES:
        raise InputError(f"a fault is written {GRAMMAR} with NAME one of {', '.join(NAMES)}; got {text!r}")
    return Fault(
        match["name"],
        None if match["value"] is None else float(match["value"]),
        float(match["start"] or 0.0),
        float(match["duration"] or "inf"),
        int(match["sensor"] or 0),
    )


def cast(parts: Sequence[Part], faults: Sequence[Fault]) -> list[Part]:
    """Return the sensors with the faults that they have from the start."""
    changed = list(parts)
    for fault in faults:
        for index in range(len(changed)):
            if fault.concerns(index):
                changed[index] = _born_with(changed[index], fault)
    return changed


def _born_with(part: Part, fault: Fault) -> Part:
    value = fault.value
    if fault.name in REFUSALS:
        count = 1 if value is None else int(value)
        errors = ["br-connection-canceled" if fault.name == "connect-fails" else UNLIKELY] * count
        return replace(part, link=replace(part.link, **{REFUSALS[fault.name]: errors}))
    changes: Mapping[str, dict[str, Any]] = {
        "wrap": {"booted": WRAP_S - (10.0 if value is None else value)},
        "battery": {"battery_percent": 3.0 if value is None else value},
        "same-name": {"name": ""},
        "slow-clock": {"rate_error": -0.007 if value is None else -value},
        "unresolved": {"link": replace(part.link, resolves=False)},
    }
    return replace(part, **changes.get(fault.name, {}))


def timeline(stage: BusStage, faults: Sequence[Fault]) -> list[tuple[float, Callable[[], None]]]:
    """Return when to do what to a running stage, in order of time, s since its start."""
    moments: list[tuple[float, Callable[[], None]]] = []
    for fault in faults:
        begin, end = (_moves if fault.name in MOVES else _actions)(stage, fault)
        if begin is not None:
            moments.append((fault.start, begin))
        if end is not None and fault.duration != float("inf"):
            moments.append((fault.start + fault.duration, end))
    return sorted(moments, key=lambda moment: moment[0])


def _moves(stage: BusStage, fault: Fault) -> tuple[Callable[[], None], Callable[[], None]]:
    """Return how a person begins to do something to sensors, and how they end it."""
    mine = [feeder for index, feeder in enumerate(stage.feeders) if fault.concerns(index)]
    kind = MOVES[fault.name]

    def begin() -> None:
        for feeder in mine:
            feeder.motion = kind(feeder.motion)

    def end() -> None:
        for feeder in mine:
            if isinstance(feeder.motion, kind):
                feeder.motion = feeder.motion.instead_of

    return lambda: stage.do(begin), lambda: stage.do(end)


def _actions(stage: BusStage, fault: Fault) -> tuple[Callable[[], None] | None, Callable[[], None] | None]:
    """Return how a fault begins and how it ends."""
    mine = [feeder for index, feeder in enumerate(stage.feeders) if fault.concerns(index)]
    if fault.name in LINK_FIELDS:
        field, usual = LINK_FIELDS[fault.name]
        value = usual if fault.value is None else fault.value
        kind = type(getattr(Link(), field))

        def change(to: object) -> None:
            for feeder in mine:
                setattr(feeder.device.link, field, to)

        return (
            lambda: stage.do(lambda: change(kind(value))),
            lambda: stage.do(lambda: change(getattr(Link(), field))),
        )

    def leave() -> None:
        for feeder in mine:
            feeder.device.lose_link(gone=fault.duration != float("inf"))

    def come_back() -> None:
        for feeder in mine:
            feeder.device.advertising = True

    def reboot() -> None:
        for feeder in mine:
            feeder.reboot()

    match fault.name:
        case "link-loss":
            return lambda: stage.do(leave), lambda: stage.do(come_back)
        case "reboot":
            return lambda: stage.do(reboot), None
        case "adapter-off":
            return (
                lambda: stage.do(lambda: stage.service.set_powered(False)),
                lambda: stage.do(lambda: stage.service.set_powered(True)),
            )
        case "service-killed":
            return stage.kill_service, stage.restart_service
        case _:
            return None, None
