"""`rom`: parse, call, print. The one place that turns an error into a sentence and an exit status."""

import sys
from importlib import import_module

import typer

from imu.errors import RomcapError

FAMILIES: tuple[str, ...] = (
    "demo",
    "recordings",
    "sensors",
    "radio",
    "calibrate",
    "measure",
    "compare",
    "catalogue",
    "tables",
    "capture",
    "doctor",
    "clinic",
    "app",
    "retest",
    "report",
    "exchange",
    "study",
    "bench",
)


def build() -> typer.Typer:
    """Return the application with the commands of every family."""
    app = typer.Typer(
        name="rom",
        help="Joint range of motion from Bluetooth inertial sensors, with an error bar on every number.",
        no_args_is_help=True,
        rich_markup_mode="rich",
        pretty_exceptions_enable=False,
    )
    for family in FAMILIES:
        import_module(f"tools.cli.{family}").register(app)
    return app


def main() -> None:
    """Run one command; exit with status 0, or 1 after one sentence, or 2 after a usage error."""
    try:
        build()()
    except RomcapError as error:
        print(f"rom: {error}", file=sys.stderr)
        sys.exit(1)
