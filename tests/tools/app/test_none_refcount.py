"""PySide6 6.12.0 on CPython 3.11 loses a reference to None with every painter call; live plots die of it."""

import sys

import pytest

CALLS = 1000


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="None is immortal from Python 3.12 on")
@pytest.mark.usefixtures("screen")
def test_painting_costs_no_reference_to_none() -> None:
    from PySide6.QtCore import QPointF
    from PySide6.QtGui import QColor, QImage, QPainter, QPen

    keep = [None] * (50 * CALLS)  # so that a binding with the defect fails this test instead of aborting it
    image = QImage(64, 64, QImage.Format.Format_ARGB32)
    painter = QPainter(image)
    pen, start, end = QPen(QColor("black")), QPointF(0.0, 0.0), QPointF(9.0, 9.0)
    before = sys.getrefcount(None)
    for _ in range(CALLS):
        painter.setPen(pen)
        painter.drawLine(start, end)
    lost = before - sys.getrefcount(None)
    painter.end()
    assert lost < CALLS / 10, f"{lost} references to None lost in {2 * CALLS} painter calls"
    assert len(keep) == 50 * CALLS
