"""What a recording holds besides samples: header, sensors, events, status and raw packets, as values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any, NamedTuple, Self
from uuid import uuid4

EVENT_KINDS = (
    "calibration_start",
    "calibration_stop",
    "trial_start",
    "trial_stop",
    "treatment_start",
    "treatment_stop",
    "pass_start",
    "pass_stop",
    "rep",
    "mark",
    "discard",
    "pain",
    "gap",
    "dropout",
    "note",
)


@dataclass(frozen=True, slots=True)
class SensorInfo:
    """One sensor of a capture.

    Parameters
    ----------
    sensor
        Id, unique within the capture.
    segment
        Body segment it is strapped to, with its side (`left_shank`) unless midline (`thorax`).
    kind
        Sensor family, for example `movella-dot` or `import`.
    rate_hz
        Nominal samples per second; NaN if unknown.
    serial, firmware, placement
        As the sensor or the person says; empty if unknown.
    gyr_range_dps, acc_range_g
        Measuring ranges, degree/s and g; None if unknown.
    """

    sensor: str
    segment: str
    kind: str
    rate_hz: float
    serial: str = ""
    firmware: str = ""
    placement: str = ""
    gyr_range_dps: float | None = None
    acc_range_g: float | None = None

    def to_document(self) -> dict[str, Any]:
        """Return the fields as a JSON mapping."""
        return {name: getattr(self, name) for name in self.__slots__}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """Return the sensor of a mapping made by `to_document`; fields of later versions are ignored."""
        return cls(**{name: value for name, value in document.items() if name in cls.__slots__})


def _now() -> datetime:
    return datetime.now(UTC)


def _new_id() -> str:
    return uuid4().hex


def _software() -> Mapping[str, str]:
    return {"romcap": version("romcap")}


@dataclass(frozen=True, slots=True)
class RecordingHeader:
    """Who, what, when and with which sensors.

    Parameters
    ----------
    recording_id
        Unique id; a new one by default.
    created_at
        Wall time, with time zone, at which the capture clock reads 0 s.
    client
        Pseudonym of the person measured, never a name.
    movement, side, phase
        Catalogue id of the movement, `left`, `right` or `midline`, and the place in the visit
        (`baseline`, `retest`, ...); each empty if the recording has none or several.
    sensors
        The sensors of the capture, each with its own id.
    software
        Version of every program that made this file.
    simulated
        True if no person was measured.
    notes
        Free text.
    provenance
        Where the samples came from and what was done to them, as a JSON mapping.
    """

    recording_id: str = field(default_factory=_new_id)
    created_at: datetime = field(default_factory=_now)
    client: str = ""
    movement: str = ""
    side: str = ""
    phase: str = ""
    sensors: tuple[SensorInfo, ...] = ()
    software: Mapping[str, str] = field(default_factory=_software)
    simulated: bool = False
    notes: str = ""
    provenance: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def sensor_on(self, segment: str) -> SensorInfo | None:
        """Return the sensor strapped to a segment, None if there is none."""
        return next((sensor for sensor in self.sensors if sensor.segment == segment), None)

    def to_document(self) -> dict[str, Any]:
        """Return the fields as a JSON mapping."""
        document: dict[str, Any] = {name: getattr(self, name) for name in self.__slots__}
        document["created_at"] = self.created_at.isoformat()
        document["sensors"] = [sensor.to_document() for sensor in self.sensors]
        document["software"] = dict(self.software)
        document["provenance"] = dict(self.provenance)
        return document

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """Return the header of a mapping made by `to_document`; fields of later versions are ignored."""
        fields = {name: value for name, value in document.items() if name in cls.__slots__}
        fields["created_at"] = datetime.fromisoformat(fields["created_at"])
        fields["sensors"] = tuple(SensorInfo.from_document(sensor) for sensor in fields["sensors"])
        return cls(**fields)


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened at time `t`, s on the capture clock; `data` is a JSON mapping.

    The kinds in use are in `EVENT_KINDS`. Nothing is ever edited: a `discard` takes back what it names.
    """

    t: float
    kind: str
    data: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class Status:
    """What a sensor said about itself at time `t`, s on the capture clock: battery, signal, loss."""

    sensor: str
    t: float
    data: Mapping[str, Any] = field(default_factory=dict[str, Any])


class RawPacket(NamedTuple):
    """One notification, untouched: bytes, their characteristic, and the host's monotonic arrival time, ns."""

    sensor: str
    arrival_ns: int
    characteristic: str
    payload: bytes
