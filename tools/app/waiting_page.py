"""A page whose work is still being done: how far it is, and a way to end it."""

# pyright: basic

from typing import Any

from PySide6.QtCore import QTimer, Signal
from PySide6.QtWidgets import QProgressBar, QVBoxLayout, QWidget

from tools.app.jobs import Job
from tools.app.widgets import button, words

LOOK_MS = 100


class WaitingPage(QWidget):
    """Stands where a page will be; `done` tells that the work is over, well or not."""

    done = Signal()

    def __init__(self, job: Job[Any]) -> None:
        super().__init__()
        self._job = job
        self._said = words(f"{job.words} ...", role="title")
        self._progress = QProgressBar()
        self._progress.setAccessibleName("Progress")
        self._cancel = button("Cancel", job.cancel)
        column = QVBoxLayout(self)
        column.addStretch(1)
        for widget in (self._said, self._progress, self._cancel):
            column.addWidget(widget)
        column.addStretch(2)
        self._timer = QTimer(self)
        self._timer.setInterval(LOOK_MS)
        self._timer.timeout.connect(self._look)
        self._timer.start()

    def _look(self) -> None:
        self._progress.setValue(round(100 * self._job.share))
        if self._job.over:
            self._timer.stop()
            self._progress.hide()
            self._cancel.hide()
            self._said.setText(self._job.error)
            self.done.emit()
