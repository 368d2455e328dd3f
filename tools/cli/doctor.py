"""`rom doctor`: is this computer set up for sensors, and if not, what to do."""

import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Literal

import typer

from tools.cli.output import JsonOption, emit

State = Literal["good", "notice", "bad"]
SIGNS: dict[State, str] = {"good": "●", "notice": "▲", "bad": "✕"}
OUR_PACKAGES = ("imu", "calibration", "rom", "tools")
LIBRARIES = ("bleak", "numpy", "scipy", "vqf", "ahrs", "mcap", "matplotlib", "typer", "rich")
LEAST_FREE_GB = 1.0
LISTEN_SECONDS = 1.5
LINK_SETTINGS = {
    "MinConnectionInterval": "6",
    "MaxConnectionInterval": "12",
    "ConnectionSupervisionTimeout": "200",
}
"""[LE] lines of BlueZ's main.conf that hold links with a body in the way: 7.5 to 15 ms instead of 30 to 50,
and 2 s instead of 0.42 s until a link counts as lost (sensor reference B.5; effect seen in btmon [K])."""
LEAST_WINDOWS_BUILD = 16299
"""bleak's documentation: Windows 10 version 16299 or later."""
MAIN_CONF = Path("/etc/bluetooth/main.conf")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: how it is, and what to do about it."""

    subject: str
    state: State
    words: str
    remedy: str = ""


def register(app: typer.Typer) -> None:
    """Add the commands of this family."""
    app.command("doctor")(doctor)


def doctor(
    folder: Annotated[Path, typer.Argument(help="Where recordings are kept.")] = Path(),
    *,
    bluetooth: Annotated[bool, typer.Option(help="Listen for a moment.")] = True,
    as_json: JsonOption = False,
) -> None:
    """Look over this computer: Bluetooth, permissions, versions, disk, unfinished recordings."""
    findings = [*programs(), package_names(), disk(folder), *unfinished(folder), pairing()]
    findings += [*system_bluetooth(), *([listening()] if bluetooth else []), virtual_sensors()]
    emit(
        {"schema": "romcap.doctor/1", "findings": [asdict(finding) for finding in findings]},
        "\n".join(_line(finding) for finding in findings),
        as_json=as_json,
    )


def programs() -> list[Finding]:
    """Return the versions of Python, of romcap and of what it stands on."""
    import platform
    from importlib.metadata import PackageNotFoundError, version

    findings = [
        Finding("system", "good", platform.platform()),
        Finding("Python", "good", platform.python_version()),
    ]
    found: list[str] = []
    for name in ("romcap", *LIBRARIES):
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            findings.append(Finding(name, "bad", "is missing", f"install it: pip install {name}"))
    return [*findings, Finding("libraries", "good", ", ".join(found))]


def package_names() -> Finding:
    """Tell whether another distribution owns a package of one of our names: then imports may go astray."""
    from importlib.metadata import packages_distributions

    owners = packages_distributions()
    clashes = {name: sorted(set(owners.get(name, ())) - {"romcap"}) for name in OUR_PACKAGES}
    others = [f"{name} (also of {', '.join(owned)})" for name, owned in clashes.items() if owned]
    if not others:
        return Finding("package names", "good", "imu, calibration, rom and tools are ours alone")
    remedy = "install romcap in an environment of its own, for example with pipx"
    return Finding("package names", "bad", f"not ours alone: {'; '.join(others)}", remedy)


def disk(folder: Path) -> Finding:
    """Tell how much room there is for recordings."""
    import shutil

    free = shutil.disk_usage(folder.resolve()).free / 1e9
    if free < LEAST_FREE_GB:
        return Finding("disk", "bad", f"{free:.1f} GB free", "make room before you record")
    return Finding("disk", "good", f"{free:.0f} GB free")


def unfinished(folder: Path) -> list[Finding]:
    """Return the recordings that were never closed: a capture that crashed, or one that runs now."""
    return [
        Finding("recording", "notice", f"{part} is unfinished", f"if no capture runs: rom repair {part}")
        for part in sorted(folder.glob("*.mcap.part"))
    ]


def pairing() -> Finding:
    """Tell which sensors are paired."""
    from imu.errors import InputError
    from imu.pairing import load_pairing, pairing_file

    try:
        sensors = load_pairing(pairing_file())
    except InputError as error:
        return Finding("pairing", "bad", str(error))
    if not sensors:
        return Finding("pairing", "notice", "no sensor is paired", "rom pair left_thigh left_shank")
    return Finding("pairing", "good", ", ".join(sensors))


def system_bluetooth() -> list[Finding]:
    """Return what this system's own Bluetooth set-up says."""
    if sys.platform == "linux":
        return [
            _adapters(Path("/sys/class/bluetooth")),
            *_switches(Path("/sys/class/rfkill")),
            link_settings(MAIN_CONF),
        ]
    if sys.platform == "darwin":
        remedy = "System Settings, Privacy & Security, Bluetooth: allow the terminal you use, then restart it"
        return [Finding("permission", "notice", "macOS asks once per program", remedy)]
    import platform

    build = int(platform.version().split(".")[-1] or 0)
    if build < LEAST_WINDOWS_BUILD:
        remedy = f"Bluetooth LE needs build {LEAST_WINDOWS_BUILD} or later"
        return [Finding("Windows", "bad", f"build {build}", remedy)]
    remedy = "Settings, Privacy, Radios: let apps control radios; do not pair sensors in Settings"
    return [Finding("Windows", "good", f"build {build}", remedy)]


