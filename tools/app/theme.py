"""How the application looks: palettes, the meaning of each colour, and sizes in real millimetres."""

# pyright: basic

from dataclasses import dataclass

from PySide6.QtGui import QColor, QFont, QGuiApplication, QScreen
from PySide6.QtWidgets import QWidget

MM_PER_INCH = 25.4
FALLBACK_DPI = 96.0


@dataclass(frozen=True)
class Theme:
    """One palette. Every colour has one meaning; none means good or bad by itself.

    `left` and `right` are safe for red-green colour blindness and always come with the letter and a
    line style; `before` is grey and dashed; `live`, `weak` and `lost` always come with a shape and a word.
    """

    name: str
    ground: str
    panel: str
    line: str
    ink: str
    soft: str
    accent: str
    on_accent: str
    left: str
    right: str
    midline: str
    before: str
    live: str
    weak: str
    lost: str

    def side(self, side: str) -> QColor:
        """Return the colour of a body side: `left`, `right` or `midline`."""
        return QColor({"left": self.left, "right": self.right}.get(side, self.midline))


DARK = Theme(
    "dark", "#12171c", "#1b232b", "#2f3a45", "#e9ecef", "#98a5b1", "#3bc9db", "#0b2529",
    "#ff7a45", "#5aa9ff", "#b197fc", "#8a98a5", "#69db7c", "#ffd43b", "#ff8787",
)  # fmt: skip
LIGHT = Theme(
    "light", "#f8f9fa", "#ffffff", "#dee2e6", "#212529", "#5c6770", "#0b7285", "#ffffff",
    "#d9480f", "#1c6fb5", "#5b4a9c", "#868e96", "#237a35", "#a06000", "#c92a2a",
)  # fmt: skip
CONTRAST = Theme(
    "contrast", "#000000", "#000000", "#ffffff", "#ffffff", "#ffffff", "#ffff00", "#000000",
    "#ff9e5e", "#7cc0ff", "#d0bfff", "#cccccc", "#7dff9b", "#ffe066", "#ffa8a8",
)  # fmt: skip
THEMES = {theme.name: theme for theme in (DARK, LIGHT, CONTRAST)}


def after(theme: Theme) -> Theme:
    """Return the theme that follows when a person asks for the next one."""
    names = list(THEMES)
    return THEMES[names[(names.index(theme.name) + 1) % len(names)]]


class Themed:
    """A widget that draws with colours of its own; a window that changes its theme dresses all of them."""

    _theme: Theme

    def wear(self, theme: Theme) -> None:
        """Draw with another theme from now on."""
        self._theme = theme
        self.update()  # pyright: ignore[reportAttributeAccessIssue]  the widget's own


def dress(window: QWidget, theme: Theme) -> None:
    """Let a window and everything in it wear a theme."""
    window.setStyleSheet(style_sheet(theme))
    for widget in window.findChildren(QWidget):
        if isinstance(widget, Themed):
            widget.wear(theme)


def style_sheet(theme: Theme) -> str:
    """Return the Qt style sheet of a theme."""
    return f"""
    QWidget {{ background: {theme.ground}; color: {theme.ink}; font-size: 15px; }}
    QFrame[panel="true"] {{ background: {theme.panel}; border: 1px solid {theme.line}; border-radius: 8px; }}
    QFrame[panel="true"] QLabel {{ background: transparent; border: 0; }}
    QLabel[soft="true"] {{ color: {theme.soft}; }}
    QLabel[role="title"] {{ font-size: 22px; font-weight: 600; }}
    QLabel[role="warning"] {{ font-size: 17px; font-weight: 600; color: {theme.weak}; }}
    QLabel[role="noted"] {{ font-size: 18px; color: {theme.soft}; padding-left: 12px; }}
    QLabel[role="verdict"] {{ font-size: 18px; }}
    QPushButton {{ background: {theme.panel}; border: 1px solid {theme.line}; border-radius: 7px;
        padding: 9px 16px; }}
    QPushButton:hover {{ border-color: {theme.accent}; }}
    QPushButton:focus, QLineEdit:focus, QListWidget:focus, QComboBox:focus {{
        border: 2px solid {theme.accent}; }}
    QPushButton:disabled {{ color: {theme.soft}; border-style: dashed; }}
    QPushButton[primary="true"] {{ background: {theme.accent}; color: {theme.on_accent}; font-weight: 700;
        border: 2px solid {theme.accent}; padding: 11px 26px; }}
    QPushButton[primary="true"]:focus {{ border-color: {theme.ink}; }}
    QLineEdit, QComboBox, QSpinBox, QPlainTextEdit {{ background: {theme.panel};
        border: 1px solid {theme.line}; border-radius: 6px; padding: 8px; }}
    QListWidget, QTableWidget {{ background: {theme.panel}; border: 1px solid {theme.line};
        border-radius: 6px; }}
    QRadioButton::indicator, QCheckBox::indicator {{ width: 14px; height: 14px;
        border: 2px solid {theme.soft}; }}
    QRadioButton::indicator {{ border-radius: 9px; }}
    QRadioButton::indicator:checked, QCheckBox::indicator:checked {{ background: {theme.accent};
        border-color: {theme.accent}; }}
    QRadioButton[side="left"] {{ color: {theme.left}; font-weight: 700; }}
    QRadioButton[side="right"] {{ color: {theme.right}; font-weight: 700; }}
    QRadioButton:focus, QCheckBox:focus {{ text-decoration: underline; }}
    QPushButton:checked {{ background: {theme.accent}; color: {theme.on_accent}; }}
    QListWidget::item {{ padding: 7px; }}
    QListWidget::item:selected {{ background: {theme.accent}; color: {theme.on_accent}; }}
    QHeaderView::section {{ background: {theme.panel}; color: {theme.soft}; border: 0; padding: 5px; }}
    QProgressBar {{ background: {theme.panel}; border: 1px solid {theme.line}; border-radius: 5px;
        text-align: center; }}
    QProgressBar::chunk {{ background: {theme.accent}; }}
    """


def pixels_for(millimetres: float, screen: QScreen | None) -> int:
    """Return how many device-independent pixels make so many millimetres on a screen.

    Screens that report no physical size (offscreen, some remote desktops) count as 96 dpi.
    """
    dpi = screen.physicalDotsPerInchY() / screen.devicePixelRatio() if screen is not None else FALLBACK_DPI
    return round(millimetres / MM_PER_INCH * (dpi if 50.0 < dpi < 400.0 else FALLBACK_DPI))


def digits_font(millimetres: float) -> QFont:
    """Return a bold font whose digits are so many millimetres tall on the primary screen."""
    font = QFont("DejaVu Sans")
    font.setBold(True)
    # a digit of this family is 0.729 em tall
    font.setPixelSize(round(pixels_for(millimetres, QGuiApplication.primaryScreen()) / 0.729))
    return font
