"""Where the chunks of a recording lie, kept on disk until it ends: in memory the list would grow with it."""

from collections.abc import Generator
from pathlib import Path
from tempfile import TemporaryFile

from mcap.data_stream import ReadDataStream, RecordBuilder
from mcap.records import ChunkIndex
from mcap.writer import Writer

_KEPT = "_Writer__chunk_indices"
"""Where mcap 1.x keeps a Python object for each chunk: 0.6 MB a minute for four sensors at 120 Hz."""


class ChunkIndexes:
    """The list of chunks that a `Writer` appends to and goes through once at its end.

    Parameters
    ----------
    folder
        Of the recording: its list lies on the same disk, in a file without a name, gone after a crash.
    """

    def __init__(self, folder: Path) -> None:
        self._file = TemporaryFile(dir=folder)  # noqa: SIM115 -- open as long as the recording
        self._count = 0

    def append(self, index: ChunkIndex) -> None:
        """Keep one more."""
        record = RecordBuilder()
        index.write(record)
        self._file.write(record.end())
        self._count += 1

    def __iter__(self) -> Generator[ChunkIndex]:
        """Yield all, in order."""
        self._file.seek(0)
        stream = ReadDataStream(self._file)
        for _ in range(self._count):
            stream.read1()
            stream.read8()
            yield ChunkIndex.read(stream)

    def close(self) -> None:
        """Give the disk back."""
        self._file.close()


def keep_on_disk(writer: Writer, folder: Path) -> ChunkIndexes:
    """Let a writer that has written nothing keep its list of chunks on disk; return it, to be closed."""
    indexes = ChunkIndexes(folder)
    vars(writer)[_KEPT] = indexes
    return indexes
