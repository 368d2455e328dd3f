"""`rom app`: the desktop application. Qt is loaded when the command runs, not before."""

import tempfile
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from imu.errors import InputError
from tools.cli.practice import ClinicianOption, DatabaseOption, FolderOption, Practice

if TYPE_CHECKING:
    from rom.clinic.desk import Desk
    from tools.app.jobs import Job
    from tools.app.setting import Setting

THEMES = ("dark", "light", "contrast")
DEMO_VISITS = 3
ENDING_SECONDS = 10.0
"""How long the end waits for work that was cancelled; its folder goes after that."""


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
    with tempfile.TemporaryDirectory(prefix="romcap-demo-", ignore_cleanup_errors=True) as folder:
        with_practice = clinician.strip() and not demo and not home
        desk = Practice(practice, database, clinician).desk if with_practice else None
        setting = usual_setting(catalogue, theme, desk, virtual=demo)
        if demo:
            setting.recordings = Path(folder)
            if not home:
                setting.preparing = demo_practice(Path(folder), setting)
        status = run_home(setting, files or ()) if home else run(setting, files or ())
        if setting.preparing is not None:
            setting.preparing.wait(ENDING_SECONDS)
    raise typer.Exit(status)


def demo_practice(folder: Path, setting: "Setting") -> "Job[Desk]":
    """Simulate, behind the window, a practice whose client has had several visits."""
    from tools.app.jobs import Job

    def simulate(report: Callable[[float], None]) -> "Desk":
        setting.shown.wait()
        from tools.app.demo_practice import demo_desk

        return demo_desk(folder / "practice", setting.catalogue, DEMO_VISITS, report)

    return Job("Simulating the demo client's visits", simulate)


def _check_installed() -> None:
    try:
        import_module("PySide6.QtWidgets")
    except ImportError as error:
        raise InputError(
            f"the application needs Qt, which does not load here ({error}); install it with "
            "`pip install 'romcap[app]'`, on Linux also libegl1 and libxkbcommon0"
        ) from None
