"""`rom sensors`: which sensor families there are, what each can do, and what it cannot."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated

import typer

from imu.sensors.driver import Capability
from tools.cli.output import JsonOption, emit


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command()(sensors)


def sensors(
    family: Annotated[str | None, typer.Argument(help="Tell everything about one family.")] = None,
    as_json: JsonOption = False,
) -> None:
    """List the sensor families: rates, streams, clock, sync and what each cannot do."""
    from imu.sensors.registry import DRIVERS, driver_named

    if family is not None:
        capability = driver_named(family).capability
        emit(asdict(capability), _page(capability), as_json=as_json)
        return
    capabilities = [driver.capability for driver in DRIVERS.values()]
    emit([asdict(capability) for capability in capabilities], _table(capabilities), as_json=as_json)


def _numbers(values: Sequence[float]) -> str:
    return ", ".join(f"{value:g}" for value in sorted(values))


def _table(capabilities: Sequence[Capability]) -> str:
    from rich.console import Console
    from rich.table import Table

    table = Table("family", show_lines=True)
    table.columns[0].no_wrap = True
    for title in ("recognised by", "rates, Hz", "streams", "clock", "sync"):
        table.add_column(title, max_width=24, overflow="fold")
    table.add_column("cannot do", min_width=12, overflow="fold")
    for capability in capabilities:
        table.add_row(
            capability.family,
            capability.recognised_by,
            _numbers(capability.rates_hz),
            capability.streams,
            capability.clock,
            capability.sync,
            " ".join(capability.cannot),
        )
    console = Console(highlight=False)
    with console.capture() as captured:
        console.print(table)
    return f"{captured.get()}Everything about one: rom sensors FAMILY"


def _page(capability: Capability) -> str:
    gyr = f"±{_numbers(capability.gyr_ranges_dps)} °/s" if capability.gyr_ranges_dps else "no gyroscope"
    lines = [
        f"{capability.family}: {capability.title}",
        f"  recognised by  {capability.recognised_by}",
        f"  rates          {_numbers(capability.rates_hz)} Hz (default {capability.default_rate_hz:g})",
        f"  ranges         {gyr}; ±{_numbers(capability.acc_ranges_g)} g",
        f"  streams        {capability.streams}",
        f"  modes          {', '.join(capability.modes)} (default {capability.modes[0]})",
        f"  clock          {capability.clock}",
        f"  sync           {capability.sync}",
        *(f"  cannot         {sentence}" for sentence in capability.cannot),
        *(f"  to verify      {sentence}" for sentence in capability.to_verify),
        f"  source         {capability.source}",
    ]
    return "\n".join(lines)
