"""Find every intact chunk and document of a recording, however the file was cut or changed.

Each kind of record states its length twice (once outside, once inside), and chunks and documents carry
checksums. So the chain of records is followed while it holds; where it breaks, the search for the next
intact record starts again right behind the last one that was proven.
"""

import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import zstandard

from imu.errors import RecordingError
from imu.recording_format import DOCUMENT_PREFIX, PROFILE, RECORD_HEAD, unseal

MAGIC = b"\x89MCAP0\r\n"
_HEADER, _FOOTER, _CHUNK, _MESSAGE_INDEX, _METADATA, _DATA_END = 1, 2, 6, 7, 12, 15
_CHUNK_HEAD = struct.Struct("<QQQII4sQ")
_INDEX_HEAD = struct.Struct("<HI")
_LENGTH = struct.Struct("<I")
_CHUNK_MARK = b"\x04\x00\x00\x00zstd"
_CHUNK_MARK_AT = RECORD_HEAD.size + 28
_MARKS = (
    (_CHUNK_MARK, _CHUNK_MARK_AT, _CHUNK),
    (DOCUMENT_PREFIX.encode(), RECORD_HEAD.size + _LENGTH.size, _METADATA),
)
_FOOTER_RECORD = struct.Struct("<BQQQI")
_PIECE = 1 << 20


@dataclass(frozen=True, slots=True)
class ChunkPlace:
    """Where the compressed bytes of one intact chunk are."""

    offset: int
    length: int
    size: int
    crc: int


@dataclass(slots=True)
class Scan:
    """What is in a file: intact chunks and documents in file order, and what is wrong with it.

    Parameters
    ----------
    size
        Length of the file, bytes.
    chunks
        The intact chunks.
    documents
        Content of each intact document by its number, with its name.
    broken
        First byte of each stretch that holds no intact record.
    data_end
        Where the samples end and the index starts; None if the file was never closed, or cut.
    index_intact, bytes_intact
        Whether the index for other programs, and every single byte before it, are as they were written.
    """

    size: int
    chunks: list[ChunkPlace] = field(default_factory=list[ChunkPlace])
    documents: dict[int, tuple[str, dict[str, Any]]] = field(
        default_factory=dict[int, tuple[str, dict[str, Any]]]
    )
    broken: list[int] = field(default_factory=list[int])
    data_end: int | None = None
    index_intact: bool = False
    bytes_intact: bool = False


def scan(path: Path, take: Callable[[bytes], None]) -> Scan:
    """Return what is intact in a file; hand the content of each intact chunk to `take`, in file order.

    Raises
    ------
    RecordingError
        If the file cannot be read or is no recording at all.
    """
    try:
        with path.open("rb", buffering=_PIECE) as file:
            return _Scanner(path, file, take).run()
    except OSError as error:
        raise RecordingError(
            path, f"cannot be read ({error.strerror}); check the name and the disk"
        ) from None


