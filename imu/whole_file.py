"""Files that are written whole or not at all: a crash leaves the old content or the new."""

import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Generator[Path]:
    """Lend the name of a file to write; when it is complete and on the disk, it takes the place of `path`.

    If writing fails, `path` is as it was and the unfinished file is removed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    try:
        yield part
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def write_whole(path: Path, content: bytes) -> None:
    """Write a file; its folder is made if need be."""
    with replacing(path) as part:
        part.write_bytes(content)
