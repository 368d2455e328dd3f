"""The athlete's window: nothing but the three steps."""

# pyright: basic

from PySide6.QtGui import QCloseEvent
from PySide6.QtWidgets import QMainWindow

from tools.app.home_model import HomeModel
from tools.app.home_page import HomePage
from tools.app.setting import Setting
from tools.app.theme import THEMES, style_sheet


class HomeWindow(QMainWindow):
    """The application at home."""

    def __init__(self, setting: Setting) -> None:
        super().__init__()
        theme = THEMES[setting.theme]
        self.setWindowTitle("romcap at home")
        self.setMinimumSize(1280, 720)
        self.setStyleSheet(style_sheet(theme))
        self.page = HomePage(theme, setting, HomeModel(setting.catalogue))
        self.setCentralWidget(self.page)

    def closeEvent(self, event: QCloseEvent) -> None:  # noqa: N802 - Qt's name
        """End a capture in good order before the window goes."""
        self.page.stop()
        super().closeEvent(event)
