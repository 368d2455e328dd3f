"""Capture from the choice to the result: choose, measure live, read what came of it."""

# pyright: basic

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QStackedWidget, QVBoxLayout, QWidget

from rom.catalogue.movement import Movement, Side
from tools.app.bindings import Bindings
from tools.app.chooser_model import Choice, ChooserModel, order_for
from tools.app.chooser_page import ChooserPage
from tools.app.theme import Theme, Themed
from tools.app.tones import Speaker, Tone
from tools.app.widgets import button, words
from tools.cli.capture_order import Order
from tools.sources import Source

if TYPE_CHECKING:
    from calibration.segment import JointCalibration
    from tools.app.live_page import LivePage
    from tools.app.session import Session

SourceOf = Callable[[Movement, Side], Source]
ENDING_SECONDS = 5.0


class CapturePage(Themed, QWidget):
    """One capture after the other."""

    recorded = Signal(object)
    review_wanted = Signal(object)
    pedal_wanted = Signal()

    def __init__(
        self,
        theme: Theme,
        chooser: ChooserModel,
        bindings: Bindings,
        source_of: SourceOf,
        folder: Path,
    ) -> None:
        super().__init__()
        self._theme, self._bindings = theme, bindings
        self._source_of = source_of
        self.folder = folder
        self._session: Session | None = None
        self._live: LivePage | None = None
        self.speaker = Speaker()
        self.chooser = ChooserPage(theme, chooser)
        self._result = words(role="title")
        self._safe = words(soft=True)
        self._results = self._result_page()
        self._pages = QStackedWidget()
        for page in (self.chooser, self._results):
            self._pages.addWidget(page)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self._pages)
        self.chooser.chosen.connect(self.begin_choice)
        self.chooser.pedal_wanted.connect(self.pedal_wanted)

    @property
    def live(self) -> "LivePage":
        """The page of a running capture: made when first needed, because what it draws with loads slowly."""
        if self._live is None:
            from tools.app.live_page import LivePage

            self._live = LivePage(self._theme, self._bindings)
            self._live.ended.connect(self._ended)
            self._pages.addWidget(self._live)
        return self._live

    @property
    def running(self) -> bool:
        """Whether a capture is under way."""
        return self._session is not None and not self._session.over

    def begin_choice(self, choice: Choice) -> None:
        """Begin what was picked."""
        stamp = f"{datetime.now().astimezone():%Y%m%d-%H%M%S}"
        phase = "" if choice.structure is not None else "test"
        self.begin(order_for(choice, self.folder, stamp, phase=phase))

    def begin(
        self,
        order: Order,
        given: "Sequence[JointCalibration]" = (),
        baseline: float | None = None,
        source: Source | None = None,
    ) -> None:
        """Begin a capture; `baseline` in rad is drawn where there is one."""
        if self.running:
            return
        try:
            order.file.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            self.chooser.problem.setText(
                f"{order.file.parent} cannot be written ({error}); choose another folder"
            )
            return
        from tools.app.capture_model import CaptureModel
        from tools.app.session import Session

        self.chooser.problem.setText("")
        chosen = source or self._source_of(order.movement, order.side)
        self._session = Session(order, chosen, given)
        self.live.show_model(CaptureModel(self._session, baseline=baseline, play=self.speaker.play))
        self._pages.setCurrentWidget(self.live)
        self._session.start()

    def end(self) -> None:
        """End what is under way, in good order."""
        if self._session is not None and self.running:
            self._session.end(ENDING_SECONDS)
        if self._live is not None:
            self._live.stop()
        self.speaker.close()

    def choose_again(self) -> None:
        """Go back to the choice."""
        self._pages.setCurrentWidget(self.chooser)

    def _ended(self) -> None:
        session = self._session
        if session is None:
            return
        self.speaker.play(Tone.DONE if not session.error else Tone.LOST)
        if session.error:
            self._result.setText(session.error)
        else:
            model = self.live.model
            if model is not None:
                model.pull()
                self._result.setText(model.result)
        self._safe.setText(f"Recording: {session.order.file}" if session.order.file.exists() else "")
        self._pages.setCurrentWidget(self._results)
        self.recorded.emit(session)

    def _review(self) -> None:
        if self._session is not None and self._session.order.file.exists():
            self.review_wanted.emit(self._session.order.file)

    def _result_page(self) -> QWidget:
        page = QWidget()
        column = QVBoxLayout(page)
        column.addStretch(1)
        column.addWidget(self._result)
        column.addWidget(self._safe)
        column.addStretch(2)
        row = QHBoxLayout()
        row.addWidget(button("Review it", self._review))
        row.addStretch(1)
        row.addWidget(button("Next", self.choose_again, primary=True))
        column.addLayout(row)
        return page