class ChunkReader:
    """Reads the chunks of an open file, with one decompressor: to make one costs more than to use it."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._zstandard = file, zstandard.ZstdDecompressor()

    def read(self, place: ChunkPlace) -> bytes | None:
        """Return the verified content of a chunk, None if it has changed."""
        self._file.seek(place.offset)
        data = self._file.read(place.length)
        try:
            if zstandard.frame_content_size(data) != place.size:
                return None
            content = self._zstandard.decompress(data, max_output_size=place.size)
        except zstandard.ZstdError:
            return None
        return content if zlib.crc32(content) == place.crc else None


class _Scanner:
    """One pass over one file."""

    def __init__(self, path: Path, file: BinaryIO, take: Callable[[bytes], None]) -> None:
        self.path, self.file, self.take = path, file, take
        self.chunks = ChunkReader(file)
        self.found = Scan(file.seek(0, 2))
        self.profile: str | None = None
        self.steps = {
            _HEADER: self._header,
            _CHUNK: self._chunk,
            _MESSAGE_INDEX: self._message_index,
            _METADATA: self._metadata,
            _DATA_END: self._data_end,
        }

    def run(self) -> Scan:
        """Follow the records to the end of the samples."""
        found = self.found
        begin = self._read(0, len(MAGIC))
        if not begin:
            raise RecordingError(
                self.path, "is empty: nothing was recorded, or the copy failed; copy it again"
            )
        chained = MAGIC.startswith(begin)
        at = len(MAGIC) if chained else self._search(0)
        if not chained:
            found.broken.append(0)
        while at < found.size and found.data_end is None:
            stop = self._record(at)
            if stop is None and chained:
                found.broken.append(at)
            chained = stop is not None
            at = self._search(at + 1) if stop is None else stop
        self._refuse_strangers(begin)
        return found

    def _refuse_strangers(self, begin: bytes) -> None:
        if self.found.documents or (MAGIC.startswith(begin) and self.profile in {None, PROFILE}):
            return
        if MAGIC.startswith(begin):
            what = f"is an MCAP file of another program (profile {self.profile!r})"
        else:
            what = f"is not a recording (it begins with {begin.hex(' ')})"
        raise RecordingError(
            self.path, f"{what}; expected a file made by rom, use `rom import` for other formats"
        )

    def _record(self, at: int) -> int | None:
        """Take the record at a byte; return where the next one starts, None if there is none here."""
        head = self._read(at, RECORD_HEAD.size)
        if len(head) < RECORD_HEAD.size:
            return None
        opcode, length = RECORD_HEAD.unpack(head)
        step = self.steps.get(opcode)
        return None if step is None else step(at + RECORD_HEAD.size, length)

    def _header(self, at: int, length: int) -> int | None:
        if at + length > self.found.size or length < 2 * _LENGTH.size:
            return None
        body = self._read(at, length)
        (profile,) = _LENGTH.unpack_from(body)
        if 2 * _LENGTH.size + profile > length:
            return None
        (library,) = _LENGTH.unpack_from(body, _LENGTH.size + profile)
        self.profile = body[_LENGTH.size : _LENGTH.size + profile].decode(errors="replace")
        return at + length if length == 2 * _LENGTH.size + profile + library else None

    def _chunk(self, at: int, length: int) -> int | None:
        head = self._read(at, _CHUNK_HEAD.size)
        if len(head) < _CHUNK_HEAD.size:
            return None
        _, _, size, crc, name_length, name, data_length = _CHUNK_HEAD.unpack(head)
        start = at + _CHUNK_HEAD.size
        if name_length != 4 or name != b"zstd" or start + data_length > self.found.size:
            return None
        place = ChunkPlace(start, data_length, size, crc)
        content = self.chunks.read(place)
        if content is not None:
            self.found.chunks.append(place)
            self.take(content)
            return start + data_length
        if length != _CHUNK_HEAD.size + data_length:
            return None
        self.found.broken.append(at - RECORD_HEAD.size)
        return start + data_length

    def _message_index(self, at: int, length: int) -> int | None:
        head = self._read(at, _INDEX_HEAD.size)
        if len(head) < _INDEX_HEAD.size or at + length > self.found.size:
            return None
        _, inner = _INDEX_HEAD.unpack(head)
        return at + length if length == _INDEX_HEAD.size + inner and inner % 16 == 0 else None

    def _metadata(self, at: int, length: int) -> int | None:
        if at + length > self.found.size:
            return None
        texts = _texts(self._read(at, length))
        if texts is None or len(texts) % 2 == 0:
            return None
        name, entries = texts[0], dict(zip(texts[1::2], texts[2::2], strict=True))
        document = unseal(name, entries) if name.startswith(DOCUMENT_PREFIX) else None
        if document is not None:
            number, content = document
            self.found.documents[number] = (name, content)
        return at + length

    def _data_end(self, at: int, length: int) -> int | None:
        body = self._read(at, 4)
        if length != 4 or len(body) != 4:
            return None
        found = self.found
        found.data_end = at - RECORD_HEAD.size
        found.bytes_intact = self._crc(0, found.data_end) == int.from_bytes(body, "little")
        found.index_intact = self._index_intact(at + length)
        return found.size

    def _index_intact(self, start: int) -> bool:
        footer = self.found.size - len(MAGIC) - _FOOTER_RECORD.size
        if footer < start or self._read(footer + _FOOTER_RECORD.size, len(MAGIC)) != MAGIC:
            return False
        opcode, length, summary, _, crc = _FOOTER_RECORD.unpack(self._read(footer, _FOOTER_RECORD.size))
        known = opcode == _FOOTER and length == _FOOTER_RECORD.size - RECORD_HEAD.size and summary == start
        return known and self._crc(start, footer + _FOOTER_RECORD.size - 4) == crc

    def _search(self, at: int) -> int:
        """Return the first byte from `at` on where a chunk or document seems to start, else the end."""
        overlap = _CHUNK_MARK_AT + len(_CHUNK_MARK)
        while at < self.found.size:
            piece = self._read(at, _PIECE + overlap)
            starts = [
                start
                for mark, offset, opcode in _MARKS
                for start in _starts(piece, mark, offset, opcode)
                if start < _PIECE
            ]
            if starts:
                return at + min(starts)
            at += _PIECE
        return self.found.size

    def _crc(self, start: int, stop: int) -> int:
        crc = 0
        for at in range(start, stop, _PIECE):
            crc = zlib.crc32(self._read(at, min(_PIECE, stop - at)), crc)
        return crc

    def _read(self, at: int, length: int) -> bytes:
        self.file.seek(at)
        return self.file.read(length)


def _starts(piece: bytes, mark: bytes, offset: int, opcode: int) -> Iterator[int]:
    """Yield the first place in a piece where a record with this mark may start."""
    found = piece.find(mark, offset)
    while found >= 0:
        if piece[found - offset] == opcode:
            yield found - offset
            return
        found = piece.find(mark, found + 1)


def _texts(body: bytes) -> list[str] | None:
    """Return the strings of a metadata record: name, keys and values; None if they do not fill it."""
    texts: list[str] = []
    at = 0
    try:
        while at < len(body) or not texts:
            (length,) = _LENGTH.unpack_from(body, at)
            at += _LENGTH.size + length
            texts.append(body[at - length : at].decode())
            if len(texts) == 1:
                (inner,) = _LENGTH.unpack_from(body, at)
                at += _LENGTH.size
                if at + inner != len(body):
                    return None
    except (struct.error, UnicodeDecodeError):
        return None
    return texts if at == len(body) else None