def _adapters(place: Path) -> Finding:
    names = sorted(path.name for path in place.glob("hci*")) if place.exists() else []
    if not names:
        return Finding("adapter", "bad", "no Bluetooth adapter", "plug one in (version 4.0 or later)")
    return Finding("adapter", "good", ", ".join(names))


def _switches(place: Path) -> list[Finding]:
    """Return the radio switches that are off."""
    findings: list[Finding] = []
    for switch in sorted(place.glob("rfkill*")) if place.exists() else []:
        kind = (switch / "type").read_text(encoding="ascii").strip()
        if kind == "bluetooth" and (switch / "hard").read_text(encoding="ascii").strip() == "1":
            findings.append(Finding("switch", "bad", "Bluetooth is off by a hardware switch", "switch it on"))
        elif kind == "bluetooth" and (switch / "soft").read_text(encoding="ascii").strip() == "1":
            findings.append(Finding("switch", "bad", "Bluetooth is blocked", "rfkill unblock bluetooth"))
    return findings


def link_settings(file: Path) -> Finding:
    """Tell whether the Linux Bluetooth service is set to hold links with a body in the way."""
    import configparser

    settings = configparser.ConfigParser(strict=False, interpolation=None)
    settings.optionxform = str  # pyright: ignore[reportAttributeAccessIssue]  BlueZ's keys have capitals
    if not file.exists():
        return Finding("link settings", "notice", f"{file} does not exist", "install BlueZ 5.55 or later")
    settings.read(file, encoding="utf-8")
    missing = [
        f"{key}={value}"
        for key, value in LINK_SETTINGS.items()
        if settings.get("LE", key, fallback="") != value
    ]
    if not missing:
        return Finding("link settings", "good", "short intervals, patient supervision")
    remedy = f"in section [LE] of {file}: {', '.join(missing)}; then restart the Bluetooth service"
    return Finding("link settings", "notice", "the service's own: links break at arm's length", remedy)


def listening() -> Finding:
    """Listen for a moment, as a capture would."""
    import asyncio

    from imu.ble import Radio
    from imu.errors import RadioError

    sensors: dict[str, str] = {}
    others: set[str] = set()

    async def listen() -> None:
        await Radio().scan(
            LISTEN_SECONDS,
            lambda heard: (
                others.add(heard.address)
                if heard.driver is None
                else sensors.update({heard.address: heard.name or heard.address})
            ),
        )

    try:
        asyncio.run(listen())
    except RadioError as error:
        return Finding("Bluetooth", "bad", str(error))
    heard = f"{len(sensors)} sensors and {len(others)} other devices heard"
    return Finding("Bluetooth", "good" if sensors else "notice", heard)


def virtual_sensors() -> Finding:
    """Tell how emulated sensors reach the driver on this computer."""
    from tools.emulator import bus

    if sys.platform == "linux" and bus.available():
        return Finding("virtual sensors", "good", "through a stand-in Bluetooth service (dbus-daemon)")
    return Finding("virtual sensors", "good", "through bleak's injected back end; no dbus-daemon here")


def _line(finding: Finding) -> str:
    remedy = f"\n    {finding.remedy}" if finding.remedy else ""
    return f"{SIGNS[finding.state]} {finding.subject}: {finding.words}{remedy}"
