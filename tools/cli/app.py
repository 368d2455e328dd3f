"""`rom app`: the desktop application. Qt is loaded when the command runs, not before."""

from importlib import import_module
from typing import Annotated

import typer

from imu.errors import InputError

THEMES = ("dark", "light", "contrast")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("app")(app_command)


def app_command(
    *,
    demo: Annotated[bool, typer.Option("--demo", help="Virtual sensors, real driver: no hardware.")] = False,
    theme: Annotated[str, typer.Option(help="dark, light or contrast.")] = "dark",
) -> None:
    """Open the desktop application: capture, visit, review, course, home."""
    if theme not in THEMES:
        raise InputError(f"--theme must be {', '.join(THEMES)}, got {theme!r}")
    _check_installed()
    from rom.catalogue.loader import load_catalogue
    from tools.app.setting import usual_setting
    from tools.app.start import run

    setting = usual_setting(load_catalogue(), theme, None, virtual=demo)
    raise typer.Exit(run(setting))


def _check_installed() -> None:
    try:
        import_module("PySide6.QtWidgets")
    except ImportError as error:
        raise InputError(
            f"the application needs Qt, which does not load here ({error}); install it with "
            "`pip install 'romcap[app]'`, on Linux also libegl1 and libxkbcommon0"
        ) from None
