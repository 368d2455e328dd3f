"""Which sensor is strapped to which segment: a small file that outlives the capture."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, cast

from imu.ble_link import SensorRequest
from imu.errors import InputError
from imu.sensors.registry import driver_named

FORMAT = "romcap.pairing/1"


@dataclass(frozen=True, slots=True)
class PairedSensor:
    """One sensor and where it is worn.

    Parameters
    ----------
    segment
        With its side, such as `left_shank`; it is also the sensor's id in a capture.
    address
        What the system calls the device.
    family
        Id of its driver.
    name
        As advertised.
    rate_error
        Relative rate error learnt in earlier captures; None if none was.
    """

    segment: str
    address: str
    family: str
    name: str = ""
    rate_error: float | None = None

    def request(self, rate_hz: float | None = None) -> SensorRequest:
        """Return what a capture asks of this sensor; the family's own rate unless given."""
        driver = driver_named(self.family)
        return SensorRequest(self.segment, self.address, driver, driver.settings(rate_hz=rate_hz))


def pairing_file() -> Path:
    """Return where this system keeps the pairing."""
    from platformdirs import user_config_path

    return user_config_path("romcap") / "sensors.json"


def load_pairing(path: Path) -> dict[str, PairedSensor]:
    """Return the paired sensors by segment; none if the file does not exist.

    Raises
    ------
    InputError
        If the file is no pairing.
    """
    if not path.exists():
        return {}
    try:
        document: Any = json.loads(path.read_text(encoding="utf-8"))
        if document["format"] != FORMAT:
            raise InputError(f"{path}: a pairing {FORMAT} was expected, got {document['format']}; pair again")
        sensors = [PairedSensor(**cast("dict[str, Any]", item)) for item in document["sensors"]]
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise InputError(f"{path}: this is no pairing ({error}); delete it and pair again") from None
    return {sensor.segment: sensor for sensor in sensors}


def save_pairing(path: Path, sensors: Mapping[str, PairedSensor]) -> None:
    """Write the paired sensors; the old file stays until the new one is complete."""
    document = {"format": FORMAT, "sensors": [asdict(sensor) for sensor in sensors.values()]}
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(path.name + ".new")
    fresh.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    fresh.replace(path)


def with_pair(sensors: Mapping[str, PairedSensor], new: PairedSensor) -> dict[str, PairedSensor]:
    """Return the pairing with one more sensor; it leaves wherever it was worn before."""
    kept = {segment: item for segment, item in sensors.items() if item.address != new.address}
    return {**kept, new.segment: new}


def with_sides_swapped(sensors: Mapping[str, PairedSensor]) -> dict[str, PairedSensor]:
    """Return the pairing with every left sensor on the right and the other way round."""
    swapped = [replace(sensor, segment=other_side(sensor.segment)) for sensor in sensors.values()]
    return {sensor.segment: sensor for sensor in swapped}


def with_rates(sensors: Mapping[str, PairedSensor], learnt: Mapping[str, float]) -> dict[str, PairedSensor]:
    """Return the pairing with rate errors learnt by sensor address."""
    return {
        segment: replace(sensor, rate_error=learnt.get(sensor.address, sensor.rate_error))
        for segment, sensor in sensors.items()
    }


def other_side(segment: str) -> str:
    """Return the segment on the other side of the body; one on the midline stays."""
    for side, other in (("left_", "right_"), ("right_", "left_")):
        if segment.startswith(side):
            return other + segment.removeprefix(side)
    return segment
