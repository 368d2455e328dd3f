"""Read a recording, finished or not, whole or damaged: what is intact, and what is missing."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np

from imu.block import ImuBlock
from imu.errors import RecordingError
from imu.recording_format import (
    CALIBRATION_DOCUMENT,
    HEADER_DOCUMENT,
    IMU_RECORD,
    REPAIR_DOCUMENT,
    STREAMS_DOCUMENT,
    RecordArray,
    channels,
    decode_raw,
    imu_block,
    split_chunk,
)
from imu.recording_scan import ChunkPlace, ChunkReader, scan
from imu.recording_survey import Survey
from imu.recording_values import Event, RawPacket, RecordingHeader, Status

_UNKNOWN_HEADER = RecordingHeader(
    recording_id="unknown",
    created_at=datetime.fromtimestamp(0, UTC),
    software={},
    notes="the header is missing",
)


class _Chunk(NamedTuple):
    """An intact chunk: its place, its earliest sample time, that of all later chunks, s, and its kind."""

    place: ChunkPlace
    start: float
    later_start: float
    samples_only: bool


@dataclass(frozen=True)
class Recording:
    """A recording on disk, finished or not, whole or damaged. Make one with `Recording.open`.

    Parameters
    ----------
    path
        The file.
    header
        Who, what, when, with which sensors.
    events, statuses
        In the order in which they were written.
    calibrations
        The calibration documents, oldest first.
    repairs
        What `repair` noted when it made this file: `source`, `sha256` and `damage` of the original.
    streams
        What the samples depend on besides the raw packets, oldest first; see `imu/streams.py`.
    damage
        One sentence for each thing that is missing or has changed; empty for a clean finished file.
    samples
        How many samples of each sensor are intact.
    start, stop
        Time of the first and the last sample, s on the capture clock; NaN if there is none.
    """

    path: Path
    header: RecordingHeader
    events: tuple[Event, ...]
    statuses: tuple[Status, ...]
    calibrations: tuple[Mapping[str, Any], ...]
    repairs: tuple[Mapping[str, Any], ...]
    streams: tuple[Mapping[str, Any], ...]
    damage: tuple[str, ...]
    samples: Mapping[str, int]
    start: float
    stop: float
    _chunks: tuple[_Chunk, ...] = field(repr=False)

    @classmethod
    def open(cls, path: Path) -> Self:
        """Read everything but the samples, and verify those.

        Raises
        ------
        RecordingError
            If the file cannot be read, is empty, or is no recording at all. A damaged recording is no
            error: what is intact is read, what is missing is said in `damage`.
        """
        survey = Survey()
        found = scan(path, survey.add)
        survey.finish()
        documents = [found.documents[number] for number in sorted(found.documents)]
        headers = [content for name, content in documents if name == HEADER_DOCUMENT]
        header = RecordingHeader.from_document(headers[0]) if headers else _UNKNOWN_HEADER
        counted = survey.counts
        samples = {
            c.sensor: counted.get(c.number, 0) for c in channels(header) if c.topic.startswith("/imu/")
        }
        any_sample = np.isfinite(survey.first_t)
        return cls(
            path,
            header,
            survey.events(),
            survey.statuses(),
            tuple(content for name, content in documents if name == CALIBRATION_DOCUMENT),
            tuple(content for name, content in documents if name == REPAIR_DOCUMENT),
            tuple(content for name, content in documents if name == STREAMS_DOCUMENT),
            survey.damage(found, header),
            samples,
            survey.first_t if any_sample else np.nan,
            survey.last_t if any_sample else np.nan,
            tuple(
                _Chunk(*parts)
                for parts in zip(
                    found.chunks, survey.chunk_starts, survey.later_starts(), survey.samples_only, strict=True
                )
            ),
        )

    @property
    def duration(self) -> float:
        """From the first to the last sample, s; 0 if there is none."""
        return self.stop - self.start if np.isfinite(self.start) else 0.0

    @cached_property
    def sha256(self) -> str:
        """Fingerprint of the file, in hexadecimal."""
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def blocks(self, seconds: float = 1.0) -> Iterator[ImuBlock]:
        """Yield the samples of all sensors, merged in time order.

        Each span `[k seconds, (k + 1) seconds)` of the capture clock gives one block per sensor that has
        samples in it, in the header's order. Memory does not grow with the length of the recording.
        """
        sensors = self._streams("/imu/")
        waiting: list[bytes] = []
        span = np.floor(self.start / seconds) if np.isfinite(self.start) else 0.0
        for samples, later_start in self._samples():
            waiting.append(samples)
            if later_start < (span + 1) * seconds:
                continue
            held = np.frombuffer(b"".join(waiting), IMU_RECORD)
            while len(held) and later_start >= (span + 1) * seconds:
                inside = held["t"] < (span + 1) * seconds
                yield from _split(held[inside], sensors)
                held = held[~inside]
                following = held["t"].min() if len(held) else later_start
                span = max(span + 1, np.floor(min(following, later_start) / seconds))
            waiting = [held.tobytes()]

    def block(self, sensor: str) -> ImuBlock:
        """Return all samples of one sensor.

        Raises
        ------
        RecordingError
            If the recording has no such sensor.
        """
        number = next((number for number, name in self._streams("/imu/").items() if name == sensor), None)
        if number is None:
            known = ", ".join(info.sensor for info in self.header.sensors) or "none"
            raise RecordingError(self.path, f"has no sensor {sensor}; its sensors are {known}")
        records = np.frombuffer(b"".join(samples for samples, _ in self._samples()), IMU_RECORD)
        return imu_block(sensor, records[records["channel"] == number])

    def pieces(self) -> Iterator[tuple[list[ImuBlock], list[RawPacket]]]:
        """Yield samples and raw packets together, in the order of the file, a fraction of a second each."""
        sensors, packets = self._streams("/imu/"), self._streams("/raw/")
        for content in self._contents(self._chunks):
            samples, others = split_chunk(content)
            blocks = list(_split(np.frombuffer(samples, IMU_RECORD), sensors))
            yield blocks, [decode_raw(packets[m.channel], m.body) for m in others if m.channel in packets]

    def raw(self) -> Iterator[RawPacket]:
        """Yield the notifications as they arrived, in the order of their arrival."""
        for _, packets in self.pieces():
            yield from packets

    def _streams(self, kind: str) -> dict[int, str]:
        """Return the sensor of each channel of a kind, by channel number."""
        return {c.number: c.sensor for c in channels(self.header) if c.topic.startswith(kind)}

    def _samples(self) -> Iterator[tuple[bytes, float]]:
        """Yield the samples of each chunk that has any, with the earliest sample time after it, s."""
        chosen = [chunk for chunk in self._chunks if np.isfinite(chunk.start)]
        for content, chunk in zip(self._contents(chosen), chosen, strict=True):
            yield content if chunk.samples_only else split_chunk(content)[0], chunk.later_start

    def _contents(self, chunks: Sequence[_Chunk]) -> Iterator[bytes]:
        with self.path.open("rb", buffering=1 << 18) as file:
            reader = ChunkReader(file)
            for chunk in chunks:
                content = reader.read(chunk.place)
                if content is None:
                    raise RecordingError(self.path, "has changed since it was opened; open it again")
                yield content


def _split(records: RecordArray, sensors: Mapping[int, str]) -> Iterator[ImuBlock]:
    for number, sensor in sensors.items():
        mine = records[records["channel"] == number]
        if len(mine):
            yield imu_block(sensor, mine)
