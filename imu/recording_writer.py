"""Write a recording: every sample to disk before anything is computed from it."""

import math
import os
import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from mcap.writer import CompressionType, IndexType, Writer

from imu.block import ImuBlock
from imu.errors import InputError, RecordingError
from imu.recording_format import (
    CALIBRATION_DOCUMENT,
    CHUNK_BYTES,
    END_DOCUMENT,
    HEADER_DOCUMENT,
    PROFILE,
    SCHEMAS,
    STREAMS_DOCUMENT,
    channels,
    encode_event,
    encode_raw,
    encode_samples,
    encode_status,
    log_time,
    seal,
)
from imu.recording_index import keep_on_disk
from imu.recording_values import Event, RawPacket, RecordingHeader, Status

_FLUSH_SECONDS = 0.25
_FLUSHES_PER_SYNC = 4
_FLUSH_STREAM_SECONDS = 1.0
_LATEST_SECOND = 4e9


class RecordingWriter:
    """An open recording. It is called `<path>.part` until it is closed.

    What has been accepted is handed to the system at least every 0.25 s of wall time and every second of
    capture time, and forced onto the disk every second, so a crash loses about the last second at most.
    All methods may be called from any thread.

    Parameters
    ----------
    path
        The recording to make. It must not exist.
    header
        Who, what, when, and the sensors whose blocks will come.

    Raises
    ------
    RecordingError
        If the file exists, unfinished or finished, or cannot be made. Every later method raises it too
        once the disk fails; what was on the disk by then stays readable in the `.part` file.
    InputError
        If the header names a sensor twice or none.
    """

    def __init__(self, path: Path, header: RecordingHeader) -> None:
        self.path, self.header = path, header
        self.part = path.with_name(path.name + ".part")
        names = [sensor.sensor for sensor in header.sensors]
        if not names or len(set(names)) != len(names):
            raise InputError(f"a recording needs sensors with different ids, got {names}")
        if path.exists():
            raise RecordingError(
                path, "exists already, and a recording is never overwritten; choose another name"
            )
        try:
            self._file = self.part.open("xb")
        except FileExistsError:
            problem = "is an unfinished recording of this name; run `rom repair` on it or choose another name"
            raise RecordingError(self.part, problem) from None
        except OSError as error:
            problem = f"cannot be made ({error.strerror}); choose a folder that can be written to"
            raise RecordingError(self.part, problem) from None
        self._created_ns = log_time(header.created_at.timestamp(), 0)
        self._lock = threading.Lock()
        self._failure: OSError | None = None
        self._closed = threading.Event()
        self._finished = False
        self._next_number = dict.fromkeys(names, 0)
        self._last_t = dict.fromkeys(names, float("-inf"))
        self._has_mag: dict[str, bool] = {}
        self._messages: dict[int, int] = {}
        self._documents = 0
        self._waiting: list[tuple[int, int, bytes, int]] = []
        self._waiting_bytes = 0
        self._latest_t = 0.0
        self._flushed_t = 0.0
        self._mcap = Writer(
            self._file,
            chunk_size=CHUNK_BYTES,
            compression=CompressionType.ZSTD,
            index_types=IndexType.ALL,
            enable_data_crcs=True,
        )
        with self._guarded():
            self._chunks = keep_on_disk(self._mcap, path.parent)
            self._start()
        self._keeper = threading.Thread(target=self._keep, name=f"recording {path.name}", daemon=True)
        self._keeper.start()

    def __enter__(self) -> Self:
        """Return the writer itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the recording, also after an error elsewhere: what was recorded is kept."""
        self.close()

    def write(self, block: ImuBlock) -> None:
        """Append the samples of one sensor.

        Raises
        ------
        InputError
            If the header does not name the sensor, its time does not go on from its last block, or it
            has a magnetometer in some blocks only.
        """
        sensor = block.sensor
        if sensor not in self._next_number:
            known = ", ".join(sorted(self._next_number))
            raise InputError(f"the recording has the sensors {known}, got samples of {sensor}")
        if len(block) == 0:
            return
        with self._guarded():
            self._check(block)
            number, channel = self._next_number[sensor], self._imu[sensor]
            bodies = encode_samples(block, number)
            for row, (t, body) in enumerate(zip(block.t.tolist(), bodies, strict=True)):
                time = log_time(t, self._created_ns)
                self._mcap.add_message(channel, time, body, time, number + row)
            self._messages[channel] = self._next_number[sensor] = number + len(block)
            self._last_t[sensor] = float(block.t[-1])
            self._has_mag[sensor] = block.mag is not None
            self._advance(float(block.t[-1]))

    def write_raw(self, packet: RawPacket) -> None:
        """Append a notification as it arrived; its log time is the capture time reached so far."""
        if packet.sensor not in self._raw:
            raise InputError(
                f"the recording has the sensors {', '.join(self._raw)}, got a packet of {packet.sensor}"
            )
        with self._guarded():
            self._add(self._raw[packet.sensor], self._latest_t, encode_raw(packet))

    def write_event(self, event: Event) -> None:
        """Append an event."""
        with self._guarded():
            self._add(self._event, event.t, encode_event(event))

    def write_status(self, status: Status) -> None:
        """Append what a sensor says about itself."""
        with self._guarded():
            self._add(self._status, status.t, encode_status(status))

    def write_calibration(self, document: Mapping[str, Any]) -> None:
        """Append a calibration as a JSON document."""
        with self._guarded():
            self._put_document(CALIBRATION_DOCUMENT, document)
            self._flush()

    def put_streams(self, document: Mapping[str, Any]) -> None:
        """Append what the samples depend on besides the raw packets; see `imu/streams.py`."""
        self.put_document(STREAMS_DOCUMENT, document)

    def put_document(self, name: str, document: Mapping[str, Any]) -> None:
        """Append a document of another kind; its name starts with `romcap.`."""
        with self._guarded():
            self._put_document(name, document)

    def flush(self) -> None:
        """Hand everything accepted so far to the system."""
        with self._guarded():
            self._flush()

    def close(self) -> None:
        """Finish the file and give it its name; a second call does nothing.

        Raises
        ------
        RecordingError
            If the disk fails; what it took stays readable in the `.part` file.
        """
        if self._closed.is_set():
            return
        self._closed.set()
        self._keeper.join()
        try:
            with self._guarded():
                self._flush()
                self._put_document(HEADER_DOCUMENT, self.header.to_document())
                self._put_document(END_DOCUMENT, {"messages": {str(c): n for c, n in self._messages.items()}})
                self._mcap.finish()
                self._file.flush()
                os.fsync(self._file.fileno())
        finally:
            self._finished = True
            with suppress(OSError):
                self._file.close()
                self._chunks.close()
        if self.path.exists():
            raise RecordingError(
                self.path, f"has appeared meanwhile; the recording is kept as {self.part.name}"
            )
        self.part.rename(self.path)

    @contextmanager
    def _guarded(self) -> Generator[None]:
        """Hold the lock; turn a failing disk into one sentence, now and at every later call."""
        with self._lock:
            if self._finished:
                raise RecordingError(self.path, "is closed already; nothing can be added to it")
            try:
                if self._failure is not None:
                    raise self._failure
                yield
            except OSError as error:
                self._failure = error
                raise RecordingError(
                    self.part,
                    f"the disk takes no more ({error.strerror}); what was recorded until about "
                    f"{self._flushed_t:.1f} s is kept there; free the disk, then run `rom repair` on it",
                ) from None

    def _start(self) -> None:
        self._mcap.start(profile=PROFILE, library=f"romcap {self.header.software.get('romcap', '')}".strip())
        schemas = {
            name: self._mcap.register_schema(name, "ros2msg", text.encode()) for name, text in SCHEMAS.items()
        }
        ordered = [
            self._mcap.register_channel(
                channel.topic, "cdr", schemas[channel.schema], {"sensor": channel.sensor}
            )
            for channel in channels(self.header)
        ]
        self._event, self._status = ordered[:2]
        self._imu = dict(zip(self._next_number, ordered[2::2], strict=True))
        self._raw = dict(zip(self._next_number, ordered[3::2], strict=True))
        self._put_document(HEADER_DOCUMENT, self.header.to_document())
        self._file.flush()

    def _put_document(self, name: str, document: Mapping[str, Any]) -> None:
        entries = seal(name, self._documents, document)
        self._mcap.add_metadata(name, entries)
        self._mcap.add_metadata(name, entries)
        self._documents += 1

    def _check(self, block: ImuBlock) -> None:
        sensor, start, stop = block.sensor, float(block.t[0]), float(block.t[-1])
        if start <= self._last_t[sensor]:
            raise InputError(
                f"sensor {sensor}: samples must follow those recorded up to {self._last_t[sensor]:.6f} s, "
                f"but the next block starts at {start:.6f} s"
            )
        if max(abs(start), abs(stop)) > _LATEST_SECOND:
            raise InputError(
                f"sensor {sensor}: time must be in seconds, got {stop:g}; was it in ms, us or ns?"
            )
        if self._has_mag.get(sensor, block.mag is not None) is not (block.mag is not None):
            raise InputError(
                f"sensor {sensor}: every block must have the magnetometer, or none; NaN where unknown"
            )

    def _add(self, channel: int, t: float, body: bytes) -> None:
        """Keep a message that is not a sample for the next chunk of such messages.

        Samples and the rest have chunks of their own, so that a replay skips the rest unread.
        """
        time = log_time(t if math.isfinite(t) else self._latest_t, self._created_ns)
        number = self._messages.get(channel, 0)
        self._waiting.append((channel, time, body, number))
        self._waiting_bytes += len(body)
        self._messages[channel] = number + 1
        if self._waiting_bytes >= CHUNK_BYTES:
            self._flush()

    def _advance(self, t: float) -> None:
        self._latest_t = max(self._latest_t, t)
        if self._latest_t - self._flushed_t >= _FLUSH_STREAM_SECONDS:
            self._flush()
            self._flushed_t = self._latest_t

    def _flush(self) -> None:
        self._mcap.flush()
        for channel, time, body, number in self._waiting:
            self._mcap.add_message(channel, time, body, time, number)
        self._waiting.clear()
        self._waiting_bytes = 0
        self._mcap.flush()

    def _keep(self) -> None:
        """Flush and sync until closed; a failure waits for the next caller."""
        turn = 0
        while not self._closed.wait(_FLUSH_SECONDS):
            turn += 1
            try:
                self.flush()
                if turn % _FLUSHES_PER_SYNC == 0:
                    os.fsync(self._file.fileno())
            except RecordingError:
                return
            except OSError as error:
                self._failure = self._failure or error
                return
