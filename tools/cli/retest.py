"""`rom retest`: the athlete's two minutes at home, against the clinic's test, and one sealed file back."""

import math
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from imu.errors import InputError
from tools.cli.check import PairingOption
from tools.cli.output import JsonOption, emit

if TYPE_CHECKING:
    from rom.clinic.home import HomeTest


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(retest)


def retest(
    test_file: Annotated[Path, typer.Argument(help="The file that the clinic sent.")],
    *,
    recording: Annotated[Path | None, typer.Option(help="Use this recording; else one is made now.")] = None,
    virtual: Annotated[bool, typer.Option("--virtual", help="Emulated sensors, to try it out.")] = False,
    seconds: Annotated[float, typer.Option(help="Length of the movement.")] = 45.0,
    aloud: Annotated[bool, typer.Option("--aloud", help="Speak the cues, where the system can.")] = False,
    soreness: Annotated[float | None, typer.Option(help="Since the visit, 0 to 10.")] = None,
    note: Annotated[str, typer.Option(help="A few words to the clinic.")] = "",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="The sealed file to make.")] = None,
    pairing: PairingOption = None,
    as_json: JsonOption = False,
) -> None:
    """Repeat the clinic's test at home: three steps, one sentence, one sealed file to send back."""
    from imu.whole_file import write_whole
    from rom.catalogue.loader import load_catalogue
    from rom.clinic.home import HomeTest, seal_answer
    from rom.clinic.measuring import measure

    if soreness is not None and not 0 <= soreness <= 10:
        raise InputError(f"soreness is rated from 0 to 10, got {soreness:g}")
    test, catalogue = HomeTest.load(test_file), load_catalogue()
    today = datetime.now().astimezone()
    stamp = f"{today:%Y%m%d-%H%M%S}"
    file = recording or test_file.with_name(f"retest_{stamp}.mcap")
    if recording is None:
        _record(test, file, pairing, seconds, virtual=virtual, aloud=aloud)
    measured = measure(file, catalogue, movement=test.movement, side=test.side, aggregate=test.aggregate)
    target = output or test_file.with_name(f"answer_{stamp}.age")
    write_whole(target, seal_answer(test, file, today.date(), soreness, note))
    change = test.against(measured.sample, catalogue)
    limit = change.change.yardstick.mdc95
    sentence = change.home_sentence(test.called(today.date()))
    lines = [
        f"{change.pre.movement.title(change.pre.side)}: {math.degrees(change.post.value):.0f}° today, "
        f"{math.degrees(change.pre.value):.0f}° in the clinic.",
        sentence,
        f"Send this file to the clinic: {target}",
    ]
    document: dict[str, Any] = {
        "schema": "romcap.retest/1",
        "movement": test.movement,
        "side": test.side,
        "today_deg": math.degrees(change.post.value),
        "clinic_deg": math.degrees(change.pre.value),
        "chance_deg": None if limit is None else math.degrees(limit),
        "sentence": sentence,
        "recording": str(file),
        "answer": str(target),
        "simulated": measured.simulated,
    }
    if measured.simulated:
        lines.insert(0, "Simulated: no person was measured.")
    emit(document, "\n".join(lines), as_json=as_json)


def _record(
    test: "HomeTest", file: Path, pairing: Path | None, seconds: float, *, virtual: bool, aloud: bool
) -> None:
    """Make the recording now, guided by cues."""
    from rom.catalogue.loader import load_catalogue
    from tools.cli.capture_order import Order
    from tools.cli.capture_record import record
    from tools.cli.cue_screen import CueScreen
    from tools.cli.keys import keyboard
    from tools.sources import virtual_sensors, worn_sensors

    side: Any = test.side
    movement = load_catalogue().movement(test.movement)
    order = Order(movement, side, "home", test.client, file, seconds, "", "")
    with keyboard() as keys, CueScreen(aloud=aloud) as screen:
        source = virtual_sensors(movement, side) if virtual else worn_sensors(movement, side, pairing)
        with source() as opened:
            record(order, opened, screen, keys)
