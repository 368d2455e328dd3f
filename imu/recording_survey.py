"""Take stock of the intact chunks of a recording: what is there, and what is missing and when."""

import numpy as np

from imu.counted import counted
from imu.recording_format import (
    END_DOCUMENT,
    EVENT_CHANNEL,
    HEADER_DOCUMENT,
    IMU_RECORD,
    STATUS_CHANNEL,
    Channel,
    Message,
    channels,
    decode_event,
    decode_status,
    split_chunk,
)
from imu.recording_scan import Scan
from imu.recording_values import Event, RecordingHeader, Status

_COMMON_CHANNELS = (EVENT_CHANNEL, STATUS_CHANNEL)
_BATCH = 128


class Survey:
    """Collects what every chunk holds; `add` is called once per intact chunk, in file order."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.counts: dict[int, int] = {}
        self.first_t, self.last_t = np.inf, -np.inf
        self.chunk_starts: list[float] = []
        self.samples_only: list[bool] = []
        self._pending: list[bytes] = []
        self._reached: dict[int, tuple[int, float]] = {}
        self._missing: list[tuple[int, int, float, float]] = []

    def add(self, chunk: bytes) -> None:
        """Take the content of the next chunk."""
        samples, others = split_chunk(chunk)
        self.samples_only.append(len(samples) == len(chunk))
        for message in others:
            self.counts[message.channel] = self.counts.get(message.channel, 0) + 1
        self.messages += [message for message in others if message.channel in _COMMON_CHANNELS]
        self._pending.append(samples)
        if len(self._pending) >= _BATCH:
            self._count()

    def events(self) -> tuple[Event, ...]:
        """Return the events in the order of the file."""
        return tuple(decode_event(m.body) for m in self.messages if m.channel == EVENT_CHANNEL)

    def statuses(self) -> tuple[Status, ...]:
        """Return what sensors said about themselves, in the order of the file."""
        return tuple(decode_status(m.body) for m in self.messages if m.channel == STATUS_CHANNEL)

    def later_starts(self) -> list[float]:
        """Return, per chunk, the earliest sample time in any later chunk, s; infinite for the last."""
        starts = np.array([*self.chunk_starts, np.inf])
        return np.minimum.accumulate(starts[::-1])[::-1][1:].tolist()

    def finish(self) -> None:
        """Count what is still pending; call it after the last chunk."""
        self._count()

    def damage(self, found: Scan, header: RecordingHeader) -> tuple[str, ...]:
        """Return one sentence for each thing that is missing or has changed, with when."""
        names = {channel.number: channel for channel in channels(header)}
        sentences = [
            f"{_name(names, channel)}: {counted(count, 'sample')} missing {_between(start, stop)}"
            for channel, count, start, stop in self._missing
        ]
        if not any(name == HEADER_DOCUMENT for name, _ in found.documents.values()):
            sentences.append("the header is missing, so the sensors of this recording are not known")
        numbers = found.documents.keys()
        absent = max(numbers, default=-1) + 1 - len(numbers)
        if absent:
            sentences.append(f"{counted(absent, 'document')} (header, calibrations) unreadable")
        sentences += self._missing_at_the_end(found, names)
        if found.data_end is None:
            end = (
                f"it ends at {self.last_t:.2f} s"
                if np.isfinite(self.last_t)
                else "it ends before the first sample"
            )
            sentences.append(
                f"the recording was not closed, or is cut off: {end}, byte {found.size}, and what came later "
                "is missing; `rom repair` makes a finished file of it"
            )
        broken = [byte for byte in found.broken if byte < found.size - 1 or found.data_end is not None]
        if broken:
            sentences.append(
                f"{counted(len(broken), 'damaged place')}, the first at byte {broken[0]}; "
                "`rom repair` leaves out what is damaged"
            )
        if found.data_end is not None and not found.index_intact:
            sentences.append("the index at the end is damaged, nothing else; `rom repair` makes a new one")
        if found.data_end is not None and not found.bytes_intact and not broken:
            sentences.append(
                "bytes outside the samples have changed; every sample was verified and is intact"
            )
        return tuple(sentences)

    def _missing_at_the_end(self, found: Scan, names: dict[int, Channel]) -> list[str]:
        ends = [content for name, content in found.documents.values() if name == END_DOCUMENT]
        written: dict[str, int] = ends[-1]["messages"] if ends else {}
        sentences: list[str] = []
        for channel, count in written.items():
            number = int(channel)
            is_sample = number in self._reached or bool(names[number].topic.startswith("/imu/"))
            if is_sample:
                reached, t = self._reached.get(number, (-1, np.nan))
                if count - 1 > reached:
                    what = f"{count - 1 - reached} samples are missing {_between(t, np.nan)}"
                    sentences.append(f"{_name(names, number)}: {what}")
            elif count > self.counts.get(number, 0):
                sentences.append(
                    f"{_name(names, number)}: {count - self.counts.get(number, 0)} messages are missing"
                )
        return sentences

    def _count(self) -> None:
        """Note the samples that are missing between the records at hand."""
        records = np.frombuffer(b"".join(self._pending), IMU_RECORD)
        sizes = np.array([len(samples) // IMU_RECORD.itemsize for samples in self._pending], dtype=np.intp)
        self._pending.clear()
        starts = np.full(len(sizes), np.inf)
        if len(records):
            starts[sizes > 0] = np.minimum.reduceat(records["t"], (np.cumsum(sizes) - sizes)[sizes > 0])
        self.chunk_starts += starts.tolist()
        if not len(records):
            return
        self.first_t = min(self.first_t, float(starts.min()))
        self.last_t = max(self.last_t, float(records["t"].max()))
        for channel in np.unique(records["channel"]).tolist():
            mine = records[records["channel"] == channel]
            number, t = self._reached.get(channel, (-1, np.nan))
            numbers = np.concatenate([[number], mine["number"].astype(np.int64)])
            times = np.concatenate([[t], mine["t"]])
            for at in np.flatnonzero(np.diff(numbers) != 1).tolist():
                lost = int(numbers[at + 1] - numbers[at]) - 1
                self._missing.append((channel, lost, float(times[at]), float(times[at + 1])))
            self._reached[channel] = (int(numbers[-1]), float(times[-1]))
            self.counts[channel] = self.counts.get(channel, 0) + len(mine)


def _name(names: dict[int, Channel], number: int) -> str:
    return names[number].topic.removeprefix("/imu/") if number in names else f"channel {number}"


def _between(start: float, stop: float) -> str:
    if np.isnan(start):
        return f"before {stop:.3f} s" if np.isfinite(stop) else "from start to end"
    return f"between {start:.3f} s and {stop:.3f} s" if np.isfinite(stop) else f"after {start:.3f} s"
