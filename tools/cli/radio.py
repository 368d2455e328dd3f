"""`rom scan`, and the family it leads: `rom pair`, `rom check`, `rom simulate`."""

import asyncio
import math
from collections.abc import Callable
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tools.cli.check import check
from tools.cli.output import JsonOption, emit
from tools.cli.pair import pair
from tools.cli.simulate import simulate

if TYPE_CHECKING:
    from rich.table import Table

    from imu.ble import Sighting


def register(app: typer.Typer) -> None:
    """Add the commands of this family."""
    app.command("scan")(scan)
    app.command("pair")(pair)
    app.command("check")(check)
    app.command("simulate")(simulate)


@dataclass(frozen=True)
class Wanted:
    """What a scan is asked for: how long, which devices, whether to ask each sensor for its charge."""

    seconds: float
    everything: bool
    battery: bool
    adapter: str


@dataclass
class Seen:
    """What was heard so far, by address: the last advertisement, and charge in percent."""

    sightings: "dict[str, Sighting]" = field(default_factory=dict)
    batteries: dict[str, float] = field(default_factory=dict[str, float])

    def rows(self) -> list[dict[str, Any]]:
        """Return one row per device, the strongest first."""
        return [
            {
                "address": sighting.address,
                "name": sighting.name,
                "kind": sighting.driver.capability.family if sighting.driver else "",
                "title": sighting.driver.capability.title if sighting.driver else "",
                "battery_percent": self.batteries.get(sighting.address, math.nan),
                "rssi_dbm": sighting.rssi,
            }
            for sighting in sorted(self.sightings.values(), key=lambda item: -item.rssi)
        ]


def scan(
    *,
    seconds: Annotated[float, typer.Option(help="How long to listen.")] = 8.0,
    everything: Annotated[bool, typer.Option("--all", help="Also devices that are no sensors.")] = False,
    battery: Annotated[bool, typer.Option(help="Connect to each sensor for a moment to ask it.")] = True,
    adapter: Annotated[str, typer.Option(help="Bluetooth adapter, such as hci1 (Linux).")] = "",
    as_json: JsonOption = False,
) -> None:
    """List the sensors nearby: name, kind, battery, signal."""
    from rich.console import Console
    from rich.live import Live

    seen, console = Seen(), Console()
    watched = console.is_terminal and not as_json
    live = Live(_table(seen), console=console, refresh_per_second=4) if watched else None
    with live or nullcontext(), suppress(KeyboardInterrupt):
        show = (lambda: live.update(_table(seen))) if live else (lambda: None)
        asyncio.run(_listen(seen, Wanted(seconds, everything, battery, adapter), show))
    if not watched:
        text = "\n".join(_line(row) for row in seen.rows()) or f"No sensor was heard in {seconds:g} s."
        emit({"schema": "rom.scan/1", "devices": seen.rows()}, text, as_json=as_json)


async def _listen(seen: Seen, wanted: Wanted, show: Callable[[], None]) -> None:
    """Listen, and ask each new sensor for its charge."""
    from imu.ble import Backend, Radio
    from imu.ble_link import Timing, read_battery
    from imu.errors import RadioError

    radio = Radio(Backend(adapter=wanted.adapter))
    asking: list[asyncio.Task[None]] = []

    async def ask(sighting: "Sighting") -> None:
        with suppress(RadioError):
            seen.batteries[sighting.address] = await read_battery(radio, sighting, Timing())
            show()

    def heard(sighting: "Sighting") -> None:
        if sighting.driver is None and not wanted.everything:
            return
        new = sighting.address not in seen.sightings
        seen.sightings[sighting.address] = sighting
        if new and sighting.driver is not None and wanted.battery:
            asking.append(asyncio.create_task(ask(sighting)))
        show()

    await radio.scan(wanted.seconds, heard)
    for task in asking:
        await task


def _table(seen: Seen) -> "Table":
    from rich.table import Table

    table = Table("name", "kind", "battery", "signal", "address")
    for row in seen.rows():
        signal = f"{row['rssi_dbm']} dBm"
        table.add_row(row["name"], row["title"], _percent(row["battery_percent"]), signal, row["address"])
    return table


def _line(row: dict[str, Any]) -> str:
    return (
        f"{row['address']}  {row['name'] or '–'}  {row['title'] or '–'}  "
        f"battery {_percent(row['battery_percent'])}  signal {row['rssi_dbm']} dBm"
    )


def _percent(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.0f} %"
