"""The streams of a capture, and what a recording must hold so that they can be run again.

A recording holds every notification's bytes and arrival. With what `StreamLog` adds, `rebuilt` makes the same
samples of them, to the last bit, by the functions that made them live; a later decoder makes better ones.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

from imu.ble_link import SensorRequest
from imu.block import ImuBlock
from imu.clock import shared_base
from imu.errors import RecordingError
from imu.recording import RawPacket, Recording, RecordingWriter
from imu.sensors.driver import Driver, Settings
from imu.sensors.registry import driver_named
from imu.sensors.stream import SensorStream

MOST_BEFORE = 200_000
"""Packets kept from before a recording begins: seven sensors at 60 Hz for eight minutes, some 50 MB."""


@dataclass(frozen=True, slots=True)
class StreamPlan:
    """What one sensor's stream is made with.

    Parameters
    ----------
    driver, settings
        Its family and what it is set to.
    learnt
        Rate error learnt in an earlier capture with this very sensor, or None.
    time_base
        Name of the time base that it shares with other sensors by radio; "" if it keeps its own time.
    """

    driver: Driver
    settings: Settings
    learnt: float | None = None
    time_base: str = ""

    def to_document(self) -> dict[str, Any]:
        """Return it as a JSON mapping."""
        return {
            "family": self.driver.capability.family,
            "settings": asdict(self.settings),
            "learnt": self.learnt,
            "time_base": self.time_base,
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """Return the plan of a mapping made by `to_document`."""
        return cls(
            driver_named(document["family"]),
            Settings(**document["settings"]),
            document["learnt"],
            document["time_base"],
        )


def open_streams(plans: Mapping[str, StreamPlan]) -> dict[str, SensorStream]:
    """Return fresh streams by sensor; those with a common time base share it."""
    bases = {
        plan.time_base: shared_base(plan.driver.clock(plan.settings), plan.settings.rate_hz)
        for plan in plans.values()
        if plan.time_base
    }
    return {
        sensor: SensorStream(sensor, plan.driver, plan.settings, plan.learnt, bases.get(plan.time_base))
        for sensor, plan in plans.items()
    }


def plans_for(requests: Sequence[SensorRequest], learnt: Mapping[str, float]) -> dict[str, StreamPlan]:
    """Return what the stream of each sensor is made with.

    Parameters
    ----------
    requests
        The sensors wanted.
    learnt
        Rate errors of earlier captures, by sensor address.
    """
    return {r.sensor: StreamPlan(r.driver, r.settings, learnt.get(r.address), r.time_base) for r in requests}


class StreamLog:
    """Puts into a recording what its streams depend on, also what came before it began.

    Parameters
    ----------
    plans
        By sensor.
    origin_ns
        Zero of the capture clock, ns (monotonic), as the arrivals of packets.
    """

    def __init__(self, plans: Mapping[str, StreamPlan], origin_ns: int) -> None:
        self._plans = plans
        self._origin_ns = origin_ns
        self._before: list[RawPacket] | None = []
        self._links: list[tuple[str, int]] = []
        self._seen = dict.fromkeys(plans, 0)

    def opened(self, sensor: str, writer: RecordingWriter | None) -> None:
        """Take note of a new link to a sensor."""
        link = (sensor, self._seen[sensor])
        if writer is not None:
            writer.put_streams({"links": [link]})
        else:
            self._links.append(link)

    def take(self, packet: RawPacket, writer: RecordingWriter | None) -> None:
        """Record a packet, or keep it for a recording to come."""
        self._seen[packet.sensor] += 1
        if writer is not None:
            writer.write_raw(packet)
        elif self._before is not None:
            self._before.append(packet)
            if len(self._before) > MOST_BEFORE:
                self._before = None

    def begin(self, writer: RecordingWriter, shifts: Mapping[str, float]) -> None:
        """Put what the streams have gone through so far into a recording that begins.

        Only the first recording of a capture holds all of it, and only if it began within minutes.
        """
        if self._before is None:
            self._seen, self._links = dict.fromkeys(self._plans, 0), []
        sensors = {
            sensor: plan.to_document() | {"shift": shifts[sensor], "before": self._seen[sensor]}
            for sensor, plan in self._plans.items()
        }
        whole, packets = self._before is not None, self._before or ()
        self._before = None
        writer.put_streams(
            {"origin_ns": self._origin_ns, "whole": whole, "sensors": sensors, "links": self._links}
        )
        for packet in packets:
            writer.write_raw(packet)


def rebuilt(recording: Recording) -> Iterator[ImuBlock]:
    """Yield the samples of a recording as its raw bytes and their arrivals say.

    They are those recorded, to the last bit, if the decoders are the same, the raw bytes undamaged, and the
    recording the first of its capture.

    Raises
    ------
    RecordingError
        If it does not say how its streams were made.
    """
    if not recording.streams:
        raise RecordingError(
            recording.path,
            "holds no raw bytes with their settings, so its samples cannot be made again: it was imported, "
            "or recorded by an earlier version",
        )
    first = recording.streams[0]
    sensors: Mapping[str, Any] = first["sensors"]
    streams = open_streams({sensor: StreamPlan.from_document(told) for sensor, told in sensors.items()})
    links: dict[str, list[int]] = {sensor: [] for sensor in sensors}
    for document in recording.streams:
        for sensor, after in document["links"]:
            links[sensor].append(after)
    for sensor, told in sensors.items():
        streams[sensor].shift = told["shift"]
    seen = dict.fromkeys(sensors, 0)
    connected = dict.fromkeys(sensors, not first["whole"])
    for packet in recording.raw():
        sensor, stream = packet.sensor, streams[packet.sensor]
        while links[sensor] and links[sensor][0] <= seen[sensor]:
            links[sensor].pop(0)
            if connected[sensor]:
                stream.link_restored()
            connected[sensor] = True
        arrival = (packet.arrival_ns - first["origin_ns"]) * 1e-9
        block = stream.feed(arrival, packet.characteristic, packet.payload).block
        if block is not None and seen[sensor] >= sensors[sensor]["before"]:
            yield block
        seen[sensor] += 1
