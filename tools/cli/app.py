"""`rom app`: the desktop application. Qt is loaded when the command runs, not before."""

import tempfile
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from imu.errors import InputError
from tools.cli.practice import ClinicianOption, DatabaseOption, FolderOption, Practice

if TYPE_CHECKING:
    from rom.clinic.desk import Desk

THEMES = ("dark", "light", "contrast")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("app")(app_command)


def app_command(
    files: Annotated[
        list[Path] | None, typer.Argument(help="Recordings to review; with --home the clinic's file.")
    ] = None,
    *,
    home: Annotated[bool, typer.Option("--home", help="Three big steps, nothing else on screen.")] = False,
    demo: Annotated[bool, typer.Option("--demo", help="Virtual sensors, a practice to try.")] = False,
    theme: Annotated[str, typer.Option(help="dark, light or contrast.")] = "dark",
    pictures: Annotated[
        Path | None, typer.Option("--pictures", help="Draw every screen into this folder, and end.")
    ] = None,
    practice: FolderOption = None,
    database: DatabaseOption = None,
    clinician: ClinicianOption = "",
) -> None:
    """Open the desktop application: capture, visit, review, course, home."""
    if theme not in THEMES:
        raise InputError(f"--theme must be {', '.join(THEMES)}, got {theme!r}")
    _check_installed()
    if pictures is not None:
        from tools.app.pictures import draw_all

        for path in draw_all(pictures):
            print(path)
        return
    from rom.catalogue.loader import load_catalogue
    from tools.app.setting import usual_setting
    from tools.app.start import run, run_home

    catalogue = load_catalogue()
    with tempfile.TemporaryDirectory(prefix="romcap-demo-") as folder:
        desk: Desk | None = None
        if demo and not home:
            from tools.app.demo_practice import demo_desk

            desk = demo_desk(Path(folder), catalogue, 0)
        elif clinician.strip() and not home:
            desk = Practice(practice, database, clinician).desk
        setting = usual_setting(catalogue, theme, desk, virtual=demo)
        if demo:
            setting.recordings = Path(folder)
        status = run_home(setting, files or ()) if home else run(setting, files or ())
    raise typer.Exit(status)


def _check_installed() -> None:
    try:
        import_module("PySide6.QtWidgets")
    except ImportError as error:
        raise InputError(
            f"the application needs Qt, which does not load here ({error}); install it with "
            "`pip install 'romcap[app]'`, on Linux also libegl1 and libxkbcommon0"
        ) from None
