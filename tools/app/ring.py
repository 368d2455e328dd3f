"""The last samples of a curve in one contiguous piece: a buffer of double length, written twice."""

import numpy as np

from imu.block import FloatArray


class Ring:
    """A ring buffer whose newest rows are always one contiguous view.

    Every row is written at its place and one length further on, so no window ever wraps and none is copied.

    Parameters
    ----------
    length
        Rows kept.
    columns
        Values a row.
    """

    def __init__(self, length: int, columns: int) -> None:
        self._rows = np.full((columns, 2 * length), np.nan)
        self._length = length
        self._written = 0

    def __len__(self) -> int:
        """Return the number of rows held."""
        return min(self._written, self._length)

    def extend(self, rows: FloatArray) -> None:
        """Append rows (N, columns), oldest first."""
        rows = rows[-self._length :]
        first = self._written % self._length
        until_end = min(len(rows), self._length - first)
        for part, at in ((rows[:until_end], first), (rows[until_end:], 0)):
            self._rows[:, at : at + len(part)] = part.T
            self._rows[:, at + self._length : at + self._length + len(part)] = part.T
        self._written += len(rows)

    def newest(self, most: int = 0) -> FloatArray:
        """Return the rows held as (columns, N), oldest first: a view, valid until the next `extend`.

        With `most`, every second, third, ... row only, so that few enough are left; it is always the same
        rows that are left out, so a drawn curve doesn't shimmer. 0 leaves out none.
        """
        start = self._written % self._length if self._written >= self._length else 0
        step = 1 if not most else -(-len(self) // most) or 1
        skipped = -(self._written - len(self)) % step
        return self._rows[:, start + skipped : start + len(self) : step]
