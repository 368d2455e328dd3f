"""The athlete's window: nothing but the three steps."""

# pyright: basic

from PySide6.QtGui import QAction, QCloseEvent, QKeySequence
from PySide6.QtWidgets import QMainWindow

from tools.app.home_model import HomeModel
from tools.app.home_page import HomePage
from tools.app.setting import Setting
from tools.app.theme import THEMES, after, dress, style_sheet


class HomeWindow(QMainWindow):
    """The application at home."""

    def __init__(self, setting: Setting) -> None:
        super().__init__()
        self.theme = THEMES[setting.theme]
        self.setWindowTitle("romcap at home")
        self.setMinimumSize(1024, 640)
        self.setStyleSheet(style_sheet(self.theme))
        self.page = HomePage(self.theme, setting, HomeModel(setting.catalogue))
        self.setCentralWidget(self.page)
        action = QAction("Theme", self)
        action.setShortcut(QKeySequence("Ctrl+T"))
        action.triggered.connect(lambda _checked=False: self.next_theme())
        self.addAction(action)

    def next_theme(self) -> None:
        """Wear the next theme: dark, light, high contrast; what runs goes on."""
        self.theme = after(self.theme)
        dress(self, self.theme)

    def say_problem(self, text: str) -> None:
        """Show what went wrong."""
        self.page.model.problem = text
        self.page.show_state()

    def closeEvent(self, event: QCloseEvent) -> None:  # noqa: N802 - Qt's name
        """End a capture in good order before the window goes."""
        self.page.stop()
        super().closeEvent(event)
